/* DMAR: real tables by their published counts, a small built table with each field corrupted in
 * turn, and the matching of functions to units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "vtd/dmar.h"

#define FIXTURES	"tests/fixtures/dmar/"

static struct vtd_dmar dmar;
static const char *why;

/* ---- real tables ------------------------------------------------------------------------- */

static uint8_t *read_file(const char *name, size_t *len)
{
	char path[256];
	uint8_t *bytes;
	FILE *f;

	snprintf(path, sizeof(path), FIXTURES "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	bytes = malloc(65536);
	assert_non_null(bytes);
	*len = fread(bytes, 1, 65536, f);
	fclose(f);
	bytes = realloc(bytes, *len);	/* so that a read past the end is seen */
	assert_non_null(bytes);
	return bytes;
}

/* Columns of index.tsv; empty ones are kept, so strtok would not do. */
enum {
	FILE_NAME = 0, N_DRHD = 11, N_RMRR, N_ATSR, N_RHSA, N_ANDD, N_SATC, N_SIDP, HAW_RAW, HAW_BITS,
	FLAGS, SCOPES, SEGMENTS, ANOMALIES = 27, COLUMNS = 29
};

static void split(char *line, char *column[COLUMNS])
{
	line[strcspn(line, "\r\n")] = 0;
	for (unsigned i = 0; i < COLUMNS; i++) {
		column[i] = line;
		line += strcspn(line, "\t");
		if (*line)
			*line++ = 0;
	}
}

static const struct { const char *text; uint32_t bit; } anomaly_words[] = {
	{ "DRHD-base-zero",                      VTD_DMAR_DRHD_BASE_ZERO },
	{ "duplicate-DRHD-base",                 VTD_DMAR_DRHD_DUPLICATE },
	{ "DRHD-no-scope-not-include-all",       VTD_DMAR_DRHD_NO_SCOPE },
	{ "seg0-no-include-all",                 VTD_DMAR_NO_INCLUDE_ALL },
	{ "seg0-2-include-all",                  VTD_DMAR_TWO_INCLUDE_ALL },
	{ "rmrr-all-zero",                       VTD_DMAR_RMRR_EMPTY },
	{ "unaligned",                           VTD_DMAR_RMRR_UNALIGNED },
	{ "rmrr-below-1M",                       VTD_DMAR_RMRR_BELOW_1M },
	{ "rhsa-for-unknown-DRHD",               VTD_DMAR_RHSA_UNKNOWN_DRHD },
	{ "scope reserved/flags bytes nonzero",  VTD_DMAR_SCOPE_RESERVED },
};

static void compare_with_row(char *column[COLUMNS])
{
	assert_int_equal(dmar.nr_drhd, atoi(column[N_DRHD]));
	assert_int_equal(dmar.nr_rmrr, atoi(column[N_RMRR]));
	assert_int_equal(dmar.nr_atsr, atoi(column[N_ATSR]));
	assert_int_equal(dmar.nr_rhsa, atoi(column[N_RHSA]));
	assert_int_equal(dmar.nr_andd, atoi(column[N_ANDD]));
	assert_int_equal(dmar.nr_satc, atoi(column[N_SATC]));
	assert_int_equal(dmar.nr_sidp, atoi(column[N_SIDP]));
	assert_int_equal(dmar.nr_unknown, 0);
	assert_int_equal(dmar.nr_scopes, atoi(column[SCOPES]));
	assert_int_equal(dmar.haw, atoi(column[HAW_BITS]));
	assert_int_equal(dmar.haw, strtol(column[HAW_RAW], NULL, 16) + 1);
	assert_int_equal(dmar.flags, strtol(column[FLAGS], NULL, 16));
	for (size_t i = 0; i < dmar.nr_drhd; i++)
		assert_int_equal(dmar.drhd[i].segment, atoi(column[SEGMENTS]));
	for (size_t i = 0; i < ARRAY_SIZE(anomaly_words); i++)
		assert_int_equal((dmar.anomalies & anomaly_words[i].bit) != 0,
				 strstr(column[ANOMALIES], anomaly_words[i].text) != NULL);
}

/* The iterator sees what the parser counted, at most; ATSR, SATC, SIDP scopes are not kept. */
static size_t kept_scopes(void)
{
	struct vtd_dmar_scope sc;
	size_t n = 0;

	for (size_t i = 0; i < dmar.nr_drhd; i++)
		for (size_t off = 0; vtd_dmar_scope_next(dmar.drhd[i].scopes, &off, &sc); n++)
			assert_in_range(sc.type, 1, 5);
	for (size_t i = 0; i < dmar.nr_rmrr; i++)
		for (size_t off = 0; vtd_dmar_scope_next(dmar.rmrr[i].scopes, &off, &sc); n++)
			assert_in_range(sc.n, 1, 2);
	return n;
}

static void test_real_tables(void **state)
{
	FILE *f = fopen(FIXTURES "index.tsv", "r");
	static char line[8192];
	char *column[COLUMNS];
	unsigned tables = 0;

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	split(line, column);
	assert_string_equal(column[N_DRHD], "DRHD");
	assert_string_equal(column[SCOPES], "scopes");
	assert_string_equal(column[ANOMALIES], "anomalies");
	for (; fgets(line, sizeof(line), f); tables++) {
		uint8_t *bytes;
		size_t len;

		split(line, column);
		print_message("# dmar.real.%s\n", column[FILE_NAME]);
		bytes = read_file(column[FILE_NAME], &len);
		assert_int_equal(vtd_dmar_parse(span_of(bytes, len), &dmar, &why), 0);
		compare_with_row(column);
		if (dmar.nr_atsr + dmar.nr_satc + dmar.nr_sidp == 0)
			assert_int_equal(kept_scopes(), dmar.nr_scopes);
		else
			assert_in_range(kept_scopes(), 1, dmar.nr_scopes);
		free(bytes);
	}
	assert_int_equal(tables, 60);
	fclose(f);
}

/* Every shorter and every one-byte-changed version of a real table ends in a verdict. */
static void test_real_table_damaged(void **state)
{
	size_t len;
	uint8_t *bytes = read_file("hp-proliant-dl380e-gen8-4d4ed189.dmar", &len);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, bytes, cut);
		assert_int_equal(vtd_dmar_parse(span_of(copy, cut), &dmar, &why), -EBADMSG);
		free(copy);
	}
	for (size_t i = 0; i < len; i++) {
		const uint8_t was = bytes[i], sum = bytes[9];

		bytes[i] ^= 0x20;
		assert_int_equal(vtd_dmar_parse(span_of(bytes, len), &dmar, &why), -EBADMSG);
		/* With the checksum repaired it may be accepted or not, but within bounds. */
		bytes[9] = (uint8_t)(bytes[9] - (bytes[i] - was));
		(void)vtd_dmar_parse(span_of(bytes, len), &dmar, &why);
		bytes[i] = was;
		bytes[9] = sum;
	}
	assert_int_equal(vtd_dmar_parse(span_of(bytes, len), &dmar, &why), 0);
	free(bytes);
}

