/* Validating reader of IOMMU records. */
#include "iommu_records.h"

#include <string.h>

#include "iommu_rules.h"
#include "platform/mem.h"

static const char top_what[] = "IOMMU top structure";
static const char records_what[] = "IOMMU records";

/* Faults after which nothing else of a record can be believed. */
static const char not_intact[] = "does not match its digest";
static const char unknown_flags[] = "has unknown flags";
static const char incoming[] = "has the receiver's INCOMING set";

static const char scratch[] = "has the receiver's scratch fields set";
static const char padding[] = "has padding that is not zero";
static const char not_preserved[] = "names a table that is not preserved";

struct reading {
	struct kho_reader *r;
	const struct kho_iommu_form *form;	/* NULL: of a family that is not read */
	const struct kho_iommu_digests *digests;
	struct kho_iommu *out;
	struct kho_iommu_verdicts *v;
	struct kho_refusal *why;
	/* Blocks of units and then of domains, sorted by address, are the keys until devices have been
	 * read. */
	struct kho_iommu_chains chains;
};

/* The first fault stays. */
static void find(struct kho_iommu_verdict *v, const char *fault, uint64_t value)
{
	if (v->fault || !fault)
		return;
	v->fault = fault;
	v->value = value;
}

/* Do the fields say what was meant, be it right or wrong? */
static bool readable(const struct kho_iommu_verdict *v)
{
	return v->fault != not_intact && v->fault != unknown_flags && v->fault != incoming;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	while (n--)
		any |= *p++;
	return !any;
}

/* --- One record --- */

/* Judge what all records have; true if it is deleted. */
static bool read_header(const struct reading *g, const struct kho_iommu_header_ser *h, size_t len,
			struct kho_iommu_verdict *v)
{
	const struct kho_iommu_digests *d = g->digests;

	if (d && !d->intact(d->ctx, v->pa, len))
		find(v, not_intact, 0);
	if (h->flags & ~(KHO_IOMMU_DELETED | KHO_IOMMU_INCOMING))
		find(v, unknown_flags, h->flags);
	if (h->flags & KHO_IOMMU_INCOMING)
		find(v, incoming, h->flags);
	return h->flags & KHO_IOMMU_DELETED && !v->fault;
}

static void find_table(const struct reading *g, struct kho_iommu_verdict *v, paddr_t pa,
		       uint64_t len)
{
	if (!v->fault && !kho_map_covers(g->r->map, pa, len))
		find(v, not_preserved, pa);
}

static void read_unit(struct reading *g, size_t i, struct kho_iommu_verdict *v)
{
	const struct kho_iommu_unit_ser *ser = mem_ptr(v->pa);
	struct kho_iommu_unit *u = &g->out->unit[i];
	uint64_t value;
	const char *fault;

	*u = (struct kho_iommu_unit){
		.register_base = ser->register_base_pa, .root_table = ser->root_table_pa,
		.deleted = read_header(g, &ser->header, sizeof(*ser), v),
	};
	memcpy(u->context_tables, ser->context_tables, sizeof(u->context_tables));
	if (u->deleted)
		return;
	if (ser->type != KHO_IOMMU_TYPE_INTEL)
		find(v, "is not of a VT-d unit", ser->type);
	if (ser->token != ser->register_base_pa)
		find(v, "has another token than its register base", ser->token);
	if (ser->restored)
		find(v, scratch, ser->restored);
	if (!all_zero(ser->padding, sizeof(ser->padding)))
		find(v, padding, 0);
	fault = kho_iommu_unit_fault(u, &value);
	find(v, fault, value);
	find_table(g, v, u->root_table, PAGE_SIZE);
}

