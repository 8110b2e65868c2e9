/* The root FDT: the golden bytes both ways, every bit of them flipped, every length, and trees
 * that are well-formed and still wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include "kho/tree.h"
#include "tests/fixtures/kho_golden.h"

static const struct kho_subnode golden_nodes[] = {	/* oldest first */
	{ "kexec-metadata", GOLDEN_METADATA, 73 },
	{ "LUO", GOLDEN_LUO, 32 },
	{ "memblock", GOLDEN_MEMBLOCK, 210 },
};

static struct kho_tree tree;
static struct kho_refusal why;
static uint64_t page[PAGE_SIZE / 8];

/* The CRC-32 of zlib and Ethernet, as it was computed over the golden FDT. */
static uint32_t crc32_ieee(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* tree.write.golden_byte_for_byte */
static void test_write_golden(void **state)
{
	static const uint8_t zero[PAGE_SIZE];
	size_t used;

	(void)state;
	memset(page, 0x5a, sizeof(page));
	assert_int_equal(kho_tree_write(page, sizeof(page), GOLDEN_NODES, golden_nodes, 3, &used), 0);
	assert_int_equal(used, 345);
	assert_memory_equal(page, golden_root_fdt, sizeof(golden_root_fdt));
	assert_int_equal(crc32_ieee((const uint8_t *)page, used), 0x00ecc8ff);
	assert_memory_equal((uint8_t *)page + used, zero, sizeof(page) - used);
}

/* tree.write.refuses */
static const struct {
	const char *name;
	struct kho_subnode node[2];
} bad_nodes[] = {
	{ "tree.write.empty_name",      { { "", 1, 1 }, { "a", 1, 1 } } },
	{ "tree.write.slash",           { { "a/b", 1, 1 }, { "a", 1, 1 } } },
	{ "tree.write.unit_address",    { { "a@1", 1, 1 }, { "a", 1, 1 } } },
	{ "tree.write.space",           { { "a b", 1, 1 }, { "a", 1, 1 } } },
	{ "tree.write.32_characters",   { { "0123456789abcdef0123456789abcdef", 1, 1 }, { "a", 1, 1 } } },
	{ "tree.write.same_name_twice", { { "a", 1, 1 }, { "a", 2, 1 } } },
};

static void test_write_bad(void **state)
{
	static const struct kho_subnode longest = { "0123456789abcdef0123456789abcde", 1, 1 };
	static struct kho_subnode many[KHO_MAX_SUBNODES + 1];
	size_t used = 99;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_nodes); i++) {
		print_message("# %s\n", bad_nodes[i].name);
		assert_int_equal(kho_tree_write(page, sizeof(page), 1, bad_nodes[i].node, 2, &used),
				 -EINVAL);
	}
	assert_int_equal(kho_tree_write((uint8_t *)page + 4, 4000, 1, golden_nodes, 3, &used), -EINVAL);
	for (size_t size = 0; size < 345; size++)
		assert_int_equal(kho_tree_write(page, size, 1, golden_nodes, 3, &used), -ENOSPC);
	assert_int_equal(kho_tree_write(page, KHO_FDT_MAX_BYTES + 1, 1, NULL, 0, &used), -ENOSPC);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct kho_subnode){ { 'n', '0' + i / 10, '0' + i % 10 }, MIB(2) + i, 1 + i };
	assert_int_equal(kho_tree_write(page, sizeof(page), 1, many, ARRAY_SIZE(many), &used), -ENOSPC);
	assert_int_equal(used, 99);

	assert_int_equal(kho_tree_write(page, sizeof(page), 1, &longest, 1, &used), 0);
	assert_int_equal(kho_tree_write(page, sizeof(page), MIB(3), many, KHO_MAX_SUBNODES, &used), 0);
	assert_int_equal(kho_tree_read(span_of(page, used), &tree, &why), 0);
	assert_int_equal(tree.radix_root, MIB(3));
	assert_int_equal(tree.nr, KHO_MAX_SUBNODES);
	for (size_t i = 0; i < KHO_MAX_SUBNODES; i++) {
		const struct kho_subnode *n = &tree.node[KHO_MAX_SUBNODES - 1 - i];

		assert_string_equal(n->name, many[i].name);
		assert_int_equal(n->pa, many[i].pa);
		assert_int_equal(n->size, many[i].size);
	}
}

