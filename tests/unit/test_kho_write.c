/* Putting a handoff together: the golden one byte for byte, and what cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/metadata.h"
#include "kho/setup_data.h"
#include "kho/write.h"
#include "tests/fixtures/kho_golden.h"

static const struct kho_scratch scratch = { { { GOLDEN_SCRATCH, GOLDEN_SCRATCH_BYTES } }, 1 };
static const struct kho_subnode golden_nodes[] = {	/* oldest first */
	{ "kexec-metadata", GOLDEN_METADATA, 73 },
	{ "LUO", GOLDEN_LUO, 32 },
	{ "memblock", GOLDEN_MEMBLOCK, 210 },
};
static struct kho_radix radix;

static struct kho_plan plan_of(const struct kho_subnode *nodes, size_t n)
{
	return (struct kho_plan){
		.radix = &radix, .scratch = &scratch, .scratch_pa = GOLDEN_ARRAY,
		.fdt_pa = GOLDEN_FDT, .nodes = nodes, .nr_nodes = n,
	};
}

/* write.golden_byte_for_byte: by the public functions, blobs of other formats as bytes */
static void test_golden(void **state)
{
	enum { PAGES = (GOLDEN_END - GOLDEN_ARRAY) / PAGE_SIZE };
	static uint8_t mine[PAGES * PAGE_SIZE];
	const struct kho_plan plan = plan_of(golden_nodes, ARRAY_SIZE(golden_nodes));
	const struct kho_metadata metadata = { "golden-1.0", 1 };
	struct kho_setup_node node;
	struct kho_data data;

	(void)state;
	arena_reset(GOLDEN_NODES, GOLDEN_NODES + GOLDEN_NR_NODES * PAGE_SIZE);
	golden_lay_blobs();
	memset(mem_ptr(GOLDEN_METADATA), 0, KHO_METADATA_BYTES);
	assert_int_equal(kho_metadata_write(&metadata, mem_ptr(GOLDEN_METADATA)), 0);
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	/* One by one, as Linux does: a range would be cut into larger chunks. */
	for (paddr_t pa = 0x08024000; pa < GOLDEN_END; pa += PAGE_SIZE)
		assert_int_equal(kho_preserve(&radix, pa, 0), 0);
	assert_int_equal(kho_preserve_range(&radix, GOLDEN_REGION, MIB(2)), 0);
	assert_int_equal(kho_write(&plan, &data), 0);
	assert_int_equal(radix.entries, 12);
	assert_int_equal(radix.nodes, GOLDEN_NR_NODES);
	node = kho_setup_node(0, &data);
	memcpy(mine, mem_ptr(GOLDEN_ARRAY), sizeof(mine));

	golden_lay();
	for (size_t i = 0; i < PAGES; i++)
		assert_memory_equal(mine + i * PAGE_SIZE, mem_ptr(GOLDEN_ARRAY + i * PAGE_SIZE),
				    PAGE_SIZE);
	assert_memory_equal(&node, mem_ptr(GOLDEN_SETUP_NODE), sizeof(node));
}

static void start(void)
{
	arena_reset(GOLDEN_NODES, GOLDEN_FDT);
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
}

/* write.preserves_every_page_of_a_blob, and the page of the root FDT, and nothing else */
static void test_preserves(void **state)
{
	static const struct kho_subnode big = { "big", MIB(64) + PAGE_SIZE, 2 * PAGE_SIZE + 1 };
	const struct kho_plan plan = plan_of(&big, 1);
	struct kho_data data;

	(void)state;
	start();
	memset(mem_ptr(GOLDEN_FDT), 0xff, PAGE_SIZE);
	assert_int_equal(kho_write(&plan, &data), 0);
	assert_int_equal(data.fdt_size, 4096);
	assert_int_equal(data.scratch_size, 16);
	assert_int_equal(radix.pages, 4);
	assert_int_equal(kho_unpreserve(&radix, GOLDEN_FDT, 0), 0);
	assert_int_equal(kho_unpreserve(&radix, MIB(64) + PAGE_SIZE, 0), 0);
	assert_int_equal(kho_unpreserve(&radix, MIB(64) + 2 * PAGE_SIZE, 1), 0);
}

static const struct {
	const char *name;
	struct kho_subnode node[2];
	int err;
} cases[] = {
	{ "write.empty_blob", { { "a", MIB(64), 0 }, { "b", MIB(65), 1 } }, -EINVAL },
	{ "write.blob_inside_a_page", { { "a", MIB(64) + 8, 1 }, { "b", MIB(65), 1 } }, -EINVAL },
	{ "write.blob_in_scratch", { { "a", GOLDEN_SCRATCH, 1 }, { "b", MIB(65), 1 } }, -EINVAL },
	{ "write.blob_below_1m", { { "a", 0x8000, 1 }, { "b", MIB(65), 1 } }, -EINVAL },
	{ "write.blob_size_wraps", { { "a", MIB(64), UINT64_MAX }, { "b", MIB(65), 1 } }, -EINVAL },
	{ "write.blobs_share_a_page", { { "a", MIB(64), 1 }, { "b", MIB(64), 1 } }, -EEXIST },
	{ "write.blob_is_the_root_fdt", { { "a", GOLDEN_FDT, 1 }, { "b", MIB(65), 1 } }, -EEXIST },
	{ "write.same_name", { { "a", MIB(64), 1 }, { "a", MIB(65), 1 } }, -EINVAL },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kho_plan plan = plan_of(cases[i].node, 2);
		struct kho_data data = { .fdt_pa = 77 };

		print_message("# %s\n", cases[i].name);
		start();
		assert_int_equal(kho_write(&plan, &data), cases[i].err);
		assert_int_equal(data.fdt_pa, 77);
	}
}

/* write.root_fdt_in_scratch and write.no_page_for_a_node */
static void test_root_refused(void **state)
{
	struct kho_plan plan = plan_of(golden_nodes, 1);
	struct kho_data data;

	(void)state;
	start();
	plan.fdt_pa = GOLDEN_SCRATCH + MIB(1);
	assert_int_equal(kho_write(&plan, &data), -EINVAL);
	arena_reset(GOLDEN_NODES, GOLDEN_NODES + 3 * PAGE_SIZE);
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	plan.fdt_pa = GOLDEN_FDT;
	assert_int_equal(kho_write(&plan, &data), -ENOMEM);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_preserves),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_root_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
