/* The parts of scratch, from an array that anybody may have written and wherever image, initrd and array
 * lie.  Only RAM is read; what is found is found again, and generations take turns between two places. */
#include "sparse.h"

#include "kernel/memory/memmap.h"
#include "kernel/memory/window.h"

/* First in the input; entries of the array follow. */
struct head {
	uint64_t image, image_size, initrd, initrd_size, array, array_size;
};

#define USED_END	(SPARSE_USED + SPARSE_USED_BYTES)
#define AGAIN		SPARSE_OWN	/* where the array is written again */
#define HOPS		6

static struct boot_info bi;
static struct window w, again;

/* Wrapped by fuzz.mk: what is asked for and RAM may be read. */
bool __real_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);
bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);

bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len)
{
	if (!__real_memmap_is_ram(map, n, pa, len))
		return false;
	if (pa < SPARSE_RAM_END)
		sparse_let_read(pa, len);
	return true;
}

static void begin(const struct head *head)
{
	static const struct mem_range map[] = {
		{ SPARSE_RAM, SPARSE_USED - SPARSE_RAM, MEM_CONVENTIONAL },
		{ SPARSE_USED, SPARSE_USED_BYTES, MEM_RESERVED },	/* closed: a hole */
		{ USED_END, SPARSE_RAM_END - USED_END, MEM_BOOT_SERVICES },
		{ AGAIN, PAGE_SIZE, MEM_CONVENTIONAL },
	};

	memcpy(bi.map, map, sizeof(map));
	bi.nr_map = ARRAY_SIZE(map);
	bi.image = head->image;
	bi.image_size = head->image_size;
	bi.initrd = head->initrd;
	bi.initrd_size = head->initrd_size;
	bi.kho_scratch = head->array;
	bi.kho_scratch_size = head->array_size;
}

/* What is left of the input, where the array is said to be: whether that is RAM is for the reader to see. */
static void lay(struct span in)
{
	const size_t len = MIN(in.len, KHO_MAX_SCRATCH * sizeof(struct kho_scratch_entry));

	if (!len || !sparse_within(false, bi.kho_scratch, len) ||
	    ranges_overlap(bi.kho_scratch, len, SPARSE_USED, SPARSE_USED_BYTES))
		return;
	sparse_copy(mem_ptr(bi.kho_scratch), in.p, len);
	sparse_laid[sparse_nr_laid].p = mem_ptr(bi.kho_scratch);
	sparse_laid[sparse_nr_laid++].len = len;
}

static bool apart(struct kho_range a, paddr_t pa, uint64_t len)
{
	return !len || !ranges_overlap(a.base, a.len, pa, len);
}

static void check_part(struct kho_range p)
{
	bool inside = false;

	REQUIRE(p.len && IS_ALIGNED(p.base | p.len, PAGE_SIZE));
	REQUIRE(apart(p, bi.image, bi.image_size) && apart(p, bi.initrd, bi.initrd_size) &&
		apart(p, bi.kho_scratch, bi.kho_scratch_size));
	REQUIRE(__real_memmap_is_ram(bi.map, bi.nr_map, p.base, p.len));
	for (size_t i = 0; i < w.areas.nr; i++) {
		const struct kho_scratch_entry *e = &w.areas.entry[i];

		inside |= p.base >= e->addr && p.base - e->addr <= e->size &&
			  p.len <= e->size - (p.base - e->addr);
	}
	REQUIRE(inside);
}

static void check(void)
{
	const struct kho_range own = { w.own, w.own_len }, next = { w.next, w.half };

	check_part(own);
	check_part(next);
	REQUIRE(apart(own, next.base, next.len));
	REQUIRE(w.areas.nr == bi.kho_scratch_size / sizeof(struct kho_scratch_entry));
}

/* The array once more, from what was read of it; false if an area is where it would be. */
static bool write_again(void)
{
	size_t used;

	if (kho_scratch_overlaps(&w.areas, AGAIN, PAGE_SIZE))
		return false;
	REQUIRE(!kho_scratch_write(&w.areas, mem_ptr(AGAIN), PAGE_SIZE, &used));
	bi.kho_scratch = AGAIN;
	bi.kho_scratch_size = used;
	return true;
}

static void find_again(void)
{
	const bool same = !kho_scratch_overlaps(&w.areas, bi.kho_scratch, bi.kho_scratch_size);
	struct kho_refusal why;

	REQUIRE(!window_find(&bi, &again, &why));
	REQUIRE(!memcmp(&again, &w, sizeof(w)));
	if (!write_again() || !same)
		return;
	REQUIRE(!window_find(&bi, &again, &why));
	REQUIRE(!memcmp(&again, &w, sizeof(w)));
}

/* Each image goes to where the one before it says. */
static void take_turns(void)
{
	paddr_t place[HOPS];
	struct kho_refusal why;

	bi.initrd_size = 0;
	if (bi.kho_scratch != AGAIN)
		return;
	for (unsigned i = 0; i < HOPS; i++) {
		if (bi.image_size > w.half)
			return;
		place[i] = bi.image = w.next;
		if (window_find(&bi, &w, &why))
			return;
		check();
	}
	REQUIRE(place[5] == place[3] && place[4] == place[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct kho_refusal why = { 0 };
	struct head head;

	sparse_open(false);
	fuzz_take(&in, &head, sizeof(head));
	begin(&head);
	/* Where we are is true, and so is what bootparams_read() says of the initrd. */
	if (!__real_memmap_is_ram(bi.map, bi.nr_map, bi.image, bi.image_size) ||
	    (bi.initrd_size && !__real_memmap_is_ram(bi.map, bi.nr_map, bi.initrd, bi.initrd_size)))
		return 0;
	lay(in);
	memset(&w, 0, sizeof(w));
	memset(&again, 0, sizeof(again));
	if (window_find(&bi, &w, &why)) {
		REQUIRE(why.what && why.fault);
	} else {
		check();
		find_again();
		take_turns();
	}
	sparse_wipe();
	return 0;
}
