#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "errno.h"
#include "kernel/memory/memmap.h"

#define WB	BIT64(3)
#define SP	BIT64(18)
#define RUNTIME	BIT64(63)

/* The slow model: one kind per unit of memory, -1 for a hole. */
#define UNITS	96
#define UNIT	PAGE_SIZE
#define HOLE	(-1)

static const unsigned nr_kinds = MEM_MMIO + 1;

static enum mem_kind random_kind(void)
{
	enum mem_kind k;

	do
		k = (unsigned)rand() % nr_kinds;
	while (k == MEM_RAM_KINDS);
	return k;
}

static void assert_sound(const struct mem_range *map, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(map[i].len > 0);
		assert_true(map[i].base + map[i].len <= MEMMAP_LIMIT);
		if (!i)
			continue;
		assert_true(map[i - 1].base + map[i - 1].len <= map[i].base);
		if (map[i - 1].base + map[i - 1].len == map[i].base)
			assert_int_not_equal(map[i - 1].kind, map[i].kind);
	}
}

static void assert_is_model(const struct mem_range *map, size_t n, const int *model)
{
	assert_sound(map, n);
	for (size_t u = 0; u < UNITS; u++) {
		const struct mem_range *r = memmap_at(map, n, u * UNIT + (paddr_t)rand() % UNIT);

		assert_int_equal(r ? (int)r->kind : HOLE, model[u]);
	}
	assert_null(memmap_at(map, n, UNITS * UNIT));
}

static bool model_ram(const int *model, size_t from, size_t to)
{
	for (size_t u = from; u < to; u++)
		if (u >= UNITS || model[u] == HOLE || model[u] >= MEM_RAM_KINDS)
			return false;
	return from < to;
}

static void random_change(struct mem_range *map, size_t max, size_t *n, int *model)
{
	const size_t from = (size_t)rand() % UNITS, len = (size_t)rand() % (UNITS - from + 1) / 2;
	const enum mem_kind kind = random_kind();
	const bool carve = rand() % 4 == 0;

	assert_int_equal((carve ? memmap_carve : memmap_add)(map, max, n, from * UNIT, len * UNIT,
							     kind), 0);
	for (size_t u = from; u < from + len; u++) {
		if (carve)
			model[u] = model[u] == HOLE ? HOLE : (int)kind;
		else
			model[u] = MAX(model[u], (int)kind);
	}
}

static void check_e820(const struct mem_range *map, size_t n, const int *model)
{
	struct e820_entry_ser e[UNITS];
	uint32_t types[UNITS] = { 0 };
	size_t used;

	assert_int_equal(memmap_to_e820(map, n, e, UNITS, &used), 0);
	assert_true(used <= n);
	for (size_t i = 0; i < used; i++) {
		if (i && e[i - 1].base_pa + e[i - 1].len == e[i].base_pa)
			assert_int_not_equal(e[i - 1].type, e[i].type);
		for (size_t u = e[i].base_pa / UNIT; u < (e[i].base_pa + e[i].len) / UNIT; u++) {
			assert_int_equal(types[u], 0);
			types[u] = e[i].type;
		}
	}
	for (size_t u = 0; u < UNITS; u++)
		assert_int_equal(types[u], model[u] == HOLE ? 0 :
				 memmap_e820_type((enum mem_kind)model[u]));
	if (used)
		assert_int_equal(memmap_to_e820(map, n, e, used - 1, &used), -ENOSPC);
}

static void check_ram(const struct mem_range *map, size_t n, const int *model)
{
	uint64_t total = 0;

	for (size_t u = 0; u < UNITS; u++)
		total += model_ram(model, u, u + 1) ? UNIT : 0;
	assert_int_equal(memmap_total_ram(map, n), total);
	for (int i = 0; i < 50; i++) {
		const size_t from = (size_t)rand() % UNITS, len = (size_t)rand() % 12;

		assert_int_equal(memmap_is_ram(map, n, from * UNIT, len * UNIT),
				 model_ram(model, from, from + len));
		if (len)
			assert_int_equal(memmap_is_ram(map, n, from * UNIT + 1, len * UNIT),
					 model_ram(model, from, from + len + 1));
	}
}

