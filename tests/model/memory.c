/* Memory in up to three places: as the CPU sees it; behind its caches, where only a flush gets
 * to and where a walk that does not snoop looks; and behind a unit's write buffer (CAP.RWBF). */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/mem.h"

#define LINE		64
#define MAX_ORDER	10
#define RAM_PAGES	(MODEL_RAM_BYTES / PAGE_SIZE)

/* What mem_alloc_pages() hands out. */
#define POOL_BASE	MIB(64)
#define POOL_END	MIB(512)

uint8_t *model_ram;
static uint8_t *behind_caches;

enum page_state { UNTOUCHED, IN_USE, FREED };
static uint8_t page_state[RAM_PAGES];
static paddr_t next_page;
static struct { paddr_t pa[32768]; size_t n; } free_list[MAX_ORDER + 1];
static uint64_t in_use;
static enum model_write_back write_back;
static paddr_t (*take_elsewhere)(unsigned order);
static void (*give_elsewhere)(paddr_t pa, unsigned order);

static uint8_t *map_ram(void)
{
	uint8_t *p = mmap(NULL, MODEL_RAM_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap of the model's memory");
		exit(99);
	}
	return p;
}

static void unmap_ram(uint8_t *p)
{
	if (p)
		munmap(p, MODEL_RAM_BYTES);
}

void model_memory_reset(void)
{
	unmap_ram(model_ram);
	unmap_ram(behind_caches);
	model_ram = map_ram();
	behind_caches = map_ram();
	memset(page_state, UNTOUCHED, sizeof(page_state));
	next_page = POOL_BASE;
	for (unsigned i = 0; i <= MAX_ORDER; i++)
		free_list[i].n = 0;
	in_use = 0;
	write_back = MODEL_AT_FLUSH;
	take_elsewhere = NULL;
	give_elsewhere = NULL;
}

void model_free_unit_memory(struct model_unit *u)
{
	unmap_ram(u->buffered);
	free(u->held);
	u->buffered = NULL;
	u->held = NULL;
}

bool model_is_ram(paddr_t pa, uint64_t len)
{
	return pa < MODEL_RAM_BYTES && len <= MODEL_RAM_BYTES - pa;
}

bool model_is_freed(paddr_t pa)
{
	return model_is_ram(pa, 1) && page_state[pa / PAGE_SIZE] == FREED;
}

uint64_t model_pages_in_use(void)
{
	return in_use;
}

/* ---- views ---------------------------------------------------------------------------------- */

static const uint8_t *source(const struct model_unit *u)
{
	return u->t.coherent ? model_ram : behind_caches;
}

uint64_t model_read64(const struct model_unit *u, bool snooped, paddr_t pa)
{
	const uint8_t *from = u->buffered ? u->buffered : snooped ? model_ram : behind_caches;
	uint64_t v;

	memcpy(&v, from + pa, sizeof(v));
	return v;
}

uint64_t model_cpu_read64(paddr_t pa)
{
	uint64_t v;

	memcpy(&v, model_ram + pa, sizeof(v));
	return v;
}

/* Snooped: lands in caches and memory alike. */
void model_device_write(paddr_t pa, const void *data, size_t len)
{
	memcpy(model_ram + pa, data, len);
	memcpy(behind_caches + pa, data, len);
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++)
		if (model_units[i].exists && model_units[i].buffered)
			memcpy(model_units[i].buffered + pa, data, len);
}

void model_publish(paddr_t pa, uint64_t len)
{
	model_rules_look_again();
	memcpy(behind_caches + pa, model_ram + pa, len);
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++) {
		struct model_unit *u = &model_units[i];

		if (!u->exists || !u->t.rwbf)
			continue;
		if (!u->buffered)
			u->buffered = map_ram();
		memcpy(u->buffered + pa, model_ram + pa, len);
	}
}

static void hold(struct model_unit *u, paddr_t pa, uint64_t len)
{
	if (!u->buffered)
		u->buffered = map_ram();
	for (paddr_t line = ALIGN_DOWN(pa, LINE); line < pa + len; line += LINE) {
		if (u->nr_held == u->max_held) {
			u->max_held = u->max_held ? 2 * u->max_held : 1024;
			u->held = realloc(u->held, u->max_held * sizeof(*u->held));
			if (!u->held)
				abort();
		}
		u->held[u->nr_held++] = line;
	}
}

/* [pa, pa + len) has left the CPU, for units whose coherency is @coherent. */
static void reach_write_buffers(paddr_t pa, uint64_t len, bool coherent)
{
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++) {
		struct model_unit *u = &model_units[i];

		if (u->exists && u->t.rwbf && u->t.coherent == coherent)
			hold(u, pa, len);
	}
}

void model_drain_write_buffer(struct model_unit *u)
{
	for (size_t i = 0; i < u->nr_held; i++)
		memcpy(u->buffered + u->held[i], source(u) + u->held[i], LINE);
	u->nr_held = 0;
}

