/* Validating reader of IOMMU records. */
#include "iommu_records.h"

#include <string.h>

#include "iommu_rules.h"
#include "platform/mem.h"

static const char top_what[] = "IOMMU top structure";

/* Faults after which nothing else of a record can be believed. */
static const char not_intact[] = "does not match its digest";
static const char unknown_flags[] = "has unknown flags";
static const char incoming[] = "has the receiver's INCOMING set";

static const char scratch[] = "has the receiver's scratch fields set";
static const char padding[] = "has padding that is not zero";
static const char not_preserved[] = "names a table that is not preserved";

struct reading {
	struct kho_reader *r;
	const struct kho_iommu_digests *digests;
	struct kho_iommu *out;
	struct kho_iommu_verdicts *v;
	struct kho_refusal *why;
	/* Blocks of units and then of domains, sorted by address, are the keys while devices are
	 * read. */
	size_t nr_unit_blocks, nr_domain_blocks;
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
	const struct kho_iommu_domain_ser *ser = mem_ptr(v->pa);
	struct kho_iommu_domain *d = &g->out->domain[i];
	uint64_t value;
	const char *fault;

	*d = (struct kho_iommu_domain){
		.top_table = ser->top_table_pa, .first_stage = ser->sign_extend,
		.top_level = MIN(ser->top_level, (uint64_t)UINT8_MAX),
		.vasz = MIN(ser->vasz, (uint32_t)UINT8_MAX),
		.deleted = read_header(g, &ser->header, sizeof(*ser), v),
	};
	if (d->deleted)
		return;
	if (ser->header.ref_count != 1)
		find(v, "has a reference count other than 1", ser->header.ref_count);
	if (ser->sign_extend > 1)
		find(v, "has a sign_extend that is neither 0 nor 1", ser->sign_extend);
	if (ser->restored_domain)
		find(v, scratch, ser->restored_domain);
	if (!all_zero(ser->padding, sizeof(ser->padding)))
		find(v, padding, 0);
	fault = kho_iommu_domain_fault(d, &value);
	find(v, fault, value);
	find_table(g, v, d->top_table, PAGE_SIZE);
}

/* The index of the record at @pa, in a chain of @n records whose blocks are @block. */
static size_t record_at(const struct kho_block_kind *k, const struct kho_key *block, size_t nr,
			size_t n, paddr_t pa)
{
	/* An address in the header wraps, and becomes a slot that no page has. */
	const uint64_t off = pa % PAGE_SIZE - sizeof(struct kho_block_ser);
	const uint64_t slot = off / k->entry_bytes;
	const struct kho_key *b = kho_keys_find(block, nr, ALIGN_DOWN(pa, PAGE_SIZE));
	size_t i;

	if (!b || off % k->entry_bytes || slot >= KHO_BLOCK_CAPACITY(k->entry_bytes))
		return KHO_IOMMU_NONE;
	i = b->index * KHO_BLOCK_CAPACITY(k->entry_bytes) + slot;
	return i < n ? i : KHO_IOMMU_NONE;
}

static size_t unit_at(const struct reading *g, paddr_t pa)
{
	return record_at(&kho_iommu_unit_blocks, g->out->keys, g->nr_unit_blocks,
			 g->out->nr_units, pa);
}

static size_t domain_at(const struct reading *g, paddr_t pa)
{
	return record_at(&kho_iommu_domain_blocks, g->out->keys + g->nr_unit_blocks,
			 g->nr_domain_blocks, g->out->nr_domains, pa);
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
	const struct kho_iommu_device_ser *ser = mem_ptr(v->pa);
	struct kho_iommu_device *d = &g->out->device[i];
	uint64_t value;
	const char *fault;

	*d = (struct kho_iommu_device){
		.pci_domain = ser->pci_domain, .devid = ser->devid, .did = ser->attachment_id,
		.owner_token = ser->owner_token,
		.domain = domain_at(g, ser->domain_pa), .unit = unit_at(g, ser->unit_pa),
		.vtd = { .ats_enabled = ser->ats_enabled, .ats_supported = ser->ats_supported,
			 .pasid_dir = ser->pasid_dir_pa, .max_pasid = ser->max_pasid },
		.deleted = read_header(g, &ser->header, sizeof(*ser), v),
	};
	if (d->deleted)
		return;
	if (ser->header.ref_count != 1)
		find(v, "has a reference count other than 1", ser->header.ref_count);
	if (ser->devid > UINT16_MAX)
		find(v, "has an address of more than 16 bits", ser->devid);
	if (ser->attachment_id > KHO_IOMMU_LAST_DID)
		find(v, "has a DID of more than 16 bits", ser->attachment_id);
	if (ser->ats_enabled > 1 || ser->ats_supported > 1)
		find(v, "has an ATS field that is neither 0 nor 1",
		     ser->ats_enabled << 8 | ser->ats_supported);
	if (ser->restored)
		find(v, scratch, ser->restored);
	if (!all_zero(ser->padding, sizeof(ser->padding)))
		find(v, padding, 0);
	find_pointers(g, ser, d, v);
	fault = kho_iommu_device_fault(d, &value);
	find(v, fault, value);
	if (d->vtd.pasid_dir)
		find_table(g, v, d->vtd.pasid_dir, kho_iommu_pasid_dir_bytes(d->vtd.max_pasid));
}

