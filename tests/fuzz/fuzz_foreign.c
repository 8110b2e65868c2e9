/* What another kernel hands over, from where boot_info says it is: report, and what is carried on.  What is
 * accepted is worth handing on without what is written anew, and reading it takes no longer than there is
 * memory.  RAM is open to be read once its place was asked about; contents are never read, only asked for. */
#include "sparse.h"

#include <stdarg.h>

#include "kernel/console/console.h"
#include "kernel/handover/foreign.h"
#include "kernel/handover/node.h"
#include "kernel/handover/prove.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/memblock.h"
#include "kho/memfd.h"
#include "kho/metadata.h"

#define MAX_EXTENTS	65536
#define MAX_CLAIMS	32768

static struct boot_info bi = {
	.map = { { SPARSE_RAM, SPARSE_RAM_END - SPARSE_RAM, MEM_CONVENTIONAL } }, .nr_map = 1,
	.image = SPARSE_USED, .image_size = SPARSE_USED_BYTES,
};
static struct kho_handoff h, kept;
static uint64_t content_bytes;

/* ---- what the readers call (fuzz.mk wraps them) ------------------------------------------------ */

bool __real_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);
bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);
bool __real_kho_map_covers(const struct kho_map *m, paddr_t pa, uint64_t len);
bool __wrap_kho_map_covers(const struct kho_map *m, paddr_t pa, uint64_t len);
uint32_t __real_kho_crc32c(uint32_t crc, const void *p, size_t len);
uint32_t __wrap_kho_crc32c(uint32_t crc, const void *p, size_t len);

bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len)
{
	const bool is = __real_memmap_is_ram(map, n, pa, len);

	REQUIRE(!is || sparse_is_ram(NULL, pa, len));
	return is;
}

/* Blobs; what of a larger one is read comes first. */
bool __wrap_kho_map_covers(const struct kho_map *m, paddr_t pa, uint64_t len)
{
	const bool covers = __real_kho_map_covers(m, pa, len);

	if (covers)
		sparse_let_read(pa, MIN(len, SPARSE_READ_MAX));
	return covers;
}

/* Of memory of the machine; names are elsewhere. */
uint32_t __wrap_kho_crc32c(uint32_t crc, const void *p, size_t len)
{
	const paddr_t pa = mem_pa(p);

	if ((const uint8_t *)p < host_arena || pa >= SPARSE_RAM_END)
		return __real_kho_crc32c(crc, p, len);
	REQUIRE(len && kho_map_covers(&h.map, pa, len));
	content_bytes += len;
	return crc + 1;
}

