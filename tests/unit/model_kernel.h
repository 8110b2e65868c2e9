/* What the firmware has and the host has not: console, clock, page tables, verdict, jump. */
#ifndef BATON_TEST_MODEL_KERNEL_H
#define BATON_TEST_MODEL_KERNEL_H

#include <setjmp.h>

#include "base.h"
#include "kernel/handover/corrupt.h"

#define KERNEL_IMAGE_WINDOW	MIB(1)	/* init_size of the image that is handed on */

/* All variables of the files under test are what the image came with: the next kernel's. */
void kernel_restart_image(void);

/* Where a kernel leaves: to the next one, or for good. */
extern jmp_buf kernel_jumps, kernel_ends;

struct kernel_verdict {
	unsigned code;			/* enum verdict_code */
	char sentence[256];
};
extern struct kernel_verdict kernel_verdict;

/* What the local APIC says when the other processors are to be stopped. */
extern int kernel_apic_error;

/* Names of the checks that were printed as "not ok" since they were last asked for, with commas in
 * between. */
const char *kernel_bad_checks(void);

/* What a test may break: between writing and the outgoing checks by a function of its own (NULL:
 * nothing), or after them at these places. */
extern void (*kernel_breaks_early)(const struct corrupt_place *p);
extern struct corrupt_place kernel_place;

#endif
