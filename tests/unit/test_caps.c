/* Decoding of CAP and ECAP: values of real units, then reserved and contradictory ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "vtd/caps.h"
#include "vtd/formats.h"

#define ALL_PAGES	(VTD_PG_4K | VTD_PG_2M | VTD_PG_1G)

static const struct {
	const char *name;
	uint32_t ver;
	uint64_t cap, ecap;
	unsigned mgaw, sagaw, fro, nfr, iro, mamv;
	uint32_t reg_bytes;
	bool cm, esrtps, coherent, ir, pt, sc, scalable_ss, smpwcs, drain;
} real[] = {
	{ "caps.qemu_39bit",      0x10, 0x00d2008c22260206, 0xf00f4a, 39, 0x2, 0x220, 1, 0xf0, 18, 4096,
	  .ir = true, .pt = true, .drain = true },
	{ "caps.qemu_48bit",      0x10, 0x00d2008c222f0606, 0xf00f4a, 48, 0x6, 0x220, 1, 0xf0, 18, 4096,
	  .ir = true, .pt = true, .drain = true },
	{ "caps.qemu_esrtps",     0x10, 0x80d2008c222f0606, 0xf00f4a, 48, 0x6, 0x220, 1, 0xf0, 18, 4096,
	  .esrtps = true, .ir = true, .pt = true, .drain = true },
	{ "caps.qemu_caching",    0x10, 0x00d2008c22260286, 0xf00f4a, 39, 0x2, 0x220, 1, 0xf0, 18, 4096,
	  .cm = true, .ir = true, .pt = true, .drain = true },
	{ "caps.qemu_no_intremap", 0x10, 0x00d2008c22260206, 0x0f42, 39, 0x2, 0x220, 1, 0xf0, 18, 4096,
	  .pt = true, .drain = true },
	{ "caps.qemu_snoop",      0x10, 0x00d2008c222f0606, 0xf00fca, 48, 0x6, 0x220, 1, 0xf0, 18, 4096,
	  .ir = true, .pt = true, .sc = true, .drain = true },
	{ "caps.qemu_no_pt",      0x10, 0x00d2008c222f0606, 0xf00f0a, 48, 0x6, 0x220, 1, 0xf0, 18, 4096,
	  .ir = true, .drain = true },
	{ "caps.qemu_no_drain",   0x10, 0x0012008c222f0606, 0xf00f4a, 48, 0x6, 0x220, 1, 0xf0, 18, 4096,
	  .ir = true, .pt = true },
	{ "caps.qemu_scalable",   0x10, 0x00d2008c222f0606, 0x480080f00f4a, 48, 0x6, 0x220, 1, 0xf0, 18,
	  4096, .ir = true, .pt = true, .scalable_ss = true, .drain = true },
	{ "caps.qemu_first_stage", 0x10, 0x00d2008c222f0606, 0x880000f00f4a, 48, 0x6, 0x220, 1, 0xf0, 18,
	  4096, .ir = true, .pt = true, .drain = true },
	{ "caps.skylake_sp",      0x10, 0x8d2078c106f0466, 0xf020df, 48, 0x4, 0x100, 8, 0x200, 18, 4096,
	  .coherent = true, .ir = true, .pt = true, .sc = true, .drain = true },
	{ "caps.sapphire_rapids", 0x60, 0x19ed008c40780c66, 0x3ee9e86f050df, 57, 0xc, 0x400, 1, 0x500, 45,
	  4096, .coherent = true, .ir = true, .pt = true, .sc = true, .scalable_ss = true, .smpwcs = true,
	  .drain = true },
};

static void test_real_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		struct vtd_caps c;

		print_message("# %s\n", real[i].name);
		assert_int_equal(vtd_caps_decode(real[i].ver, real[i].cap, real[i].ecap, &c), 0);
		assert_int_equal(c.ver_major, real[i].ver >> 4);
		assert_int_equal(c.ver_minor, 0);
		assert_int_equal(c.ndoms, 65536);
		assert_int_equal(c.mgaw, real[i].mgaw);
		assert_int_equal(c.sagaw, real[i].sagaw);
		assert_int_equal(c.fro, real[i].fro);
		assert_int_equal(c.nfr, real[i].nfr);
		assert_int_equal(c.iro, real[i].iro);
		assert_int_equal(c.mamv, real[i].mamv);
		assert_int_equal(c.reg_bytes, real[i].reg_bytes);
		assert_int_equal(c.page_sizes, ALL_PAGES);
		assert_true(c.psi && c.qi);
		assert_false(c.rwbf);
		assert_int_equal(c.cm, real[i].cm);
		assert_int_equal(c.esrtps, real[i].esrtps);
		assert_int_equal(c.coherent, real[i].coherent);
		assert_int_equal(c.ir, real[i].ir);
		assert_int_equal(c.pt, real[i].pt);
		assert_int_equal(c.sc, real[i].sc);
		assert_int_equal(c.scalable_ss, real[i].scalable_ss);
		assert_int_equal(c.smpwcs, real[i].smpwcs);
		assert_int_equal(c.drain_read && c.drain_write, real[i].drain);
	}
}

static void test_skylake_has_protected_memory(void **state)
{
	struct vtd_caps c;

	(void)state;
	assert_int_equal(vtd_caps_decode(0x10, 0x8d2078c106f0466, 0xf020df, &c), 0);
	assert_true(c.plmr && c.phmr);
	assert_int_equal(vtd_caps_decode(0x10, 0x00d2008c22260206, 0xf00f4a, &c), 0);
	assert_false(c.plmr || c.phmr);
}

#define CAP	0x00d2008c22260206ULL
#define ECAP	0xf00f4aULL

static const struct {
	const char *name;
	uint32_t ver;
	uint64_t cap, ecap;
	int err;
} refused[] = {
	{ "caps.all_ones",          UINT32_MAX, UINT64_MAX, UINT64_MAX, -ENODEV },
	{ "caps.all_ones_but_ver",  0x10, UINT64_MAX, UINT64_MAX, -ENODEV },
	{ "caps.all_zero",          0, 0, 0, -ENODEV },
	{ "caps.cap_zero",          0x10, 0, ECAP, -ENODEV },
	{ "caps.major_zero",        0x01, CAP, ECAP, -ENODEV },
	{ "caps.nd_7",              0x10, CAP | 7, ECAP, -EINVAL },
	{ "caps.sslps_1g_alone",    0x10, (CAP & ~(0xfULL << 34)) | 2ULL << 34, ECAP, -EINVAL },
	{ "caps.sslps_reserved",    0x10, CAP | 4ULL << 34, ECAP, -EINVAL },
	{ "caps.fro_zero",          0x10, CAP & ~(0x3ffULL << 24), ECAP, -EINVAL },
	{ "caps.iro_zero",          0x10, CAP, ECAP & ~(0x3ffULL << 8), -EINVAL },
	{ "caps.ir_without_qi",     0x10, CAP, ECAP & ~2ULL, -EINVAL },
	{ "caps.ats_without_qi",    0x10, CAP, (ECAP & ~0xaULL) | 4, -EINVAL },
	{ "caps.smts_without_qi",   0x10, CAP, (ECAP & ~0xaULL) | 1ULL << 43, -EINVAL },
	{ "caps.nothing_invalidates", 0x60, CAP, ECAP & ~0xaULL, -EINVAL },
	{ "caps.rwbf_with_smts",    0x10, CAP | 1 << 4, ECAP | 1ULL << 43, -EINVAL },
	{ "caps.registers_only",    0x10, CAP, ECAP & ~0xaULL, 0 },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct vtd_caps c, was;

		print_message("# %s\n", refused[i].name);
		memset(&c, 0x5a, sizeof(c));
		was = c;
		assert_int_equal(vtd_caps_decode(refused[i].ver, refused[i].cap, refused[i].ecap, &c),
				 refused[i].err);
		if (refused[i].err)
			assert_memory_equal(&c, &was, sizeof(c));
	}
}

static void test_field_encodings(void **state)
{
	struct vtd_caps c;

	(void)state;
	assert_int_equal(vtd_caps_decode(0x10, CAP & ~7ULL, ECAP, &c), 0);
	assert_int_equal(c.ndoms, 16);
	assert_int_equal(vtd_caps_decode(0x10, (CAP & ~7ULL) | 2, ECAP, &c), 0);
	assert_int_equal(c.ndoms, 256);
	assert_int_equal(vtd_caps_decode(0x10, CAP & ~(0xfULL << 34), ECAP, &c), 0);
	assert_int_equal(c.page_sizes, VTD_PG_4K);
	assert_int_equal(vtd_caps_decode(0x10, (CAP & ~(0xfULL << 34)) | 1ULL << 34, ECAP, &c), 0);
	assert_int_equal(c.page_sizes, VTD_PG_4K | VTD_PG_2M);
	/* 256 records at 0x3ff0 and the IOTLB registers behind the first page. */
	assert_int_equal(vtd_caps_decode(0x10, CAP | 0x3ffULL << 24 | 0xffULL << 40, ECAP, &c), 0);
	assert_int_equal(c.reg_bytes, 0x5000);
	assert_int_equal(vtd_caps_decode(0x10, CAP, ECAP | 0x3ffULL << 8, &c), 0);
	assert_int_equal(c.reg_bytes, 0x4000);
}

