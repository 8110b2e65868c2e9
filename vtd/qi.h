/* Invalidation queue (VT-d 6.5.2, "Queued Invalidation Interface"): one page of descriptors, 128
 * bits wide in legacy mode and 256 in scalable mode, submitted and waited for in one go, so the
 * queue is empty between calls. */
#ifndef VTD_QI_H
#define VTD_QI_H

#include "base.h"
#include "formats.h"

struct vtd_unit;

#define VTD_QI_WIDE_BYTES	32
/* Descriptors of 16 or 32 bytes that are submitted at once, at most: one slot is for the wait
 * descriptor, and one always stays empty, since full is tail one behind head. */
#define VTD_QI_MAX_SUBMIT(desc_bytes)	(PAGE_SIZE / (desc_bytes) - 2)

/* What a take-over saw, so that its order can be judged afterwards. */
struct vtd_qi_takeover {
	bool was_on;		/* GSTS.QIES at the start */
	bool wait_appended;	/* a wait completed on the old ring before QIE=0 */
	uint64_t old_iqa, old_iqt;
	uint32_t gsts_before_iqt;	/* read right before IQT was written */
	uint32_t gsts_before_iqa;	/* read right before IQA was written */
};

struct vtd_qi {
	bool on;		/* ours, and running */
	paddr_t ring;
	uint64_t iqa;		/* as written: ring and width */
	paddr_t status;		/* dword that wait descriptors write */
	uint32_t tail;		/* next free slot */
	uint32_t data;		/* last status data: a new value for each wait */
	uint64_t submitted;	/* descriptors, waits included */
	struct vtd_qi_takeover takeover;
};

/**
 * vtd_qi_start() - enable the queue of a unit whose queue is off
 * @ring:   one page, 4 KiB aligned
 * @status: dword aligned, ordinary memory that stays allocated as long as the queue runs
 *
 * Clears stale queue errors in FSTS: read them before.  Proves the queue with a wait.
 * Return: 0; -EOPNOTSUPP no queue; -EINVAL alignment; -EBUSY GSTS.QIES is set (take it over);
 * -EIO the queue refused; -ETIMEDOUT.
 * Spec: VT-d 6.5.2, "Invalidation Queue Address Register".
 */
int vtd_qi_start(struct vtd_unit *u, paddr_t ring, paddr_t status);

/* Drain with a last wait and disable.  Translation is not touched.
 * Return: 0; -EINVAL not running; -EIO; -ETIMEDOUT. */
int vtd_qi_stop(struct vtd_unit *u);

/**
 * vtd_qi_stop_foreign() - disable a queue that the predecessor left running
 * @old_ring_ok: the caller has found the whole old ring (vtd_qi_ring_bytes() from IQA) to be
 *               readable, preserved memory; then a wait is appended to it before QIE=0, because
 *               the predecessor's last descriptor may not have been one
 *
 * Nothing happens if none runs.  The table mode must be the one that the queue was used in.
 * Return: 0; -EOPNOTSUPP no queue; -EINVAL alignment; -EIO; -ETIMEDOUT.
 */
int vtd_qi_stop_foreign(struct vtd_unit *u, bool old_ring_ok, paddr_t status);

/**
 * vtd_qi_take_over() - move a unit to a new queue, whatever runs there, translation on or off
 *
 * QIES=0 is confirmed before IQT and IQA are written.  Between QIE=0 and QIE=1 nothing can be
 * invalidated, so no table may change.
 * Return: as vtd_qi_stop_foreign() and vtd_qi_start().
 */
int vtd_qi_take_over(struct vtd_unit *u, bool old_ring_ok, paddr_t ring, paddr_t status);

/* Extent of the ring that an IQA value describes, and of one of its descriptors. */
uint64_t vtd_qi_ring_bytes(uint64_t iqa);
uint64_t vtd_qi_desc_bytes(uint64_t iqa);

/**
 * vtd_qi_submit() - execute @n descriptors and wait until they have completed
 *
 * Return: 0; -EINVAL not running or more than VTD_QI_MAX_SUBMIT; -EIO the hardware refused a
 * descriptor or a device did not answer (cleared, the queue goes on, but what was asked for
 * may not have happened); -ETIMEDOUT.
 */
int vtd_qi_submit(struct vtd_unit *u, const struct vtd_qi_desc *desc, size_t n);

#endif
