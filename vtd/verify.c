/* Verification of tables found in memory. */
#include "verify.h"

#include "caps.h"
#include "context.h"
#include "errno.h"
#include "formats.h"
#include "pagetable.h"
#include "platform/mem.h"
#include "regs.h"

#define NO_DOMAIN	UINT32_MAX

/* One run of vtd_verify_unit(). */
struct run {
	const struct vtd_verify *v;
	struct vtd_caps caps;
	uint64_t addr_rsvd;	/* address bits that the machine does not have */
	paddr_t root;
	uint8_t ttm;
	struct vtd_verify_result *res;
	const struct vtd_domain_snapshot *domain;	/* being walked */
	uint64_t domain_tables;
};

static void violate(struct run *r, struct vtd_violation bad)
{
	r->res->violations++;
	if (r->v->report)
		r->v->report(r->v->ctx, &bad);
}

static bool of_unit(const struct run *r, const struct vtd_device_snapshot *dev)
{
	return dev->unit == r->v->unit->index;
}

static const struct vtd_domain_snapshot *find_domain(const struct vtd_verify *v, uint32_t id)
{
	for (size_t i = 0; i < v->nr_domains; i++)
		if (v->domains[i].id == id)
			return &v->domains[i];
	return NULL;
}

static const struct vtd_device_snapshot *find_device(const struct run *r, uint16_t rid)
{
	for (size_t i = 0; i < r->v->nr_devices; i++)
		if (of_unit(r, &r->v->devices[i]) && r->v->devices[i].rid == rid)
			return &r->v->devices[i];
	return NULL;
}

static bool table_expected(const struct run *r, unsigned index)
{
	return r->v->unit->context_tables[index / 64] & BIT64(index % 64);
}

/* Counts the page, or says why it cannot be read. @dev: whose page it is alone, or NULL. */
static bool may_read(struct run *r, paddr_t page, const struct vtd_device_snapshot *dev)
{
	struct vtd_violation bad = {
		.rid = dev ? dev->rid : 0, .page = page, .domain = dev ? dev->domain : NO_DOMAIN,
	};

	if (r->res->tables >= r->v->max_tables) {
		bad.kind = VTD_TOO_MANY_TABLES;
		bad.found = r->res->tables;
		violate(r, bad);
		return false;
	}
	if (page == 0 || !IS_ALIGNED(page, PAGE_SIZE) || !r->v->page_ok(r->v->ctx, page)) {
		bad.kind = dev ? VTD_PASID_PAGE : VTD_TABLE_PAGE;
		violate(r, bad);
		return false;
	}
	r->res->tables++;
	return true;
}

static bool check_unit(struct run *r)
{
	const struct vtd_unit_snapshot *u = r->v->unit;
	const uint64_t low = u->rtaddr & ~VTD_RTADDR_RTA;
	const unsigned ttm = (unsigned)FIELD_GET(VTD_RTADDR_TTM, u->rtaddr);

	if (r->v->haw <= PAGE_SHIFT || r->v->haw > 52 ||
	    vtd_caps_decode(u->ver, u->cap, u->ecap, &r->caps)) {
		violate(r, (struct vtd_violation){ .kind = VTD_BAD_CAPS, .domain = NO_DOMAIN,
						   .found = u->cap });
		return false;
	}
	if ((low & ~VTD_RTADDR_TTM) ||
	    !(ttm == VTD_TTM_LEGACY || (ttm == VTD_TTM_SCALABLE && r->caps.scalable_ss))) {
		violate(r, (struct vtd_violation){ .kind = VTD_BAD_MODE, .domain = NO_DOMAIN,
						   .found = u->rtaddr, .want = u->rtaddr & ~low });
		return false;
	}
	r->root = u->rtaddr & VTD_RTADDR_RTA;
	r->ttm = (uint8_t)ttm;
	r->addr_rsvd = ~(BIT64(r->v->haw) - 1);
	return true;
}

static void check_device_snapshot(struct run *r, const struct vtd_device_snapshot *dev)
{
	const struct vtd_domain_snapshot *d = find_domain(r->v, dev->domain);
	struct vtd_violation bad = { .rid = dev->rid, .domain = dev->domain, .found = dev->did };

	if (dev->did < 2 || dev->did >= r->caps.ndoms) {
		bad.kind = VTD_BAD_DID;
		bad.want = r->caps.ndoms;
		violate(r, bad);
	}
	if (!d || !vtd_caps_has_levels(&r->caps, d->levels) || d->top == 0 ||
	    (d->top & (r->addr_rsvd | (PAGE_SIZE - 1)))) {
		bad.kind = VTD_BAD_SNAPSHOT;
		bad.found = d ? d->top : 0;
		violate(r, bad);
	}
	if ((dev->pasid_dir != 0) != (r->ttm == VTD_TTM_SCALABLE)) {
		bad.kind = VTD_PASID_TABLE;
		bad.found = dev->pasid_dir;
		violate(r, bad);
	}
}

