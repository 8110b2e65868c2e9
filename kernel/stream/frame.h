/* The test stream's Ethernet frames: what the sender writes and the receiver proves.  Pure; the
 * same code runs in the firmware, in tools/frames and in programs under Linux.
 *
 *	 0	destination, source, EtherType 0x88B5		(IEEE 802.3)
 *	14	u32 'BATN', u8 version, u8 flags, u16 stream, u64 sequence, u64 send time in ns
 *	38	payload, derived from the sequence
 *	len-4	u32 CRC32C over bytes 14 to len-5
 *
 * Everything is big-endian.  The length follows from the sequence too (a heartbeat has the
 * shortest), so a frame cut short or run into its neighbour is noticed. */
#ifndef BATON_STREAM_FRAME_H
#define BATON_STREAM_FRAME_H

#include "base.h"
#include "span.h"

#define ETH_ALEN		6	/* bytes in a MAC address */
#define ETH_HLEN		14	/* destination, source, EtherType */
#define FRAME_ETHERTYPE		0x88b5	/* IEEE Std 802, "Local Experimental EtherType 1" */

#define FRAME_MAGIC		0x4241544eU	/* 'BATN' */
#define FRAME_VERSION		1
#define FRAME_MIN		64	/* bytes of a whole frame without FCS */
#define FRAME_MAX		1500

#define FRAME_F_REFUSED		0x01	/* the wire would not take it at least once before */
#define FRAME_F_LAST		0x02	/* no sequence after this one */
#define FRAME_F_HEARTBEAT	0x04	/* from the receiver; sequence is the next expected one */
#define FRAME_F_KNOWN		(FRAME_F_REFUSED | FRAME_F_LAST | FRAME_F_HEARTBEAT)

struct frame_info {
	uint8_t dst[ETH_ALEN], src[ETH_ALEN];
	uint16_t stream;
	uint8_t flags;		/* FRAME_F_ */
	uint64_t sequence;
	uint64_t sent_ns;	/* the sender's own clock */
};

/* Bytes of the stream frame with this sequence, FRAME_MIN to FRAME_MAX. */
size_t frame_length(uint64_t sequence);

/**
 * frame_build() - write one frame
 * @buf:  FRAME_MAX bytes, any alignment
 * @info: everything but payload and length, which follow from the sequence
 *
 * Return: the frame's length in bytes.
 */
size_t frame_build(uint8_t *buf, const struct frame_info *info);

/* The receiver's sign of life: @next is the sequence it expects.  As frame_build(). */
size_t frame_build_heartbeat(uint8_t *buf, const uint8_t dst[ETH_ALEN],
			     const uint8_t src[ETH_ALEN], uint16_t stream, uint64_t next,
			     uint64_t now_ns);

/**
 * frame_parse() - read and prove one frame
 * @eth: the frame as the NIC wrote it, without FCS
 * @out: written on success only
 *
 * Return: 0; -ENOENT not ours (EtherType or magic), to be ignored; -EBADMSG ours, but version,
 * flags, length, CRC or payload are not what they must be.
 */
int frame_parse(struct span eth, struct frame_info *out);

#endif
