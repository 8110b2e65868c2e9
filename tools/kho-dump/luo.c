/* Sub-node "LUO" and what hangs off it.  Each memfd has a reader of its own, so that a broken one does not
 * hide the others; that no page belongs to two is seen when all are read. */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kho/block.h"
#include "kho/sort.h"
#include "platform/mem.h"

/* Names are compared with each other when their checksums are equal: that bounds the time. */
#define MAX_SESSIONS	16384
#define MAX_FILES	(BIT32(18))
#define MAX_RECORDS	(BIT32(16))	/* of the IOMMU, of one kind */
#define MAX_CLAIMS	(BIT32(22))

static const char luo_rule[] = "L1";
static const char memfd_rule[] = "F1";

/* Faults of pages that a pointer names, and of blocks: rules V1 and V2 for every chain. */
static const struct { const char *fault, *id; } chain_rules[] = {
	{ "is missing", "V1" },
	{ "is empty", "V2" },
	{ "exceeds 52 address bits", "V1" },
	{ "lies below 1 MiB", "V1" },
	{ "is not RAM", "V1" },
	{ "lies in scratch", "V1" },
	{ "is not page aligned", "V1" },
	{ "does not begin a preserved chunk", "V1" },
	{ "is not preserved as a page of its own", "V1" },
	{ "is named twice", "V1" },
	{ "follows too many others", "V1" },
	{ "claims more entries than fit", "V2" },
};

void dump_chain_refused(struct dump *d, const char *id, const struct kho_refusal *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(chain_rules); i++)
		if (!strcmp(why->fault, chain_rules[i].fault))
			id = chain_rules[i].id;
	dump_refused(d, id, why);
}

/* All that was claimed, whoever did. */
struct claimed {
	struct kho_range *range;
	size_t nr, max;
};

static void collect(struct claimed *all, const struct kho_claims *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		all->range = grow(all->range, all->nr, &all->max, sizeof(*all->range));
		all->range[all->nr++] = c->range[i];
	}
}

static void check_claimed(struct dump *d, struct claimed *all)
{
	paddr_t end = 0;

	kho_sort(all->range, all->nr, sizeof(*all->range));
	for (size_t i = 0; i < all->nr; i++) {
		if (all->range[i].base < end)
			dump_find(d, "V1", "memory of two things", "is named twice",
				  all->range[i].base, all->range[i].len);
		end = MAX(end, all->range[i].base + all->range[i].len);
	}
}

/* --- Files --- */

struct memfds {
	struct kho_reader r;
	struct kho_folios *folios;	/* work memory for one */
	size_t max;
	uint64_t budget;		/* pages of folio arrays that can still be distinct */
};

/* How many folios the file states; more pages than are preserved cannot be. */
static bool within_budget(struct memfds *m, const struct kho_memfd_ser *ser)
{
	if (ser->folios.total_pages > m->budget)
		return false;
	m->budget -= ser->folios.total_pages;
	return true;
}

static void read_memfd(struct dump *d, struct memfds *m, size_t i)
{
	const paddr_t pa = d->luo.files[i].data;
	struct kho_memfd *out = &d->memfd[i];
	struct kho_refusal why = { 0 };

	m->r.claims.nr = 0;
	*out = (struct kho_memfd){ .folios = m->folios, .max_folios = m->max };
	/* Only a page that may be read is; kho_memfd_read() says what is wrong with another. */
	if (IS_ALIGNED(pa, PAGE_SIZE) && image_has(pa, PAGE_SIZE) && !within_budget(m, mem_ptr(pa))) {
		dump_find(d, memfd_rule, "memfd", "lists more pages than are preserved", pa, 0);
		return;
	}
	d->has_memfd[i] = !kho_memfd_read(&m->r, pa, out, &why);
	if (!d->has_memfd[i]) {
		dump_chain_refused(d, memfd_rule, &why);
		return;
	}
	if (dump_missing(d, "memfd")) {
		d->has_memfd[i] = false;
		return;
	}
	out->folios = take(out->nr_folios, sizeof(*out->folios));
	memcpy(out->folios, m->folios, out->nr_folios * sizeof(*out->folios));
}

static void read_memfds(struct dump *d, struct claimed *all)
{
	const uint64_t chunks = MIN(d->h.map.entries, MAX_CLAIMS);
	struct memfds m = {
		.r = { .lim = &d->lim, .scratch = &d->h.scratch, .map = &d->h.map,
		       .claims = { .range = take(chunks, sizeof(struct kho_range)), .max = chunks } },
		.folios = take(chunks, sizeof(struct kho_folios)), .max = chunks,
		.budget = d->h.map.entries,
	};

	d->memfd = take(d->luo.nr_files, sizeof(*d->memfd));
	d->has_memfd = take(d->luo.nr_files, sizeof(*d->has_memfd));
	for (size_t i = 0; i < d->luo.nr_files; i++) {
		if (strcmp(d->luo.files[i].compatible, KHO_MEMFD_COMPATIBLE))
			continue;
		read_memfd(d, &m, i);
		collect(all, &m.r.claims);
	}
	free(m.r.claims.range);
	free(m.folios);
}

/* --- IOMMU records --- */