/* --- Chains --- */

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

/* With @block, the blocks are noted there and sorted. */
static int read_chain(struct reading *g, const struct kind *k, paddr_t first, size_t *nr,
		      struct kho_key *block, size_t max_blocks, size_t *nr_blocks)
{
	struct kho_chain c = kho_chain_of(k->blocks, first);

	*nr = 0;
	if (!first)
		return kho_refuse(g->why, -EBADMSG, k->blocks->what, "is missing", 0, 0);
	while (c.next) {
		const paddr_t pa = c.next;
		int err = kho_chain_open(&c, g->r, g->why);

		if (err)
			return err;
		if (block && c.nr_blocks > max_blocks)
			return kho_refuse(g->why, -ENOSPC, k->blocks->what,
					  "is one too many for the work memory", pa, max_blocks);
		if (block)
			block[c.nr_blocks - 1] = (struct kho_key){ pa, c.nr_blocks - 1 };
		err = read_block(g, k, &c, nr);
		if (err)
			return err;
	}
	if (block) {
		kho_keys_sort(block, c.nr_blocks);
		*nr_blocks = c.nr_blocks;
	}
	return 0;
}

static int read_chains(struct reading *g, const struct kho_iommu_top_ser *top)
{
	struct kho_iommu *o = g->out;
	const struct kind units = { &kho_iommu_unit_blocks, read_unit, g->v->unit, o->max_units };
	const struct kind domains = {
		&kho_iommu_domain_blocks, read_domain, g->v->domain, o->max_domains
	};
	const struct kind devices = {
		&kho_iommu_device_blocks, read_device, g->v->device, o->max_devices
	};
	int err = read_chain(g, &units, top->units_pa, &o->nr_units, o->keys, o->max_keys,
			     &g->nr_unit_blocks);

	if (!err)
		err = read_chain(g, &domains, top->domains_pa, &o->nr_domains,
				 o->keys + g->nr_unit_blocks, o->max_keys - g->nr_unit_blocks,
				 &g->nr_domain_blocks);
	return err ? err : read_chain(g, &devices, top->devices_pa, &o->nr_devices, NULL, 0, NULL);
}

/* L3, L4 and L5 share the version number or the name.  Device records tell them apart: if none fits as
 * L5 and the first fits as L3, the bytes are not L5. */
static int check_layout(const struct reading *g)
{
	const struct kho_iommu *o = g->out;
	paddr_t unit_pa;

	for (size_t i = 0; i < o->nr_devices; i++)
		if (o->device[i].unit != KHO_IOMMU_NONE && o->device[i].domain != KHO_IOMMU_NONE)
			return 0;
	if (!o->nr_devices)
		return 0;
	memcpy(&unit_pa, (const uint8_t *)mem_ptr(g->v->device[0].pa) + KHO_IOMMU_L3_OFF_UNIT,
	       sizeof(unit_pa));
	if (unit_at(g, unit_pa) == KHO_IOMMU_NONE)
		return 0;
	return kho_refuse(g->why, -EOPNOTSUPP, "IOMMU records", "are in layout L3 or L4, not L5",
			  g->v->device[0].pa, 0);
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

int kho_iommu_find(const struct kho_luo *l, paddr_t *top_pa, struct kho_refusal *why)
{
	const struct kho_flb *f = kho_luo_flb(l, KHO_IOMMU_FLB);

	if (kho_luo_flb(l, KHO_IOMMU_FLB_L0_L1))
		return kho_refuse(why, -EOPNOTSUPP, "FLB iommu-v1", "is of layout L0 or L1", 0, 0);
	if (kho_luo_flb(l, KHO_IOMMU_FLB_L2_L3))
		return kho_refuse(why, -EOPNOTSUPP, "FLB iommu-liveupdate-v1",
				  "is of layout L2 or L3", 0, 0);
	if (!f)
		return -ENOENT;
	*top_pa = f->data;
	return 0;
}

int kho_iommu_records_read(struct kho_reader *r, paddr_t top_pa,
			   const struct kho_iommu_digests *digests, struct kho_iommu *out,
			   struct kho_iommu_verdicts *v, struct kho_refusal *why)
{
	struct reading g = { .r = r, .digests = digests, .out = out, .v = v, .why = why };
	const struct kho_iommu_top_ser *top;
	int err = kho_claim_page(r, top_what, top_pa, why);

	if (err)
		return err;
	top = mem_ptr(top_pa);
	if (top->version != KHO_IOMMU_VERSION)
		return kho_refuse(why, -EOPNOTSUPP, top_what, "has an unknown version", top_pa,
				  top->version);
	err = read_chains(&g, top);
	if (!err)
		err = check_layout(&g);
	if (!err && MAX(out->nr_units, MAX(out->nr_domains, out->nr_devices)) > out->max_keys)
		err = kho_refuse(why, -ENOSPC, "IOMMU records", "are too many for the work memory",
				 top_pa, out->max_keys);
	if (err)
		return err;
	check_counts(&g);
	check_clashes(&g);
	v->bad_devices = 0;
	for (size_t i = 0; i < out->nr_devices; i++)
		v->bad_devices += !!v->device[i].fault;
	return 0;
}
