/* Proofs that both sides of a hand-over make. */
#include "prove.h"

#include "errno.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "platform/mem.h"
#include "vtd/context.h"
#include "vtd/verify.h"

#define MAX_EXTENTS	32768
#define MAX_NODES	16384

/* ---- tables ------------------------------------------------------------------------------- */

/* One unit's walk: the proof, and which unit it is. */
struct walk {
	const struct proof *proof;
	const struct vtd_unit_snapshot *unit;
};

static bool page_ok(void *ctx, paddr_t page)
{
	const struct proof *p = ((const struct walk *)ctx)->proof;

	return kho_map_covers(p->map, page, PAGE_SIZE);
}

/* DMA may reach preserved memory, and what firmware named for the devices of an RMRR. */
static bool leaf_ok(void *ctx, const struct vtd_domain_snapshot *domain, paddr_t pa, uint64_t size)
{
	const struct proof *p = ((const struct walk *)ctx)->proof;

	for (uint32_t i = 0; i < p->node->nr_digests; i++)	/* no device may write a table */
		if (ranges_overlap(pa, size, ALIGN_DOWN(p->node->digest[i].pa, PAGE_SIZE), PAGE_SIZE))
			return false;
	if (kho_map_covers(p->map, pa, size))
		return true;
	for (uint32_t i = 0; i < p->node->nr_domains; i++)
		if (p->node->domain[i].id == domain->id && !p->node->domain[i].is_rmrr)
			return false;
	for (size_t i = 0; i < p->mmu->dmar.nr_rmrr; i++) {
		const struct vtd_dmar_rmrr *r = &p->mmu->dmar.rmrr[i];

		if (pa >= ALIGN_DOWN(r->base, PAGE_SIZE) &&
		    pa + size <= ALIGN_UP(r->limit + 1, PAGE_SIZE))
			return true;
	}
	return false;
}

static enum check_id id_of(const struct prove_ids *ids, enum vtd_violation_kind kind)
{
	switch (kind) {
	case VTD_BAD_MODE:
		return ids->mode;
	case VTD_TABLE_PAGE:
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
	bool known = false;

	for (uint32_t i = 0; i < n->nr_devices; i++)
		if (n->device[i].segment == segment && n->device[i].rid == rid)
			b->device[i] = known = true;
	if (!known)	/* something without a record can do DMA */
		b->all = true;
}

void blame_domain(struct blame *b, const struct node *n, const struct picture *p, uint32_t domain)
{
	for (size_t i = 0; i < p->nr_devices; i++)
		if (p->device[i].domain == domain)
			blame_rid(b, n, p->device[i].segment, p->device[i].rid);
}

static void blame_violation(const struct proof *p, const struct vtd_unit_snapshot *unit,
			    const struct vtd_violation *v)
{
	if (v->domain != UINT32_MAX)
		blame_domain(p->blame, p->node, p->picture, v->domain);
	else if (v->kind == VTD_CONTEXT_MISSING || v->kind == VTD_CONTEXT_RESERVED ||
		 v->kind == VTD_CONTEXT_TT || v->kind == VTD_CONTEXT_TABLE ||
		 v->kind == VTD_CONTEXT_AW || v->kind == VTD_CONTEXT_DID || v->kind == VTD_BAD_DID ||
		 v->kind == VTD_DID_SHARED || v->kind == VTD_CONTEXT_UNEXPECTED)
		blame_rid(p->blame, p->node, unit->segment, v->rid);
	else
		p->blame->all = true;
}

/* The entry of a device whose record cannot be used: that has been observed, and it is blamed. */
static bool is_known(const struct walk *w, const struct vtd_violation *v)
{
	const struct node *n = w->proof->node;

	for (uint32_t i = 0; i < n->nr_devices && v->kind == VTD_CONTEXT_UNEXPECTED; i++)
		if (n->device[i].segment == w->unit->segment && n->device[i].rid == v->rid)
			return w->proof->blame && w->proof->blame->device[i];
	return false;
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

static void observe_all(const struct prove_ids *ids)
{
	const enum check_id all[] = {
		ids->mode, ids->preserved, ids->tables, ids->root, ids->context, ids->entry, ids->did,
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check_ok(all[i], true, " ");
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

/* Table pages with a digest that are walked, each as often as it is. */
static uint64_t table_digests(const struct proof *p)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < p->node->nr_digests; i++) {
		const struct node_digest_ser *d = &p->node->digest[i];

		if (d->kind == NODE_DIGEST_TABLE)
			count += d->owner == NODE_NO_OWNER ? 1 : walks_of(p->picture, d->owner);
	}
	return count;
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
	uint64_t walked = 0;

	for (size_t i = 0; i < p->picture->nr_units; i++) {
		struct vtd_verify_result result = { 0 };
		struct walk w = { .proof = p, .unit = &p->picture->unit[i] };
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
	}
	if (!walked)
		return;	/* nothing was looked at: the checks stay unobserved and so fail */
	observe_all(&p->ids);
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
		if (blame && d->owner != NODE_NO_OWNER)
			blame_domain(blame, n, p, d->owner);
		else if (blame)
			blame->all = true;
	}
	return first;
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

static int record_context_table(void *ctx, paddr_t table, int bus)
{
	(void)bus;
	return prove_record_page(ctx, table, NODE_DIGEST_TABLE, NODE_NO_OWNER);
}

static int record_ss_table(void *ctx, paddr_t table, unsigned level)
{
	const struct recording *r = ctx;

	(void)level;
	return prove_record_page(r->n, table, NODE_DIGEST_TABLE, r->owner);
}

int prove_record_tables(const struct iommu *mmu, struct node *n)
{
	for (size_t i = 0; i < mmu->nr_units; i++) {
		int err;

		if (!mmu->unit[i].used)
			continue;
		err = vtd_context_for_each_table(mmu->unit[i].vtd.root, record_context_table, n);
		if (err)
			return err;
	}
	for (size_t i = 0; i < mmu->nr_domains; i++) {
		struct recording r = { .n = n, .owner = (uint16_t)mmu->domain[i].id };
		const int err = vtd_ss_for_each_table(&mmu->domain[i].ss, record_ss_table, &r);

		if (err)
			return err;
	}
	return 0;
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
		.max_extents = MAX_EXTENTS, .max_nodes = MAX_NODES,
		.extents = scratch_new(MAX_EXTENTS * sizeof(struct kho_extent)),
		.ranges = scratch_new(MAX_EXTENTS * sizeof(struct kho_range)),
		.nodes = scratch_new(MAX_NODES * sizeof(paddr_t)),
	};
	return lim->extents && lim->ranges && lim->nodes;
}