/* VT-d 6.2: walks of one DID share cached upper levels, so one DID means one table.  The
 * reverse is not asked of hardware but of us: a table under two DIDs would need two flushes. */
static void check_sharing(struct run *r, size_t i)
{
	const struct vtd_device_snapshot *a = &r->v->devices[i];
	const struct vtd_domain_snapshot *da = find_domain(r->v, a->domain);

	for (size_t j = 0; j < i; j++) {
		const struct vtd_device_snapshot *b = &r->v->devices[j];
		const struct vtd_domain_snapshot *db = find_domain(r->v, b->domain);
		bool same;

		if (!of_unit(r, b) || !da || !db)
			continue;
		same = da->top == db->top && da->levels == db->levels;
		if (same != (a->did == b->did))
			violate(r, (struct vtd_violation){ .kind = VTD_DID_SHARED, .rid = a->rid,
							   .domain = a->domain, .found = a->did,
							   .want = b->did });
	}
}

static void check_snapshots(struct run *r)
{
	for (size_t i = 0; i < r->v->nr_devices; i++) {
		if (!of_unit(r, &r->v->devices[i]))
			continue;
		check_device_snapshot(r, &r->v->devices[i]);
		check_sharing(r, i);
	}
}

static void compare(struct run *r, struct vtd_violation *bad, enum vtd_violation_kind kind,
		    uint64_t found, uint64_t want)
{
	if (found == want)
		return;
	bad->kind = kind;
	bad->found = found;
	bad->want = want;
	violate(r, *bad);
}

/* DID, table and width, wherever the mode keeps them. */
static void check_target(struct run *r, struct vtd_violation *bad, const struct vtd_device_snapshot *dev,
			 uint64_t did, paddr_t top, uint64_t aw)
{
	const struct vtd_domain_snapshot *d = find_domain(r->v, dev->domain);

	compare(r, bad, VTD_CONTEXT_RESERVED, did & ~(uint64_t)(r->caps.ndoms - 1), 0);
	compare(r, bad, VTD_CONTEXT_DID, did, dev->did);
	if (!d)
		return;		/* reported with the snapshots */
	compare(r, bad, VTD_CONTEXT_TABLE, top, d->top);
	compare(r, bad, VTD_CONTEXT_AW, aw, vtd_aw_of_levels(d->levels));
}

static void check_legacy_entry(struct run *r, paddr_t table, const struct vtd_device_snapshot *dev,
			       const uint64_t *qw)
{
	struct vtd_violation bad = { .rid = dev->rid, .domain = dev->domain, .page = table };

	/* FPD would hide the faults that this device is asked about. */
	compare(r, &bad, VTD_CONTEXT_RESERVED, qw[0] & (VTD_CE_FPD | VTD_CE_LO_RSVD | r->addr_rsvd), 0);
	compare(r, &bad, VTD_CONTEXT_RESERVED, qw[1] & VTD_CE_HI_RSVD, 0);
	compare(r, &bad, VTD_CONTEXT_TT, FIELD_GET(VTD_CE_TT, qw[0]), VTD_TT_SS);
	check_target(r, &bad, dev, FIELD_GET(VTD_CE_HI_DID, qw[1]), qw[0] & VTD_CE_SSPTPTR,
		     FIELD_GET(VTD_CE_HI_AW, qw[1]));
}

/* The words of @n entries of @qwords from @first on that have their lowest bit, P, set. */
static bool any_present(const uint64_t *table, unsigned first, unsigned n, unsigned qwords)
{
	for (unsigned i = first; i < n; i++)
		if (mem_read64(&table[i * qwords]) & BIT64(0))
			return true;
	return false;
}

