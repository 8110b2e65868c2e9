/* The `baton` node: what is written is read back; whatever contradicts itself is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/handover/node.h"
#include "kho/blob.h"

static uint64_t buf[NODE_BYTES / 8], other[NODE_BYTES / 8];
static struct node n, got;
static struct kho_refusal why;

/* Two units, an RMRR's domain and a NIC's, three devices, one port. */
static void sample(void)
{
	memset(&n, 0, sizeof(n));
	n = (struct node){
		.generation = 7, .tsc_khz = 2400123, .image_bytes = 201728,
		.image_crc32c = 0x12345678, .results_pa = 0x7f001000, .hostile = 1,
		.hostile_segment = 3, .hostile_rid = 0x1018, .next_domain_id = 9, .radix_crc32c = 0x99887766,
		.foreign = { .liveupdate_num = 4, .extents_pa = 0x401000, .nr_extents = 44,
			     .extents_crc32c = 0x11223344, .carried_crc32c = 0x55667788, .kexec_count = 3 },
		.nr_units = 2, .nr_domains = 2, .nr_devices = 3, .nr_ports = 1, .nr_digests = 2,
		.unit = {
			{ .regs_pa = 0xfed90000, .cap = 0x00d2008c222f0606, .ecap = 0xf00f4a,
			  .rtaddr = 0x101000, .iqa = 0x102000, .irta = 0x103000,
			  .index = 0,
			  .ver = 0x10, .gsts = 0xc4000000, .segment = 0 },
			{ .regs_pa = 0xfed91000, .index = 4, .segment = 3 },
		},
		.domain = {
			{ .id = 2, .top_pa = 0x201000, .page_sizes = 3, .table_pages = 11 },
			{ .id = 8, .top_pa = 0x202000, .page_sizes = 7, .table_pages = 12, .is_rmrr = 1 },
		},
		.device = {
			{ .segment = 0, .rid = 0x18, .vendor = 0x8086, .device = 0x10d3 },
			{ .segment = 3, .rid = 0x18, .vendor = 0x8086, .device = 0x1533 },
			{ .segment = 3, .rid = 0x19 },
		},
		.port = {
			{ .control_pa = 0x301000,
			  .config = { .segment = 0, .rid = 0x18, .vendor = 0x8086, .device = 0x10d3,
				      .command = 0x406, .nr_bridges = 1, .bars = { 0x81000000 },
				      .bridge = { { .rid = 8, .secondary = 1 } } } },
		},
		.digest = {
			{ .pa = 0x101000, .crc32c = 0xaabbccdd, .kind = NODE_DIGEST_TABLE },
			{ .pa = 0x102000, .crc32c = 0xddccbbaa, .kind = NODE_DIGEST_METADATA },
		},
		.payload.file = {
			{ .pa = 0x40000000, .len = 2300000, .crc32c = 0x11223344 },
			{ 0 },
			{ .pa = 0x40400000, .len = 17, .crc32c = 0x55667788 },
		},
	};
}

static size_t write_node(void)
{
	size_t used = 0;

	assert_int_equal(node_write(&n, buf, &used), 0);
	return used;
}

static int read_node(size_t used)
{
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return node_read(span_of(buf, used), &got, &why);
}

static int setup(void **state)
{
	(void)state;
	sample();
	return 0;
}

/* node.round_trip: every field of every record */
static void test_round_trip(void **state)
{
	(void)state;
	assert_int_equal(read_node(write_node()), 0);
	assert_memory_equal(&got, &n, sizeof(n));
}

/* node.round_trip_empty: no unit, no device, as before anything is brought up */
static void test_empty(void **state)
{
	(void)state;
	memset(&n, 0, sizeof(n));
	n.tsc_khz = 1000000;
	assert_int_equal(read_node(write_node()), 0);
	assert_memory_equal(&got, &n, sizeof(n));
}

