/* The stream's control page (file token kind 3): how the incoming kernel finds the rings, the
 * buffers and its place in the stream.  It is data: preserved, never digested, because the last
 * poll before the jump still writes it.
 *
 * Little-endian, fixed widths, reserved fields zero.  An unknown version is refused. */
#ifndef BATON_STREAM_CONTROL_H
#define BATON_STREAM_CONTROL_H

#include "base.h"
#include "account.h"

#define STREAM_CONTROL_MAGIC	0x4c5254434e544142ULL	/* "BATNCTRL" */
#define STREAM_CONTROL_VERSION	1

/* File tokens of the session: stream << 8 | kind. */
#define STREAM_FILE_BUFFERS	1
#define STREAM_FILE_RING	2
#define STREAM_FILE_CONTROL	3
#define STREAM_FILE_IOMMUFD	4	/* profile=iommu-series only, like the next */
#define STREAM_FILE_VFIO	5
#define STREAM_FILE_TOKEN(stream, kind)	((uint64_t)(stream) << 8 | (kind))

enum stream_nic_family {
	STREAM_NIC_E1000E = 1,	/* 82574 and relatives */
	STREAM_NIC_IGB = 2,	/* 82576 and relatives */
};

enum stream_descriptor_format {
	STREAM_DESC_LEGACY = 1,		/* 16 bytes: address, length, status */
	STREAM_DESC_ADVANCED = 2,	/* 16 bytes: address read, status written back */
	STREAM_DESC_EXTENDED = 3,	/* 16 bytes, e1000e with RFCTL.EXTEN */
};

/* One ring with its buffers: buffer n begins at n * stride, holds buffer_size bytes, and is
 * followed by guard_size bytes of pattern that nobody may write. */
struct stream_ring_ser {
	uint64_t ring_iova, ring_pa;
	uint64_t buffers_iova, buffers_pa;
	uint32_t entries;	/* descriptors in the ring */
	uint32_t format;	/* enum stream_descriptor_format */
	uint32_t stride;	/* bytes from buffer to buffer */
	uint32_t count;		/* buffers */
	uint32_t buffer_size;	/* bytes the device may write or read */
	uint32_t guard_size;	/* bytes behind each buffer; 0: none */
	uint32_t next_index;	/* first descriptor the driver has not looked at yet */
	uint32_t tail;		/* RDT or TDT as last written */
};
static_assert(sizeof(struct stream_ring_ser) == 64, "layout is read by the next generation");

struct stream_control_ser {
	uint64_t magic;
	uint32_t version;
	uint32_t size;		/* bytes of this structure */

	uint16_t segment, rid;	/* BDF: bus << 8 | device << 3 | function */
	uint16_t stream;
	uint16_t nic_family;	/* enum stream_nic_family */
	uint64_t bar_pa;
	uint64_t bar_size;	/* bytes */
	uint8_t mac[8];		/* of the NIC; the last two bytes are zero */
	uint8_t peer[8];	/* learned from the stream; broadcast before */

	struct stream_ring_ser rx, tx;

	/* Written at the last poll (contract: hand over, step h). */
	uint64_t generation;	/* who wrote this */
	uint64_t rdh;		/* the receive ring's head as the NIC had it */
	uint64_t next_sequence;
	uint64_t tsc;
	uint64_t heartbeats;	/* sent so far, all generations */

	struct stream_account_ser account;
};
static_assert(sizeof(struct stream_control_ser) == 368, "layout is read by the next generation");
static_assert(sizeof(struct stream_control_ser) <= PAGE_SIZE, "one control page");

/**
 * stream_control_check() - decide whether a control page of another kernel can be used
 * @c:   the page
 * @why: one reason, written on failure only
 *
 * Checks the page against itself.  That its addresses are preserved memory, mapped where it
 * says, is for the caller, who knows the handoff.
 *
 * Return: 0; -EOPNOTSUPP unknown version; -EBADMSG anything else.
 */
int stream_control_check(const struct stream_control_ser *c, const char **why);

#endif