/* ---- a built table ------------------------------------------------------------------------ */

static uint8_t built[8192];
static size_t built_len;

static void fix_checksum(void)
{
	uint8_t sum = 0;

	built[9] = 0;
	for (size_t i = 0; i < built_len; i++)
		sum = (uint8_t)(sum + built[i]);
	built[9] = (uint8_t)-sum;
}

static void finish(void)
{
	const uint32_t len = (uint32_t)built_len;

	memcpy(&built[4], &len, 4);
	fix_checksum();
}

static void begin(void)
{
	memset(built, 0, sizeof(built));
	memcpy(built, "DMAR", 4);
	built[8] = 1;
	built[36] = 38;		/* 39 bits */
	built[37] = 1;
	built_len = 48;
}

static void add(const void *bytes, size_t len)
{
	memcpy(&built[built_len], bytes, len);
	built_len += len;
}

#define ADD(...)	add((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define LE64(v)		(v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 & 0xff, 0, 0, 0, 0

/* Offsets of the parts of the built table. */
enum { AT_DRHD0 = 48, AT_SCOPE0 = 64, AT_SCOPE1 = 72, AT_DRHD1 = 82, AT_IOAPIC = 98, AT_RMRR = 106,
       AT_RHSA = 138, AT_ANDD = 158, AT_ATSR = 172 };

