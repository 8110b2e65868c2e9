/* Proofs that both sides of a hand-over make. */
#include "prove.h"

#include "errno.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/sort.h"
#include "platform/mem.h"
#include "vtd/context.h"
#include "vtd/pasid.h"
#include "vtd/verify.h"

/* ---- tables ------------------------------------------------------------------------------- */

/* One unit's walk: the proof, which unit it is, and the pages that have digests, sorted. */
struct walk {
	const struct proof *proof;
	const struct vtd_unit_snapshot *unit;
	const paddr_t *digested;
	size_t nr_digested;
};

static bool page_ok(void *ctx, paddr_t page)
{
	const struct proof *p = ((const struct walk *)ctx)->proof;

	return kho_map_covers(p->map, page, PAGE_SIZE);
}

static bool is_rmrr(const struct node *n, uint32_t domain)
{
	for (uint32_t i = 0; i < n->nr_domains; i++)
		if (n->domain[i].id == domain)
			return n->domain[i].is_rmrr;
	return false;
}

static bool in_rmrr(const struct vtd_dmar *dmar, paddr_t pa, uint64_t size)
{
	for (size_t i = 0; i < dmar->nr_rmrr; i++) {
		const struct vtd_dmar_rmrr *r = &dmar->rmrr[i];

		if (vtd_dmar_rmrr_usable(r) && pa >= ALIGN_DOWN(r->base, PAGE_SIZE) &&
		    pa + size <= ALIGN_UP(r->limit + 1, PAGE_SIZE))
			return true;
	}
	return false;
}

