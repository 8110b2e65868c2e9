/* The parts of scratch: chosen in generation 0, found again later, or in the array of another kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "kernel/memory/window.h"
#include "platform/mem.h"

#define ARRAY		MIB(8)		/* where the foreign array lies */
#define AREA		MIB(64)
#define AREA_BYTES	MIB(64)
#define IMAGE_BYTES	MIB(2)

static struct boot_info bi;
static struct window w;
static struct kho_refusal why;

static int setup(void **state)
{
	static const struct mem_range map[] = {
		{ 0, KIB(640), MEM_CONVENTIONAL },
		{ MIB(1), MIB(511), MEM_CONVENTIONAL },
		{ MIB(512), MIB(1), MEM_RESERVED },
		{ MIB(513), MIB(511), MEM_BOOT_SERVICES },
		{ GIB(1), MIB(1), MEM_ACPI_NVS },
		{ GIB(5), GIB(1), MEM_CONVENTIONAL },
	};

	(void)state;
	arena_reset(GIB(2), GIB(2) + MIB(1));
	memset(&bi, 0, sizeof(bi));
	memset(&w, 0x5a, sizeof(w));
	memcpy(bi.map, map, sizeof(map));
	bi.nr_map = ARRAY_SIZE(map);
	bi.image_size = IMAGE_BYTES;
	return 0;
}

/* ---- generation 0 ---------------------------------------------------------------------------- */

/* window.create: 4 MiB aligned, above 16 MiB, below 4 GiB, in conventional memory alone */
static void test_create(void **state)
{
	(void)state;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	assert_int_equal(w.own, MIB(16));
	assert_int_equal(w.own_len, MIB(32));
	assert_int_equal(w.half, MIB(32));
	assert_int_equal(w.next, MIB(48));
	assert_int_equal(w.areas.nr, 1);
	assert_int_equal(w.areas.entry[0].addr, MIB(16));
	assert_int_equal(w.areas.entry[0].size, MIB(64));

	bi.map[1].base = MIB(17) + PAGE_SIZE;	/* the next multiple of 4 MiB is 20 MiB */
	bi.map[1].len = MIB(512) - bi.map[1].base;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	assert_int_equal(w.own, MIB(20));

	/* 492 MiB from there; boot services and what lies above 4 GiB do not count. */
	assert_int_equal(window_create(&bi, MIB(492), &w), 0);
	assert_int_equal(window_create(&bi, MIB(496), &w), -ENOMEM);
}

/* ---- later ----------------------------------------------------------------------------------- */

static void lay_array(const struct kho_scratch_entry *e, size_t nr)
{
	memcpy(mem_ptr(ARRAY), e, nr * sizeof(*e));
	bi.kho_scratch = ARRAY;
	bi.kho_scratch_size = nr * sizeof(*e);
}

static int find(void)
{
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return window_find(&bi, &w, &why);
}

/* Nothing is in two of these, all are whole pages, and both parts are in areas. */
static void check_parts(void)
{
	const struct kho_range part[] = {
		{ w.own, w.own_len }, { w.next, w.half }, { bi.image, bi.image_size },
		{ bi.initrd, bi.initrd_size }, { bi.kho_scratch, bi.kho_scratch_size },
	};

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		for (size_t j = 0; j < i && j < 2; j++)
			assert_false(part[i].len && ranges_overlap(part[i].base, part[i].len, part[j].base,
								   part[j].len));
	for (size_t i = 0; i < 2; i++) {
		bool inside = false;

		assert_true(part[i].len && IS_ALIGNED(part[i].base | part[i].len, PAGE_SIZE));
		for (size_t k = 0; k < w.areas.nr; k++)
			inside |= part[i].base >= w.areas.entry[k].addr &&
				  part[i].base + part[i].len <=
				  w.areas.entry[k].addr + w.areas.entry[k].size;
		assert_true(inside);
	}
}

/* window.halves_in_turn, over many generations */
static void test_turns(void **state)
{
	struct window was;

	(void)state;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	for (unsigned generation = 1; generation < 7; generation++) {
		was = w;
		lay_array(w.areas.entry, w.areas.nr);
		bi.image = w.next + (generation % 3) * MIB(1);
		assert_int_equal(find(), 0);
		check_parts();
		assert_in_range(bi.image, was.next, was.next + was.half);
		assert_int_equal(w.own, bi.image + bi.image_size);
		assert_int_equal(w.own + w.own_len, was.next + was.half);
		assert_int_equal(w.next, was.next == MIB(16) ? MIB(48) : MIB(16));
		assert_int_equal(w.half, MIB(32));
		assert_int_equal(w.areas.nr, 1);
		assert_memory_equal(&w.areas.entry[0], &was.areas.entry[0], sizeof(w.areas.entry[0]));
	}
}