/* Tries every place there is. */
static bool model_find(const int *model, const struct memmap_request *req, paddr_t *pa)
{
	const uint64_t step = MIN(req->align, UNIT);
	bool found = false;

	for (paddr_t at = 0; at + req->len <= UNITS * UNIT; at += step) {
		bool ok = IS_ALIGNED(at, req->align) && at >= req->min &&
			  (!req->max || at + req->len <= req->max);

		for (size_t u = at / UNIT; ok && u < DIV_ROUND_UP(at + req->len, UNIT); u++)
			ok = model[u] != HOLE && (req->kinds & MEMMAP_KIND(model[u]));
		for (size_t i = 0; ok && i < req->nr_exclude; i++)
			ok = !req->exclude[i].len ||
			     !ranges_overlap(at, req->len, req->exclude[i].base, req->exclude[i].len);
		if (!ok)
			continue;
		*pa = at;
		found = true;
		if (!req->highest)
			break;
	}
	return found;
}

static void check_find(const struct mem_range *map, size_t n, const int *model)
{
	struct memmap_hole holes[4];

	for (int i = 0; i < 40; i++) {
		struct memmap_request req = {
			.kinds = rand() % 2 ? MEMMAP_RAM : (unsigned)rand() & ~MEMMAP_KIND(MEM_RAM_KINDS),
			.min = (paddr_t)rand() % 8 * UNIT / 2,
			.max = rand() % 2 ? 0 : (paddr_t)rand() % UNITS * UNIT,
			.len = (uint64_t)(rand() % 10 + 1) * UNIT / 2,
			.align = BIT64(rand() % 5 + 10),
			.highest = rand() % 2,
			.exclude = holes,
			.nr_exclude = (size_t)rand() % ARRAY_SIZE(holes),
		};
		paddr_t pa = 1, want = 1;

		for (size_t h = 0; h < ARRAY_SIZE(holes); h++)
			holes[h] = (struct memmap_hole){ (paddr_t)rand() % UNITS * UNIT + 17,
							 (uint64_t)rand() % 5 * UNIT / 3 };
		if (model_find(model, &req, &want)) {
			assert_int_equal(memmap_find(map, n, &req, &pa), 0);
		} else {
			assert_int_equal(memmap_find(map, n, &req, &pa), -ENOMEM);
		}
		assert_int_equal(pa, want);
	}
}

static void test_random_maps_equal_the_slow_model(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 400; round++) {
		struct mem_range map[UNITS + 4];
		int model[UNITS];
		size_t n = 0;

		for (size_t u = 0; u < UNITS; u++)
			model[u] = HOLE;
		for (int i = 0; i < 24; i++) {
			random_change(map, ARRAY_SIZE(map), &n, model);
			assert_is_model(map, n, model);
		}
		check_e820(map, n, model);
		check_ram(map, n, model);
		check_find(map, n, model);
	}
}

