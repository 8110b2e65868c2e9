/* Every bit of everything that a handoff of ours consists of, flipped one at a time: refused with
 * a reason, found by a check, or the very same result, where the format says that the bit means
 * nothing.  Then pointers, counts and circles, with digests made right again so that the fields
 * themselves must be checked.
 *
 *	flips [--every N] [--first N] [--verbose]
 *
 * flips every Nth bit, from the given one on; --verbose shows each of the cases with digests.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "errno.h"
#include "vtd/formats.h"
#include "world.h"

/* ---- what is flipped ---------------------------------------------------------------------- */

enum kind { PAYLOAD, NODES, ROOT_FDT, ARRAY, NODE, METADATA, RESULTS, LUO, RECORDS, TABLES, KINDS };
static const char *const kind_names[KINDS] = {
	[PAYLOAD] = "setup_data node", [NODES] = "radix nodes", [ROOT_FDT] = "root FDT",
	[ARRAY] = "scratch array", [NODE] = "baton node", [METADATA] = "kexec-metadata",
	[RESULTS] = "results", [LUO] = "LUO, files", [RECORDS] = "IOMMU records",
	[TABLES] = "present table entries",
};

/* Bytes that are flipped.  Those from @means on mean nothing, for the reason in @nothing. */
struct region {
	enum kind kind;
	paddr_t pa;
	uint64_t len, means;
	const char *nothing;
};
#define MAX_REGIONS	4096
static struct region regions[MAX_REGIONS];
static size_t nr_regions;

static void add(enum kind kind, paddr_t pa, uint64_t len, uint64_t means, const char *nothing)
{
	if (nr_regions == MAX_REGIONS) {
		fprintf(stderr, "flips: more than %u regions\n", MAX_REGIONS);
		exit(1);
	}
	regions[nr_regions++] = (struct region){ kind, pa, len, means, nothing };
}

static bool is_data(paddr_t page)
{
	const struct run *r = world_run();

	for (size_t i = 0; i < r->nr_ports; i++) {
		struct port_region region[PORT_REGIONS];

		if (page == r->port[i].control_pa)
			return true;
		port_regions(r->port[i].control, region);
		for (unsigned k = 0; k < PORT_REGIONS; k++)	/* with the guards around it */
			if (page >= region[k].pa - PAGE_SIZE && page <= region[k].pa + region[k].len)
				return true;
	}
	for (size_t i = 0; i < r->mmu->nr_units; i++)	/* the queue restarts elsewhere */
		if (page == r->mmu->unit[i].ring || page == r->mmu->unit[i].status)
			return true;
	return false;
}

static const struct node_digest_ser *digest_in(paddr_t page, enum node_digest_kind kind)
{
	const struct node *n = world_adoption()->n;
	const struct node_digest_ser *found = NULL;

	for (uint32_t i = 0; i < n->nr_digests; i++)
		if (n->digest[i].kind == kind && ALIGN_DOWN(n->digest[i].pa, PAGE_SIZE) == page &&
		    (!found || n->digest[i].pa > found->pa))
			found = &n->digest[i];
	return found;
}

/* Words of an entry: those of a scalable root entry's halves, and of a directory, stand for themselves. */
static unsigned words_of(paddr_t page, const struct node_digest_ser *d)
{
	const struct iommu *mmu = world_run()->mmu;
	const bool scalable = mmu->ttm == VTD_TTM_SCALABLE;

	if (d->kind == NODE_DIGEST_PASID)
		return page == mmu->device[d->owner].pasid_dir ? 1 : VTD_PE_BYTES / sizeof(uint64_t);
	if (d->owner != NODE_NO_OWNER || (scalable && page == mmu->unit[0].vtd.root))
		return 1;
	return vtd_context_bytes(mmu->ttm) / sizeof(uint64_t);
}

/* Entries that are not present are the digest's alone. */
static void add_table(paddr_t page, const struct node_digest_ser *d)
{
	const bool is_ss = d->kind == NODE_DIGEST_TABLE && d->owner != NODE_NO_OWNER;
	const unsigned words = words_of(page, d);
	uint64_t e[PAGE_SIZE / sizeof(uint64_t)];

	world_read(page, e, sizeof(e));
	for (unsigned i = 0; i < ARRAY_SIZE(e); i += words)
		if (e[i] & (is_ss ? VTD_SS_RW : VTD_RE_P))
			add(TABLES, page + i * sizeof(e[0]), words * sizeof(e[0]),
			    words * sizeof(e[0]), NULL);
}

