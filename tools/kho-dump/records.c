/* IOMMU records, field by field: the reader's verdict on a record is its first fault, here are the rest.
 * Which chain a record is in, and what it points to, the reader has found out. */
#include "dump.h"

#include "platform/mem.h"

static bool any_set(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	while (n--)
		any |= *p++;
	return any;
}

static void check_header(struct dump *d, const char *what, const struct kho_iommu_header_ser *h,
			 paddr_t pa)
{
	if (h->flags & KHO_IOMMU_INCOMING)
		dump_find(d, "V3", what, "has the receiver's INCOMING set", pa, h->flags);
	if (h->flags & ~(KHO_IOMMU_DELETED | KHO_IOMMU_INCOMING))
		dump_find(d, "V4", what, "has unknown flags", pa, h->flags);
}

static void check_table(struct dump *d, const char *what, paddr_t pa, paddr_t table)
{
	if (!kho_map_covers(&d->h.map, table, PAGE_SIZE))
		dump_find(d, "M1", what, "names a table that is not preserved", pa, table);
}

static void check_unit(struct dump *d, paddr_t pa)
{
	static const char what[] = DUMP_UNIT;
	const struct kho_iommu_unit_ser *u = mem_ptr(pa);

	check_header(d, what, &u->header, pa);
	if (u->restored)
		dump_find(d, "V3", what, "has the receiver's scratch fields set", pa, u->restored);
	if (any_set(u->padding, sizeof(u->padding)))
		dump_find(d, "V4", what, "has padding that is not zero", pa, 0);
	if (u->type != KHO_IOMMU_TYPE_INTEL)
		dump_find(d, "V7", what, "is not of a VT-d unit", pa, u->type);
	if (u->token != u->register_base_pa)
		dump_find(d, "V7", what, "has another token than its register base", pa, u->token);
	check_table(d, what, pa, u->root_table_pa);
}

static void check_domain(struct dump *d, paddr_t pa)
{
	static const char what[] = DUMP_DOMAIN;
	const struct kho_iommu_domain_ser *o = mem_ptr(pa);

	check_header(d, what, &o->header, pa);
	if (o->restored_domain)
		dump_find(d, "V3", what, "has the receiver's scratch fields set", pa,
			  o->restored_domain);
	if (any_set(o->padding, sizeof(o->padding)))
		dump_find(d, "V4", what, "has padding that is not zero", pa, 0);
	if (o->header.ref_count != 1)
		dump_find(d, "V8", what, "has a reference count other than 1", pa,
			  o->header.ref_count);
	check_table(d, what, pa, o->top_table_pa);
}

static void check_device(struct dump *d, paddr_t pa, const struct kho_iommu_device *plain)
{
	static const char what[] = DUMP_DEVICE;
	const struct kho_iommu_device_ser *v = mem_ptr(pa);

	check_header(d, what, &v->header, pa);
	if (v->restored)
		dump_find(d, "V3", what, "has the receiver's scratch fields set", pa, v->restored);
	if (any_set(v->padding, sizeof(v->padding)))
		dump_find(d, "V4", what, "has padding that is not zero", pa, 0);
	if (plain->unit == KHO_IOMMU_NONE)
		dump_find(d, "V5", what, "names no unit record", pa, v->unit_pa);
	else if (d->iommu.unit[plain->unit].deleted)
		dump_find(d, "V5", what, "names a deleted unit record", pa, v->unit_pa);
	if (plain->domain == KHO_IOMMU_NONE)
		dump_find(d, "V5", what, "names no domain record", pa, v->domain_pa);
	else if (d->iommu.domain[plain->domain].deleted)
		dump_find(d, "V5", what, "names a deleted domain record", pa, v->domain_pa);
	if (v->header.ref_count != 1)
		dump_find(d, "V8", what, "has a reference count other than 1", pa,
			  v->header.ref_count);
	if (v->attachment_id > KHO_IOMMU_LAST_DID)
		dump_find(d, "R4", what, "has a DID of more than 16 bits", pa, v->attachment_id);
	else if (v->attachment_id < KHO_IOMMU_FIRST_DID)
		dump_find(d, "R4", what, "has a DID that is reserved", pa, v->attachment_id);
	if (v->ats_enabled > 1 || v->ats_supported > 1)
		dump_find(d, "D3", what, "has an ATS field that is neither 0 nor 1", pa,
			  v->ats_enabled << 8 | v->ats_supported);
}

/* The reader calls a record deleted only if nothing is wrong with its flags. */
void dump_records(struct dump *d)
{
	const struct kho_iommu *io = &d->iommu;

	for (size_t i = 0; i < io->nr_units; i++)
		if (!io->unit[i].deleted)
			check_unit(d, d->verdicts.unit[i].pa);
	for (size_t i = 0; i < io->nr_domains; i++)
		if (!io->domain[i].deleted)
			check_domain(d, d->verdicts.domain[i].pa);
	for (size_t i = 0; i < io->nr_devices; i++)
		if (!io->device[i].deleted)
			check_device(d, d->verdicts.device[i].pa, &io->device[i]);
}
