/* Halves of scratch: chosen in generation 0, found again later from a foreign array. */
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

/* window.halves_in_turn, over many generations */
static void test_turns(void **state)
{
	struct window was;

	(void)state;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	for (unsigned generation = 1; generation < 7; generation++) {
		was = w;
		lay_array(w.areas.entry, w.areas.nr);
		bi.image = w.next + (generation % 3) * MIB(4);
		assert_int_equal(find(), 0);
		assert_int_equal(w.own, was.next);
		assert_int_equal(w.next, was.own);
		assert_int_equal(w.half, was.half);
		assert_int_equal(w.areas.nr, 1);
		assert_memory_equal(&w.areas.entry[0], &was.areas.entry[0], sizeof(w.areas.entry[0]));
	}
}

/* window.image_and_halves: where an image may lie in an area */
static const struct {
	const char *name;
	paddr_t image;
	uint64_t size;
	int err;
	const char *fault;
	paddr_t own, next;
} places[] = {
	{ "window.at_the_start", AREA, IMAGE_BYTES, 0, "", AREA, AREA + MIB(32) },
	{ "window.fills_the_lower_half", AREA, MIB(32), 0, "", AREA, AREA + MIB(32) },
	{ "window.fills_the_upper_half", AREA + MIB(32), MIB(32), 0, "", AREA + MIB(32), AREA },
	{ "window.ends_at_the_border", AREA + MIB(30), IMAGE_BYTES, 0, "", AREA, AREA + MIB(32) },
	{ "window.one_byte_across", AREA + MIB(30) + 1, IMAGE_BYTES, -EBADMSG,
	  "lies across both scratch halves", 0, 0 },
	{ "window.across_the_middle", AREA + MIB(31), IMAGE_BYTES, -EBADMSG,
	  "lies across both scratch halves", 0, 0 },
	{ "window.whole_area", AREA, MIB(64), -EBADMSG, "lies across both scratch halves", 0, 0 },
	{ "window.below_the_area", AREA - 1, IMAGE_BYTES, -ENOENT, "is not in scratch", 0, 0 },
	{ "window.sticks_out", AREA + MIB(62) + 1, IMAGE_BYTES, -ENOENT, "is not in scratch", 0, 0 },
	{ "window.elsewhere", MIB(200), IMAGE_BYTES, -ENOENT, "is not in scratch", 0, 0 },
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
		assert_string_equal(why.fault, places[i].fault);
		if (places[i].err) {
			assert_string_equal(why.what, "image");
			assert_int_equal(why.at, places[i].image);
			continue;
		}
		assert_int_equal(w.own, places[i].own);
		assert_int_equal(w.next, places[i].next);
		assert_int_equal(w.half, MIB(32));
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
	assert_int_equal(w.own, MIB(696));
	assert_int_equal(w.next, MIB(600));
	assert_int_equal(w.half, MIB(96));
	assert_int_equal(w.areas.nr, ARRAY_SIZE(e));
	assert_memory_equal(w.areas.entry, e, sizeof(e));
}

/* window.odd_sizes: the halves are equal, 2 MiB aligned and inside the area */
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
		assert_int_equal(w.own, AREA);
		assert_int_equal(w.next, AREA + w.half);
		bi.image = AREA + w.half;
		assert_int_equal(find(), 0);
		assert_int_equal(w.own, AREA + w.half);
		assert_int_equal(w.next, AREA);
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

/* window.heap: our half behind the image; all of it where the image is not in it */
static void test_heap(void **state)
{
	const struct kho_scratch_entry e = { AREA, AREA_BYTES };
	paddr_t base;
	uint64_t len;

	(void)state;
	assert_int_equal(window_create(&bi, MIB(64), &w), 0);
	bi.image = MIB(700);			/* generation 0: firmware put it elsewhere */
	window_heap(&w, &bi, &base, &len);
	assert_int_equal(base, MIB(16));
	assert_int_equal(len, MIB(32));
	bi.image = MIB(8);
	window_heap(&w, &bi, &base, &len);
	assert_int_equal(base, MIB(16));

	lay_array(&e, 1);
	bi.image = AREA + MIB(32);
	bi.image_size = MIB(2) + 5;
	assert_int_equal(find(), 0);
	window_heap(&w, &bi, &base, &len);
	assert_int_equal(base, AREA + MIB(34) + PAGE_SIZE);
	assert_int_equal(base + len, AREA + MIB(64));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_places, setup),
		cmocka_unit_test_setup(test_several, setup),
		cmocka_unit_test_setup(test_odd_size, setup),
		cmocka_unit_test_setup(test_hostile_array, setup),
		cmocka_unit_test_setup(test_hostile_areas, setup),
		cmocka_unit_test_setup(test_heap, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