/* Asked for every leaf, so that a walk stays linear in them only if this does not take long. */
static bool holds_digested(const struct walk *w, paddr_t pa, uint64_t size)
{
	size_t lo = 0, hi = w->nr_digested;

	while (lo < hi) {		/* the first one at or above @pa */
		const size_t mid = lo + (hi - lo) / 2;

		if (w->digested[mid] < pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->nr_digested && w->digested[lo] - pa < size;
}

/* DMA may reach preserved memory; that of an RMRR's device what firmware named instead, which is
 * no RAM to any kernel and so never preserved. */
static bool leaf_ok(void *ctx, const struct vtd_domain_snapshot *domain, paddr_t pa, uint64_t size)
{
	const struct walk *w = ctx;
	const struct proof *p = w->proof;

	if (holds_digested(w, pa, size))	/* no device may write a table */
		return false;
	if (is_rmrr(p->node, domain->id))
		return in_rmrr(&p->mmu->dmar, pa, size) && !kho_map_overlaps(p->map, pa, size);
	return kho_map_covers(p->map, pa, size);
}

static enum check_id id_of(const struct prove_ids *ids, enum vtd_violation_kind kind)
{
	switch (kind) {
	case VTD_BAD_MODE:
		return ids->mode;
	case VTD_TABLE_PAGE:
	case VTD_PASID_PAGE:
	case VTD_SS_LEAF_PAGE:
		return ids->preserved;
	case VTD_ROOT_UNEXPECTED:
	case VTD_ROOT_MISSING:
	case VTD_ROOT_RESERVED:
		return ids->root;
	case VTD_CONTEXT_UNEXPECTED:
	case VTD_CONTEXT_MISSING:
	case VTD_CONTEXT_RESERVED:
		return ids->context;
	case VTD_PASID_TABLE:
	case VTD_PASID_UNEXPECTED:
	case VTD_PASID_MISSING:
	case VTD_PASID_RESERVED:
	case VTD_PASID_TYPE:
		return ids->pasid;
	case VTD_BAD_DID:
	case VTD_DID_SHARED:
		return ids->did;
	case VTD_SS_RESERVED_BITS:
	case VTD_SS_INTERRUPT_RANGE:
	case VTD_SS_TABLE_COUNT:
	case VTD_TOO_MANY_TABLES:
		return ids->tables;
	default:
		return ids->entry;
	}
}

void blame_rid(struct blame *b, const struct node *n, uint16_t segment, uint16_t rid)
{
	const size_t i = node_find_device(n, segment, rid);

	if (i != NODE_NO_DEVICE)
		b->device[i] = true;
	else		/* something without a record can do DMA */
		b->all = true;
}

void blame_domain(struct blame *b, const struct node *n, const struct picture *p, uint32_t domain)
{
	for (size_t i = 0; i < p->nr_devices; i++)
		if (p->device[i].domain == domain)
			blame_rid(b, n, p->device[i].segment, p->device[i].rid);
}

/* One device's own entry: whoever shares its domain has another. */
static bool is_about_entry(enum vtd_violation_kind kind)
{
	return kind == VTD_CONTEXT_MISSING || kind == VTD_CONTEXT_RESERVED || kind == VTD_CONTEXT_TT ||
	       kind == VTD_CONTEXT_TABLE || kind == VTD_CONTEXT_AW || kind == VTD_CONTEXT_DID ||
	       (kind >= VTD_PASID_TABLE && kind <= VTD_PASID_TYPE) || kind == VTD_BAD_DID ||
	       kind == VTD_DID_SHARED || kind == VTD_CONTEXT_UNEXPECTED;
}

static void blame_violation(const struct proof *p, const struct vtd_unit_snapshot *unit,
			    const struct vtd_violation *v)
{
	if (is_about_entry(v->kind))
		blame_rid(p->blame, p->node, unit->segment, v->rid);
	else if (v->domain != UINT32_MAX)
		blame_domain(p->blame, p->node, p->picture, v->domain);
	else
		p->blame->all = true;
}

/* The entry of a device whose record cannot be used: that has been observed, and it is blamed. */
static bool is_known(const struct walk *w, const struct vtd_violation *v)
{
	const size_t i = node_find_device(w->proof->node, w->unit->segment, v->rid);

	return v->kind == VTD_CONTEXT_UNEXPECTED && i != NODE_NO_DEVICE && w->proof->blame &&
	       w->proof->blame->device[i];
}

static void report(void *ctx, const struct vtd_violation *v)
{
	const struct walk *w = ctx;
	const struct proof *p = w->proof;

	if (is_known(w, v))
		return;
	if (p->blame)
		blame_violation(p, w->unit, v);

	check_ok(id_of(&p->ids, v->kind), false,
		 "%s, source %02x:%02x.%x, page %llx, iova %llx, found %llx, want %llx",
		 vtd_violation_name(v->kind), v->rid >> 8, v->rid >> 3 & 0x1f, v->rid & 7,
		 (unsigned long long)v->page, (unsigned long long)v->iova,
		 (unsigned long long)v->found, (unsigned long long)v->want);
}

static void observe_all(const struct proof *p)
{
	const struct prove_ids *ids = &p->ids;
	const enum check_id all[] = {
		ids->mode, ids->preserved, ids->tables, ids->root, ids->context, ids->entry, ids->did,
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check_ok(all[i], true, " ");
	if (p->mmu->ttm == VTD_TTM_SCALABLE)
		check_ok(ids->pasid, true, " ");
}

/* How many units walk the tables of a domain. */
static uint64_t walks_of(const struct picture *p, uint32_t domain)
{
	uint64_t count = 0;

	for (size_t u = 0; u < p->nr_units; u++) {
		size_t i = 0;

		while (i < p->nr_devices && (p->device[i].unit != p->unit[u].index ||
					     p->device[i].domain != domain))
			i++;
		count += i < p->nr_devices;
	}
	return count;
}

static bool is_pictured(const struct picture *p, const struct node_device_ser *d)
{
	for (size_t i = 0; i < p->nr_devices; i++)
		if (p->device[i].segment == d->segment && p->device[i].rid == d->rid)
			return true;
	return false;
}

/* Table pages with a digest that are walked, each as often as it is. */
static uint64_t table_digests(const struct proof *p)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < p->node->nr_digests; i++) {
		const struct node_digest_ser *d = &p->node->digest[i];

		if (d->kind == NODE_DIGEST_TABLE)
			count += d->owner == NODE_NO_OWNER ? 1 : walks_of(p->picture, d->owner);
		else if (d->kind == NODE_DIGEST_PASID)
			count += is_pictured(p->picture, &p->node->device[d->owner]);
	}
	return count;
}

/* One page in two places of the tables would be freed with the first of them. */
static void check_once(const struct proof *p, paddr_t tables[NODE_MAX_DIGESTS])
{
	const struct node *n = p->node;
	size_t nr = 0;

	for (uint32_t i = 0; i < n->nr_digests; i++)
		if (n->digest[i].kind == NODE_DIGEST_TABLE || n->digest[i].kind == NODE_DIGEST_PASID)
			tables[nr++] = n->digest[i].pa;
	kho_sort(tables, nr, sizeof(*tables));
	for (size_t i = 1; i < nr; i++) {
		if (tables[i] != tables[i - 1])
			continue;
		check_ok(p->ids.tables, false, "page %llx is a table twice", (unsigned long long)tables[i]);
		if (p->blame)
			p->blame->all = true;
	}
}

static void sort_digested(const struct node *n, paddr_t out[NODE_MAX_DIGESTS])
{
	for (uint32_t i = 0; i < n->nr_digests; i++)
		out[i] = ALIGN_DOWN(n->digest[i].pa, PAGE_SIZE);
	kho_sort(out, n->nr_digests, sizeof(*out));
}

static void add(struct vtd_verify_result *sum, const struct vtd_verify_result *r)
{
	sum->violations += r->violations;
	sum->tables += r->tables;
	sum->leaves += r->leaves;
	sum->bytes += r->bytes;
}

static bool unit_is_recorded(const struct proof *p, paddr_t regs)
{
	for (size_t i = 0; i < p->picture->nr_units; i++)
		if (p->picture->unit[i].regs == regs)
			return true;
	return false;
}

void prove_tables(const struct proof *p)
{
	static paddr_t digested[NODE_MAX_DIGESTS];
	uint64_t walked = 0;

	check_once(p, digested);
	sort_digested(p->node, digested);
	for (size_t i = 0; i < p->picture->nr_units; i++) {
		struct vtd_verify_result result = { 0 };
		struct walk w = { .proof = p, .unit = &p->picture->unit[i], .digested = digested,
				  .nr_digested = p->node->nr_digests };
		const struct vtd_verify v = {
			.unit = &p->picture->unit[i],
			.domains = p->picture->domain, .nr_domains = p->picture->nr_domains,
			.devices = p->picture->device, .nr_devices = p->picture->nr_devices,
			.haw = p->mmu->dmar.haw, .max_tables = PROVE_MAX_TABLES,
			.page_ok = page_ok, .leaf_ok = leaf_ok, .report = report,
			.ctx = &w,
		};

		vtd_verify_unit(&v, &result);
		walked += result.tables;
		if (p->walked)
			add(p->walked, &result);
	}
	if (!walked)
		return;	/* nothing was looked at: the checks stay unobserved and so fail */
	observe_all(p);
	check_eq(p->ids.tables, "number of table pages with a digest", table_digests(p), walked);
	for (size_t i = 0; i < p->mmu->nr_units; i++)
		if (p->mmu->unit[i].used)
			check_ok(p->ids.root, unit_is_recorded(p, p->mmu->unit[i].vtd.regs),
				 "unit at %llx has no record", (unsigned long long)p->mmu->unit[i].vtd.regs);
}

/* ---- digests ------------------------------------------------------------------------------- */

const struct node_digest_ser *prove_digests(const struct node *n, enum node_digest_kind kind,
					    const struct picture *p, struct blame *blame)
{
	const struct node_digest_ser *first = NULL;

	for (uint32_t i = 0; i < n->nr_digests; i++) {
		const struct node_digest_ser *d = &n->digest[i];

		const size_t len = kind == NODE_DIGEST_HEADER ? d->owner : PAGE_SIZE;

		if (d->kind != kind || kho_crc32c(0, mem_ptr(d->pa), len) == d->crc32c)
			continue;
		if (!first)
			first = d;
		if (blame && kind == NODE_DIGEST_PASID && d->owner < n->nr_devices)
			blame->device[d->owner] = true;
		else if (blame && kind == NODE_DIGEST_TABLE && d->owner != NODE_NO_OWNER)
			blame_domain(blame, n, p, d->owner);
		else if (blame)
			blame->all = true;
	}
	return first;
}

uint32_t prove_radix_crc32c(const struct kho_map *map)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < map->nr_nodes; i++)
		crc = kho_crc32c(crc, mem_ptr(map->nodes[i]), PAGE_SIZE);
	return crc;
}