/* tree.read.golden */
static void test_read_golden(void **state)
{
	(void)state;
	memset(page, 0, sizeof(page));
	memcpy(page, golden_root_fdt, sizeof(golden_root_fdt));
	assert_int_equal(kho_tree_read(span_of(page, sizeof(page)), &tree, &why), 0);
	assert_int_equal(tree.fdt_bytes, 345);
	assert_int_equal(tree.radix_root, GOLDEN_NODES);
	assert_int_equal(tree.nr, 3);
	assert_string_equal(tree.node[0].name, "memblock");
	assert_string_equal(tree.node[1].name, "LUO");
	assert_string_equal(tree.node[2].name, "kexec-metadata");
	for (size_t i = 0; i < 3; i++) {
		const struct kho_subnode *n = kho_tree_find(&tree, golden_nodes[i].name);

		assert_non_null(n);
		assert_int_equal(n->pa, golden_nodes[i].pa);
		assert_int_equal(n->size, golden_nodes[i].size);
	}
	assert_null(kho_tree_find(&tree, "baton"));
	assert_null(kho_tree_find(&tree, "LUO2"));
	assert_null(kho_tree_find(&tree, "LU"));
	assert_null(kho_tree_find(&tree, "a-name-that-is-longer-than-any-name-may-be"));
}

/* Where the golden FDT keeps what the format does not protect: values and names. */
static const struct { size_t off, len; } free_fields[] = {
	{ 0x060, 8 },					/* preserved-memory-map */
	{ 0x06c, 8 }, { 0x084, 8 }, { 0x098, 8 },	/* memblock */
	{ 0x0a8, 3 }, { 0x0b8, 8 }, { 0x0cc, 8 },	/* LUO */
	{ 0x0dc, 14 }, { 0x0f8, 8 }, { 0x10c, 8 },	/* kexec-metadata */
};

static bool in_free_field(size_t off)
{
	for (size_t i = 0; i < ARRAY_SIZE(free_fields); i++)
		if (off - free_fields[i].off < free_fields[i].len)
			return true;
	return false;
}

static unsigned differences(const struct kho_tree *a, const struct kho_tree *b)
{
	unsigned n = a->radix_root != b->radix_root;

	if (a->nr != b->nr)
		return 99;
	for (size_t i = 0; i < a->nr; i++)
		n += !!strcmp(a->node[i].name, b->node[i].name) +
		     (a->node[i].pa != b->node[i].pa) + (a->node[i].size != b->node[i].size);
	return n;
}

/* tree.read.every_bit_flipped: refused; or the same meaning; or, in a value or a name, exactly
 * that one changed.  The FDT stands at the end of its allocation, so a read too far is seen. */
static void test_flips(void **state)
{
	const size_t len = sizeof(golden_root_fdt);
	struct kho_tree golden;
	unsigned same = 0, changed = 0, refused = 0;
	uint8_t *fdt = malloc(len);

	(void)state;
	memcpy(fdt, golden_root_fdt, len);
	assert_int_equal(kho_tree_read(span_of(fdt, len), &golden, &why), 0);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		fdt[bit / 8] ^= 1 << bit % 8;
		why.fault = NULL;
		if (kho_tree_read(span_of(fdt, len), &tree, &why)) {
			refused++;
			assert_non_null(why.fault);
		} else if (in_free_field(bit / 8)) {
			changed++;
			assert_int_equal(differences(&tree, &golden), 1);
		} else {
			same++;
			assert_int_equal(differences(&tree, &golden), 0);
		}
		fdt[bit / 8] ^= 1 << bit % 8;
	}
	print_message("# %u refused, %u the same, %u changed one value\n", refused, same, changed);
	assert_true(refused && same && changed);
	free(fdt);
}

/* tree.read.every_pair_of_header_bits: no crash, never a tree with another meaning */
static void test_header_pairs(void **state)
{
	const size_t len = sizeof(golden_root_fdt), bits = 8 * sizeof(struct fdt_header);
	struct kho_tree golden;
	uint8_t *fdt = malloc(len);

	(void)state;
	memcpy(fdt, golden_root_fdt, len);
	assert_int_equal(kho_tree_read(span_of(fdt, len), &golden, &why), 0);
	for (size_t a = 0; a < bits; a++)
		for (size_t b = a + 1; b < bits; b++) {
			fdt[a / 8] ^= 1 << a % 8;
			fdt[b / 8] ^= 1 << b % 8;
			if (!kho_tree_read(span_of(fdt, len), &tree, &why))
				assert_int_equal(differences(&tree, &golden), 0);
			fdt[a / 8] ^= 1 << a % 8;
			fdt[b / 8] ^= 1 << b % 8;
		}
	free(fdt);
}

