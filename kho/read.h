/* Reading a whole handoff, ours or that of a foreign kernel, before anything is acted upon. */
#ifndef BATON_KHO_READ_H
#define BATON_KHO_READ_H

#include "abi.h"
#include "map.h"
#include "scratch.h"
#include "tree.h"

struct kho_handoff {
	struct kho_data data;		/* where it was found */
	struct kho_scratch scratch;	/* a copy */
	struct kho_tree tree;		/* a copy; every blob lies in preserved pages of its own */
	struct kho_map map;		/* points into the work memory of the limits */
};

/**
 * kho_read() - validate a handoff
 * @data: payload of the setup_data node
 * @lim:  RAM, ranges nothing may overlap, work memory outside everything handed over
 * @out:  what it says; meaningful on success only
 * @why:  set on refusal
 *
 * Reads scratch array, root FDT and radix nodes, each after its place was checked, and writes
 * nothing but @out, @why and the work memory.  The blobs themselves are not read: they may be, as
 * spans of their size, once this has succeeded.
 * Return: 0; -EBADMSG, -ELOOP, -ENOSPC with @why.
 */
int kho_read(const struct kho_data *data, const struct kho_limits *lim, struct kho_handoff *out,
	     struct kho_refusal *why);

/* The blob of a sub-node of a validated handoff. */
struct span kho_subnode_blob(const struct kho_subnode *n);

#endif
