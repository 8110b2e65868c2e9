/* Reading what hangs off a validated handoff: every page that a pointer names is checked here
 * before it is read, and belongs to one thing only. */
#ifndef BATON_KHO_CLAIM_H
#define BATON_KHO_CLAIM_H

#include "read.h"

/* What has been named so far; the memory is the caller's. */
struct kho_claims {
	struct kho_range *range;	/* [max], sorted, neither overlap nor touch */
	size_t nr, max;
};

/* Return: 0; -EEXIST a byte of it is claimed already; -ENOSPC.  Nothing changes on failure. */
int kho_claim(struct kho_claims *c, paddr_t pa, uint64_t len);

struct kho_reader {
	const struct kho_limits *lim;
	const struct kho_scratch *scratch;
	const struct kho_map *map;
	struct kho_claims claims;
};

/**
 * kho_reader_init() - start reading the blobs of a handoff
 * @r:    reader
 * @h:    as kho_read() returned it
 * @lim:  the limits given to kho_read()
 * @work: [@max] for what is claimed; adjacent claims take one together
 * @why:  set on refusal
 *
 * Claims the root FDT and every blob.  Return: 0; -ENOSPC with @why.
 */
int kho_reader_init(struct kho_reader *r, const struct kho_handoff *h, const struct kho_limits *lim,
		    struct kho_range *work, size_t max, struct kho_refusal *why);

/* Claim preserved bytes, wherever they begin, as part of @what and of nothing else.
 * Return: 0; -ELOOP claimed before, -ENOSPC; both with @why. */
int kho_claim_range(struct kho_reader *r, const char *what, paddr_t pa, uint64_t len,
		    struct kho_refusal *why);

/**
 * kho_claim_chunk() - may this chunk be read, as part of @what and of nothing else?
 * @r:     reader
 * @what:  its name, for the refusal
 * @pa:    first byte
 * @order: receives the order it is preserved with
 * @why:   set on refusal
 *
 * Demands that it is where things of a handoff may lie, begins a preserved chunk, and is not
 * claimed.  Return: 0; -EBADMSG, -ELOOP claimed before, -ENOSPC; all with @why.
 */
int kho_claim_chunk(struct kho_reader *r, const char *what, paddr_t pa, unsigned *order,
		    struct kho_refusal *why);

/* The same for one page, which is preserved as a page of its own: receivers free such pages one
 * by one. */
int kho_claim_page(struct kho_reader *r, const char *what, paddr_t pa, struct kho_refusal *why);

#endif