static void check_pasid_entry(struct run *r, struct vtd_violation *bad,
			      const struct vtd_device_snapshot *dev, const uint64_t *table)
{
	const uint64_t qw0 = mem_read64(&table[0]), qw1 = mem_read64(&table[1]);
	const uint64_t lo = VTD_PE_P | VTD_PE_AW | VTD_PE_PGTT | VTD_PE_SSPTPTR;
	const uint64_t hi = VTD_PE_HI_DID | (r->caps.smpwcs ? VTD_PE_HI_PWSNP : 0) |
			    (r->caps.sc ? VTD_PE_HI_PGSNP : 0);
	uint64_t rest = 0;

	compare(r, bad, VTD_PASID_MISSING, qw0 & VTD_PE_P, VTD_PE_P);
	if (!(qw0 & VTD_PE_P))
		return;
	for (unsigned i = 2; i < VTD_PE_BYTES / 8; i++)
		rest |= mem_read64(&table[i]);
	compare(r, bad, VTD_PASID_RESERVED, (qw0 & (~lo | r->addr_rsvd)) | (qw1 & ~hi) | rest, 0);
	compare(r, bad, VTD_PASID_TYPE, FIELD_GET(VTD_PE_PGTT, qw0), VTD_PGTT_SS);
	/* Where walks can snoop they must: the tables are written as if they did. */
	compare(r, bad, VTD_PASID_TYPE, qw1 & VTD_PE_HI_PWSNP, r->caps.smpwcs ? VTD_PE_HI_PWSNP : 0);
	check_target(r, bad, dev, FIELD_GET(VTD_PE_HI_DID, qw1), qw0 & VTD_PE_SSPTPTR,
		     FIELD_GET(VTD_PE_AW, qw0));
}

/* One table, and in it one entry: that of requests without PASID. */
static void check_pasid_dir(struct run *r, paddr_t dir, const struct vtd_device_snapshot *dev)
{
	struct vtd_violation bad = { .rid = dev->rid, .domain = dev->domain, .page = dir };
	const uint64_t *de = mem_ptr(dir);
	const uint64_t first = mem_read64(de);
	const paddr_t table = first & VTD_PDE_SMPTBLPTR & ~r->addr_rsvd;

	compare(r, &bad, VTD_PASID_UNEXPECTED, any_present(de, 1, VTD_PASID_DIR_ENTRIES, 1), 0);
	compare(r, &bad, VTD_PASID_MISSING, first & VTD_PDE_P, VTD_PDE_P);
	if (!(first & VTD_PDE_P))
		return;
	compare(r, &bad, VTD_PASID_RESERVED,
		first & ((PAGE_SIZE - 1) & ~VTD_PDE_P), 0);
	compare(r, &bad, VTD_PASID_RESERVED, first & r->addr_rsvd, 0);
	if (!may_read(r, table, dev))
		return;
	bad.page = table;
	compare(r, &bad, VTD_PASID_UNEXPECTED,
		any_present(mem_ptr(table), 1, VTD_PASIDS_PER_TABLE, VTD_PE_BYTES / 8), 0);
	check_pasid_entry(r, &bad, dev, mem_ptr(table));
}

static void check_scalable_entry(struct run *r, paddr_t table, const struct vtd_device_snapshot *dev,
				 const uint64_t *qw)
{
	struct vtd_violation bad = { .rid = dev->rid, .domain = dev->domain, .page = table };
	const uint64_t never = VTD_SCE_DTE | VTD_SCE_PASIDE | VTD_SCE_PRE;
	const paddr_t dir = qw[0] & VTD_SCE_PASIDDIRPTR;

	compare(r, &bad, VTD_CONTEXT_RESERVED, qw[0] & (VTD_SCE_FPD | VTD_SCE_LO_RSVD | r->addr_rsvd), 0);
	compare(r, &bad, VTD_CONTEXT_RESERVED, mem_read64(&qw[1]) | mem_read64(&qw[2]) |
		mem_read64(&qw[3]), 0);
	compare(r, &bad, VTD_CONTEXT_TT, qw[0] & never, 0);
	compare(r, &bad, VTD_PASID_TABLE, FIELD_GET(VTD_SCE_PDTS, qw[0]), VTD_PASID_DIR_PDTS);
	compare(r, &bad, VTD_PASID_TABLE, dir, dev->pasid_dir);
	/* Only what the record names is followed, and it only if the hardware does. */
	if (dir == dev->pasid_dir && may_read(r, dir, dev))
		check_pasid_dir(r, dir, dev);
}

static void missing(struct run *r, paddr_t table, const struct vtd_device_snapshot *dev)
{
	violate(r, (struct vtd_violation){ .kind = VTD_CONTEXT_MISSING, .rid = dev->rid,
					   .domain = dev->domain, .page = table });
}

static void check_context_entry(struct run *r, paddr_t table, uint16_t rid)
{
	const uint64_t *qw = mem_ptr(table + vtd_context_offset(r->ttm, rid));
	const struct vtd_device_snapshot *dev = find_device(r, rid);

	if (!(mem_read64(&qw[0]) & VTD_CE_P)) {
		if (dev)
			missing(r, table, dev);
	} else if (!dev) {
		violate(r, (struct vtd_violation){ .kind = VTD_CONTEXT_UNEXPECTED, .rid = rid,
						   .domain = NO_DOMAIN, .page = table,
						   .found = mem_read64(&qw[0]) });
	} else if (r->ttm == VTD_TTM_SCALABLE) {
		check_scalable_entry(r, table, dev, qw);
	} else {
		check_legacy_entry(r, table, dev, qw);
	}
}