static void read_domain(struct reading *g, size_t i, struct kho_iommu_verdict *v)
{
	struct kho_iommu_domain *d = &g->out->domain[i];
	struct kho_iommu_domain_ser ser;
	uint64_t value;
	const char *fault;

	g->form->domain(v->pa, &ser);
	*d = (struct kho_iommu_domain){
		.top_table = ser.top_table_pa, .first_stage = ser.sign_extend,
		.top_level = MIN(ser.top_level, (uint64_t)UINT8_MAX),
		.vasz = MIN(ser.vasz, (uint32_t)UINT8_MAX),
		.deleted = read_header(g, &ser.header, g->form->domains->entry_bytes, v),
	};
	if (d->deleted)
		return;
	if (ser.header.ref_count != 1)
		find(v, "has a reference count other than 1", ser.header.ref_count);
	if (ser.sign_extend > 1)
		find(v, "has a sign_extend that is neither 0 nor 1", ser.sign_extend);
	if (ser.restored_domain)
		find(v, scratch, ser.restored_domain);
	if (!all_zero(ser.padding, sizeof(ser.padding)))
		find(v, padding, 0);
	fault = kho_iommu_domain_fault(d, &value);
	find(v, fault, value);
	find_table(g, v, d->top_table, PAGE_SIZE);
}

static size_t unit_at(const struct reading *g, paddr_t pa)
{
	return kho_iommu_record_at(g->chains.unit, g->chains.nr_units,
				   kho_iommu_unit_blocks.entry_bytes, pa);
}

static size_t domain_at(const struct reading *g, paddr_t pa)
{
	return kho_iommu_record_at(g->chains.domain, g->chains.nr_domains,
				   g->form->domains->entry_bytes, pa);
}

static void find_pointers(const struct reading *g, const struct kho_iommu_device_ser *ser,
			  const struct kho_iommu_device *d, struct kho_iommu_verdict *v)
{
	if (d->unit == KHO_IOMMU_NONE)
		find(v, "names no unit record", ser->unit_pa);
	else if (g->out->unit[d->unit].deleted)
		find(v, "names a deleted unit record", ser->unit_pa);
	if (d->domain == KHO_IOMMU_NONE)
		find(v, "names no domain record", ser->domain_pa);
	else if (g->out->domain[d->domain].deleted)
		find(v, "names a deleted domain record", ser->domain_pa);
}

static void read_device(struct reading *g, size_t i, struct kho_iommu_verdict *v)
{
	struct kho_iommu_device *d = &g->out->device[i];
	struct kho_iommu_device_ser ser;
	uint64_t value;
	const char *fault;

	g->form->device(v->pa, &ser);
	*d = (struct kho_iommu_device){
		.pci_domain = ser.pci_domain, .devid = ser.devid, .did = ser.attachment_id,
		.owner_token = ser.owner_token,
		.domain = domain_at(g, ser.domain_pa), .unit = unit_at(g, ser.unit_pa),
		.vtd = { .ats_enabled = ser.ats_enabled, .ats_supported = ser.ats_supported,
			 .pasid_dir = ser.pasid_dir_pa, .max_pasid = ser.max_pasid },
		.deleted = read_header(g, &ser.header, g->form->devices->entry_bytes, v),
	};
	if (d->deleted)
		return;
	if (ser.header.ref_count != 1)
		find(v, "has a reference count other than 1", ser.header.ref_count);
	if (ser.devid > UINT16_MAX)
		find(v, "has an address of more than 16 bits", ser.devid);
	if (ser.attachment_id > KHO_IOMMU_LAST_DID)
		find(v, "has a DID of more than 16 bits", ser.attachment_id);
	if (ser.ats_enabled > 1 || ser.ats_supported > 1)
		find(v, "has an ATS field that is neither 0 nor 1",
		     ser.ats_enabled << 8 | ser.ats_supported);
	if (ser.restored)
		find(v, scratch, ser.restored);
	if (!all_zero(ser.padding, sizeof(ser.padding)))
		find(v, padding, 0);
	find_pointers(g, &ser, d, v);
	fault = kho_iommu_device_fault(d, &value);
	find(v, fault, value);
	if (d->vtd.pasid_dir)
		find_table(g, v, d->vtd.pasid_dir, kho_iommu_pasid_dir_bytes(d->vtd.max_pasid));
}

static void copy_domain(paddr_t pa, struct kho_iommu_domain_ser *out)
{
	memcpy(out, mem_ptr(pa), sizeof(*out));
}

static void copy_device(paddr_t pa, struct kho_iommu_device_ser *out)
{
	memcpy(out, mem_ptr(pa), sizeof(*out));
}

static const struct kho_iommu_form l5 = {
	.layout = KHO_IOMMU_L5, .domains = &kho_iommu_domain_blocks,
	.devices = &kho_iommu_device_blocks, .domain = copy_domain, .device = copy_device,
};

/* --- Chains --- */