/* tree.read.truncated_at_every_length */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(golden_root_fdt); len++) {
		uint8_t *fdt = malloc(len ? len : 1);

		memcpy(fdt, golden_root_fdt, len);
		tree.nr = 77;
		assert_int_equal(kho_tree_read(span_of(fdt, len), &tree, &why), -EBADMSG);
		assert_string_equal(why.what, "root FDT");
		assert_string_equal(why.fault, len < sizeof(struct fdt_header) ?
				    "is too short for an FDT header" : "is larger than its buffer");
		assert_int_equal(tree.nr, 77);
		free(fdt);
	}
}

/* --- Well-formed FDTs that are no handoff --- */

static void prop(const char *node, const char *name, const void *v, int len)
{
	const int at = fdt_path_offset(page, node);

	assert_true(at >= 0);
	assert_int_equal(fdt_setprop(page, at, name, v, len), 0);
}

static void no_compatible(void) { fdt_delprop(page, 0, "compatible"); }
static void kho_v3(void) { prop("/", "compatible", "kho-v3", 7); }
static void kho_v44(void) { prop("/", "compatible", "kho-v44", 8); }
static void without_nul(void) { prop("/", "compatible", "kho-v4", 6); }
static void empty_list(void) { prop("/", "compatible", "", 0); }
static void second_in_list(void) { prop("/", "compatible", "other\0kho-v4", 13); }
static void no_map(void) { fdt_delprop(page, 0, "preserved-memory-map"); }
static void map_of_4(void) { prop("/", "preserved-memory-map", "abcdefgh", 4); }
static void map_of_16(void) { prop("/", "preserved-memory-map", "abcdefghabcdefgh", 16); }
static void map_empty(void) { prop("/", "preserved-memory-map", "", 0); }
static void map_zero(void) { prop("/", "preserved-memory-map", "\0\0\0\0\0\0\0", 8); }
static void no_data(void) { fdt_delprop(page, fdt_path_offset(page, "/LUO"), "preserved-data"); }
static void data_of_7(void) { prop("/LUO", "preserved-data", "abcdefg", 7); }
static void data_zero(void) { prop("/LUO", "preserved-data", "\0\0\0\0\0\0\0", 8); }
static void no_size(void) { fdt_delprop(page, fdt_path_offset(page, "/LUO"), "blob-size"); }
static void size_of_4(void) { prop("/LUO", "blob-size", "abcd", 4); }
static void size_zero(void) { prop("/LUO", "blob-size", "\0\0\0\0\0\0\0", 8); }
static void bare_node(void) { fdt_add_subnode(page, 0, "empty"); }
static void more_props(void) { prop("/", "flags", "x", 1); prop("/LUO", "more", "y", 2); }
static void unit_address(void) { fdt_set_name(page, fdt_path_offset(page, "/LUO"), "LUO@1"); }
static void same_name(void) { fdt_set_name(page, fdt_path_offset(page, "/memblock"), "LUO"); }
static void long_name(void)
{
	fdt_set_name(page, fdt_path_offset(page, "/LUO"), "0123456789abcdef0123456789abcdef");
}
static void nested(void)
{
	const int at = fdt_path_offset(page, "/LUO");

	assert_true(fdt_add_subnode(page, at, "deeper") > 0);
}
static void kho_v1(void)	/* the sub-node property was called fdt */
{
	no_data();
	prop("/LUO", "fdt", "abcdefgh", 8);
}

