/* The hostile device: bus master on, no domain, aiming at memory it must not reach.  Only the
 * IOMMU stands in between (docs/design.md, hostile devices).
 *
 * A test NIC becomes hostile when a hand-over leaves it behind (save.c).  QEMU's edu (edu.h) and
 * iommu-testdev (1b36:0005) are hostile from the start: they write on command, the first about 100 ms
 * later, the second at once. */
#ifndef BATON_HOSTILE_H
#define BATON_HOSTILE_H

#include "kernel/run.h"

/* Whether this function is one that can be made hostile besides a test NIC. */
bool hostile_supported(const struct pci_fn *fn);

/* Switch its bus master on, if hostile= names one; generation 0, once units translate. */
void hostile_prepare(struct run *r);

/* Let it fire at a guard page of the first stream: right before the last poll, so that the shot of an
 * edu falls into the blackout (hold_ms=150), and again after adoption.  Nothing happens for a NIC. */
void hostile_shoot(struct run *r);

/* The last shot must have been blocked, where the device knows: an iommu-testdev keeps the result, over
 * a hand-over as well.  Each shot is looked at once. */
void hostile_look(const struct run *r);

/* What the first fault record of a hostile device must say, where that is known beforehand. */
struct hostile_shot {
	uint64_t addr;		/* page */
	bool is_read;
};
bool hostile_expected(const struct run *r, uint16_t rid, struct hostile_shot *shot);

#endif
