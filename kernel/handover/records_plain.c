/* From live state to records in plain form. */
#include "records_plain.h"

#include <string.h>

#include "kho/iommu_files.h"
#include "vtd/context.h"

/* The stream that a device serves; RMRR devices serve none. */
static uint16_t stream_of(const struct port *ports, size_t n, uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].nic.segment == segment && ports[i].nic.rid == rid)
			return ports[i].control->stream;
	return 0;
}

static void describe_units(const struct iommu *mmu, struct records_plain *p,
			   size_t index[VTD_DMAR_MAX_DRHD])
{
	for (size_t i = 0; i < mmu->nr_units; i++) {
		const struct vtd_unit *u = &mmu->unit[i].vtd;
		struct kho_iommu_unit *out = &p->unit[p->iommu.nr_units];
		struct vtd_tables tables;

		if (!mmu->unit[i].used)
			continue;
		index[i] = p->iommu.nr_units++;
		*out = (struct kho_iommu_unit){ .register_base = u->regs, .root_table = u->root };
		tables = vtd_unit_tables(u);
		vtd_context_tables(&tables, out->context_tables);
	}
}

void records_describe(const struct iommu *mmu, const struct port *ports, size_t nr_ports,
		      struct records_plain *out)
{
	size_t unit[VTD_DMAR_MAX_DRHD];

	memset(out, 0, sizeof(*out));
	out->iommu = (struct kho_iommu){
		.unit = out->unit, .domain = out->domain, .device = out->device, .keys = out->key,
		.max_keys = RECORDS_MAX_KEYS, .nr_domains = mmu->nr_domains,
		.nr_devices = mmu->nr_devices,
	};
	describe_units(mmu, out, unit);
	for (size_t i = 0; i < mmu->nr_domains; i++)
		out->domain[i] = (struct kho_iommu_domain){
			.top_table = mmu->domain[i].ss.top,
			.top_level = (uint8_t)(mmu->domain[i].ss.levels - 1),
			.vasz = (uint8_t)mmu->domain[i].ss.addr_bits };
	for (size_t i = 0; i < mmu->nr_devices; i++) {
		const struct iommu_device *d = &mmu->device[i];

		out->device[i] = (struct kho_iommu_device){
			.pci_domain = d->segment, .devid = d->rid, .did = d->did,
			.owner_token = kho_iommu_owner_token(stream_of(ports, nr_ports, d->segment, d->rid)),
			.domain = d->domain, .unit = unit[d->unit],
			.vtd = { .pasid_dir = d->pasid_dir,
				 .max_pasid = d->pasid_dir ? VTD_PASID_DIR_PASIDS : 0 } };
	}
}