static const struct { const char *fault, *id; } record_rules[] = {
	{ "names a table that is not preserved", "M1" },
	{ "does not match its digest", "M2" },
	{ "has the receiver's scratch fields set", "V3" },
	{ "has the receiver's INCOMING set", "V3" },
	{ "has padding that is not zero", "V4" },
	{ "has unknown flags", "V4" },
	{ "names no unit record", "V5" },
	{ "names a deleted unit record", "V5" },
	{ "names no domain record", "V5" },
	{ "names a deleted domain record", "V5" },
	{ "has the address of another", "V6" },
	{ "is not of a VT-d unit", "V7" },
	{ "has another token than its register base", "V7" },
	{ "has the registers of another", "V7" },
	{ "counts other devices than there are", "V8" },
	{ "has a reference count other than 1", "V8" },
	{ "has the root table of another", "R1" },
	{ "has a top table that is no page", "R3" },
	{ "has a top level that no table has", "R3" },
	{ "has an input space that its levels do not reach", "R3" },
	{ "has the top table of another", "R3" },
	{ "has the PASID directory of another", "R3" },
	{ "has a DID of more than 16 bits", "R4" },
	{ "has a DID that is reserved", "R4" },
	{ "has the DID of another domain on its unit", "R4" },
	{ "has another DID than its domain on its unit", "R4" },
	{ "has an ATS field that is neither 0 nor 1", "D3" },
	{ "has ATS enabled but does not support it", "D3" },
};

static void find_verdicts(struct dump *d, const char *what, const struct kho_iommu_verdict *v,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *id = "restore.records";

		if (!v[i].fault)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(record_rules); k++)
			if (!strcmp(v[i].fault, record_rules[k].fault))
				id = record_rules[k].id;
		dump_find(d, id, what, v[i].fault, v[i].pa, v[i].value);
	}
}

static void read_records(struct dump *d, struct kho_reader *r, const struct kho_iommu_place *at)
{
	struct kho_iommu *io = &d->iommu;
	struct kho_iommu_verdicts *v = &d->verdicts;
	struct kho_refusal why;

	*io = (struct kho_iommu){
		.unit = take(MAX_RECORDS, sizeof(*io->unit)), .max_units = MAX_RECORDS,
		.domain = take(MAX_RECORDS, sizeof(*io->domain)), .max_domains = MAX_RECORDS,
		.device = take(MAX_RECORDS, sizeof(*io->device)), .max_devices = MAX_RECORDS,
		.keys = take(2 * MAX_RECORDS, sizeof(*io->keys)), .max_keys = 2 * MAX_RECORDS,
	};
	v->unit = take(MAX_RECORDS, sizeof(*v->unit));
	v->domain = take(MAX_RECORDS, sizeof(*v->domain));
	v->device = take(MAX_RECORDS, sizeof(*v->device));
	d->has_iommu = !kho_iommu_records_read(r, at, NULL, io, v, &why);
	if (!d->has_iommu) {
		dump_chain_refused(d, "restore.records", &why);
		return;
	}
	dump_missing(d, "IOMMU records");
	dump_records(d);
	find_verdicts(d, DUMP_UNIT, v->unit, io->nr_units);
	find_verdicts(d, DUMP_DOMAIN, v->domain, io->nr_domains);
	find_verdicts(d, DUMP_DEVICE, v->device, io->nr_devices);
}

/* --- LUO --- */

static void read_luo(struct dump *d, struct kho_reader *r, const struct kho_subnode *n)
{
	struct kho_luo *l = &d->luo;
	const size_t files = MIN(d->h.map.entries * KHO_FILES_PER_BLOCK, MAX_FILES);
	struct kho_refusal why, again;
	size_t findings;

	*l = (struct kho_luo){
		.sessions = take(MAX_SESSIONS, sizeof(*l->sessions)), .max_sessions = MAX_SESSIONS,
		.files = take(files, sizeof(*l->files)), .max_files = files,
		.flbs = take(KHO_MAX_FLBS, sizeof(*l->flbs)), .max_flbs = KHO_MAX_FLBS,
		.keys = take(MAX(files, MAX_SESSIONS), sizeof(*l->keys)),
		.max_keys = MAX(files, MAX_SESSIONS),
	};
	d->has_luo = !kho_luo_read(r, kho_subnode_blob(n), l, &why);
	if (d->has_luo)
		return;
	why.at = why.at ? why.at : n->pa;
	findings = d->nr_findings;
	if (!dump_missing(d, why.what) &&
	    !kho_reader_init(r, &d->h, &d->lim, r->claims.range, r->claims.max, &again))
		dump_luo_all(d, r, kho_subnode_blob(n));
	/* The reader has the last word. */
	if (d->nr_findings == findings)
		dump_chain_refused(d, luo_rule, &why);
}

/* Of a broken LUO, what could be read of it. */
static void read_what_hangs_off(struct dump *d, struct kho_reader *r)
{
	struct claimed all = { .nr = 0 };
	struct kho_refusal why = { 0 };
	struct kho_iommu_place at;
	const int err = kho_iommu_find(&d->luo, &at, &why);

	if (!err)
		read_records(d, r, &at);
	else if (err != -ENOENT)
		dump_refused(d, "restore.records", &why);
	collect(&all, &r->claims);
	read_memfds(d, &all);
	check_claimed(d, &all);
	free(all.range);
}

void dump_luo(struct dump *d)
{
	const struct kho_subnode *n = kho_tree_find(&d->h.tree, KHO_NODE_LUO);
	const size_t max = MIN(d->h.map.entries + KHO_MAX_SUBNODES + 1, MAX_CLAIMS);
	struct kho_refusal why = { 0 };
	struct kho_range *work;
	struct kho_reader r;

	if (!n || !kho_map_covers(&d->h.map, n->pa, n->size))
		return;
	if (!image_has(n->pa, MIN(n->size, sizeof(struct kho_luo_ser)))) {
		dump_find(d, "I0", "LUO blob", "is not in the image", n->pa, n->size);
		return;
	}
	work = take(max, sizeof(*work));
	if (kho_reader_init(&r, &d->h, &d->lim, work, max, &why)) {
		dump_refused(d, "K5", &why);
	} else {
		read_luo(d, &r, n);
		read_what_hangs_off(d, &r);
	}
	free(work);
}
