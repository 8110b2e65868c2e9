/* Where things of a handoff may lie.  Everything a reader follows is checked here before the
 * first byte of it is read. */
#ifndef BATON_KHO_PLACE_H
#define BATON_KHO_PLACE_H

#include "abi.h"
#include "refusal.h"
#include "span.h"

struct kho_scratch;
struct kho_extent;

struct kho_range {
	paddr_t base;
	uint64_t len;		/* bytes, not 0 */
};

/* True if the range neither wraps nor exceeds 52 address bits; it may be empty. */
static inline bool kho_addressable(paddr_t pa, uint64_t len)
{
	return pa < KHO_ADDR_LIMIT && len <= KHO_ADDR_LIMIT - pa;
}

/* What the incoming kernel knows to be RAM (E820 type 1) and has mapped. */
struct kho_ram_view {
	/* Is all of the valid range RAM?  It may span several entries of the memory map. */
	bool (*is_ram)(void *ctx, paddr_t pa, uint64_t len);
	void *ctx;
};

/* What a reader must stay within.  It allocates nothing: the work memory is the caller's and
 * bounds the time as well.  A handoff that does not fit is refused. */
struct kho_limits {
	struct kho_ram_view ram;
	const struct kho_range *exclude;	/* in use: own window, boot_params, ... */
	size_t nr_exclude;

	struct kho_extent *extents;		/* [max_extents] */
	struct kho_range *ranges;		/* [max_extents] */
	size_t max_extents;
	paddr_t *nodes;				/* [max_nodes] */
	size_t max_nodes;
};

/**
 * kho_check_place() - may this range be part of a handoff?
 * @lim:     memory map and excluded ranges
 * @scratch: areas it must stay out of; NULL for what may lie in scratch
 * @what:    its name, for the refusal
 * @pa:      first byte
 * @len:     bytes
 * @why:     set on refusal
 *
 * Allowed is RAM within 52 address bits, above 1 MiB, outside scratch and excluded ranges.
 * Return: 0; -EBADMSG with @why.
 */
int kho_check_place(const struct kho_limits *lim, const struct kho_scratch *scratch,
		    const char *what, paddr_t pa, uint64_t len, struct kho_refusal *why);

#endif
