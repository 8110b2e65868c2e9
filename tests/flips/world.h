/* A machine whose outgoing kernel has written a handoff, and the incoming kernel's way of reading
 * it: save.c on one side, accept.c, restore.c and prove.c on the other, as the firmware has them.  While the
 * handoff is read, memory is closed; a page opens, for reading, when it has been found to be RAM. */
#ifndef BATON_FLIPS_WORLD_H
#define BATON_FLIPS_WORLD_H

#include "kernel/handover/adoption.h"
#include "kernel/handover/kexec.h"

/* Places that no pointer of a handoff may name. */
#define WORLD_SCRATCH	(MIB(64) + MIB(1))		/* the outgoing kernel's half */
#define WORLD_IMAGE	world_image()			/* the incoming image, at rest */
#define WORLD_MMIO	UINT64_C(0xfed90000)
#define WORLD_NO_RAM	GIB(3)

#define WORLD_BP_SETUP_DATA	0x250		/* in boot_params: head of the list */

paddr_t world_image(void);

/* Bring the machine up in a table mode and write the handoff. */
void world_build(uint8_t ttm);

/* For whoever damages the handoff, or looks for what to damage. */
void world_write(paddr_t pa, const void *from, uint64_t len);
void world_read(paddr_t pa, void *to, uint64_t len);

/* What the reading came to. */
struct world_outcome {
	bool refused;			/* whole, for the reason in @why */
	struct kho_refusal why;
	unsigned failed_checks;		/* accepted, but these fail */
	char checks[512];		/* their names, and what the first one says */
	bool blamed;			/* some device must not go on */
	size_t restored;		/* devices */
};
void world_receive(struct world_outcome *out);

/* What was accepted last. */
const struct adoption *world_adoption(void);
const struct boot_info *world_boot_info(void);

/* What was written: the next image, boot_params, and ports. */
const struct kexec_target *world_target(void);
const struct run *world_run(void);

#endif