int prove_record_page(struct node *n, paddr_t pa, enum node_digest_kind kind, uint16_t owner)
{
	if (n->nr_digests == NODE_MAX_DIGESTS)
		return -ENOSPC;
	n->digest[n->nr_digests++] = (struct node_digest_ser){
		.pa = pa, .crc32c = kho_crc32c(0, mem_ptr(pa), PAGE_SIZE), .kind = (uint16_t)kind,
		.owner = owner,
	};
	return 0;
}

struct recording {
	struct node *n;
	uint16_t owner;
};

static int record_context_table(void *ctx, paddr_t table, int index)
{
	(void)index;
	return prove_record_page(ctx, table, NODE_DIGEST_TABLE, NODE_NO_OWNER);
}

static int record_ss_table(void *ctx, paddr_t table, unsigned level)
{
	const struct recording *r = ctx;

	(void)level;
	return prove_record_page(r->n, table, NODE_DIGEST_TABLE, r->owner);
}

static int record_pasid_table(void *ctx, paddr_t table)
{
	const struct recording *r = ctx;

	return prove_record_page(r->n, table, NODE_DIGEST_PASID, r->owner);
}

/* The node lists devices in the same order. */
static int record_pasid_tables(const struct iommu *mmu, struct node *n)
{
	int err = 0;

	for (size_t i = 0; i < mmu->nr_devices && !err; i++) {
		struct recording r = { .n = n, .owner = (uint16_t)i };

		if (mmu->device[i].pasid_dir)
			err = vtd_pasid_for_each_table(mmu->device[i].pasid_dir, record_pasid_table, &r);
	}
	return err;
}