static void build(void)
{
	begin();
	ADD(0, 0, 34, 0, 0, 0, 0, 0, LE64(0xfed90000));		/* DRHD, explicit scopes */
	ADD(1, 8, 0, 0, 0, 0, 2, 0);					/*   endpoint 00:02.0 */
	ADD(2, 10, 0, 0, 0, 0, 0x1c, 4, 0, 1);				/*   bridge behind 00:1c.4 */
	ADD(0, 0, 24, 0, 1, 1, 0, 0, LE64(0xfed91000));		/* DRHD, INCLUDE_PCI_ALL, 8 KiB */
	ADD(3, 8, 0, 0, 2, 0xf0, 0x1f, 0);				/*   IOAPIC */
	ADD(1, 0, 32, 0, 0, 0, 0, 0, LE64(0x7c000000u), LE64(0x7c0fffffu));	/* RMRR */
	ADD(1, 8, 0, 0, 0, 0, 0x14, 0);
	ADD(3, 0, 20, 0, 0, 0, 0, 0, LE64(0xfed91000), 1, 0, 0, 0);	/* RHSA */
	ADD(4, 0, 14, 0, 0, 0, 0, 1, '\\', '_', 'S', 'B', '_', 0);	/* ANDD */
	ADD(2, 0, 8, 0, 1, 0, 0, 0);					/* ATSR, all ports */
	finish();
}

static int parse_built(void)
{
	uint8_t *copy = malloc(built_len);
	int rc;

	/* Its own allocation, so that a read past the end is seen.  Spans are not kept. */
	memcpy(copy, built, built_len);
	why = NULL;
	rc = vtd_dmar_parse(span_of(copy, built_len), &dmar, &why);
	free(copy);
	return rc;
}

static void test_built_table(void **state)
{
	(void)state;
	build();
	assert_int_equal(built_len, AT_ATSR + 8);
	assert_int_equal(parse_built(), 0);
	assert_null(why);
	assert_int_equal(dmar.haw, 39);
	assert_int_equal(dmar.nr_drhd, 2);
	assert_int_equal(dmar.drhd[0].base, 0xfed90000);
	assert_int_equal(dmar.drhd[0].bytes, 0x1000);
	assert_int_equal(dmar.drhd[1].bytes, 0x2000);
	assert_false(dmar.drhd[0].include_all);
	assert_true(dmar.drhd[1].include_all);
	assert_int_equal(dmar.nr_rmrr, 1);
	assert_int_equal(dmar.rmrr[0].base, 0x7c000000);
	assert_int_equal(dmar.rmrr[0].limit, 0x7c0fffff);
	assert_int_equal(dmar.nr_atsr + dmar.nr_rhsa + dmar.nr_andd, 3);
	assert_int_equal(dmar.nr_scopes, 4);
	assert_int_equal(dmar.anomalies, 0);
}