/* node.payload: a range of memory, or nothing at all */
static void test_payload(void **state)
{
	static const struct payload_file_ser bad[] = {
		{ .pa = 0x40000800, .len = 10 }, { .pa = 0x40000000 }, { .len = 10 },
		{ .pa = ~0xfffULL, .len = 0x2000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sample();
		n.payload.file[BOOT_FILE_INITRD] = bad[i];
		assert_int_equal(read_node(write_node()), -EBADMSG);
		assert_string_equal(why.what, "payload");
		assert_string_equal(why.fault, "is no range of memory");
	}
}

/* node.holds_its_limits: every table full fits into NODE_BYTES and comes back */
static void test_full(void **state)
{
	(void)state;
	n.nr_units = NODE_MAX_UNITS;
	n.nr_domains = NODE_MAX_DOMAINS;
	n.nr_devices = NODE_MAX_DEVICES;
	n.nr_ports = NODE_MAX_PORTS;
	n.nr_digests = NODE_MAX_DIGESTS;
	n.next_domain_id = NODE_MAX_DOMAINS;
	for (uint32_t i = 0; i < NODE_MAX_UNITS; i++) {
		n.unit[i].index = i;
		n.unit[i].regs_pa = 0xfed90000 + i * PAGE_SIZE;
	}
	for (uint32_t i = 0; i < NODE_MAX_DOMAINS; i++) {
		n.domain[i].id = i;
		n.domain[i].top_pa = (i + 1) * PAGE_SIZE;
	}
	for (uint32_t i = 0; i < NODE_MAX_DEVICES; i++)
		n.device[i].rid = (uint16_t)i;
	for (uint32_t i = 0; i < NODE_MAX_DIGESTS; i++) {
		n.digest[i].crc32c = i;
		n.digest[i].kind = i % 2 ? NODE_DIGEST_TABLE : NODE_DIGEST_METADATA;
	}
	assert_int_equal(read_node(write_node()), 0);
	assert_memory_equal(&got, &n, sizeof(n));
}

/* node.same_bytes_every_time, whatever the buffer held */
static void test_reproducible(void **state)
{
	const size_t used = write_node();
	size_t again;

	(void)state;
	memset(other, 0x5a, sizeof(other));
	assert_int_equal(node_write(&n, other, &again), 0);
	assert_int_equal(again, used);
	assert_memory_equal(buf, other, sizeof(buf));
}

/* node.every_bit_flipped is refused */
static void test_flips(void **state)
{
	const size_t used = write_node();
	uint8_t *bytes = malloc(used);	/* its own block: a read behind its end shows */

	(void)state;
	memcpy(bytes, buf, used);
	for (size_t bit = 0; bit < 8 * used; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		if (node_read(span_of(bytes, used), &got, &why) != -EBADMSG)
			fail_msg("bit %zu of byte %zu flipped was accepted", bit % 8, bit / 8);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	assert_int_equal(node_read(span_of(bytes, used), &got, &why), 0);
	free(bytes);
}

/* node.truncated_at_every_length */
static void test_truncated(void **state)
{
	const size_t used = write_node();

	(void)state;
	for (size_t len = 0; len < used; len++) {
		uint8_t *bytes = malloc(len ? len : 1);

		memcpy(bytes, buf, len);
		assert_int_equal(node_read(span_of(bytes, len), &got, &why), -EBADMSG);
		free(bytes);
	}
}

/* Contradictions under a right digest: another Baton's mistake, not a flipped bit. */
static void no_tsc(void) { n.tsc_khz = 0; }
static void slow_tsc(void) { n.tsc_khz = 99999; }
static void fast_tsc(void) { n.tsc_khz = 20000001; }
static void slowest_tsc(void) { n.tsc_khz = 100000; }
static void fastest_tsc(void) { n.tsc_khz = 20000000; }
static void domain_id_twice(void) { n.domain[1].id = 2; }
static void domain_top_twice(void) { n.domain[1].top_pa = n.domain[0].top_pa; }
static void domain_id_of_the_future(void) { n.next_domain_id = 8; }
static void unit_index_twice(void) { n.unit[1].index = n.unit[0].index; }
static void unit_regs_twice(void) { n.unit[1].regs_pa = n.unit[0].regs_pa; }

static void digest_leaves_page(void)
{
	n.digest[1].kind = NODE_DIGEST_RECORD;
	n.digest[1].pa = 0x102fff;
	n.digest[1].owner = 2;
}

static void digest_kind(void)
{
	n.digest[1].kind = 9;
}

static void device_twice(void) { n.device[2].rid = 0x18; }
static void port_of_no_device(void) { n.port[0].config.rid = 0x19; }
static void port_of_another_segment(void) { n.port[0].config.segment = 1; }
static void nothing(void) { }
static void same_rid_elsewhere(void) { n.device[0].rid = n.port[0].config.rid = 0x19; }
static void last_id_given_out(void) { n.next_domain_id = 9; }
static void all_ids_given_out(void) { n.next_domain_id = 65535; }
static void more_ids_given_out(void) { n.next_domain_id = 65536; }

static const struct {
	const char *name;
	void (*change)(void);
	const char *what, *fault;	/* NULL: accepted */
	uint64_t value;
} cases[] = {
	{ "node.sample_is_good", nothing, NULL, NULL, 0 },
	{ "node.same_rid_on_another_segment", same_rid_elsewhere, NULL, NULL, 0 },
	{ "node.highest_id_just_given_out", last_id_given_out, NULL, NULL, 0 },
	{ "node.all_ids_given_out", all_ids_given_out, NULL, NULL, 0 },
	{ "node.more_ids_given_out", more_ids_given_out, "baton node",
	  "has given out more domain ids than there are", 65536 },
	{ "node.no_tsc_rate", no_tsc, "baton node", "gives an impossible TSC rate", 0 },
	{ "node.tsc_below_100_mhz", slow_tsc, "baton node", "gives an impossible TSC rate", 99999 },
	{ "node.tsc_above_20_ghz", fast_tsc, "baton node", "gives an impossible TSC rate", 20000001 },
	{ "node.tsc_100_mhz", slowest_tsc, NULL, NULL, 0 },
	{ "node.tsc_20_ghz", fastest_tsc, NULL, NULL, 0 },
	{ "node.domain_id_twice", domain_id_twice, "domains", "stand twice", 2 },
	{ "node.domain_top_twice", domain_top_twice, "domains", "stand twice", 8 },
	{ "node.domain_id_of_the_future", domain_id_of_the_future, "domain",
	  "has an id not yet given out", 8 },
	{ "node.unit_index_twice", unit_index_twice, "unit", "stands twice", 0 },
	{ "node.unit_regs_twice", unit_regs_twice, "unit", "stands twice", 4 },
	{ "node.digest_kind", digest_kind, "digest", "is of an unknown kind, or leaves its page", 9 },
	{ "node.digest_leaves_page", digest_leaves_page, "digest",
	  "is of an unknown kind, or leaves its page", NODE_DIGEST_RECORD },
	{ "node.device_twice", device_twice, "device", "stands twice", 0x18 },
	{ "node.port_of_no_device", port_of_no_device, "port", "names a device that is not there", 0x19 },
	{ "node.port_of_another_segment", port_of_another_segment, "port",
	  "names a device that is not there", 0x18 },
};

static void test_contradictions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err;

		print_message("# %s\n", cases[i].name);
		sample();
		cases[i].change();
		err = read_node(write_node());
		assert_int_equal(err, cases[i].fault ? -EBADMSG : 0);
		if (!err)
			continue;
		assert_string_equal(why.what, cases[i].what);
		assert_string_equal(why.fault, cases[i].fault);
		assert_int_equal(why.value, cases[i].value);
	}
}