/* Source ids whose entries share the context table of this index: the first, and how many. */
static uint16_t first_rid(unsigned index)
{
	return (uint16_t)(index << 7);
}

static unsigned rids_per_table(const struct run *r)
{
	return r->ttm == VTD_TTM_SCALABLE ? 128 : 256;
}

/* There is no context table that could be read. */
static void all_missing(struct run *r, unsigned index)
{
	for (size_t i = 0; i < r->v->nr_devices; i++)
		if (of_unit(r, &r->v->devices[i]) &&
		    vtd_context_table_index(r->ttm, r->v->devices[i].rid) == index)
			missing(r, 0, &r->v->devices[i]);
}

/* The word of a root entry that leads to the context table of @index. */
static void check_root_word(struct run *r, unsigned index)
{
	const uint64_t word = mem_read64((const uint64_t *)mem_ptr(r->root) + index);
	const bool present = word & VTD_RE_P;
	const paddr_t table = word & VTD_RE_CTP & ~r->addr_rsvd;
	struct vtd_violation bad = { .rid = first_rid(index), .domain = NO_DOMAIN, .page = r->root };

	if (present != table_expected(r, index))
		compare(r, &bad, present ? VTD_ROOT_UNEXPECTED : VTD_ROOT_MISSING, present, !present);
	if (!present) {
		all_missing(r, index);
		return;
	}
	compare(r, &bad, VTD_ROOT_RESERVED, word & (VTD_RE_LO_RSVD | r->addr_rsvd), 0);
	if (!may_read(r, table, NULL)) {
		all_missing(r, index);
		return;
	}
	for (unsigned i = 0; i < rids_per_table(r); i++)
		check_context_entry(r, table, (uint16_t)(bad.rid + i));
}

/* The upper word of a legacy root entry, which leads nowhere: no bit of the record stands for it. */
static void check_upper_word(struct run *r, unsigned index)
{
	struct vtd_violation bad = { .rid = first_rid(index), .domain = NO_DOMAIN, .page = r->root };

	compare(r, &bad, VTD_ROOT_RESERVED, mem_read64((const uint64_t *)mem_ptr(r->root) + index), 0);
	compare(r, &bad, VTD_ROOT_MISSING, table_expected(r, index), 0);
}

static void check_root(struct run *r)
{
	for (unsigned i = 0; i < VTD_CONTEXT_TABLES; i++)
		if (r->ttm == VTD_TTM_LEGACY && i % 2)
			check_upper_word(r, i);
		else
			check_root_word(r, i);
}

static int ss_table(void *ctx, paddr_t table, unsigned level)
{
	struct run *r = ctx;

	(void)level;
	if (r->res->tables >= r->v->max_tables) {
		violate(r, (struct vtd_violation){ .kind = VTD_TOO_MANY_TABLES,
						   .domain = r->domain->id, .page = table,
						   .found = r->res->tables });
		return -ELOOP;
	}
	if (!r->v->page_ok(r->v->ctx, table)) {
		violate(r, (struct vtd_violation){ .kind = VTD_TABLE_PAGE, .domain = r->domain->id,
						   .page = table });
		return VTD_VISIT_SKIP;
	}
	r->res->tables++;
	r->domain_tables++;
	return 0;
}

static void check_leaf(struct run *r, struct vtd_violation *bad, uint64_t entry, unsigned level)
{
	const uint64_t size = vtd_ss_entry_bytes(level);
	const paddr_t pa = ALIGN_DOWN(entry & VTD_SS_ADDR, size);

	r->res->leaves++;
	r->res->bytes += size;
	bad->page = pa;
	if (ranges_overlap(pa, size, VTD_INTR_BASE, VTD_INTR_BYTES))
		compare(r, bad, VTD_SS_INTERRUPT_RANGE, entry, 0);
	else if (r->v->leaf_ok && !r->v->leaf_ok(r->v->ctx, r->domain, pa, size))
		compare(r, bad, VTD_SS_LEAF_PAGE, entry, 0);
}