static const struct {
	const char *name;
	size_t off;
	uint8_t value;
	bool keep_checksum;
	int err;
	const char *why;	/* a word of the sentence */
	uint32_t anomaly;
} corrupted[] = {
	{ "dmar.signature",         0, 'X', false, -EBADMSG, "signature", 0 },
	{ "dmar.length_too_small",  4, 47, false, -EBADMSG, "length", 0 },
	{ "dmar.length_too_large",  5, 1, false, -EBADMSG, "length", 0 },
	{ "dmar.checksum",          10, 'x', true, -EBADMSG, "checksum", 0 },
	{ "dmar.struct_zero_length",   AT_DRHD0 + 2, 0, false, -EBADMSG, "zero", 0 },
	{ "dmar.struct_tiny_length",   AT_DRHD0 + 2, 3, false, -EBADMSG, "zero", 0 },
	{ "dmar.struct_past_the_end",  AT_ATSR + 2, 9, false, -EBADMSG, "past the end", 0 },
	{ "dmar.drhd_too_short",    AT_DRHD0 + 2, 15, false, -EBADMSG, "shorter than its type", 0 },
	{ "dmar.rhsa_too_short",    AT_RHSA + 2, 19, false, -EBADMSG, "shorter than its type", 0 },
	{ "dmar.scope_zero_length", AT_SCOPE0 + 1, 0, false, -EBADMSG, "scope shorter", 0 },
	{ "dmar.scope_5_bytes",     AT_SCOPE0 + 1, 5, false, -EBADMSG, "scope shorter", 0 },
	{ "dmar.scope_overruns",    AT_SCOPE1 + 1, 12, false, -EBADMSG, "scope runs past", 0 },
	{ "dmar.scope_leaves_rest", AT_SCOPE1 + 1, 8, false, -EBADMSG, "scope runs past", 0 },
	{ "dmar.unknown_type",      AT_RHSA, 9, false, 0, NULL, VTD_DMAR_UNKNOWN_TYPE },
	{ "dmar.scope_reserved",    AT_SCOPE0 + 2, 2, false, 0, NULL, VTD_DMAR_SCOPE_RESERVED },
	{ "dmar.scope_no_path",     AT_IOAPIC + 1, 6, false, -EBADMSG, "scope runs past", 0 },
	{ "dmar.andd_unterminated", AT_ANDD + 13, 'x', false, 0, NULL, VTD_DMAR_ANDD_UNTERMINATED },
	{ "dmar.rhsa_unknown",      AT_RHSA + 9, 0x20, false, 0, NULL, VTD_DMAR_RHSA_UNKNOWN_DRHD },
	{ "dmar.drhd_unaligned",    AT_DRHD0 + 8, 4, false, 0, NULL, VTD_DMAR_DRHD_BASE_UNALIGNED },
	{ "dmar.rmrr_unaligned",    AT_RMRR + 16, 0xfe, false, 0, NULL, VTD_DMAR_RMRR_UNALIGNED },
	{ "dmar.rmrr_empty",        AT_RMRR + 19, 0x7b, false, 0, NULL, VTD_DMAR_RMRR_EMPTY },
	{ "dmar.rmrr_low",          AT_RMRR + 11, 0, false, 0, NULL, VTD_DMAR_RMRR_BELOW_1M },
	{ "dmar.no_include_all",    AT_DRHD1 + 4, 0, false, 0, NULL, VTD_DMAR_NO_INCLUDE_ALL },
	{ "dmar.two_include_all",   AT_DRHD0 + 4, 1, false, 0, NULL,
	  VTD_DMAR_TWO_INCLUDE_ALL | VTD_DMAR_INCLUDE_ALL_NOT_LAST },
	{ "dmar.other_segment",     AT_DRHD1 + 6, 1, false, 0, NULL, VTD_DMAR_NO_INCLUDE_ALL },
	{ "dmar.same_base",         AT_DRHD1 + 9, 0, false, 0, NULL,
	  VTD_DMAR_DRHD_DUPLICATE | VTD_DMAR_RHSA_UNKNOWN_DRHD },
};