/* window.image_in_one_area: wherever it lies, both parts are found */
static const struct {
	const char *name;
	paddr_t image;
	uint64_t size;
	int err;
	paddr_t own, own_end, next, next_end;
} places[] = {
	{ "window.at_the_start", AREA, IMAGE_BYTES, 0, AREA + MIB(2), AREA + MIB(32), AREA + MIB(32),
	  AREA + MIB(64) },
	{ "window.fills_the_lower_half", AREA, MIB(32), 0, AREA + MIB(48), AREA + MIB(64), AREA + MIB(32),
	  AREA + MIB(48) },
	{ "window.at_the_top", AREA + MIB(62), IMAGE_BYTES, 0, AREA + MIB(32), AREA + MIB(62), AREA,
	  AREA + MIB(32) },
	{ "window.odd_place", AREA + MIB(40) + 5, IMAGE_BYTES, 0, AREA + MIB(42) + PAGE_SIZE, AREA + MIB(64),
	  AREA, AREA + MIB(32) },
	{ "window.across_the_middle", AREA + MIB(31), IMAGE_BYTES, 0, AREA + MIB(33), AREA + MIB(64), AREA,
	  AREA + MIB(31) },
	{ "window.whole_area", AREA, MIB(64), -ENOMEM, 0, 0, 0, 0 },
	{ "window.all_but_a_page", AREA, MIB(64) - PAGE_SIZE, -ENOMEM, 0, 0, 0, 0 },
	{ "window.all_but_two_pages", AREA, MIB(64) - 2 * PAGE_SIZE, 0, AREA + MIB(64) - PAGE_SIZE,
	  AREA + MIB(64), AREA + MIB(64) - 2 * PAGE_SIZE, AREA + MIB(64) - PAGE_SIZE },
	{ "window.below_the_area", AREA - 1, IMAGE_BYTES, -ENOENT, 0, 0, 0, 0 },
	{ "window.sticks_out", AREA + MIB(62) + 1, IMAGE_BYTES, -ENOENT, 0, 0, 0, 0 },
	{ "window.larger_than_the_area", AREA, MIB(65), -ENOENT, 0, 0, 0, 0 },
	{ "window.elsewhere", MIB(200), IMAGE_BYTES, -ENOENT, 0, 0, 0, 0 },
};

static void test_places(void **state)
{
	const struct kho_scratch_entry e = { AREA, AREA_BYTES };

	(void)state;
	lay_array(&e, 1);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		print_message("# %s\n", places[i].name);
		bi.image = places[i].image;
		bi.image_size = places[i].size;
		assert_int_equal(find(), places[i].err);
		if (places[i].err) {
			assert_string_equal(why.fault, places[i].err == -ENOENT ? "is not in scratch" : "is full");
			continue;
		}
		check_parts();
		assert_int_equal(w.own, places[i].own);
		assert_int_equal(w.own + w.own_len, places[i].own_end);
		assert_int_equal(w.next, places[i].next);
		assert_int_equal(w.next + w.half, places[i].next_end);
	}
}

/* window.among_several_areas, some of size 0: all of them are handed on as they came */
static void test_several(void **state)
{
	const struct kho_scratch_entry e[] = {
		{ MIB(300), 0 }, { MIB(16), MIB(4) }, { AREA, AREA_BYTES }, { MIB(600), MIB(192) },
	};

	(void)state;
	lay_array(e, ARRAY_SIZE(e));
	bi.image = MIB(600) + MIB(96);
	assert_int_equal(find(), 0);
	assert_int_equal(w.own, MIB(698));
	assert_int_equal(w.own_len, MIB(94));
	assert_int_equal(w.next, MIB(600));	/* more than the other areas have */
	assert_int_equal(w.half, MIB(96));
	assert_int_equal(w.areas.nr, ARRAY_SIZE(e));
	assert_memory_equal(w.areas.entry, e, sizeof(e));
}

