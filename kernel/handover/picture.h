/* The picture of units, domains and devices, between the three forms it has: live state
 * (kernel/machine/iommu), the vtd library's snapshots, and the records of the `baton` node. */
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

/* Records of everything that is live.  Return: 0; -ENOSPC more than the node holds. */
int picture_record(const struct iommu *mmu, struct node *n);

/* What the vtd library compares with. */
void picture_of_node(const struct node *n, struct picture *p);

#endif