static void test_each_field_corrupted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(corrupted); i++) {
		print_message("# %s\n", corrupted[i].name);
		build();
		built[corrupted[i].off] = corrupted[i].value;
		if (strcmp(corrupted[i].name, "dmar.same_base") == 0)
			built[AT_DRHD1 + 10] = 0xd9;
		if (!corrupted[i].keep_checksum)
			fix_checksum();
		if (strcmp(corrupted[i].name, "dmar.length_too_small") == 0)
			built_len = 48;
		assert_int_equal(parse_built(), corrupted[i].err);
		if (corrupted[i].err) {
			assert_non_null(why);
			assert_non_null(strstr(why, corrupted[i].why));
		} else {
			assert_int_equal(dmar.anomalies, corrupted[i].anomaly);
		}
	}
}

static void test_base_zero_is_kept(void **state)
{
	(void)state;
	begin();
	ADD(0, 0, 16, 0, 1, 0, 0, 0, LE64(0));
	finish();
	assert_int_equal(parse_built(), 0);
	assert_int_equal(dmar.nr_drhd, 1);
	assert_int_equal(dmar.anomalies, VTD_DMAR_DRHD_BASE_ZERO);
}

static const struct {
	const char *name;
	unsigned drhds, rmrrs, path;	/* path pairs of one scope */
	int err;
} sizes[] = {
	{ "dmar.64_units",      64, 0, 0, 0 },
	{ "dmar.65_units",      65, 0, 0, -ENOSPC },
	{ "dmar.128_regions",   1, 128, 0, 0 },
	{ "dmar.129_regions",   1, 129, 0, -ENOSPC },
	{ "dmar.path_of_16",    0, 0, 16, 0 },
	{ "dmar.path_of_17",    0, 0, 17, -ENOSPC },
};

static void test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		print_message("# %s\n", sizes[i].name);
		begin();
		for (unsigned n = 0; n < sizes[i].drhds; n++)
			ADD(0, 0, 16, 0, n + 1 == sizes[i].drhds, 0, 0, 0, LE64(0x10000000 + n * 0x1000));
		for (unsigned n = 0; n < sizes[i].rmrrs; n++)
			ADD(1, 0, 24, 0, 0, 0, 0, 0, LE64(0x40000000 + n * 0x1000),
			    LE64(0x40000fff + n * 0x1000));
		if (sizes[i].path) {
			const uint8_t len = (uint8_t)(6 + 2 * sizes[i].path);

			ADD(0, 0, (uint8_t)(16 + len), 0, 0, 0, 0, 0, LE64(0xfed90000));
			ADD(1, len, 0, 0, 0, 0);
			built_len += 2 * sizes[i].path;
		}
		finish();
		assert_int_equal(parse_built(), sizes[i].err);
		assert_int_equal(why != NULL, sizes[i].err != 0);
	}
}

static void test_scope_iterator(void **state)
{
	const uint8_t scopes[] = {
		1, 8, 0x02, 0, 0, 0x80, 0x1f, 7,
		3, 8, 0, 0, 9, 0xf0, 0x1f, 0,
		2, 10, 0, 0, 0, 0, 1, 0, 0, 3,
	};
	struct vtd_dmar_scope sc;
	size_t off = 0;

	(void)state;
	assert_true(vtd_dmar_scope_next(span_of(scopes, sizeof(scopes)), &off, &sc));
	assert_int_equal(sc.type, VTD_SCOPE_ENDPOINT);
	assert_int_equal(sc.flags, 2);
	assert_int_equal(sc.start_bus, 0x80);
	assert_int_equal(sc.n, 1);
	assert_int_equal(sc.path[0].dev, 0x1f);
	assert_int_equal(sc.path[0].fn, 7);
	assert_true(vtd_dmar_scope_next(span_of(scopes, sizeof(scopes)), &off, &sc));
	assert_int_equal(sc.type, VTD_SCOPE_IOAPIC);
	assert_int_equal(sc.enum_id, 9);
	assert_true(vtd_dmar_scope_next(span_of(scopes, sizeof(scopes)), &off, &sc));
	assert_int_equal(sc.n, 2);
	assert_int_equal(sc.path[1].fn, 3);
	assert_false(vtd_dmar_scope_next(span_of(scopes, sizeof(scopes)), &off, &sc));
	assert_int_equal(off, sizeof(scopes));
	/* Bytes that were never validated end the iteration. */
	off = 0;
	assert_false(vtd_dmar_scope_next(span_of("\1\0\0\0\0\0\0", 8), &off, &sc));
	assert_false(vtd_dmar_scope_next(span_of("\1\11\0\0\0\0\0", 8), &off, &sc));
	assert_false(vtd_dmar_scope_next(span_of("\1", 1), &off, &sc));
}