/* What each family's top structure has: three addresses, of units, domains and devices. */
static const struct {
	uint8_t first, step;	/* bytes */
	char fault[24];		/* if no more can be said of the records */
} families[] = {
	[KHO_IOMMU_L0_L1] = { 0, 16, "are in layout L0 or L1" },
	[KHO_IOMMU_L2_L3] = { 0, 8, "are in layout L2 or L3" },
	[KHO_IOMMU_L4_L5] = { 8, 8, "are in layout L4 or L5" },
};

/* Claim the blocks of a chain, whatever is in them; with @block, note them there and sort them. */
static int claim_chain(struct reading *g, const char *what, paddr_t first, struct kho_key *block,
		       size_t max_blocks, size_t *nr_blocks)
{
	const struct kho_block_kind any = {
		.what = what, .entry_bytes = KHO_IOMMU_SMALLEST_RECORD, .may_be_empty = true,
		.max_blocks = SIZE_MAX,
	};
	struct kho_chain c = kho_chain_of(&any, first);

	while (c.next) {
		const paddr_t pa = c.next;
		int err = kho_chain_open(&c, g->r, g->why);

		if (err)
			return err;
		if (block && c.nr_blocks > max_blocks)
			return kho_refuse(g->why, -ENOSPC, what, "is one too many for the work memory",
					  pa, max_blocks);
		if (block)
			block[c.nr_blocks - 1] = (struct kho_key){ pa, c.nr_blocks - 1 };
	}
	if (block)
		kho_keys_sort(block, c.nr_blocks);
	*nr_blocks = c.nr_blocks;
	return 0;
}

/* Find the three chains.  Records of L4 and L5 have all three, be they empty. */
static int claim_chains(struct reading *g, const struct kho_iommu_place *at, paddr_t first[3])
{
	const char *const what[3] = { kho_iommu_unit_blocks.what, kho_iommu_domain_blocks.what,
				      kho_iommu_device_blocks.what };
	struct kho_key *k = g->out->keys;
	size_t nr[3], used = 0;

	for (unsigned i = 0; i < 3; i++) {
		const paddr_t pa = at->top_pa + families[at->family].first +
				   i * families[at->family].step;
		int err;

		memcpy(&first[i], mem_ptr(pa), sizeof(first[i]));
		if (!first[i] && at->family == KHO_IOMMU_L4_L5)
			return kho_refuse(g->why, -EBADMSG, what[i], "is missing", 0, 0);
		err = claim_chain(g, what[i], first[i], i < 2 ? k + used : NULL,
				  g->out->max_keys - used, &nr[i]);
		if (err)
			return err;
		if (i < 2)
			used += nr[i];
	}
	g->chains = (struct kho_iommu_chains){
		.unit = k, .nr_units = nr[0], .domain = k + nr[0], .nr_domains = nr[1],
		.device = first[2],
	};
	return 0;
}

/* Is it the layout that is to be read? */
static int check_layout(const struct reading *g, const struct kho_iommu_place *at)
{
	static const char named[][20] = {
		[KHO_IOMMU_L0] = "are in layout L0", [KHO_IOMMU_L1] = "are in layout L1",
		[KHO_IOMMU_L2] = "are in layout L2", [KHO_IOMMU_L3] = "are in layout L3",
		[KHO_IOMMU_L4] = "are in layout L4", [KHO_IOMMU_L5] = "are in layout L5",
	};
	const enum kho_iommu_layout layout = kho_iommu_recognise(at->family, &g->chains);
	const char *fault = families[at->family].fault;

	if (g->form && (layout == g->form->layout || layout == KHO_IOMMU_NO_DEVICE))
		return 0;
	if (g->form == &l5 && layout == KHO_IOMMU_NO_LAYOUT)
		return 0;
	if (layout < ARRAY_SIZE(named))
		fault = named[layout];
	else if (g->form)
		fault = layout == KHO_IOMMU_AMBIGUOUS ? "fit more than one layout" : "fit no layout";
	return kho_refuse(g->why, -EOPNOTSUPP, records_what, fault, at->top_pa, layout);
}

/* One kind of record: its chain, where verdicts go, and how one is read. */
struct kind {
	const struct kho_block_kind *blocks;
	void (*read)(struct reading *g, size_t i, struct kho_iommu_verdict *v);
	struct kho_iommu_verdict *verdict;
	size_t max;
};

