/* What the steps of adopting share; private to the incoming side (adopt.c, accept.c,
 * confirm.c). */
#ifndef BATON_ADOPTION_H
#define BATON_ADOPTION_H

#include "kernel/handover/node.h"
#include "kernel/handover/picture.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/restore.h"
#include "kernel/run.h"
#include "kho/read.h"

struct adoption {
	struct run *r;
	struct kho_handoff kho;
	struct node *n;
	struct picture *picture;
	struct restore restore;
	uint64_t validated_tsc, adopted_tsc, verified_tsc;
	struct blame blame;		/* devices that must not go on */
	bool hostile_seen;		/* the device left hostile has a fault record */
	size_t hostile_unit;
	struct vtd_verify_result walked;
};

/* Validate the whole handoff: reads only, and takes memory from scratch only.  What is broken as
 * a whole ends the run (17h). */
void adoption_accept(struct adoption *a);

/* End the run: the handoff is refused whole, every bus master off. */
_Noreturn void adoption_refuse(const struct kho_refusal *why);

/* Everything that is linear in table entries: tables, digests, configuration, faults. */
void adoption_confirm(struct adoption *a);

/* No more records of the hostile device's faults, once its first one has been seen.  Writes to the
 * tables, so only when those that cannot be trusted are out of use. */
void adoption_quiet_hostile(const struct adoption *a);

/* Blackout and frames of this hand-over; the first poll of the stream, so only over tables that
 * were found sound. */
void adoption_report(struct adoption *a);

#endif