/* ---- matching ------------------------------------------------------------------------------ */

#define RID(b, d, f)	((uint16_t)((b) << 8 | (d) << 3 | (f)))

/* 00:1c.4 -> bus 2, 02:00.0 -> bus 3, 00:1d.0 -> bus 5, 00:1e.0 -> bus 6 on segment 0. */
static const struct { uint16_t bridge; uint8_t secondary; } topology[] = {
	{ RID(0, 0x1c, 4), 2 }, { RID(2, 0, 0), 3 }, { RID(0, 0x1d, 0), 5 }, { RID(0, 0x1e, 0), 6 },
};

static bool secondary_bus(void *ctx, uint16_t segment, uint16_t rid, uint8_t *bus)
{
	(void)ctx;
	for (size_t i = 0; segment == 0 && i < ARRAY_SIZE(topology); i++) {
		if (topology[i].bridge == rid) {
			*bus = topology[i].secondary;
			return true;
		}
	}
	return false;
}

static bool parent(void *ctx, uint16_t segment, uint16_t rid, uint16_t *up)
{
	(void)ctx;
	for (size_t i = 0; segment == 0 && i < ARRAY_SIZE(topology); i++) {
		if (topology[i].secondary == rid >> 8) {
			*up = topology[i].bridge;
			return true;
		}
	}
	return false;
}

static bool own_parent(void *ctx, uint16_t segment, uint16_t rid, uint16_t *up)
{
	(void)ctx;
	(void)segment;
	*up = rid;
	return true;
}

static const struct vtd_pci_view view = { .secondary_bus = secondary_bus, .parent = parent };

static void build_matching(void)
{
	begin();
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10000000));		/* 0: endpoint 00:02.0 */
	ADD(1, 8, 0, 0, 0, 0, 2, 0);
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10001000));		/* 1: all below 00:1c.4 */
	ADD(2, 8, 0, 0, 0, 0, 0x1c, 4);
	ADD(0, 0, 28, 0, 0, 0, 0, 0, LE64(0x10002000));		/* 2: 03:05.0, three hops */
	ADD(1, 12, 0, 0, 0, 0, 0x1c, 4, 0, 0, 5, 0);
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10003000));		/* 3: endpoint type on a bridge */
	ADD(1, 8, 0, 0, 0, 0, 0x1d, 0);
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10004000));		/* 4: no such path */
	ADD(1, 8, 0, 0, 0, 0, 0x20, 8);
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10005000));		/* 5: an IOAPIC only */
	ADD(3, 8, 0, 0, 0, 0, 8, 0);
	ADD(0, 0, 24, 0, 0, 0, 0, 0, LE64(0x10000000));		/* 6: unit 0 once more */
	ADD(1, 8, 0, 0, 0, 0, 9, 0);
	ADD(0, 0, 16, 0, 1, 0, 0, 0, LE64(0x10007000));		/* 7: the rest */
	ADD(0, 0, 24, 0, 0, 0, 1, 0, LE64(0x10008000));		/* 8: segment 1, no INCLUDE_ALL */
	ADD(1, 8, 0, 0, 0, 0, 3, 0);
	ADD(1, 0, 40, 0, 0, 0, 0, 0, LE64(0x7c000000u), LE64(0x7c000fffu));
	ADD(1, 8, 0, 0, 0, 0, 0x14, 0);
	ADD(2, 8, 0, 0, 0, 0, 0x1e, 0);
	finish();
	/* Spans of the result point into @built. */
	assert_int_equal(vtd_dmar_parse(span_of(built, built_len), &dmar, &why), 0);
}