/* window.as_linux_loads: image, initrd and array at the top of the first area, a larger area behind */
static void test_linux(void **state)
{
	const struct kho_scratch_entry e[] = {
		{ MIB(400), MIB(100) }, { MIB(520), 0 }, { MIB(600), MIB(192) },
	};
	paddr_t was[2] = { 0 };

	(void)state;
	memcpy(mem_ptr(MIB(499)), e, sizeof(e));
	bi.kho_scratch = MIB(499);
	bi.kho_scratch_size = sizeof(e);
	bi.initrd = MIB(480) + 1;
	bi.initrd_size = MIB(6) - 1;
	bi.image = MIB(490);
	assert_int_equal(find(), 0);
	check_parts();
	assert_int_equal(w.own, MIB(400));
	assert_int_equal(w.own_len, MIB(80));
	assert_int_equal(w.next, MIB(600));
	assert_int_equal(w.half, MIB(192));

	/* From there on in one area and the other: half of the larger one is less than the first. */
	bi.initrd_size = 0;
	lay_array(e, ARRAY_SIZE(e));
	for (unsigned generation = 1; generation < 6; generation++) {
		struct window foreseen;

		bi.image = w.next;
		assert_int_equal(window_after(&w, bi.image, bi.image_size, &foreseen), 0);
		assert_int_equal(find(), 0);
		check_parts();
		assert_memory_equal(&foreseen, &w, sizeof(w));
		assert_int_equal(w.areas.nr, ARRAY_SIZE(e));
		if (generation > 2)
			assert_int_equal(w.next, was[generation % 2]);
		was[generation % 2] = w.next;
	}
}

/* window.foreseen: what cannot be is said before */
static void test_foreseen(void **state)
{
	struct window next;

	(void)state;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	assert_int_equal(window_after(&w, w.next, IMAGE_BYTES, &next), 0);
	assert_int_equal(next.next, MIB(16));
	assert_int_equal(window_after(&w, MIB(16), MIB(64), &next), -ENOMEM);
	assert_int_equal(window_after(&w, MIB(300), IMAGE_BYTES, &next), -ENOENT);
}

/* window.two_areas_in_turn: one and the other, where that is more than half of one */
static void test_two_areas(void **state)
{
	const struct kho_scratch_entry e[] = { { MIB(400), MIB(64) }, { AREA, MIB(60) } };

	(void)state;
	lay_array(e, ARRAY_SIZE(e));
	bi.image = MIB(430);
	for (unsigned generation = 0; generation < 6; generation++) {
		assert_int_equal(find(), 0);
		check_parts();
		assert_int_equal(w.next, e[(generation + 1) % 2].addr);
		assert_int_equal(w.half, e[(generation + 1) % 2].size);
		bi.image = w.next;
	}
}

/* window.odd_sizes: equal halves, 2 MiB aligned, in turn */
static void test_odd_size(void **state)
{
	(void)state;
	for (uint64_t size = MIB(8); size < MIB(17); size += 3 * PAGE_SIZE) {
		const struct kho_scratch_entry e = { AREA, size };

		lay_array(&e, 1);
		bi.image_size = MIB(1);
		bi.image = AREA;
		assert_int_equal(find(), 0);
		assert_true(IS_ALIGNED(w.half, MIB(2)));
		assert_true(2 * w.half <= size && size < 2 * w.half + MIB(4));
		assert_int_equal(w.next, AREA + w.half);
		bi.image = AREA + w.half;
		assert_int_equal(find(), 0);
		assert_int_equal(w.own + w.own_len, AREA + 2 * w.half);
		assert_int_equal(w.next, AREA);
	}
}

/* window.initrd_in_the_way: an area with something in it is none for the next image; of one that is left
 * with a large piece and small ones, the large one is shared */
static void test_initrd(void **state)
{
	const struct kho_scratch_entry e[] = { { MIB(400), MIB(64) }, { AREA, MIB(64) } };

	(void)state;
	lay_array(e, ARRAY_SIZE(e));
	bi.image = MIB(400);
	bi.initrd = AREA + MIB(63);
	bi.initrd_size = 1;
	assert_int_equal(find(), 0);
	check_parts();
	assert_in_range(w.next, MIB(400), MIB(464));

	lay_array(e, 1);
	bi.initrd = MIB(431);
	bi.initrd_size = MIB(30);
	bi.image = MIB(462);
	assert_int_equal(find(), 0);
	check_parts();
	assert_int_equal(w.next, MIB(400));
	assert_int_equal(w.half, MIB(31) / 2);
	assert_int_equal(w.own, MIB(400) + MIB(31) / 2);
	assert_int_equal(w.own_len, MIB(31) / 2);

	/* The array in the middle of what would be the largest piece. */
	bi.initrd_size = 0;
	bi.image = MIB(400);
	memcpy(mem_ptr(MIB(440) + 16), e, sizeof(e[0]));
	bi.kho_scratch = MIB(440) + 16;
	assert_int_equal(find(), 0);
	check_parts();
}