#define SMTS	(1ULL << 43)
#define SSTS	(1ULL << 46)
#define FSTS	(1ULL << 47)
#define SMPWCS	(1ULL << 48)

static const struct { const char *name; uint64_t ecap; bool scalable_ss, smpwcs; } modes[] = {
	{ "caps.legacy_only",        ECAP, false, false },
	{ "caps.second_stage",       ECAP | SMTS | SSTS, true, false },
	{ "caps.both_stages",        ECAP | SMTS | SSTS | FSTS, true, false },
	{ "caps.first_stage_only",   ECAP | SMTS | FSTS, false, false },
	{ "caps.ssts_without_smts",  ECAP | SSTS, false, false },
	{ "caps.snooped_walks",      ECAP | SMTS | SSTS | SMPWCS, true, true },
};

static void test_scalable_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vtd_caps c;

		print_message("# %s\n", modes[i].name);
		assert_int_equal(vtd_caps_decode(0x10, CAP, modes[i].ecap, &c), 0);
		assert_int_equal(c.scalable_ss, modes[i].scalable_ss);
		assert_int_equal(c.smpwcs, modes[i].smpwcs);
		assert_false(c.coherent);
	}
}

static const struct {
	const char *name;
	unsigned sagaw, mgaw, iova_bits, levels;	/* levels 0: refused */
} picks[] = {
	{ "levels.3_when_enough",       0x6, 48, 39, 3 },
	{ "levels.4_when_needed",       0x6, 48, 40, 4 },
	{ "levels.4_when_only_one",     0x4, 48, 39, 4 },
	{ "levels.mgaw_bounds_4",       0x4, 39, 40, 0 },
	{ "levels.3_has_no_40_bits",    0x2, 48, 40, 0 },
	{ "levels.server_57_mgaw",      0x4, 57, 48, 4 },
	{ "levels.server_49_bits",      0x4, 57, 49, 0 },
	{ "levels.5_alone_not_used",    0x8, 57, 39, 0 },
	{ "levels.none",                0x0, 48, 39, 0 },
};