static void test_add_bounds(void **state)
{
	struct mem_range map[3];
	size_t n = 0;

	(void)state;
	print_message("# memmap.add.refuses_beyond_52_bits\n");
	assert_int_equal(memmap_add(map, 2, &n, MEMMAP_LIMIT, 1, MEM_MMIO), -EINVAL);
	assert_int_equal(memmap_add(map, 2, &n, MEMMAP_LIMIT - 1, 2, MEM_MMIO), -EINVAL);
	assert_int_equal(memmap_add(map, 2, &n, 1, UINT64_MAX, MEM_MMIO), -EINVAL);
	assert_int_equal(memmap_add(map, 2, &n, UINT64_MAX, 1, MEM_MMIO), -EINVAL);
	assert_int_equal(n, 0);
	print_message("# memmap.add.last_byte_is_allowed\n");
	assert_int_equal(memmap_add(map, 2, &n, MEMMAP_LIMIT - 1, 1, MEM_MMIO), 0);
	print_message("# memmap.add.empty_range_changes_nothing\n");
	assert_int_equal(memmap_add(map, 2, &n, 0x1000, 0, MEM_MMIO), 0);
	assert_int_equal(n, 1);
	print_message("# memmap.add.full_map_is_said_and_stays_sound\n");
	assert_int_equal(memmap_add(map, 2, &n, 0, 0x1000, MEM_CONVENTIONAL), 0);
	assert_int_equal(memmap_add(map, 2, &n, 0x2000, 0x1000, MEM_CONVENTIONAL), -ENOSPC);
	assert_int_equal(n, 2);
	assert_sound(map, n);
	print_message("# memmap.add.touching_is_merged\n");
	assert_int_equal(memmap_add(map, 3, &n, 0x1000, 0x1000, MEM_CONVENTIONAL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(map[0].len, 0x2000);
	print_message("# memmap.carve.full_map_is_said\n");
	assert_int_equal(memmap_carve(map, 2, &n, 0x800, 0x10, MEM_LOADER), -ENOSPC);
	assert_sound(map, n);
}

static void test_is_ram_bounds(void **state)
{
	const struct mem_range map[] = {
		{ 0, 0xa0000, MEM_CONVENTIONAL }, { 0x100000, 0x100000, MEM_LOADER },
		{ 0x200000, MEMMAP_LIMIT - 0x200000, MEM_BOOT_SERVICES },
	};

	(void)state;
	assert_true(memmap_is_ram(map, 3, 0, 0xa0000));
	assert_false(memmap_is_ram(map, 3, 0, 0xa0001));
	assert_false(memmap_is_ram(map, 3, 0x9ffff, 0x70000));
	assert_true(memmap_is_ram(map, 3, 0x100000, MEMMAP_LIMIT - 0x100000));
	assert_false(memmap_is_ram(map, 3, 0x100000, UINT64_MAX));
	assert_false(memmap_is_ram(map, 3, UINT64_MAX, 1));
	assert_false(memmap_is_ram(map, 3, UINT64_MAX, 2));
	assert_false(memmap_is_ram(map, 3, MEMMAP_LIMIT, 1));
	assert_false(memmap_is_ram(map, 3, 0x1000, 0));
	assert_false(memmap_is_ram(map, 0, 0x1000, 1));
}

static void test_find_refuses_nonsense(void **state)
{
	const struct mem_range map[] = { { 0x1000, 0x10000, MEM_CONVENTIONAL } };
	const struct memmap_hole all = { 0, UINT64_MAX };
	struct memmap_request req = { .kinds = MEMMAP_RAM, .len = 0x1000, .align = 0x1000 };
	paddr_t pa = 0;

	(void)state;
	assert_int_equal(memmap_find(map, 1, &req, &pa), 0);
	assert_int_equal(pa, 0x1000);
	req.len = 0;
	assert_int_equal(memmap_find(map, 1, &req, &pa), -EINVAL);
	req.len = 0x1000;
	req.align = 0;
	assert_int_equal(memmap_find(map, 1, &req, &pa), -EINVAL);
	req.align = 0x3000;
	assert_int_equal(memmap_find(map, 1, &req, &pa), -EINVAL);
	req.align = BIT64(63);
	assert_int_equal(memmap_find(map, 1, &req, &pa), -ENOMEM);
	req.align = 0x1000;
	req.len = UINT64_MAX;
	for (req.highest = false;; req.highest = true) {
		assert_int_equal(memmap_find(map, 1, &req, &pa), -ENOMEM);
		if (req.highest)
			break;
	}
	req.len = 0x1000;
	req.exclude = &all;
	req.nr_exclude = 1;
	assert_int_equal(memmap_find(map, 1, &req, &pa), -ENOMEM);
	req.highest = false;
	assert_int_equal(memmap_find(map, 1, &req, &pa), -ENOMEM);
}

/* EFI_MEMORY_DESCRIPTOR, as the test writes it. */
struct descriptor {
	uint32_t type, pad;
	uint64_t start, virtual_start, pages, attribute;
};
static_assert(sizeof(struct descriptor) == 40, "UEFI 7.2");

static void test_efi_types(void **state)
{
	static const struct { const char *name; uint32_t type; uint64_t attr; enum mem_kind want; } cases[] = {
		{ "reserved",		0, WB,		MEM_RESERVED },
		{ "loader_code",	1, WB,		MEM_LOADER },
		{ "loader_data",	2, WB,		MEM_CONVENTIONAL },
		{ "boot_services_code",	3, WB,		MEM_BOOT_SERVICES },
		{ "boot_services_data",	4, WB,		MEM_BOOT_SERVICES },
		{ "runtime_code",	5, WB | RUNTIME, MEM_RUNTIME_CODE },
		{ "runtime_data",	6, WB | RUNTIME, MEM_RUNTIME_DATA },
		{ "conventional",	7, WB,		MEM_CONVENTIONAL },
		{ "unusable",		8, 0,		MEM_UNUSABLE },
		{ "acpi_reclaim",	9, WB,		MEM_ACPI_RECLAIM },
		{ "acpi_nvs",		10, WB,		MEM_ACPI_NVS },
		{ "mmio",		11, RUNTIME,	MEM_MMIO },
		{ "mmio_ports",		12, 0,		MEM_MMIO },
		{ "pal_code",		13, WB,		MEM_RESERVED },
		{ "persistent",		14, WB,		MEM_PERSISTENT },
		{ "unaccepted",		15, WB,		MEM_RESERVED },
		{ "oem",		0x70000000, WB,	MEM_RESERVED },
		{ "os_loader",		0x80000000, WB,	MEM_RESERVED },
		{ "conventional_uncached", 7, 0,	MEM_RESERVED },
		{ "conventional_special_purpose", 7, WB | SP, MEM_RESERVED },
		{ "boot_services_at_run_time", 4, WB | RUNTIME, MEM_RUNTIME_DATA },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct descriptor d = { cases[i].type, 0, 0x5000, 0, 3, cases[i].attr };
		struct mem_range map[2];
		size_t n;

		print_message("# memmap.efi.%s\n", cases[i].name);
		assert_int_equal(memmap_from_efi(&d, sizeof(d), sizeof(d), map, 2, &n), 0);
		assert_int_equal(n, 1);
		assert_int_equal(map[0].base, 0x5000);
		assert_int_equal(map[0].len, 0x3000);
		assert_int_equal(map[0].kind, cases[i].want);
	}
}

static void test_efi_stride_order_and_overlap(void **state)
{
	/* Larger stride than the structure, as all firmware has it; unsorted. */
	struct { struct descriptor d; uint64_t later; } efi[] = {
		{ { 7, 0, 0x9000, 0, 4, WB }, 0 },
		{ { 4, 0, 0x1000, 0, 2, WB }, 0 },
		{ { 0, 0, 0xa000, 0, 1, 0 }, 0 },
		{ { 3, 0, 0x3000, 0, 2, WB }, 0 },
		{ { 7, 0, 0xf000, 0, 0, WB }, 0 },
	};
	static const struct mem_range want[] = {
		{ 0x1000, 0x4000, MEM_BOOT_SERVICES }, { 0x9000, 0x1000, MEM_CONVENTIONAL },
		{ 0xa000, 0x1000, MEM_RESERVED }, { 0xb000, 0x2000, MEM_CONVENTIONAL },
	};
	struct mem_range map[8];
	size_t n;

	(void)state;
	assert_int_equal(memmap_from_efi(efi, sizeof(efi), sizeof(efi[0]), map, 8, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(map[i].base, want[i].base);
		assert_int_equal(map[i].len, want[i].len);
		assert_int_equal(map[i].kind, want[i].kind);
	}
	assert_int_equal(memmap_from_efi(efi, sizeof(efi), sizeof(efi[0]), map, 2, &n), -ENOSPC);
}

static void test_efi_hostile(void **state)
{
	static const struct { const char *name; size_t bytes, desc_size; struct descriptor d; int err; } cases[] = {
		{ "good",		40, 40, { 7, 0, 0x1000, 0, 1, WB }, 0 },
		{ "stride_of_0",	40, 0, { 7, 0, 0x1000, 0, 1, WB }, -EINVAL },
		{ "stride_too_small",	39, 39, { 7, 0, 0x1000, 0, 1, WB }, -EINVAL },
		{ "stride_too_large",	8192, 8192, { 7, 0, 0x1000, 0, 1, WB }, -EINVAL },
		{ "largest_stride",	4096, 4096, { 7, 0, 0x1000, 0, 1, WB }, 0 },
		{ "no_descriptor",	0, 40, { 7, 0, 0x1000, 0, 1, WB }, -EINVAL },
		{ "half_a_descriptor",	60, 40, { 7, 0, 0x1000, 0, 1, WB }, -EINVAL },
		{ "unaligned",		40, 40, { 7, 0, 0x1001, 0, 1, WB }, -EBADMSG },
		{ "start_too_high",	40, 40, { 7, 0, BIT64(52) + 0x1000, 0, 1, WB }, -EBADMSG },
		{ "end_too_high",	40, 40, { 7, 0, BIT64(52) - 0x1000, 0, 2, WB }, -EBADMSG },
		{ "pages_overflow",	40, 40, { 7, 0, 0x1000, 0, BIT64(52), WB }, -EBADMSG },
		{ "pages_wrap",		40, 40, { 7, 0, 0x1000, 0, UINT64_MAX, WB }, -EBADMSG },
		{ "last_page",		40, 40, { 11, 0, BIT64(52) - 0x1000, 0, 1, 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *bytes = calloc(1, MAX(cases[i].bytes, sizeof(struct descriptor)));
		struct mem_range map[4];
		size_t n;

		print_message("# memmap.efi.%s\n", cases[i].name);
		memcpy(bytes, &cases[i].d, sizeof(cases[i].d));
		assert_int_equal(memmap_from_efi(bytes, cases[i].bytes, cases[i].desc_size, map, 4, &n),
				 cases[i].err);
		n = 0;
		assert_int_equal(memmap_overlay_runtime(bytes, cases[i].bytes, cases[i].desc_size,
							map, 4, &n), cases[i].err);
		free(bytes);
	}
}

static void test_overlay_changes_ram_and_reserved_only(void **state)
{
	struct mem_range map[16] = {
		{ 0x1000, 0x1000, MEM_CONVENTIONAL }, { 0x2000, 0x1000, MEM_RESERVED },
		{ 0x3000, 0x1000, MEM_ACPI_NVS }, { 0x4000, 0x1000, MEM_UNUSABLE },
		{ 0x7000, 0x1000, MEM_CONVENTIONAL }, { 0x8000, 0x1000, MEM_RESERVED },
	};
	const struct descriptor efi[] = {
		{ 5, 0, 0x1000, 0, 5, WB | RUNTIME },
		{ 0, 0, 0x1000, 0, 4, WB },
		{ 0, 0, 0x7000, 0, 1, WB },
		{ 7, 0, 0x8000, 0, 1, WB },
	};
	static const enum mem_kind want[] = {
		MEM_RUNTIME_CODE, MEM_RUNTIME_CODE, MEM_ACPI_NVS, MEM_UNUSABLE,
	};
	size_t n = 6;

	(void)state;
	assert_int_equal(memmap_overlay_runtime(efi, sizeof(efi), 40, map, 16, &n), 0);
	assert_sound(map, n);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(memmap_at(map, n, 0x1000 * (i + 1))->kind, want[i]);
	print_message("# memmap.overlay.holes_stay_holes\n");
	assert_null(memmap_at(map, n, 0x5000));
	print_message("# memmap.overlay.other_types_say_nothing\n");
	assert_int_equal(memmap_at(map, n, 0x7000)->kind, MEM_CONVENTIONAL);
	assert_int_equal(memmap_at(map, n, 0x8000)->kind, MEM_RESERVED);
}

static void test_e820_types_go_both_ways(void **state)
{
	static const uint32_t types[] = { 1, 2, 3, 4, 5, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(memmap_e820_type(memmap_e820_kind(types[i])), types[i]);
	print_message("# memmap.e820.foreign_types_are_reserved\n");
	assert_int_equal(memmap_e820_kind(0), MEM_RESERVED);
	assert_int_equal(memmap_e820_kind(6), MEM_RESERVED);
	assert_int_equal(memmap_e820_kind(12), MEM_RESERVED);
	assert_int_equal(memmap_e820_kind(0xefffffff), MEM_RESERVED);
	print_message("# memmap.e820.what_has_no_type_is_reserved\n");
	assert_int_equal(memmap_e820_type(MEM_RUNTIME_CODE), 2);
	assert_int_equal(memmap_e820_type(MEM_RUNTIME_DATA), 2);
	assert_int_equal(memmap_e820_type(MEM_MMIO), 2);
	assert_int_equal(memmap_e820_type(MEM_LOADER), 1);
	assert_int_equal(memmap_e820_type(MEM_BOOT_SERVICES), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_maps_equal_the_slow_model),
		cmocka_unit_test(test_add_bounds),
		cmocka_unit_test(test_is_ram_bounds),
		cmocka_unit_test(test_find_refuses_nonsense),
		cmocka_unit_test(test_efi_types),
		cmocka_unit_test(test_efi_stride_order_and_overlap),
		cmocka_unit_test(test_efi_hostile),
		cmocka_unit_test(test_overlay_changes_ram_and_reserved_only),
		cmocka_unit_test(test_e820_types_go_both_ways),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
