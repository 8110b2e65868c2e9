/* The picture of units, domains and devices that the vtd library compares with.  It is made of
 * records and of what the `baton` node adds (restore.h); here is how live state gets there. */
#ifndef BATON_PICTURE_H
#define BATON_PICTURE_H

#include "kernel/handover/node.h"
#include "kernel/machine/iommu.h"
#include "vtd/snapshot.h"

struct picture {
	size_t nr_units, nr_domains, nr_devices;
	struct vtd_unit_snapshot unit[NODE_MAX_UNITS];
	struct vtd_domain_snapshot domain[NODE_MAX_DOMAINS];
	struct vtd_device_snapshot device[NODE_MAX_DEVICES];
};

/* What records do not say, of everything that is live.  Return: 0; -ENOSPC more than the node
 * holds. */
int picture_record(const struct iommu *mmu, struct node *n);

#endif