static const struct {
	const char *name;
	uint16_t segment, rid;
	int unit;		/* -1: none */
} matches[] = {
	{ "match.endpoint",               0, RID(0, 2, 0), 0 },
	{ "match.other_function",         0, RID(0, 2, 1), 7 },
	{ "match.bridge_itself",          0, RID(0, 0x1c, 4), 1 },
	{ "match.below_bridge",           0, RID(2, 0, 0), 1 },
	{ "match.two_below_bridge",       0, RID(3, 0, 0), 1 },
	{ "match.endpoint_beats_bridge",  0, RID(3, 5, 0), 2 },
	{ "match.endpoint_on_a_bridge",   0, RID(0, 0x1d, 0), 3 },
	{ "match.not_below_endpoint",     0, RID(5, 0, 0), 7 },
	{ "match.impossible_path",        0, RID(1, 0, 0), 7 },
	{ "match.ioapic_is_no_function",  0, RID(0, 8, 0), 7 },
	{ "match.same_base_is_the_first", 0, RID(0, 9, 0), 0 },
	{ "match.include_all",            0, RID(0, 0x1f, 6), 7 },
	{ "match.segment",                1, RID(0, 3, 0), 8 },
	{ "match.segment_without_all",    1, RID(0, 4, 0), -1 },
	{ "match.unknown_segment",        2, RID(0, 3, 0), -1 },
};

static void test_unit_of(void **state)
{
	(void)state;
	build_matching();
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		size_t unit = 99;
		int rc;

		print_message("# %s\n", matches[i].name);
		rc = vtd_dmar_unit_of(&dmar, matches[i].segment, matches[i].rid, &view, &unit);
		assert_int_equal(rc, matches[i].unit < 0 ? -ENOENT : 0);
		assert_int_equal(unit, matches[i].unit < 0 ? 99 : matches[i].unit);
	}
}

static void test_unit_of_is_bounded(void **state)
{
	const struct vtd_pci_view loop = { .secondary_bus = secondary_bus, .parent = own_parent };
	size_t unit = 99;

	(void)state;
	build_matching();
	assert_int_equal(vtd_dmar_unit_of(&dmar, 0, RID(9, 0, 0), &loop, &unit), -ELOOP);
	assert_int_equal(unit, 99);
	assert_false(vtd_dmar_rmrr_names(&dmar, 0, 0, RID(9, 0, 0), &loop));
}

static void test_rmrr_names(void **state)
{
	(void)state;
	build_matching();
	assert_true(vtd_dmar_rmrr_names(&dmar, 0, 0, RID(0, 0x14, 0), &view));
	assert_true(vtd_dmar_rmrr_names(&dmar, 0, 0, RID(6, 3, 1), &view));
	assert_false(vtd_dmar_rmrr_names(&dmar, 0, 0, RID(0, 0x14, 1), &view));
	assert_false(vtd_dmar_rmrr_names(&dmar, 0, 1, RID(0, 0x14, 0), &view));
	assert_false(vtd_dmar_rmrr_names(&dmar, 1, 0, RID(0, 0x14, 0), &view));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_tables),
		cmocka_unit_test(test_real_table_damaged),
		cmocka_unit_test(test_built_table),
		cmocka_unit_test(test_each_field_corrupted),
		cmocka_unit_test(test_base_zero_is_kept),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_scope_iterator),
		cmocka_unit_test(test_unit_of),
		cmocka_unit_test(test_unit_of_is_bounded),
		cmocka_unit_test(test_rmrr_names),
	};

	return cmocka_run_group_tests_name("vtd dmar", tests, NULL, NULL);
}
