/* The part of a handoff that Linux reads: LUO session, files and FLB, and the IOMMU records.  They
 * are what units, domains and devices are restored from (restore.h). */
#ifndef BATON_RECORDS_H
#define BATON_RECORDS_H

#include "kernel/handover/foreign.h"
#include "kernel/handover/node.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records_plain.h"
#include "kernel/machine/iommu.h"
#include "kernel/nic/port.h"
#include "kho/iommu_files.h"
#include "kho/iommu_records.h"
#include "kho/pages.h"
#include "kho/radix.h"
#include "kho/read.h"

#define RECORDS_SESSION		"baton"
#define RECORDS_MAX_PAGES	256

/* What was written, for digests and for dropping it. */
struct records {
	paddr_t page[RECORDS_MAX_PAGES];
	struct kho_pages pages;
	struct kho_iommu_placed placed;
	size_t records_end;		/* index after the last page of IOMMU records */
	size_t first_luo;		/* index of the LUO blob */
	size_t nr_units, nr_domains, nr_devices;
};

/**
 * records_write() - write LUO, files and IOMMU records
 * @generation: of the writer; liveupdate_num becomes one more
 * @foreign:    its sessions and FLBs go behind ours, its count of live updates is ours to count on
 * @profile:    whether files are added whose handlers a released Linux does not have
 * @radix:      every page is entered, and every page of the files' data; the LUO blob is not, since
 *              kho_write() does that
 *
 * Return: 0; a negative error, logged.  Nothing stays taken on failure.
 */
int records_write(const struct iommu *mmu, const struct port *ports, size_t nr_ports,
		  uint32_t generation, const struct foreign *foreign, enum kho_iommu_profile profile,
		  struct kho_radix *radix, struct records *rec);

static inline paddr_t records_luo(const struct records *rec)
{
	return rec->page[rec->first_luo];
}

/* Digests: one per IOMMU record and record header, one per other page.
 * Return: 0; -ENOSPC. */
int records_digest(const struct records *rec, struct node *n);

/**
 * records_read() - validate what the kernel before us wrote
 * @h, @lim: of the handoff, as read
 * @n:       the node, for the digests
 * @follow:  also read the files of foreign sessions; else they are taken as they are listed
 * @out:     every record with its verdict, in scratch
 * @foreign: what is not ours
 *
 * Return: 0; -EBADMSG and the like with @why: LUO, a chain or a file is broken, which refuses the
 * handoff whole; -ENOMEM scratch.
 */
int records_read(const struct kho_handoff *h, const struct kho_limits *lim, const struct node *n,
		 bool follow, const struct records_plain **out, struct foreign *foreign,
		 struct kho_refusal *why);

#endif
