/* Root, context and second-stage tables found in memory: any bytes may stand there.  Where nothing
 * is violated, the listing of tables agrees with the walk. */
#include "sparse.h"

#include "errno.h"
#include "vtd/formats.h"
#include "vtd/verify.h"

#define CAP		UINT64_C(0x00d2038c222f0606)	/* QEMU's, 39 and 48 bits */
#define ECAP		UINT64_C(0xf00f4a)
#define HAW		47
#define MAX_TABLES	64
#define MAX_DEVICES	3

static uint64_t listed;

/* Not all RAM is preserved. */
static bool page_ok(void *ctx, paddr_t page)
{
	(void)ctx;
	return IS_ALIGNED(page, PAGE_SIZE) &&
	       !ranges_overlap(page, PAGE_SIZE, SPARSE_USED, SPARSE_USED_BYTES) &&
	       sparse_is_ram(NULL, page, PAGE_SIZE);
}

static bool leaf_ok(void *ctx, const struct vtd_domain_snapshot *domain, paddr_t pa, uint64_t size)
{
	(void)ctx;
	(void)domain;
	return sparse_within(false, pa, size);
}

static void report(void *ctx, const struct vtd_violation *v)
{
	(void)ctx;
	REQUIRE((unsigned)v->kind < VTD_VIOLATION_KINDS && *vtd_violation_name(v->kind));
}

static int count(void *ctx, enum vtd_table_kind kind, paddr_t page)
{
	(void)ctx;
	(void)kind;
	REQUIRE(page_ok(NULL, page));
	listed++;
	return 0;
}

/* Three devices of two buses in up to two domains. */
struct head {
	uint64_t rtaddr, top[2], context_tables;
	uint16_t rid[MAX_DEVICES], did[MAX_DEVICES];
	uint8_t domain[MAX_DEVICES], levels[2], nr_devices;
};

/* What records never say, since their readers refuse it: one table or device twice. */
static bool stands_twice(const struct head *h)
{
	return h->top[0] == h->top[1] || h->rid[0] == h->rid[1] || h->rid[1] == h->rid[2] ||
	       h->rid[2] == h->rid[0];
}

static void walk(const struct head *head, const struct vtd_domain_snapshot *domains,
		 const struct vtd_device_snapshot *devices)
{
	const struct vtd_unit_snapshot unit = {
		.ver = 0x10, .cap = CAP, .ecap = ECAP, .rtaddr = head->rtaddr,
		.context_tables = { head->context_tables },
	};
	const struct vtd_verify v = {
		.unit = &unit, .domains = domains, .nr_domains = 2, .devices = devices,
		.nr_devices = head->nr_devices % (MAX_DEVICES + 1), .haw = HAW,
		.max_tables = MAX_TABLES, .page_ok = page_ok, .leaf_ok = leaf_ok, .report = report,
	};
	const struct vtd_table_list list = {
		.page_ok = page_ok, .table = count, .max_tables = MAX_TABLES,
	};
	struct vtd_verify_result result;
	const bool sound = vtd_verify_unit(&v, &result);
	int err;

	REQUIRE(sound == !result.violations && result.tables <= MAX_TABLES);
	listed = 0;
	err = vtd_verify_for_each_table(ALIGN_DOWN(head->rtaddr, PAGE_SIZE), &list);
	REQUIRE(!err || err == -EBADMSG || err == -ELOOP || err == -ENOSPC);
	REQUIRE(listed <= MAX_TABLES);
	if (sound && !stands_twice(head))
		REQUIRE(!err && listed == result.tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct vtd_domain_snapshot domains[2];
	struct vtd_device_snapshot devices[MAX_DEVICES];
	struct head head;

	sparse_open(false);
	fuzz_take(&in, &head, sizeof(head));
	sparse_lay(in, false);
	for (unsigned i = 0; i < ARRAY_SIZE(domains); i++)
		domains[i] = (struct vtd_domain_snapshot){
			.id = i, .levels = head.levels[i] % 8, .top = head.top[i] };
	for (unsigned i = 0; i < MAX_DEVICES; i++)
		devices[i] = (struct vtd_device_snapshot){
			.rid = head.rid[i], .did = head.did[i], .domain = head.domain[i] % 3 };
	walk(&head, domains, devices);
	sparse_wipe();
	return 0;
}