static void test_pick_levels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(picks); i++) {
		const struct vtd_caps c = { .sagaw = (uint8_t)picks[i].sagaw,
					    .mgaw = (uint8_t)picks[i].mgaw };
		unsigned levels = 77;
		int rc;

		print_message("# %s\n", picks[i].name);
		rc = vtd_caps_pick_levels(&c, picks[i].iova_bits, &levels);
		assert_int_equal(rc, picks[i].levels ? 0 : -EOPNOTSUPP);
		assert_int_equal(levels, picks[i].levels ? picks[i].levels : 77);
	}
}

static void test_usable_bits(void **state)
{
	const struct vtd_caps server = { .sagaw = 0xc, .mgaw = 57 };
	const struct vtd_caps client = { .sagaw = 0x6, .mgaw = 39 };

	(void)state;
	assert_int_equal(vtd_caps_usable_bits(&server, 4), 48);
	assert_int_equal(vtd_caps_usable_bits(&server, 5), 57);
	assert_int_equal(vtd_caps_usable_bits(&client, 4), 39);
	assert_false(vtd_caps_has_levels(&server, 3));
	assert_true(vtd_caps_has_levels(&server, 5));
	assert_false(vtd_caps_has_levels(&client, 2));
	assert_false(vtd_caps_has_levels(&client, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_values),
		cmocka_unit_test(test_skylake_has_protected_memory),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_field_encodings),
		cmocka_unit_test(test_scalable_mode),
		cmocka_unit_test(test_pick_levels),
		cmocka_unit_test(test_usable_bits),
	};

	return cmocka_run_group_tests_name("vtd capabilities", tests, NULL, NULL);
}
