/* The IOMMU records of a handoff in plain form: described from live state for the writer, or read
 * back with a verdict on each. */
#ifndef BATON_RECORDS_PLAIN_H
#define BATON_RECORDS_PLAIN_H

#include "kernel/handover/node.h"
#include "kernel/machine/iommu.h"
#include "kernel/nic/port.h"
#include "kho/iommu_records.h"

#define RECORDS_MAX_KEYS	512

struct records_plain {
	struct kho_iommu iommu;		/* the arrays below */
	struct kho_iommu_unit unit[NODE_MAX_UNITS];
	struct kho_iommu_domain domain[NODE_MAX_DOMAINS];
	struct kho_iommu_device device[NODE_MAX_DEVICES];
	struct kho_iommu_verdict unit_verdict[NODE_MAX_UNITS], domain_verdict[NODE_MAX_DOMAINS],
		device_verdict[NODE_MAX_DEVICES];
	struct kho_key key[RECORDS_MAX_KEYS];
};

/* Live state, no more of it than picture_record() found to fit; verdicts are good.  A device's
 * owner is the stream that it serves, whoever it was handed over by. */
void records_describe(const struct iommu *mmu, const struct port *ports, size_t nr_ports,
		      struct records_plain *out);

#endif
