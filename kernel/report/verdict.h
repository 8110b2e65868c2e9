/* How a run ends: codes, the last console line, and the way out of the machine. */
#ifndef BATON_VERDICT_H
#define BATON_VERDICT_H

#include "base.h"

enum verdict_code {
	VERDICT_PASS		= 0x10,
	VERDICT_FAIL		= 0x11,
	VERDICT_CONFIG		= 0x12,	/* refused configuration */
	VERDICT_NO_VTD		= 0x13,	/* no DMAR table, or no unit that answers */
	VERDICT_NO_NIC		= 0x14,
	VERDICT_MEMORY		= 0x15,
	VERDICT_TIMEOUT		= 0x16,	/* hardware did not answer */
	VERDICT_HANDOFF		= 0x17,	/* handoff missing or refused */
	VERDICT_EXCEPTION	= 0x18,
};

/* QEMU's isa-debug-exit (-device isa-debug-exit,iobase=0xf4,iosize=4): the host sees
 * 2 * code + 1.  Does nothing where there is no such device. */
#define QEMU_DEBUG_EXIT_PORT	0xf4

static inline void verdict_debug_exit(enum verdict_code code)
{
	__asm__ volatile("outl %0, %1" :: "a"((uint32_t)code), "Nd"((uint16_t)QEMU_DEBUG_EXIT_PORT));
}

/* "PASS", "FAIL" or "REFUSED" (docs/design.md, how failures end). */
const char *verdict_word(enum verdict_code code);

/* What the end of a run needs to know.  Set as soon as each is known; all default to off. */
void verdict_allow_debug_exit(bool on);			/* exit=qemu */
void verdict_set_fence(void (*fence)(void));		/* run once, before the last line */
bool verdict_is_out(void);				/* the last line was printed */

/* Print the verdict line and leave the machine: debug exit, or a reset. */
_Noreturn void verdict_end(enum verdict_code code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