static const struct {
	const char *name;
	void (*change)(void);
	const char *what, *fault;	/* NULL: accepted */
} cases[] = {
	{ "tree.read.no_compatible",  no_compatible, "root FDT", "is not compatible with kho-v4" },
	{ "tree.read.kho_v3",         kho_v3,        "root FDT", "is not compatible with kho-v4" },
	{ "tree.read.kho_v44",        kho_v44,       "root FDT", "is not compatible with kho-v4" },
	{ "tree.read.without_nul",    without_nul,   "root FDT", "is not compatible with kho-v4" },
	{ "tree.read.empty_list",     empty_list,    "root FDT", "is not compatible with kho-v4" },
	{ "tree.read.second_in_list", second_in_list, NULL, NULL },
	{ "tree.read.no_map",         no_map,        "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "tree.read.map_of_4",       map_of_4,      "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "tree.read.map_of_16",      map_of_16,     "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "tree.read.map_empty",      map_empty,     "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "tree.read.map_zero",       map_zero,      "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "tree.read.no_data",        no_data,       "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "tree.read.data_of_7",      data_of_7,     "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "tree.read.data_zero",      data_zero,     "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "tree.read.kho_v1_node",    kho_v1,        "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "tree.read.no_size",        no_size,       "sub-node", "has no blob-size of 8 bytes, not zero" },
	{ "tree.read.size_of_4",      size_of_4,     "sub-node", "has no blob-size of 8 bytes, not zero" },
	{ "tree.read.size_zero",      size_zero,     "sub-node", "has no blob-size of 8 bytes, not zero" },
	{ "tree.read.bare_node",      bare_node,     "sub-node", "has no preserved-data of 8 bytes, not zero" },
	{ "tree.read.unit_address",   unit_address,  "sub-node", "has no valid name" },
	{ "tree.read.32_characters",  long_name,     "sub-node", "has no valid name" },
	{ "tree.read.same_name",      same_name,     "sub-node", "has a name that is taken" },
	{ "tree.read.unknown_props",  more_props,    NULL, NULL },
	{ "tree.read.nested_node",    nested,        NULL, NULL },
};

static void test_cases(void **state)
{
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err;

		print_message("# %s\n", cases[i].name);
		assert_int_equal(kho_tree_write(page, sizeof(page), GOLDEN_NODES, golden_nodes, 3,
						&used), 0);
		assert_int_equal(fdt_open_into(page, page, sizeof(page)), 0);
		cases[i].change();
		fdt_pack(page);
		err = kho_tree_read(span_of(page, fdt_totalsize(page)), &tree, &why);
		assert_int_equal(err, cases[i].fault ? -EBADMSG : 0);
		if (err) {
			assert_string_equal(why.what, cases[i].what);
			assert_string_equal(why.fault, cases[i].fault);
		} else {
			assert_int_equal(tree.nr, 3);
			assert_int_equal(kho_tree_find(&tree, "LUO")->pa, GOLDEN_LUO);
		}
	}
}

/* tree.read.33_subnodes */
static void test_too_many(void **state)
{
	static uint64_t big[KHO_FDT_MAX_BYTES / 8];
	size_t used;

	(void)state;
	assert_int_equal(kho_tree_write(big, sizeof(big), MIB(2), NULL, 0, &used), 0);
	assert_int_equal(fdt_open_into(big, big, sizeof(big)), 0);
	for (unsigned i = 0; i <= KHO_MAX_SUBNODES; i++) {
		const char name[] = { 'a' + i / 10, '0' + i % 10, 0 };
		const uint64_t v = MIB(4) + i;
		const int node = fdt_add_subnode(big, 0, name);
		int err;

		assert_int_equal(fdt_setprop(big, node, "preserved-data", &v, 8), 0);
		assert_int_equal(fdt_setprop(big, node, "blob-size", &v, 8), 0);
		err = kho_tree_read(span_of(big, sizeof(big)), &tree, &why);
		assert_int_equal(err, i < KHO_MAX_SUBNODES ? 0 : -EBADMSG);
	}
	assert_string_equal(why.fault, "has too many sub-nodes");
}

/* tree.read.sequential_layout: rsvmap at 30h and struct at 40h, as libfdt's other writer has it */
static void test_sequential(void **state)
{
	const uint64_t map = GOLDEN_NODES;

	(void)state;
	assert_int_equal(fdt_create(page, sizeof(page)), 0);
	fdt_finish_reservemap(page);
	fdt_begin_node(page, "");
	fdt_property(page, "compatible", "kho-v4", 7);
	fdt_property(page, "preserved-memory-map", &map, 8);
	fdt_end_node(page);
	assert_int_equal(fdt_finish(page), 0);
	assert_int_equal(fdt_off_dt_struct(page), 0x40);
	assert_int_equal(kho_tree_read(span_of(page, sizeof(page)), &tree, &why), 0);
	assert_int_equal(tree.radix_root, GOLDEN_NODES);
	assert_int_equal(tree.nr, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_golden),
		cmocka_unit_test(test_write_bad),
		cmocka_unit_test(test_read_golden),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_header_pairs),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_sequential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
