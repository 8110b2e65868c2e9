/* Driving the stream: poll, account, send heartbeats, show progress. */
#ifndef BATON_TRAFFIC_H
#define BATON_TRAFFIC_H

#include "kernel/run.h"

#define TRAFFIC_FIRST_US	60000000	/* for the first frame of all: somebody starts a sender */
#define TRAFFIC_STALL_US	10000000	/* between frames */

/* Until every stream expects @until next, or has ended.  Return: false if all of them stand still
 * for TRAFFIC_STALL_US. */
bool traffic_run(struct run *r, uint64_t until);

/* The last sequence of this generation's share, plus one. */
uint64_t traffic_share_end(const struct run *r);

/* Observe the checks of phase STREAM and print them. */
void traffic_check(struct run *r);

#endif