/* The properties of the sample written anew, one of them changed: what node_write() would never
 * write, with a digest that fits. */
static const char *const props[] = {
	"head", "foreign", "payload", "units", "domains", "devices", "ports", "digests",
};

static size_t rewrite(const char *compatible, const char *change, const void *p, size_t len)
{
	struct kho_blob_writer w;
	struct kho_blob b;
	size_t used = write_node();

	assert_int_equal(kho_blob_open(span_of(buf, used), "", NODE_COMPATIBLE, "digest", &b, &why), 0);
	kho_blob_begin(&w, other, sizeof(other), compatible);
	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		struct span s;

		assert_int_equal(kho_blob_get_span(&b, props[i], &s), 0);
		if (change && !strcmp(change, props[i]))
			s = span_of(p, len);
		if (s.p)
			kho_blob_bytes(&w, props[i], s.p, s.len);
	}
	assert_int_equal(kho_blob_finish(&w, "digest", &used), 0);
	memcpy(buf, other, sizeof(buf));
	return used;
}

/* node.refuses_a_missing_property, each in turn, and another format */
static void test_missing(void **state)
{
	(void)state;
	assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, NULL, NULL, 0)), 0);
	assert_memory_equal(&got, &n, sizeof(n));
	assert_int_equal(read_node(rewrite("baton-v2", NULL, NULL, 0)), -EBADMSG);
	assert_string_equal(why.fault, "has another format or version");
	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, props[i], NULL, 0)), -EBADMSG);
		assert_string_equal(why.what, i > 1 ? props[i] : "baton node");
		assert_string_equal(why.fault, i > 1 ? "is missing in the baton node" :
				    i ? "does not say what is foreign" : "has no head");
	}
}

