/* Verification of tables found in memory. */
#include "verify.h"

#include "caps.h"
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

/* The context table of the lower or upper half of a bus. */
static bool table_expected(const struct run *r, uint8_t bus, unsigned half)
{
	return r->v->unit->context_tables[bus / 32] & BIT64(bus % 32 * 2 + half);
}

/* Counts the page, or says why it cannot be read. */
static bool may_read(struct run *r, paddr_t page, uint16_t rid)
{
	struct vtd_violation bad = { .rid = rid, .page = page, .domain = NO_DOMAIN };

	if (r->res->tables >= r->v->max_tables) {
		bad.kind = VTD_TOO_MANY_TABLES;
		bad.found = r->res->tables;
		violate(r, bad);
		return false;
	}
	if (page == 0 || !IS_ALIGNED(page, PAGE_SIZE) || !r->v->page_ok(r->v->ctx, page)) {
		bad.kind = VTD_TABLE_PAGE;
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

	if (r->v->haw <= PAGE_SHIFT || r->v->haw > 52 ||
	    vtd_caps_decode(u->ver, u->cap, u->ecap, &r->caps)) {
		violate(r, (struct vtd_violation){ .kind = VTD_BAD_CAPS, .domain = NO_DOMAIN,
						   .found = u->cap });
		return false;
	}
	if (low) {
		violate(r, (struct vtd_violation){ .kind = VTD_BAD_MODE, .domain = NO_DOMAIN,
						   .found = u->rtaddr, .want = u->rtaddr & ~low });
		return false;
	}
	r->root = u->rtaddr;
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

static void check_context(struct run *r, paddr_t table, const struct vtd_device_snapshot *dev,
			  struct vtd_context_entry e)
{
	const struct vtd_domain_snapshot *d = find_domain(r->v, dev->domain);
	const uint64_t lo_rsvd = VTD_CE_LO_RSVD | r->addr_rsvd;
	const uint64_t hi_rsvd = VTD_CE_HI_RSVD |
				 (VTD_CE_HI_DID & ~FIELD_PREP(VTD_CE_HI_DID, r->caps.ndoms - 1));
	struct vtd_violation bad = { .rid = dev->rid, .domain = dev->domain, .page = table };

	compare(r, &bad, VTD_CONTEXT_RESERVED, e.lo & lo_rsvd, 0);
	compare(r, &bad, VTD_CONTEXT_RESERVED, e.hi & hi_rsvd, 0);
	compare(r, &bad, VTD_CONTEXT_TT, FIELD_GET(VTD_CE_TT, e.lo), VTD_TT_SS);
	compare(r, &bad, VTD_CONTEXT_DID, FIELD_GET(VTD_CE_HI_DID, e.hi), dev->did);
	if (!d)
		return;		/* reported with the snapshots */
	compare(r, &bad, VTD_CONTEXT_TABLE, e.lo & VTD_CE_SSPTPTR, d->top);
	compare(r, &bad, VTD_CONTEXT_AW, FIELD_GET(VTD_CE_HI_AW, e.hi), vtd_aw_of_levels(d->levels));
}

static void missing(struct run *r, paddr_t table, const struct vtd_device_snapshot *dev)
{
	violate(r, (struct vtd_violation){ .kind = VTD_CONTEXT_MISSING, .rid = dev->rid,
					   .domain = dev->domain, .page = table });
}

static struct vtd_context_entry read_entry(paddr_t table, unsigned i)
{
	const struct vtd_context_entry *e = (const struct vtd_context_entry *)mem_ptr(table) + i;

	return (struct vtd_context_entry){ .lo = mem_read64(&e->lo), .hi = mem_read64(&e->hi) };
}

static void check_context_table(struct run *r, paddr_t table, uint8_t bus)
{
	for (unsigned devfn = 0; devfn < VTD_TABLE_ENTRIES; devfn++) {
		const uint16_t rid = (uint16_t)(bus << 8 | devfn);
		const struct vtd_context_entry e = read_entry(table, devfn);
		const struct vtd_device_snapshot *dev = find_device(r, rid);

		if (!(e.lo & VTD_CE_P)) {
			if (dev)
				missing(r, table, dev);
		} else if (!dev) {
			violate(r, (struct vtd_violation){ .kind = VTD_CONTEXT_UNEXPECTED,
							   .rid = rid, .domain = NO_DOMAIN,
							   .page = table, .found = e.lo });
		} else {
			check_context(r, table, dev, e);
		}
	}
}

/* The bus has no context table that could be read. */
static void all_missing(struct run *r, uint8_t bus)
{
	for (size_t i = 0; i < r->v->nr_devices; i++)
		if (of_unit(r, &r->v->devices[i]) && VTD_RID_BUS(r->v->devices[i].rid) == bus)
			missing(r, 0, &r->v->devices[i]);
}

static void check_root_entry(struct run *r, uint8_t bus)
{
	const struct vtd_context_entry e = read_entry(r->root, bus);
	const bool present = e.lo & VTD_RE_P;
	const paddr_t table = e.lo & VTD_RE_CTP & ~r->addr_rsvd;
	struct vtd_violation bad = {
		.rid = (uint16_t)(bus << 8), .domain = NO_DOMAIN, .page = r->root,
	};

	if (present != table_expected(r, bus, 0))
		compare(r, &bad, present ? VTD_ROOT_UNEXPECTED : VTD_ROOT_MISSING, present, !present);
	if (table_expected(r, bus, 1))	/* an upper half is scalable mode's */
		compare(r, &bad, VTD_ROOT_MISSING, 0, 1);
	if (!present) {
		all_missing(r, bus);
		return;
	}
	compare(r, &bad, VTD_ROOT_RESERVED, e.lo & (VTD_RE_LO_RSVD | r->addr_rsvd), 0);
	compare(r, &bad, VTD_ROOT_RESERVED, e.hi, 0);
	if (may_read(r, table, bad.rid))
		check_context_table(r, table, bus);
	else
		all_missing(r, bus);
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
	if (may_read(&r, r.root, 0))
		for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES; bus++)
			check_root_entry(&r, (uint8_t)bus);
	for (size_t i = 0; i < v->nr_domains; i++)
		if (used_by_unit(&r, &v->domains[i]))
			check_domain(&r, &v->domains[i]);
	return result->violations == 0;
}

static const char *const names[VTD_VIOLATION_KINDS] = {
	[VTD_BAD_CAPS] = "capabilities unusable",
	[VTD_BAD_MODE] = "root pointer not in legacy mode",
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

/* One run of vtd_verify_for_each_table(). */
struct listing {
	const struct vtd_table_list *list;
	uint64_t left;
	uint64_t tops[VTD_VERIFY_MAX_TOPS];	/* table address | levels */
	size_t nr_tops;
};

static int list_page(struct listing *l, enum vtd_table_kind kind, paddr_t page)
{
	if (l->left == 0)
		return -ELOOP;
	l->left--;
	if (page == 0 || !IS_ALIGNED(page, PAGE_SIZE) || !l->list->page_ok(l->list->ctx, page))
		return -EBADMSG;
	return l->list->table(l->list->ctx, kind, page);
}

static int list_ss_page(void *ctx, paddr_t table, unsigned level)
{
	(void)level;
	return list_page(ctx, VTD_TABLE_SS, table);
}

static int list_ss(struct listing *l, struct vtd_context_entry e)
{
	const struct vtd_ss_visitor visitor = {
		.table = list_ss_page,
		.ctx = l,
		.max_tables = UINT64_MAX,	/* list_page() keeps the bound */
	};
	const paddr_t top = e.lo & VTD_CE_SSPTPTR;
	const unsigned levels = vtd_levels_of_aw((unsigned)FIELD_GET(VTD_CE_HI_AW, e.hi));

	if (FIELD_GET(VTD_CE_TT, e.lo) == VTD_TT_PASS_THROUGH)
		return 0;
	if (levels < 3 || levels > 5)
		return -EBADMSG;
	for (size_t i = 0; i < l->nr_tops; i++)
		if (l->tops[i] == (top | levels))
			return 0;
	if (l->nr_tops == ARRAY_SIZE(l->tops))
		return -ENOSPC;
	l->tops[l->nr_tops++] = top | levels;
	return vtd_ss_visit(top, levels, &visitor);
}

static int list_context(struct listing *l, paddr_t table)
{
	int rc = list_page(l, VTD_TABLE_CONTEXT, table);

	for (unsigned devfn = 0; devfn < VTD_TABLE_ENTRIES && !rc; devfn++) {
		const struct vtd_context_entry e = read_entry(table, devfn);

		if (e.lo & VTD_CE_P)
			rc = list_ss(l, e);
	}
	return rc;
}

int vtd_verify_for_each_table(paddr_t root, const struct vtd_table_list *list)
{
	struct listing l = { .list = list, .left = list->max_tables };
	int rc = list_page(&l, VTD_TABLE_ROOT, root);

	for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES && !rc; bus++) {
		const uint64_t lo = read_entry(root, bus).lo;

		if (lo & VTD_RE_P)
			rc = list_context(&l, lo & VTD_RE_CTP);
	}
	return rc;
}
