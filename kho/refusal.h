/* Why a handoff was refused: one reason, for the caller to print. */
#ifndef BATON_KHO_REFUSAL_H
#define BATON_KHO_REFUSAL_H

#include "base.h"
#include "errno.h"

struct kho_refusal {
	const char *what;	/* the thing: "root FDT" */
	const char *fault;	/* what is wrong with it: "is not RAM" */
	paddr_t at;		/* where it is, or 0 if it has no address of its own */
	uint64_t value;		/* the offending value, or its size */
};

/* Note the reason and return @err, so that a check is one line. */
static inline int kho_refuse(struct kho_refusal *why, int err, const char *what,
			     const char *fault, paddr_t at, uint64_t value)
{
	*why = (struct kho_refusal){ .what = what, .fault = fault, .at = at, .value = value };
	return err;
}

#endif
