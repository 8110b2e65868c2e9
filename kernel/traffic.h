/* Driving the stream: poll, account, send heartbeats, show progress. */
#ifndef BATON_TRAFFIC_H
#define BATON_TRAFFIC_H

#include "kernel/run.h"

enum traffic_end {
	TRAFFIC_REACHED,	/* the wanted sequence is next */
	TRAFFIC_ENDED,		/* the last frame of the stream has arrived */
	TRAFFIC_STALLED,	/* nothing arrived for TRAFFIC_STALL_US */
};

#define TRAFFIC_FIRST_US	60000000	/* for the first frame of all: somebody starts a sender */
#define TRAFFIC_STALL_US	10000000	/* between frames */

/* Until the next expected sequence is @until, the stream ends, or it stalls. */
enum traffic_end traffic_run(struct run *r, uint64_t until);

/* The last sequence of this generation's share, plus one. */
uint64_t traffic_share_end(const struct run *r);

/* Observe the checks of phase STREAM and print them. */
void traffic_check(struct run *r);

#endif