static int read_block(struct reading *g, const struct kind *k, const struct kho_chain *c,
		      size_t *nr)
{
	for (size_t i = 0; i < c->count; i++, (*nr)++) {
		if (*nr == k->max)
			return kho_refuse(g->why, -ENOSPC, k->blocks->what,
					  "has one record too many for the work memory",
					  kho_chain_entry(c, i), k->max);
		k->verdict[*nr] = (struct kho_iommu_verdict){ .pa = kho_chain_entry(c, i) };
		k->read(g, *nr, &k->verdict[*nr]);
	}
	return 0;
}

static int read_chain(struct reading *g, const struct kind *k, paddr_t first, size_t *nr)
{
	struct kho_chain c = kho_chain_of(k->blocks, first);

	*nr = 0;
	while (c.next) {
		int err = kho_chain_step(&c, g->why);

		if (!err)
			err = read_block(g, k, &c, nr);
		if (err)
			return err;
	}
	return 0;
}

static int read_chains(struct reading *g, const paddr_t first[3])
{
	struct kho_iommu *o = g->out;
	const struct kind units = { &kho_iommu_unit_blocks, read_unit, g->v->unit, o->max_units };
	const struct kind domains = { g->form->domains, read_domain, g->v->domain, o->max_domains };
	const struct kind devices = { g->form->devices, read_device, g->v->device, o->max_devices };
	int err = read_chain(g, &units, first[0], &o->nr_units);

	if (!err)
		err = read_chain(g, &domains, first[1], &o->nr_domains);
	return err ? err : read_chain(g, &devices, first[2], &o->nr_devices);
}

/* --- Records against each other --- */

/* A unit counts the live devices behind it.  A device that names no unit, or cannot be believed, may
 * be the one that is missing: it alone is to blame then. */
static void check_counts(struct reading *g)
{
	struct kho_iommu *o = g->out;
	struct kho_key *k = o->keys;
	size_t nr = 0, astray = 0;

	for (size_t i = 0; i < o->nr_devices; i++) {
		const size_t unit = o->device[i].unit;

		if (o->device[i].deleted)
			continue;
		if (unit == KHO_IOMMU_NONE || o->unit[unit].deleted || !readable(&g->v->device[i]))
			astray++;
		else
			k[nr++] = (struct kho_key){ unit, i };
	}
	kho_keys_sort(k, nr);
	for (size_t i = 0; i < o->nr_units; i++) {
		const struct kho_iommu_unit_ser *ser = mem_ptr(g->v->unit[i].pa);
		const struct kho_key *first = kho_keys_find(k, nr, i);
		const size_t devices = first ? kho_keys_run(k, nr, first - k) - (first - k) : 0;
		const size_t count = ser->header.ref_count;

		/* Too low a count wraps. */
		if (!o->unit[i].deleted && count - devices > astray)
			find(&g->v->unit[i], "counts other devices than there are", count);
	}
}

static void report_unit(void *ctx, size_t i, const char *fault, uint64_t value)
{
	find(&((struct reading *)ctx)->v->unit[i], fault, value);
}

static void report_domain(void *ctx, size_t i, const char *fault, uint64_t value)
{
	find(&((struct reading *)ctx)->v->domain[i], fault, value);
}

static void report_device(void *ctx, size_t i, const char *fault, uint64_t value)
{
	find(&((struct reading *)ctx)->v->device[i], fault, value);
}

static bool unit_good(void *ctx, size_t i)
{
	const struct reading *g = ctx;

	return !g->out->unit[i].deleted && !g->v->unit[i].fault;
}

static bool domain_good(void *ctx, size_t i)
{
	const struct reading *g = ctx;

	return !g->out->domain[i].deleted && !g->v->domain[i].fault;
}

static bool device_good(void *ctx, size_t i)
{
	const struct reading *g = ctx;

	return !g->out->device[i].deleted && !g->v->device[i].fault;
}

/* A bad record still says which device is meant: a second one for that device is bad as well. */
static bool device_has_address(void *ctx, size_t i)
{
	const struct reading *g = ctx;

	return !g->out->device[i].deleted && readable(&g->v->device[i]);
}

