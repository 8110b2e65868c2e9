/* What a Linux would refuse, or fall over, in a handoff of ours: each is noticed by our own outgoing
 * check, and nothing is handed over.  Linux kernel/liveupdate/kexec_handover.c, luo_core.c,
 * mm/memfd_luo.c, mm/memblock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/handover/corrupt.h"
#include "kho/abi.h"
#include "kho/memblock.h"
#include "kho/radix.h"
#include "kho/tree.h"
#include "platform/mem.h"
#include "tests/unit/model_world.h"

static const struct corrupt_place *place;

static void put(paddr_t page, uint64_t len, const char *old, const char *new)
{
	char *const p = mem_ptr(page);

	for (uint64_t i = 0; i + strlen(old) <= len; i++)
		if (!memcmp(p + i, old, strlen(old))) {
			memcpy(p + i, new, strlen(new));
			return;
		}
	fail_msg("%s is not there", old);
}

static struct kho_subnode node(const char *name)
{
	struct kho_refusal why;
	struct kho_tree t;

	assert_int_equal(kho_tree_read(span_of(mem_ptr(place->fdt), PAGE_SIZE), &t, &why), 0);
	assert_non_null(kho_tree_find(&t, name));
	return *kho_tree_find(&t, name);
}

static struct kho_luo_ser *luo(void) { return mem_ptr(place->luo); }
static struct kho_block_ser *session_block(void) { return mem_ptr(luo()->sessions_pa); }

static struct kho_file_ser *file(void)
{
	const struct kho_session_ser *s = (const struct kho_session_ser *)(session_block() + 1);

	return (struct kho_file_ser *)((struct kho_block_ser *)mem_ptr(s->files_pa) + 1);
}

static struct kho_flb_ser *flb(void)
{
	return (struct kho_flb_ser *)((struct kho_flbs_ser *)mem_ptr(luo()->flbs_pa) + 1);
}

static void root_compatible(void) { put(place->fdt, PAGE_SIZE, "kho-v4", "kho-v3"); }
static void root_magic(void) { *(uint8_t *)mem_ptr(place->fdt + 3) ^= 1; }

static void no_map(void)
{
	char old[9] = "";

	memcpy(old, &place->radix_root, 8);
	for (char *p = mem_ptr(place->fdt); p < (char *)mem_ptr(place->fdt) + PAGE_SIZE - 8; p++)
		if (!memcmp(p, old, 8)) {
			memset(p, 0, 8);
			return;
		}
	fail_msg("no preserved-memory-map");
}

static void luo_version(void) { luo()->compatible[5] = '4'; }
static void block_count(void) { session_block()->count = 52; }
static void metadata_version(void) { *(uint32_t *)mem_ptr(node(KHO_NODE_METADATA).pa) = 2; }

static void memblock_version(void)
{
	const struct kho_subnode n = node(KHO_NODE_MEMBLOCK);

	put(n.pa, n.size, "memblock-v1", "memblock-v2");
}

static void region_version(void)
{
	const struct kho_subnode n = node(KHO_NODE_MEMBLOCK);

	put(n.pa, n.size, "reserve-mem-v1", "reserve-mem-v2");
}

static struct kho_folio_ser *folio(void)
{
	const struct kho_memfd_ser *m = mem_ptr(file()->data);
	const struct kho_vmalloc_chunk_ser *c = mem_ptr(m->folios.first_pa);

	return mem_ptr(c->piece_pa[0]);
}

static void folio_not_in_the_tree(void)
{
	struct kho_radix radix = { .root = place->radix_root, .scratch = &world_run()->window.areas };

	assert_int_equal(kho_unpreserve(&radix, (folio()->head & KHO_FOLIO_PFN) << PAGE_SHIFT, 0), 0);
}

static void folio_in_scratch(void)
{
	folio()->head = (folio()->head & ~KHO_FOLIO_PFN) | place->scratch >> PAGE_SHIFT;
}

static void flb_data(void) { flb()->data += 8; }

static const struct { const char *name; void (*change)(void); } rows[] = {
	{ "root compatible kho-v3", root_compatible },
	{ "root FDT magic", root_magic },
	{ "preserved-memory-map = 0", no_map },
	{ "LUO compatible luo-v4", luo_version },
	{ "session block count 52", block_count },
	{ "kexec-metadata version 2", metadata_version },
	{ "memblock-v2", memblock_version },
	{ "reserve-mem-v2", region_version },
	{ "a memfd's folio not in the tree", folio_not_in_the_tree },
	{ "a memfd's folio in scratch", folio_in_scratch },
	{ "FLB data", flb_data },
};
static size_t row;

static void change(const struct corrupt_place *p)
{
	place = p;
	rows[row].change();
}

/* outgoing.what_linux_refuses: with what another kernel handed over, so that there is all of it */
static void test_rows(void **state)
{
	static const struct world w = { .board = { .nr_units = 1, .nr_nics = 1 }, .foreign = true,
					.unit = { { .coherent = true } } };

	(void)state;
	for (row = 0; row < ARRAY_SIZE(rows); row++) {
		uint64_t pages;

		print_message("# %s\n", rows[row].name);
		world_begin(&w);
		assert_string_equal(world_serve(30), "");
		pages = world_pages();
		kernel_breaks_early = change;
		assert_int_not_equal(world_save(), 0);
		assert_non_null(strstr(kernel_bad_checks(), "save.handoff_reads_back"));
		assert_int_equal(world_pages(), pages);
		assert_string_equal(world_serve(30), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
