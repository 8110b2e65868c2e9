/* Live state, node, records and snapshots say the same: what is recorded is what a walk of the
 * tables finds, also after the node went through its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "restore_fake.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"
#include "vtd/verify.h"

static struct node n;
static struct picture p;

/* An RMRR's device, the NIC and a device on another bus. */
static int setup(void **state)
{
	machine_reset(state);
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	assert_int_equal(iommu_attach(&mmu, FAR, domain_with(GIB(8), MIB(9))), 0);
	memset(&n, 0, sizeof(n));
	memset(&p, 0x5a, sizeof(p));
	return 0;
}

static bool any_page(void *ctx, paddr_t page)
{
	(void)ctx;
	(void)page;
	return true;
}

static void say(void *ctx, const struct vtd_violation *v)
{
	(void)ctx;
	print_message("# %s\n", vtd_violation_name(v->kind));
}

/* Violations between the picture and the tables in memory. */
static uint64_t compare(void)
{
	struct vtd_verify_result result = { 0 };
	const struct vtd_verify v = {
		.unit = &p.unit[0], .domains = p.domain, .nr_domains = p.nr_domains,
		.devices = p.device, .nr_devices = p.nr_devices, .haw = mmu.dmar.haw,
		.max_tables = 100, .page_ok = any_page, .report = say,
	};

	vtd_verify_unit(&v, &result);
	assert_true(result.violations || result.tables > 6);	/* no agreement about nothing */
	return result.violations;
}

/* picture.record: registers, domains by id, devices by source id */
static void test_record(void **state)
{
	(void)state;
	fake.irta = 0x777000;
	assert_int_equal(picture_record(&mmu, &n), 0);
	assert_int_equal(n.nr_units, 1);
	assert_int_equal(n.unit[0].regs_pa, FAKE_REGS);
	assert_int_equal(n.unit[0].cap, FAKE_CAP);
	assert_int_equal(n.unit[0].ecap, FAKE_ECAP);
	assert_int_equal(n.unit[0].ver, 0x10);
	assert_int_equal(n.unit[0].gsts, fake.gsts);
	assert_int_equal(n.unit[0].rtaddr, fake.latched_root);
	assert_int_equal(n.unit[0].iqa, fake.iqa);
	assert_int_equal(n.unit[0].irta, 0x777000);
	assert_int_equal(n.nr_domains, 3);
	assert_int_equal(n.nr_devices, 3);
	assert_int_equal(n.next_domain_id, mmu.next_domain_id);
	for (uint32_t i = 0; i < n.nr_devices; i++) {
		const struct node_device_ser *d = &n.device[i];
		const struct pci_fn *fn = &bus_fns[bus_index(d->rid)];
		struct vtd_context_entry e;
		unsigned found = 0;

		assert_non_null(iommu_device_of(&mmu, d->segment, d->rid));
		assert_int_equal(d->vendor, fn->vendor);
		assert_int_equal(d->device, fn->device);
		assert_int_equal(vtd_context_get(LEGACY(fake.latched_root, true), d->rid, &e), 0);
		for (uint32_t j = 0; j < n.nr_domains; j++)
			if (n.domain[j].top_pa == ALIGN_DOWN(e.lo, PAGE_SIZE)) {
				found++;
				assert_int_equal(n.domain[j].is_rmrr, d->rid == USB_RID);
				assert_int_equal(n.domain[j].id, mmu.domain[j].id);
				assert_int_equal(n.domain[j].table_pages, mmu.domain[j].ss.table_pages);
				assert_int_equal(n.domain[j].page_sizes, mmu.domain[j].ss.page_sizes);
			}
		assert_int_equal(found, 1);
	}
}

