/* Accounting of every sequence number of one stream.  Pure.
 *
 * The receive ring keeps the order of the wire, so one number, the next expected sequence, and a
 * window over the 64 before it are enough:
 *
 *	sequence == next	good
 *	sequence >  next	good, and all it skipped are lost
 *	sequence <  next	misplaced if the window says that it was skipped before (it then is no
 *				longer lost); otherwise, and further back than the window, duplicate
 *
 * At any time good + misplaced + lost == next - first.  A corrupt frame's sequence cannot be
 * believed, so its own shows up among the lost as well. */
#ifndef BATON_STREAM_ACCOUNT_H
#define BATON_STREAM_ACCOUNT_H

#include "base.h"
#include "span.h"
#include "frame.h"

#define ACCOUNT_WINDOW	64	/* sequences before next that are remembered one by one */

/* Carried from generation to generation inside the control page: fixed widths, no pointers. */
struct stream_account_ser {
	uint64_t first;		/* where the accounting began */
	uint64_t next;		/* next expected sequence */
	uint64_t window;	/* bit n: sequence next - 1 - n has arrived */
	uint64_t end;		/* one after the last frame of the stream; 0 until that arrived */

	uint64_t good;
	uint64_t lost;
	uint64_t duplicate;
	uint64_t corrupt;
	uint64_t misplaced;
	uint64_t other;		/* not of this stream; never a failure */
	uint64_t refused;	/* arrived, but had been refused before; never a failure */

	/* Time between neighbouring frames by the sender's stamps.  A frame that is refused gets
	 * a new stamp when it is offered again, so a stream that stood still shows here. */
	uint64_t last_ns;	/* stamp of the newest frame in order; 0: none yet */
	uint64_t gap_ns;	/* longest of all, and the sequence after it */
	uint64_t gap_sequence;

	/* Of the newest hand over: what was found landed when the stream was first looked at
	 * again, and the longest gap from its begin on. */
	uint64_t in_blackout;	/* non-zero between begin and end of counting */
	uint64_t blackout_frames;
	uint64_t blackout_gap_ns;
	uint64_t blackout_total;	/* frames in the blackouts of all hand overs */
};
static_assert(sizeof(struct stream_account_ser) == 144, "18 fields, read by the next generation");

void account_start(struct stream_account_ser *a, uint64_t first);

/* Account for one frame that frame_parse() accepted and that belongs to the stream. */
void account_frame(struct stream_account_ser *a, const struct frame_info *f);

/**
 * account_receive() - parse one received frame and account for it
 * @stream: number of the stream accounted for; other streams and heartbeats are "other"
 * @eth:    the frame without FCS
 * @out:    written on success only
 *
 * Return: 0 a frame of the stream; -ENOENT another frame; -EBADMSG a corrupt one.
 */
int account_receive(struct stream_account_ser *a, uint16_t stream, struct span eth,
		    struct frame_info *out);

/* Frames accounted for between these two landed in the blackout: begin at the outgoing kernel's
 * last poll, end when the incoming kernel has read what had landed by its first. */
void account_blackout_begin(struct stream_account_ser *a);
void account_blackout_end(struct stream_account_ser *a);

/* Nothing lost, duplicate, corrupt or misplaced so far. */
bool account_clean(const struct stream_account_ser *a);

/* The last frame has arrived.  Says nothing about those before it. */
bool account_ended(const struct stream_account_ser *a);

/* True if the counts can be the result of accounting at all; for bytes from another kernel. */
bool account_plausible(const struct stream_account_ser *a);

#endif