/* What a device depends on is good, or the device is bad. */
static void check_dependencies(struct reading *g)
{
	for (size_t i = 0; i < g->out->nr_devices; i++) {
		const struct kho_iommu_device *d = &g->out->device[i];
		struct kho_iommu_verdict *v = &g->v->device[i];

		if (d->deleted || v->fault)
			continue;
		if (g->v->unit[d->unit].fault)
			find(v, "is behind a unit with a bad record", g->v->unit[d->unit].pa);
		if (g->v->domain[d->domain].fault)
			find(v, "is in a domain with a bad record", g->v->domain[d->domain].pa);
	}
}

static void check_clashes(struct reading *g)
{
	struct kho_iommu_clash c = { .ctx = g };

	c.report = report_unit;
	c.counts = unit_good;
	kho_iommu_unit_clashes(g->out, &c);
	c.report = report_domain;
	c.counts = domain_good;
	kho_iommu_domain_clashes(g->out, &c);
	check_dependencies(g);
	c.report = report_device;
	c.counts = device_has_address;
	kho_iommu_address_clashes(g->out, &c);
	c.counts = device_good;
	kho_iommu_device_clashes(g->out, &c);
}

/* --- Whole --- */

int kho_iommu_find(const struct kho_luo *l, struct kho_iommu_place *out, struct kho_refusal *why)
{
	static const char names[KHO_IOMMU_FAMILIES][20] = {
		[KHO_IOMMU_L0_L1] = KHO_IOMMU_FLB_L0_L1, [KHO_IOMMU_L2_L3] = KHO_IOMMU_FLB_L2_L3,
		[KHO_IOMMU_L4_L5] = KHO_IOMMU_FLB,
	};
	const struct kho_flb *found = NULL;
	unsigned family = 0;

	for (unsigned i = 0; i < KHO_IOMMU_FAMILIES; i++) {
		const struct kho_flb *f = kho_luo_flb(l, names[i]);

		if (f && found)
			return kho_refuse(why, -EOPNOTSUPP, "FLBs of IOMMU records",
					  "are there under two names", f->data, i);
		if (f) {
			found = f;
			family = i;
		}
	}
	if (!found)
		return -ENOENT;
	*out = (struct kho_iommu_place){ .family = family, .top_pa = found->data };
	return 0;
}

/* Find the records and tell their layout, whatever that is. */
static int open_records(struct reading *g, const struct kho_iommu_place *at, paddr_t first[3])
{
	const struct kho_iommu_top_ser *top;
	int err = kho_claim_page(g->r, top_what, at->top_pa, g->why);

	if (err)
		return err;
	top = mem_ptr(at->top_pa);
	if (at->family == KHO_IOMMU_L4_L5 && top->version != KHO_IOMMU_VERSION)
		return kho_refuse(g->why, -EOPNOTSUPP, top_what, "has an unknown version", at->top_pa,
				  top->version);
	err = claim_chains(g, at, first);
	if (err && !g->form)	/* what is refused anyway is refused by its name */
		return kho_refuse(g->why, -EOPNOTSUPP, records_what, families[at->family].fault,
				  at->top_pa, 0);
	return err ? err : check_layout(g, at);
}

int kho_iommu_records_read(struct kho_reader *r, const struct kho_iommu_place *at,
			   const struct kho_iommu_digests *digests, struct kho_iommu *out,
			   struct kho_iommu_verdicts *v, struct kho_refusal *why)
{
	struct reading g = {
		.r = r, .digests = digests, .out = out, .v = v, .why = why,
		.form = at->family == KHO_IOMMU_L4_L5 ? &l5 :
			at->family == KHO_IOMMU_L2_L3 ? at->l3 : NULL,
	};
	paddr_t first[3];
	int err = open_records(&g, at, first);

	if (!err)
		err = read_chains(&g, first);
	if (!err && MAX(out->nr_units, MAX(out->nr_domains, out->nr_devices)) > out->max_keys)
		err = kho_refuse(why, -ENOSPC, records_what, "are too many for the work memory",
				 at->top_pa, out->max_keys);
	if (err)
		return err;
	check_counts(&g);
	check_clashes(&g);
	v->bad_devices = 0;
	for (size_t i = 0; i < out->nr_devices; i++)
		v->bad_devices += !!v->device[i].fault;
	return 0;
}
