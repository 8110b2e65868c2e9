/* The scratch areas and the halves of the one in use: a generation lives in one half and loads
 * the next image into the other, in turn (docs/design.md, memory). */
#ifndef BATON_WINDOW_H
#define BATON_WINDOW_H

#include "base.h"
#include "boot_info.h"
#include "kho/scratch.h"

#define WINDOW_ALIGN	MIB(4)		/* of base and size of a scratch area (Linux: order 10) */
#define WINDOW_MIN	MIB(16)		/* lowest address */
#define WINDOW_MAX	GIB(4)

struct window {
	struct kho_scratch areas;	/* all of them, as handed on */
	paddr_t own;			/* this generation's half */
	paddr_t next;			/* the half for the next image */
	uint64_t half;			/* bytes of each */
};

/* Generation 0: choose one area of @bytes in conventional memory.  Return: 0; -ENOMEM. */
int window_create(const struct boot_info *bi, uint64_t bytes, struct window *w);

/* Later: read the foreign array and find the half we were loaded into.  Only RAM is read.
 * Return: 0; -EBADMSG with @why; -ENOENT we are not in any area. */
int window_find(const struct boot_info *bi, struct window *w, struct kho_refusal *why);

/* Bytes of our half from the end of our image (0 in generation 0) to its end. */
void window_heap(const struct window *w, const struct boot_info *bi, paddr_t *base, uint64_t *len);

#endif