static void add_page(paddr_t page)
{
	const struct adoption *a = world_adoption();
	const struct kho_subnode *node = kho_tree_find(&a->kho.tree, NODE_NAME);
	const struct node_digest_ser *record = digest_in(page, NODE_DIGEST_RECORD);
	const struct node_digest_ser *table = digest_in(page, NODE_DIGEST_TABLE);
	const struct node_digest_ser *pasid = digest_in(page, NODE_DIGEST_PASID);

	if (is_data(page) || (page > node->pa && page < node->pa + node->size))
		return;
	if (page == node->pa) {
		uint32_t used;		/* totalsize, big-endian */

		world_read(page + 4, &used, sizeof(used));
		add(NODE, page, node->size, __builtin_bswap32(used), "behind the end of the FDT");
	} else if (table || pasid) {
		add_table(page, table ? table : pasid);
	} else if (record) {
		add(RECORDS, page, PAGE_SIZE, record->pa + record->owner - page,
		    "behind the last record of its block");
	} else {
		add(page == a->kho.data.fdt_pa ? ROOT_FDT :
		    page == a->n->results_pa ? RESULTS :
		    page == kho_tree_find(&a->kho.tree, KHO_NODE_METADATA)->pa ? METADATA : LUO,
		    page, PAGE_SIZE, PAGE_SIZE, NULL);
	}
}

static void find_regions(void)
{
	const struct adoption *a = world_adoption();
	paddr_t node;

	world_read(world_target()->boot_params + WORLD_BP_SETUP_DATA, &node, sizeof(node));
	add(PAYLOAD, node, sizeof(struct kho_setup_node), 0, "the same handoff is named");
	add(ARRAY, a->kho.data.scratch_pa, PAGE_SIZE, PAGE_SIZE, NULL);
	for (size_t i = 0; i < a->kho.map.nr_nodes; i++)
		add(NODES, a->kho.map.nodes[i], PAGE_SIZE, PAGE_SIZE, NULL);
	for (size_t i = 0; i < a->kho.map.nr_ranges; i++)
		for (uint64_t off = 0; off < a->kho.map.ranges[i].len; off += PAGE_SIZE)
			add_page(a->kho.map.ranges[i].base + off);
}

/* ---- the same result ---------------------------------------------------------------------- */

static struct {
	struct kho_tree tree;
	struct kho_scratch scratch;
	struct kho_extent extents[4096];
	paddr_t nodes[1024];
	size_t nr_extents, nr_nodes;
	struct node node;
	struct picture picture;
} good;

static void keep_good(void)
{
	const struct adoption *a = world_adoption();

	if (a->kho.map.nr_extents > ARRAY_SIZE(good.extents) ||
	    a->kho.map.nr_nodes > ARRAY_SIZE(good.nodes))
		abort();
	good.tree = a->kho.tree;
	good.scratch = a->kho.scratch;
	good.nr_extents = a->kho.map.nr_extents;
	good.nr_nodes = a->kho.map.nr_nodes;
	memcpy(good.extents, a->kho.map.extents, good.nr_extents * sizeof(good.extents[0]));
	memcpy(good.nodes, a->kho.map.nodes, good.nr_nodes * sizeof(good.nodes[0]));
	good.node = *a->n;
	good.picture = *a->picture;
}

/* Areas of size 0 mean nothing. */
static bool same_scratch(const struct kho_scratch *a, const struct kho_scratch *b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a->nr && !a->entry[i].size)
			i++;
		while (k < b->nr && !b->entry[k].size)
			k++;
		if (i == a->nr || k == b->nr)
			return i == a->nr && k == b->nr;
		if (a->entry[i].addr != b->entry[k].addr || a->entry[i].size != b->entry[k].size)
			return false;
		i++;
		k++;
	}
}

static bool same_result(void)
{
	const struct adoption *a = world_adoption();
	const struct kho_map *m = &a->kho.map;

	return !memcmp(&a->kho.tree, &good.tree, sizeof(good.tree)) &&
	       same_scratch(&a->kho.scratch, &good.scratch) &&
	       same_scratch(&a->r->window.areas, &good.scratch) &&
	       m->nr_extents == good.nr_extents && m->nr_nodes == good.nr_nodes &&
	       !memcmp(m->extents, good.extents, good.nr_extents * sizeof(good.extents[0])) &&
	       !memcmp(m->nodes, good.nodes, good.nr_nodes * sizeof(good.nodes[0])) &&
	       !memcmp(a->n, &good.node, sizeof(good.node)) &&
	       !memcmp(a->picture, &good.picture, sizeof(good.picture));
}

/* ---- flipping ----------------------------------------------------------------------------- */

static const struct region *flipping;
static uint64_t flipping_bit;

static void say_what_was_tried(void)
{
	if (cases_running())
		fprintf(stderr, "flips: while case %s ran\n", cases_running());
	if (flipping)
		fprintf(stderr, "flips: while bit %llu of byte %llu at %llx was flipped (%s)\n",
			(unsigned long long)flipping_bit % 8, (unsigned long long)flipping_bit / 8,
			(unsigned long long)flipping->pa, kind_names[flipping->kind]);
}