static int ss_entry(void *ctx, iova_t iova, uint64_t entry, unsigned level)
{
	struct run *r = ctx;
	const unsigned sizes = r->caps.page_sizes;
	const uint64_t bits = entry & vtd_ss_reserved(entry, level, r->v->haw, sizes, r->caps.sc);
	struct vtd_violation bad = { .domain = r->domain->id, .iova = iova };

	if (bits) {
		bad.page = entry & VTD_SS_ADDR;
		compare(r, &bad, VTD_SS_RESERVED_BITS, bits, 0);
		return VTD_VISIT_SKIP;	/* hardware would fault here, not follow */
	}
	if (vtd_ss_is_leaf(entry, level))
		check_leaf(r, &bad, entry, level);
	return 0;
}

static void check_domain(struct run *r, const struct vtd_domain_snapshot *d)
{
	const struct vtd_ss_visitor visitor = {
		.table = ss_table,
		.entry = ss_entry,
		.ctx = r,
		.max_tables = UINT64_MAX,	/* ss_table() keeps the bound of the whole unit */
	};

	if (!vtd_caps_has_levels(&r->caps, d->levels) || d->top == 0 ||
	    (d->top & (r->addr_rsvd | (PAGE_SIZE - 1))))
		return;		/* reported with the snapshots */
	r->domain = d;
	r->domain_tables = 0;
	if (vtd_ss_visit(d->top, d->levels, &visitor))
		return;		/* reported by ss_table() */
	if (d->table_pages && d->table_pages != r->domain_tables)
		violate(r, (struct vtd_violation){ .kind = VTD_SS_TABLE_COUNT, .domain = d->id,
						   .page = d->top, .found = r->domain_tables,
						   .want = d->table_pages });
}

static bool used_by_unit(const struct run *r, const struct vtd_domain_snapshot *d)
{
	for (size_t i = 0; i < r->v->nr_devices; i++)
		if (of_unit(r, &r->v->devices[i]) && r->v->devices[i].domain == d->id)
			return true;
	return false;
}

bool vtd_verify_unit(const struct vtd_verify *v, struct vtd_verify_result *result)
{
	struct run r = { .v = v, .res = result };

	*result = (struct vtd_verify_result){ 0 };
	if (!check_unit(&r))
		return false;
	check_snapshots(&r);
	if (may_read(&r, r.root, NULL))
		check_root(&r);
	for (size_t i = 0; i < v->nr_domains; i++)
		if (used_by_unit(&r, &v->domains[i]))
			check_domain(&r, &v->domains[i]);
	return result->violations == 0;
}

static const char *const names[VTD_VIOLATION_KINDS] = {
	[VTD_BAD_CAPS] = "capabilities unusable",
	[VTD_BAD_MODE] = "root pointer in a table mode that is not known",
	[VTD_BAD_SNAPSHOT] = "device or domain record impossible",
	[VTD_BAD_DID] = "domain id out of range",
	[VTD_DID_SHARED] = "domain id and table do not go together",
	[VTD_ROOT_UNEXPECTED] = "unexpected root entry",
	[VTD_ROOT_MISSING] = "root entry missing",
	[VTD_ROOT_RESERVED] = "reserved bits in root entry",
	[VTD_CONTEXT_UNEXPECTED] = "unexpected context entry",
	[VTD_CONTEXT_MISSING] = "context entry missing",
	[VTD_CONTEXT_RESERVED] = "reserved bits in context entry",
	[VTD_CONTEXT_TT] = "translation type differs",
	[VTD_CONTEXT_TABLE] = "second-stage pointer differs",
	[VTD_CONTEXT_AW] = "address width differs",
	[VTD_CONTEXT_DID] = "domain id differs",
	[VTD_PASID_TABLE] = "PASID directory differs",
	[VTD_PASID_PAGE] = "PASID table in a page that is not allowed",
	[VTD_PASID_UNEXPECTED] = "PASID entry beside the one in use",
	[VTD_PASID_MISSING] = "PASID entry not present",
	[VTD_PASID_RESERVED] = "reserved bits in PASID entry",
	[VTD_PASID_TYPE] = "translation type of the PASID entry differs",
	[VTD_TABLE_PAGE] = "table in a page that is not allowed",
	[VTD_SS_RESERVED_BITS] = "reserved bits in second-stage entry",
	[VTD_SS_INTERRUPT_RANGE] = "mapping leads into the interrupt range",
	[VTD_SS_LEAF_PAGE] = "mapping leads to memory that is not allowed",
	[VTD_SS_TABLE_COUNT] = "number of table pages differs",
	[VTD_TOO_MANY_TABLES] = "too many table pages",
};

const char *vtd_violation_name(enum vtd_violation_kind kind)
{
	return (unsigned)kind < VTD_VIOLATION_KINDS ? names[kind] : "unknown violation";
}
