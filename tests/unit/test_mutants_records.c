/* What only a seeded bug asked for: the ends of what records may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"
#include "kho/iommu_rules.h"

#define DEVID	0x0018

static size_t clashes;

static void count(void *ctx, size_t index, const char *fault, uint64_t value)
{
	(void)ctx;
	(void)index;
	(void)fault;
	(void)value;
	clashes++;
}

static bool all(void *ctx, size_t index)
{
	(void)ctx;
	(void)index;
	return true;
}

/* record.wide_pci_domains: domains of VMD begin at 10000h, and are not cut to 16 bits */
static void test_wide_pci_domains(void **state)
{
	struct kho_iommu_device device[] = {
		{ .pci_domain = 0x00001, .devid = DEVID }, { .pci_domain = 0x10001, .devid = DEVID },
	};
	struct kho_key key[2];
	const struct kho_iommu io = {
		.device = device, .nr_devices = 2, .keys = key, .max_keys = 2,
	};
	const struct kho_iommu_clash rule = { .report = count, .counts = all };

	(void)state;
	clashes = 0;
	kho_iommu_address_clashes(&io, &rule);
	assert_int_equal(clashes, 0);
	device[1].pci_domain = 1;
	kho_iommu_address_clashes(&io, &rule);
	assert_int_equal(clashes, 2);
}

static bool below_8_mib(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	return pa + len <= MIB(8);
}

/* claim.outside_ram: preserved or not, what is no RAM or is in scratch is not read */
static void test_claim_outside_ram(void **state)
{
	static const struct kho_scratch scratch = { { { MIB(4), MIB(1) } }, 1 };
	static const struct kho_limits lim = { .ram = { .is_ram = below_8_mib } };
	struct kho_extent extent[] = { { MIB(2), 1, 0 }, { MIB(4), 1, 0 }, { MIB(16), 1, 0 } };
	const struct kho_map map = { .extents = extent, .nr_extents = ARRAY_SIZE(extent) };
	struct kho_range work[8];
	struct kho_reader r = {
		.lim = &lim, .scratch = &scratch, .map = &map, .claims = { .range = work, .max = 8 },
	};
	struct kho_refusal why;

	(void)state;
	assert_int_equal(kho_claim_page(&r, "page", MIB(2), &why), 0);
	assert_int_equal(kho_claim_page(&r, "page", MIB(4), &why), -EBADMSG);
	assert_int_equal(kho_claim_page(&r, "page", MIB(16), &why), -EBADMSG);
}

/* claim.larger_chunk: a page is one of its own, not the first of several */
static void test_claim_of_a_larger_chunk(void **state)
{
	static const struct kho_scratch scratch = { .nr = 0 };
	static const struct kho_limits lim = { .ram = { .is_ram = below_8_mib } };
	struct kho_extent extent[] = { { MIB(2), 1, 1 } };
	const struct kho_map map = { .extents = extent, .nr_extents = 1 };
	struct kho_range work[8];
	struct kho_reader r = {
		.lim = &lim, .scratch = &scratch, .map = &map, .claims = { .range = work, .max = 8 },
	};
	struct kho_refusal why;

	(void)state;
	assert_int_equal(kho_claim_page(&r, "page", MIB(2), &why), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide_pci_domains),
		cmocka_unit_test(test_claim_outside_ram),
		cmocka_unit_test(test_claim_of_a_larger_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
