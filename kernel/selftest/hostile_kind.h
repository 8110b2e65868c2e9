/* A kind of device that writes where it is told to, and so can be made hostile.  To add one: a file
 * like hostile_edu.c, and a line in kinds[] of hostile.c.
 *
 * Its registers are in BAR 0 and it has no other BAR. */
#ifndef BATON_HOSTILE_KIND_H
#define BATON_HOSTILE_KIND_H

#include "base.h"

struct hostile_kind {
	const char *name;
	uint16_t vendor, device;
	uint32_t bar_bytes;
	/* Whether what is behind BAR @regs behaves as one; starts no DMA. */
	bool (*answers)(paddr_t regs);
	/* Write a few bytes to @addr. */
	void (*shoot)(paddr_t regs, uint64_t addr);
	/* What the last shot came to, which is then forgotten.  NULL: the device does not know. */
	uint32_t (*take_result)(paddr_t regs);
	uint32_t blocked;	/* the result of a shot that was blocked */
};

extern const struct hostile_kind hostile_edu, hostile_testdev;

#endif
