/* From the records of the kernel before us to units, domains and devices of this one.  The records
 * are the source; the `baton` node adds what a record cannot say.  Nothing of a record's own
 * scratch fields is used: who has claimed what is kept here.
 *
 * In the order of the calls: restore_match(), then, once the units have been compared with the
 * node, restore_units(), restore_devices(), and restore_fence() for whoever must not go on. */
#ifndef BATON_RESTORE_H
#define BATON_RESTORE_H

#include "kernel/handover/node.h"
#include "kernel/handover/picture.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records_plain.h"
#include "kernel/machine/iommu.h"
#include "kho/map.h"

#define RESTORE_NONE	SIZE_MAX	/* index of nothing */

/* One device that the node names. */
struct restore_device {
	size_t record;			/* index; RESTORE_NONE */
	const char *fault;		/* its record cannot be used; NULL: it can */
	const char *did_fault;		/* its DID cannot be kept */
	bool restored, fenced;

	/* The entry found for it, be it that of the record or not. */
	bool live;
	size_t live_unit;		/* index into iommu.unit */
	uint16_t live_did;
};

struct restore {
	struct iommu *mmu;
	const struct kho_map *map;
	const struct node *n;
	const struct records_plain *rec;

	/* By index of record: what the node adds, or why nothing that depends on it is restored. */
	size_t unit[NODE_MAX_UNITS], domain[NODE_MAX_DOMAINS];
	const char *unit_fault[NODE_MAX_UNITS], *domain_fault[NODE_MAX_DOMAINS];
	bool domain_restored[NODE_MAX_DOMAINS];
	size_t claimed[NODE_MAX_DEVICES];	/* index into node.device */

	struct restore_device device[NODE_MAX_DEVICES];	/* by index into node.device */
	bool units_restored;
	bool stranger;			/* a good record of a device that the node does not name */
	size_t bad;			/* records that cannot be used, or are missing */
	struct kho_refusal first;	/* what is wrong with the first of them */
};

/**
 * restore_match() - join records and node
 * @map: of the handoff, which says what may be read
 * @rec: every record with its verdict, from records_read()
 *
 * Looks at these and at PCI ids only: a record carries no identity, so that the node's must be
 * that of the function which is there now.
 */
void restore_match(struct restore *r, struct iommu *mmu, const struct kho_map *map,
		   const struct node *n, const struct records_plain *rec);

/* Index of the record of a device on a PCI domain, one that is good before one that is not;
 * RESTORE_NONE. */
size_t restore_find(const struct records_plain *rec, uint32_t pci_domain, uint16_t rid);

/* Blame the devices whose records cannot be used; all, if one is not accounted for. */
void restore_blame(const struct restore *r, struct blame *b);

/* What tables and registers must look like, for those whose records can be used. */
void restore_picture(const struct restore *r, struct picture *p);

/* Root pointers, and every DID reserved: of records, and of entries that have none.  Before any
 * DID is allocated.  A second time nothing happens. */
void restore_units(struct restore *r);

/**
 * restore_device() - one device, and its domain if it is the first of it
 * @i:   index into node.device
 * @why: what is in the way
 *
 * Its context entry is left alone, and must be that of the record.  All or nothing: after a
 * failure it can be tried again, or fenced.  A device that is restored already stays so.
 * Return: 0; -EBADMSG; -EBUSY its record is another's; -EOPNOTSUPP the unit cannot have it; -ENOSPC.
 */
int restore_device(struct restore *r, uint32_t i, const char **why);

/* All of them.  Failures are observed as checks, and blamed. */
void restore_devices(struct restore *r, struct blame *b);

/* Bus master off, entry closed, and DIDs that nothing can be tagged with any more are free.
 * Return: as iommu_fence(); then the DID stays taken. */
int restore_fence(struct restore *r, uint32_t i);

#endif