/* node.refuses_impossible_lengths: part of a record, one record too many */
static void test_lengths(void **state)
{
	static const struct { const char *name; size_t size, max; } array[] = {
		{ "units", 72, NODE_MAX_UNITS }, { "domains", 32, NODE_MAX_DOMAINS },
		{ "devices", 8, NODE_MAX_DEVICES }, { "ports", 112, NODE_MAX_PORTS },
		{ "digests", 16, NODE_MAX_DIGESTS },
	};
	static uint8_t zeros[(NODE_MAX_DIGESTS + 1) * 16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(array); i++) {
		const size_t bad[] = { 1, array[i].size - 1, array[i].size + 1,
				       (array[i].max + 1) * array[i].size };

		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			assert_true(bad[j] <= sizeof(zeros));
			assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, array[i].name, zeros, bad[j])),
					 -EBADMSG);
			assert_string_equal(why.what, array[i].name);
			assert_string_equal(why.fault, "of the baton node has an impossible length");
			assert_int_equal(why.value, bad[j]);
		}
	}
}

/* node.head: shorter, longer, and of another version */
static void test_head(void **state)
{
	uint8_t head[57] = { 0 };
	struct kho_blob b;
	const size_t used = write_node();

	(void)state;
	assert_int_equal(kho_blob_open(span_of(buf, used), "", NODE_COMPATIBLE, "digest", &b, &why), 0);
	assert_int_equal(kho_blob_get_bytes(&b, "head", head, 56), 0);
	assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, "head", head, 56)), 0);
	for (size_t len = 55; len <= 57; len += 2) {
		assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, "head", head, len)), -EBADMSG);
		assert_string_equal(why.fault, "has no head");
	}
	head[0]++;
	assert_int_equal(read_node(rewrite(NODE_COMPATIBLE, "head", head, 56)), -EBADMSG);
	assert_string_equal(why.fault, "has another version");
	assert_int_equal(why.value, 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_payload, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_reproducible, setup),
		cmocka_unit_test_setup(test_flips, setup),
		cmocka_unit_test_setup(test_truncated, setup),
		cmocka_unit_test_setup(test_contradictions, setup),
		cmocka_unit_test_setup(test_missing, setup),
		cmocka_unit_test_setup(test_lengths, setup),
		cmocka_unit_test_setup(test_head, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