/* window.everywhere: whatever the place of the image, its descendants take turns between two places */
static void test_everywhere(void **state)
{
	const struct kho_scratch_entry e[] = { { MIB(400), MIB(17) }, { AREA, MIB(9) }, { MIB(300), 0 } };

	(void)state;
	for (paddr_t image = MIB(400); image <= MIB(415); image += 13 * PAGE_SIZE) {
		paddr_t place[6];

		lay_array(e, ARRAY_SIZE(e));
		bi.image = image;
		for (unsigned g = 0; g < ARRAY_SIZE(place); g++) {
			assert_int_equal(find(), 0);
			check_parts();
			assert_true(w.half >= MIB(2) && w.own_len >= MIB(2));
			place[g] = bi.image = w.next;
		}
		assert_int_equal(place[5], place[3]);
		assert_int_equal(place[4], place[2]);
	}
}

/* window.hostile_array: nothing that is not RAM is read, nothing broken is believed */
static const struct {
	const char *name;
	paddr_t at;
	uint64_t size;
	const char *what, *fault;
} hostile[] = {
	{ "window.array_of_size_0", ARRAY, 0, "scratch array", "is not RAM or has an impossible size" },
	{ "window.array_too_long", ARRAY, (KHO_MAX_SCRATCH + 1) * 16, "scratch array",
	  "is not RAM or has an impossible size" },
	{ "window.array_of_64_bits", ARRAY, UINT64_MAX, "scratch array",
	  "is not RAM or has an impossible size" },
	{ "window.array_wraps", -8ULL, 16, "scratch array", "is not RAM or has an impossible size" },
	{ "window.array_behind_memory", BIT64(51), 16, "scratch array",
	  "is not RAM or has an impossible size" },
	{ "window.array_in_a_hole", GIB(2), 16, "scratch array", "is not RAM or has an impossible size" },
	{ "window.array_in_reserved", MIB(512), 16, "scratch array",
	  "is not RAM or has an impossible size" },
	{ "window.array_half_in_reserved", MIB(512) - 8, 16, "scratch array",
	  "is not RAM or has an impossible size" },
	{ "window.array_all_zero", MIB(9), 64, "scratch array", "has no non-empty area" },
};

static void test_hostile_array(void **state)
{
	const struct kho_scratch_entry e = { AREA, AREA_BYTES };

	(void)state;
	bi.image = AREA;
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		print_message("# %s\n", hostile[i].name);
		lay_array(&e, 1);
		bi.kho_scratch = hostile[i].at;
		bi.kho_scratch_size = hostile[i].size;
		assert_int_equal(find(), -EBADMSG);
		assert_string_equal(why.what, hostile[i].what);
		assert_string_equal(why.fault, hostile[i].fault);
	}
	lay_array(&e, 1);
	assert_int_equal(find(), 0);
}

/* window.hostile_areas: any area that cannot be one refuses the array, wherever our image is */
static void test_hostile_areas(void **state)
{
	static const struct { struct kho_scratch_entry e; const char *fault; } bad[] = {
		{ { GIB(3), MIB(4) }, "is not RAM" },
		{ { MIB(511), MIB(2) }, "is not RAM" },
		{ { MIB(128) + 8, MIB(4) }, "is not page aligned" },
		{ { -MIB(4), MIB(4) }, "wraps or exceeds 52 address bits" },
		{ { MIB(200), UINT64_MAX - 4095 }, "wraps or exceeds 52 address bits" },
		{ { AREA + MIB(60), MIB(8) }, "overlaps another" },
	};

	(void)state;
	bi.image = AREA;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct kho_scratch_entry e[] = { { AREA, AREA_BYTES }, bad[i].e };

		lay_array(e, 2);
		assert_int_equal(find(), -EBADMSG);
		assert_string_equal(why.what, "scratch area");
		assert_string_equal(why.fault, bad[i].fault);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_places, setup),
		cmocka_unit_test_setup(test_several, setup),
		cmocka_unit_test_setup(test_odd_size, setup),
		cmocka_unit_test_setup(test_linux, setup),
		cmocka_unit_test_setup(test_foreseen, setup),
		cmocka_unit_test_setup(test_two_areas, setup),
		cmocka_unit_test_setup(test_initrd, setup),
		cmocka_unit_test_setup(test_everywhere, setup),
		cmocka_unit_test_setup(test_hostile_array, setup),
		cmocka_unit_test_setup(test_hostile_areas, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