/* AddressSanitizer calls this when a page that was not validated is touched. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	say_what_was_tried();
}

static void without_end(int signal)
{
	(void)signal;
	say_what_was_tried();
	fprintf(stderr, "flips: the reading does not end\n");
	_exit(1);
}

static struct { uint64_t refused, found, same, findings; } tally[KINDS];
static unsigned shown;

static void finding(const struct region *r, uint64_t bit, const struct world_outcome *o,
		    const char *what)
{
	tally[r->kind].findings++;
	if (shown++ < 20)
		printf("# %s at %llx, byte %llu, bit %llu: %s (%s)\n", kind_names[r->kind],
		       (unsigned long long)r->pa, (unsigned long long)bit / 8,
		       (unsigned long long)bit % 8, what, o->checks);
}

static void judge(const struct region *r, uint64_t bit, const struct world_outcome *o)
{
	const bool means_nothing = bit / 8 >= r->means;

	if (o->refused) {
		tally[r->kind].refused++;
		if (!o->why.what || !o->why.fault)
			finding(r, bit, o, "refused without a reason");
	} else if (o->failed_checks) {
		tally[r->kind].found++;
		if (!o->blamed)
			finding(r, bit, o, "a check fails, but every device goes on");
	} else {
		tally[r->kind].same++;
		if (!means_nothing)
			finding(r, bit, o, "accepted, though the byte is not one without meaning");
		else if (!same_result())
			finding(r, bit, o, "accepted, and the result is another");
	}
	if (means_nothing && r->kind != PAYLOAD && (o->refused || o->failed_checks))
		finding(r, bit, o, "a byte without meaning is not accepted");
}

static void flip(const struct region *r, uint64_t bit)
{
	const paddr_t pa = r->pa + bit / 8;
	struct world_outcome o;
	uint8_t was, is;

	flipping = r;
	flipping_bit = bit;
	world_read(pa, &was, 1);
	is = was ^ (uint8_t)(1 << bit % 8);
	world_write(pa, &is, 1);
	world_receive(&o);
	judge(r, bit, &o);
	world_write(pa, &was, 1);
	flipping = NULL;
}

/* Every @every-th bit, counted over all regions. */
static uint64_t flip_all(uint64_t every, uint64_t first)
{
	uint64_t skip = first, flips = 0;

	for (size_t i = 0; i < nr_regions; i++) {
		const uint64_t bits = regions[i].len * 8;
		uint64_t bit = skip;

		for (; bit < bits; bit += every, flips++)
			flip(&regions[i], bit);
		skip = bit - bits;
	}
	return flips;
}

/* ---- report ------------------------------------------------------------------------------- */

static const char *nothing_of(enum kind kind)
{
	for (size_t i = 0; i < nr_regions; i++)
		if (regions[i].kind == kind && regions[i].nothing)
			return regions[i].nothing;
	return "";
}

static uint64_t report(void)
{
	uint64_t findings = 0;

	printf("%-22s %10s %10s %10s %10s  %s\n", "flipped", "refused", "by checks", "same",
	       "findings", "the same because");
	for (unsigned k = 0; k < KINDS; k++) {
		printf("%-22s %10llu %10llu %10llu %10llu  %s\n", kind_names[k],
		       (unsigned long long)tally[k].refused, (unsigned long long)tally[k].found,
		       (unsigned long long)tally[k].same, (unsigned long long)tally[k].findings,
		       tally[k].same ? nothing_of(k) : "");
		findings += tally[k].findings;
	}
	return findings;
}

static uint64_t number(const char *s)
{
	char *end;
	const unsigned long long v = s ? strtoull(s, &end, 10) : 0;

	if (!s || *end || !*s) {
		fprintf(stderr, "usage: flips [--every N] [--first N] [--scalable] [--verbose]\n");
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	uint64_t every = 1, first = 0, flips, findings;
	struct world_outcome o;
	struct cases_result c = { 0 };
	uint8_t ttm = VTD_TTM_LEGACY;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--verbose"))
			cases_verbose = true;
		else if (!strcmp(argv[i], "--scalable"))
			ttm = VTD_TTM_SCALABLE;
		else if (!strcmp(argv[i], "--every"))
			every = number(argv[++i]);
		else if (!strcmp(argv[i], "--first"))
			first = number(argv[++i]);
		else
			every = 0;
	}
	if (!every)
		number(NULL);
	signal(SIGALRM, without_end);
	world_build(ttm);
	world_receive(&o);
	if (o.refused || o.failed_checks || o.restored != world_run()->mmu->nr_devices) {
		fprintf(stderr, "flips: the handoff as written is not accepted: %s %s %s\n",
			o.refused ? o.why.what : "", o.refused ? o.why.fault : "", o.checks);
		return 1;
	}
	keep_good();
	find_regions();
	flips = flip_all(every, first);
	findings = report();
	world_receive(&o);	/* the cases begin with what was accepted */
	if (ttm == VTD_TTM_LEGACY)	/* they name places in its tables */
		cases_run(&c);
	world_receive(&o);
	if (o.refused || o.failed_checks || !same_result()) {
		printf("# the handoff is not what it was\n");
		findings++;
	}
	printf("%llu bits flipped, %llu findings; %u cases, %u failed\n", (unsigned long long)flips,
	       (unsigned long long)findings, c.run, c.failed);
	printf("%u passed, %u failed, 0 skipped\n", c.run - c.failed + !findings, c.failed + !!findings);
	return findings || c.failed;
}