int prove_record_tables(const struct iommu *mmu, struct node *n)
{
	for (size_t i = 0; i < mmu->nr_units; i++) {
		const struct vtd_tables tables = vtd_unit_tables(&mmu->unit[i].vtd);
		int err;

		if (!mmu->unit[i].used)
			continue;
		err = vtd_context_for_each_table(&tables, record_context_table, n);
		if (err)
			return err;
	}
	for (size_t i = 0; i < mmu->nr_domains; i++) {
		struct recording r = { .n = n, .owner = (uint16_t)mmu->domain[i].id };
		const int err = vtd_ss_for_each_table(&mmu->domain[i].ss, record_ss_table, &r);

		if (err)
			return err;
	}
	return record_pasid_tables(mmu, n);
}

/* ---- reading a handoff ------------------------------------------------------------------------ */

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *bi = ctx;

	return memmap_is_ram(bi->map, bi->nr_map, pa, len);
}

bool prove_limits(struct kho_limits *lim, const struct boot_info *bi)
{
	static struct kho_range image;

	image = (struct kho_range){ .base = bi->image, .len = bi->image_size };
	*lim = (struct kho_limits){
		.ram = { .is_ram = is_ram, .ctx = (void *)(uintptr_t)bi },
		.exclude = &image, .nr_exclude = 1,
		.max_extents = PROVE_MAX_EXTENTS, .max_nodes = PROVE_MAX_NODES,
		.extents = scratch_new(PROVE_MAX_EXTENTS * sizeof(struct kho_extent)),
		.ranges = scratch_new(PROVE_MAX_EXTENTS * sizeof(struct kho_range)),
		.nodes = scratch_new(PROVE_MAX_NODES * sizeof(paddr_t)),
	};
	return lim->extents && lim->ranges && lim->nodes;
}