/* picture.agrees_with_the_tables, before and after its way through the node's bytes */
static void test_round_trip(void **state)
{
	static uint64_t buf[NODE_BYTES / 8];
	static struct node again;
	struct kho_refusal why = { 0 };
	size_t used;

	(void)state;
	n.tsc_khz = 1000000;
	fake.irta = 0x777000;
	assert_int_equal(picture_record(&mmu, &n), 0);
	take_picture(&n, &p);
	assert_int_equal(compare(), 0);
	/* What no table shows, the register checks need. */
	assert_int_equal(p.unit[0].regs, FAKE_REGS);
	assert_int_equal(p.unit[0].cap, FAKE_CAP);
	assert_int_equal(p.unit[0].ecap, FAKE_ECAP);
	assert_int_equal(p.unit[0].ver, fake.ver);
	assert_int_equal(p.unit[0].gsts, fake.gsts);
	assert_int_equal(p.unit[0].rtaddr, fake.rtaddr);
	assert_int_equal(p.unit[0].iqa, fake.iqa);
	assert_int_equal(p.unit[0].irta, 0x777000);
	assert_int_equal(node_write(&n, buf, &used), 0);
	assert_int_equal(node_read(span_of(buf, used), &again, &why), 0);
	memset(&p, 0x5a, sizeof(p));
	take_picture(&again, &p);
	assert_int_equal(p.nr_units, 1);
	assert_int_equal(p.nr_domains, 3);
	assert_int_equal(p.nr_devices, 3);
	assert_int_equal(compare(), 0);
}

/* picture.every_field_counts: each one changed alone, in node or record, is a violation */
static void test_fields(void **state)
{
	(void)state;
	assert_int_equal(picture_record(&mmu, &n), 0);
	for (unsigned i = 0; i < 9; i++) {
		struct node changed = n;

		records_describe(&mmu, NULL, 0, &plain);
		switch (i) {
		case 0: changed.unit[0].rtaddr |= 1 << 10; break;	/* scalable mode */
		case 1: plain.unit[0].context_tables[0] = 1; break;
		case 2: plain.unit[0].context_tables[7] = BIT64(62); break;
		case 3: plain.unit[0].context_tables[0] |= BIT64(1); break;	/* an upper half */
		case 4: plain.domain[1].top_level++; break;
		case 5: changed.domain[1].table_pages++; break;
		case 6: plain.device[1].did++; break;
		case 7: plain.device[1].domain = plain.device[0].domain; break;
		case 8: plain.device[1].deleted = true; break;
		}
		print_message("# change %u\n", i);
		restore_match(&restore, &mmu, &all_preserved, &changed, &plain);
		restore_picture(&restore, &p);
		assert_true(compare() > 0);
	}
}

/* picture.capabilities are those of the unit itself, whatever the node says */
static void test_capabilities(void **state)
{
	const struct vtd_caps *caps = &mmu.unit[0].vtd.caps;

	(void)state;
	assert_int_equal(picture_record(&mmu, &n), 0);
	n.unit[0].cap = n.unit[0].ecap = UINT64_MAX;
	n.unit[0].ver = 0xff;
	take_picture(&n, &p);
	assert_int_equal(p.unit[0].cap, caps->cap);
	assert_int_equal(p.unit[0].ecap, caps->ecap);
	assert_int_equal(p.unit[0].ver, caps->ver_major << 4 | caps->ver_minor);
}

/* picture.units_left_alone are not recorded; indices stay those of the DMAR table */
static void test_unused(void **state)
{
	const char *why = "";

	(void)state;
	machine_reset(NULL);
	dmar_begin();
	dmar_drhd(OTHER_REGS, false, GPU_RID);
	dmar_drhd(FAKE_REGS, true, 0);
	dmar_end();
	assert_int_equal(discover(&why), 0);
	assert_int_equal(iommu_bring_up(&mmu), 0);
	assert_int_equal(picture_record(&mmu, &n), 0);
	assert_int_equal(n.nr_units, 1);
	assert_int_equal(n.unit[0].index, 1);
}

/* picture.too_much_is_an_error */
static void test_too_much(void **state)
{
	(void)state;
	n.nr_units = NODE_MAX_UNITS;
	assert_int_equal(picture_record(&mmu, &n), -ENOSPC);
	memset(&n, 0, sizeof(n));
	mmu.nr_devices = NODE_MAX_DEVICES + 1;
	assert_int_equal(picture_record(&mmu, &n), -ENOSPC);
	setup(NULL);
	memset(&n, 0, sizeof(n));
	mmu.next_domain_id = 65535;		/* what a digest can name */
	assert_int_equal(picture_record(&mmu, &n), 0);
	memset(&n, 0, sizeof(n));
	mmu.next_domain_id++;
	assert_int_equal(picture_record(&mmu, &n), -ENOSPC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_record, setup),
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_capabilities, setup),
		cmocka_unit_test_setup(test_unused, setup),
		cmocka_unit_test_setup(test_too_much, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