/* One line, printable, and none of it lost. */
void kprintf(const char *fmt, ...)
{
	char line[CONSOLE_LINE_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	REQUIRE(len > 0 && (size_t)len < sizeof(line) && !strncmp(line, "# foreign: ", 11));
	REQUIRE(line[len - 1] == '\n');
	for (int i = 0; i < len - 1; i++)
		REQUIRE(line[i] >= ' ' && line[i] < 0x7f);
}

/* ---- what is carried on --------------------------------------------------------------------------- */

/* In pages of the map, each chunk with its order. */
static void check_extents(const struct foreign *f)
{
	static struct kho_range ranges[MAX_EXTENTS];

	REQUIRE(f->nr_extents <= MAX_EXTENTS);
	kept = (struct kho_handoff){ .data = h.data, .scratch = h.scratch };
	kept.map = (struct kho_map){ .extents = f->extent, .nr_extents = f->nr_extents, .ranges = ranges };
	kept.map.nr_ranges = kho_map_merge(f->extent, f->nr_extents, ranges);
	for (size_t i = 0; i < f->nr_extents; i++) {
		const struct kho_extent *e = &f->extent[i];
		const uint64_t len = kho_extent_len(e);
		unsigned first, last;

		REQUIRE(e->count && kho_map_covers(&h.map, e->pa, len));
		REQUIRE(kho_map_chunk(&h.map, e->pa, &first) && first == e->order);
		REQUIRE(kho_map_chunk(&h.map, e->pa + len - (PAGE_SIZE << e->order), &last) && last == first);
		REQUIRE(!i || e[-1].pa + kho_extent_len(&e[-1]) <= e->pa);
		REQUIRE(!kho_scratch_overlaps(&h.scratch, e->pa, len));
		REQUIRE(!ranges_overlap(e->pa, len, SPARSE_USED, SPARSE_USED_BYTES));
		kept.map.pages += len / PAGE_SIZE;
	}
}

static uint64_t pages_of(paddr_t pa, uint64_t len)
{
	return (ALIGN_UP(pa + len, PAGE_SIZE) - ALIGN_DOWN(pa, PAGE_SIZE)) / PAGE_SIZE;
}

/* Nothing is dropped but what every kernel writes anew. */
static void check_dropped(const struct foreign *f)
{
	const char *const anew[] = { KHO_NODE_LUO, KHO_NODE_METADATA };
	uint64_t pages = pages_of(h.data.fdt_pa, h.tree.fdt_bytes) + !!f->luo.flbs_pa;

	for (size_t i = 0; i < ARRAY_SIZE(anew); i++) {
		const struct kho_subnode *n = kho_tree_find(&h.tree, anew[i]);

		pages += n ? pages_of(n->pa, n->size) : 0;
	}
	REQUIRE(kept.map.pages <= h.map.pages && h.map.pages - kept.map.pages <= pages);
}

static void check_regions(const struct kho_subnode *n)
{
	struct kho_refusal why;
	struct kho_region r;
	struct span fdt;
	int node = -1, err;

	for (err = kho_memblock_open(kho_subnode_blob(n), &fdt, &why); !err;)
		err = kho_memblock_next(fdt, &kept.map, &node, &r, &why);
	REQUIRE(err == -ENOENT);
}

/* What the next one will demand of the nodes, with what is preserved by then. */
static void check_nodes(const struct foreign *f)
{
	REQUIRE(f->nr_nodes <= h.tree.nr);
	for (size_t i = 0; i < f->nr_nodes; i++) {
		const struct kho_subnode *n = &f->node[i];
		const struct kho_subnode *was = kho_tree_find(&h.tree, n->name);

		REQUIRE(was && was->pa == n->pa && was->size == n->size);
		REQUIRE(strcmp(n->name, KHO_NODE_LUO) && strcmp(n->name, KHO_NODE_METADATA) &&
			strcmp(n->name, NODE_NAME));
		REQUIRE(kho_map_covers(&kept.map, n->pa, n->size));
		if (!strcmp(n->name, KHO_NODE_MEMBLOCK))
			check_regions(n);
		kept.tree.node[kept.tree.nr++] = *n;
	}
}

/* Sessions and files are as good there as where they were found. */
static void check_files(const struct foreign *f)
{
	static struct kho_range claim[MAX_CLAIMS];
	static struct kho_folios folio[FOREIGN_MAX_FOLIOS];
	struct kho_luo_ser luo = { .compatible = KHO_LUO_COMPATIBLE, .sessions_pa = f->luo.sessions_pa };
	struct kho_refusal why = { 0 };
	struct kho_limits lim;
	struct kho_reader r;
	struct kho_luo l;

	kept.tree.fdt_bytes = 0;	/* was dropped, and so is not claimed */
	REQUIRE(prove_limits(&lim, &bi) && foreign_arrays(&l, FOREIGN_MAX_SESSIONS, FOREIGN_MAX_FILES));
	r = (struct kho_reader){ .lim = &lim, .scratch = &kept.scratch, .map = &kept.map,
				 .claims = { .range = claim, .max = MAX_CLAIMS } };
	for (size_t i = 0; i < kept.tree.nr; i++)
		REQUIRE(!kho_claim(&r.claims, ALIGN_DOWN(kept.tree.node[i].pa, PAGE_SIZE),
				   pages_of(kept.tree.node[i].pa, kept.tree.node[i].size) * PAGE_SIZE));
	REQUIRE(!kho_luo_read(&r, span_of(&luo, sizeof(luo)), &l, &why));
	REQUIRE(l.nr_sessions == f->luo.nr_sessions && l.nr_files == f->luo.nr_files &&
		l.nr_session_blocks == f->luo.nr_session_blocks);
	for (size_t i = 0; i < l.nr_files; i++) {
		struct kho_memfd m = { .folios = folio, .max_folios = FOREIGN_MAX_FOLIOS };

		REQUIRE(!strcmp(l.files[i].compatible, f->luo.files[i].compatible) &&
			l.files[i].data == f->luo.files[i].data && l.files[i].token == f->luo.files[i].token);
		if (!strcmp(l.files[i].compatible, KHO_MEMFD_COMPATIBLE))
			REQUIRE(!kho_memfd_read(&r, l.files[i].data, &m, &why));
	}
}

static void check(const struct foreign *f)
{
	REQUIRE(content_bytes <= h.map.pages * PAGE_SIZE);
	check_extents(f);
	check_dropped(f);
	check_nodes(f);
	check_files(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct foreign f;
	struct span in = span_of(data, size);
	struct kho_refusal why = { 0 };
	struct kho_data where;

	sparse_open(false);
	fuzz_take(&in, &where, sizeof(where));
	sparse_lay(in, false);
	bi.kho_fdt = where.fdt_pa;
	bi.kho_fdt_size = where.fdt_size;
	bi.kho_scratch = where.scratch_pa;
	bi.kho_scratch_size = where.scratch_size;
	scratch_init(SPARSE_OWN, SPARSE_OWN_BYTES);
	content_bytes = 0;
	if (foreign_read(&bi, &h, &f, &why))
		REQUIRE(why.what && why.fault);
	else
		check(&f);
	sparse_wipe();
	return 0;
}