static void write_lines_back(paddr_t pa, uint64_t len)
{
	const paddr_t first = ALIGN_DOWN(pa, LINE), end = ALIGN_UP(pa + len, LINE);

	memcpy(behind_caches + first, model_ram + first, end - first);
	reach_write_buffers(pa, len, false);
}

/* ---- the seam ------------------------------------------------------------------------------- */

static void store(uint64_t *p, const uint64_t *v, unsigned words)
{
	const paddr_t pa = mem_pa(p);

	model_step();
	if (!model_is_ram(pa, words * sizeof(*v)) || !IS_ALIGNED(pa, words * sizeof(*v))) {
		model_violate(NULL, "store of %u bytes at %llx: unaligned or outside memory",
			      words * 8, (unsigned long long)pa);
		return;
	}
	if (page_state[pa / PAGE_SIZE] == FREED)
		model_violate(NULL, "store at %llx, which has been freed", (unsigned long long)pa);
	model_rule_store(pa, v, words);
	memcpy(p, v, words * sizeof(*v));
	reach_write_buffers(pa, words * sizeof(*v), true);
	if (write_back == MODEL_AT_STORE)
		write_lines_back(pa, words * sizeof(*v));
}

void mem_write64(uint64_t *p, uint64_t v)
{
	store(p, &v, 1);
}

void mem_write128(uint64_t p[2], uint64_t lo, uint64_t hi)
{
	const uint64_t v[2] = { lo, hi };

	store(p, v, 2);
}

void mem_flush(const void *p, size_t len)
{
	model_step();
	if (write_back != MODEL_NEVER && len)
		write_lines_back(mem_pa(p), len);
}

void model_write_back(enum model_write_back when)
{
	write_back = when;
}

void model_use_allocator(paddr_t (*take)(unsigned order), void (*give)(paddr_t pa, unsigned order))
{
	take_elsewhere = take;
	give_elsewhere = give;
}

static paddr_t take_from_pool(unsigned order)
{
	const uint64_t len = PAGE_SIZE << order;
	paddr_t pa;

	if (order > MAX_ORDER)
		return 0;
	if (free_list[order].n)
		return free_list[order].pa[--free_list[order].n];
	pa = ALIGN_UP(next_page, len);
	if (pa + len > POOL_END)
		return 0;
	next_page = pa + len;
	return pa;
}

/* Zeroed as the CPU sees it.  Behind the caches stands what was there before, or nonsense. */
paddr_t mem_alloc_pages(unsigned order)
{
	const uint64_t len = PAGE_SIZE << order;
	const paddr_t pa = take_elsewhere ? take_elsewhere(order) : take_from_pool(order);

	if (!pa)
		return 0;
	for (paddr_t page = pa; page < pa + len; page += PAGE_SIZE) {
		if (page_state[page / PAGE_SIZE] == UNTOUCHED)
			memset(behind_caches + page, 0xff, PAGE_SIZE);
		if (page_state[page / PAGE_SIZE] == IN_USE)
			model_violate(NULL, "page %llx handed out twice", (unsigned long long)page);
	}
	memset(model_ram + pa, 0, len);
	memset(&page_state[pa / PAGE_SIZE], IN_USE, 1U << order);
	reach_write_buffers(pa, len, true);
	in_use += 1U << order;
	return pa;
}

void mem_free_pages(paddr_t pa, unsigned order)
{
	for (paddr_t page = pa; page < pa + (PAGE_SIZE << order); page += PAGE_SIZE) {
		if (!model_is_ram(page, PAGE_SIZE) || page_state[page / PAGE_SIZE] != IN_USE) {
			model_violate(NULL, "page %llx freed, but not in use", (unsigned long long)page);
			return;
		}
		model_rule_free(page);
		page_state[page / PAGE_SIZE] = FREED;
	}
	if (give_elsewhere)
		give_elsewhere(pa, order);
	else
		free_list[order].pa[free_list[order].n++] = pa;
	in_use -= 1U << order;
}

/* Read as an entry of any table it is present and leads nowhere. */
#define NONSENSE	0x63

/* Memory that nobody has ever touched reads as zero; to fill it would take most of the time. */
static const unsigned char *touched(paddr_t pa, uint64_t len)
{
	static unsigned char there[RAM_PAGES];

	if (mincore(model_ram + pa, len, there)) {
		perror("mincore of the model's memory");
		exit(99);
	}
	return there;
}

void model_lose(paddr_t pa, uint64_t len)
{
	const unsigned char *there = touched(pa, len);

	for (uint64_t i = 0; i < len / PAGE_SIZE; i++) {
		const paddr_t page = pa + i * PAGE_SIZE;
		uint8_t *state = &page_state[page / PAGE_SIZE];

		if (*state == IN_USE) {
			model_rule_free(page);
			in_use--;
		}
		*state = FREED;
		if (!(there[i] & 1))
			continue;
		memset(model_ram + page, NONSENSE, PAGE_SIZE);
		model_publish(page, PAGE_SIZE);
	}
}
