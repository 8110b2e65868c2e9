/* Putting a handoff together: scratch array, radix tree and root FDT become one. */
#ifndef BATON_KHO_WRITE_H
#define BATON_KHO_WRITE_H

#include "abi.h"
#include "radix.h"
#include "tree.h"

struct kho_plan {
	struct kho_radix *radix;		/* what is preserved, without the pages below */
	const struct kho_scratch *scratch;	/* handed over as they are */
	paddr_t scratch_pa;			/* a keep page, for the array */
	paddr_t fdt_pa;				/* a keep page, for the root FDT */
	const struct kho_subnode *nodes;	/* oldest first */
	size_t nr_nodes;
	size_t nr_carried;			/* the first of them: their blobs are preserved already */
};

/**
 * kho_write() - write scratch array and root FDT, and preserve what the root FDT names
 * @p:   parts; the blobs are finished; those that are not carried are page aligned, and each has its
 *       pages for itself
 * @out: for the setup_data node
 *
 * Preserves the page of the root FDT and the pages of every blob that is not carried; the array is not preserved,
 * nor are the radix nodes.  A function of @p and of the free pages, byte for byte.
 * Return: 0; -EINVAL, -ENOSPC, -EEXIST, -ENOMEM as kho_preserve_range() and kho_tree_write();
 * after a failure the radix tree is to be freed.
 */
int kho_write(const struct kho_plan *p, struct kho_data *out);

#endif
