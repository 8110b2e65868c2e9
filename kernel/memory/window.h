/* The scratch areas, and in them the two parts in use: one for this generation, one for the next
 * image (docs/design.md, memory). */
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
	paddr_t own;			/* transient memory of this generation */
	uint64_t own_len;
	paddr_t next;			/* the place for the next image and what it is given */
	uint64_t half;			/* bytes there: of one area that is all, half of it */
};

/* Generation 0 after UEFI: choose one area of @bytes in conventional memory.  Return: 0; -ENOMEM. */
int window_create(const struct boot_info *bi, uint64_t bytes, struct window *w);

/**
 * window_find() - read the array that was handed over and find both parts
 *
 * Both are clear of our image, the initrd and the array, and whole pages.  The next image goes into the
 * largest other area, or where that is more into half of ours, as far as it is free; what is left of ours
 * is for us.  That depends on the array and on where we are: so generations take turns between two places.
 * Only RAM is read.
 * Return: 0; -EBADMSG with @why; -ENOENT we are not in any area; -ENOMEM ours is full.
 */
int window_find(const struct boot_info *bi, struct window *w, struct kho_refusal *why);

/* What the next generation will find when it has been loaded at @image.  Return: 0; -ENOENT it would not
 * be in any area; -ENOMEM that one would be full. */
int window_after(const struct window *w, paddr_t image, uint64_t image_size, struct window *next);

#endif
