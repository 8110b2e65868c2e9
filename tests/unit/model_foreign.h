/* A machine as another kernel leaves it: its handoff in memory, its units with queue, interrupt remapping
 * and root pointer still programmed. */
#ifndef BATON_TEST_MODEL_FOREIGN_H
#define BATON_TEST_MODEL_FOREIGN_H

#include "boot_info.h"
#include "kernel/handover/foreign.h"
#include "tests/unit/model_board.h"

#define FOREIGN_SCRATCH	3		/* areas, one of them empty */

/* What stands in every unit, in pages that are not preserved. */
struct foreign_left {
	paddr_t ring, irt, root;
};

/* Where queues were left: in a page of its own each, or where they cannot be. */
enum foreign_ring { FOREIGN_RING_FREE, FOREIGN_RING_PRESERVED, FOREIGN_RING_IN_SCRATCH };

/* Write it, and @bi as the entry code would find it.  @scalable: the table mode that units were left in. */
void foreign_leave(struct boot_info *bi, const struct board *b, bool scalable, enum foreign_ring ring);

/* Nobody wrote to what was left programmed but for a wait in the ring. */
void foreign_left_untouched(const struct board *b);

/* A generation has all of it, and every byte is as it was. */
void foreign_check(const struct foreign *f);

#endif
