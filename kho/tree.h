/* The KHO root FDT: one pointer to the radix tree, and named pointers to blobs.
 * Linux: include/linux/kho/abi/kexec_handover.h, kernel/liveupdate/kexec_handover.c. */
#ifndef BATON_KHO_TREE_H
#define BATON_KHO_TREE_H

#include "abi.h"
#include "refusal.h"
#include "span.h"

/* Linux 7.3 writes at most four; this is a limit of ours. */
#define KHO_MAX_SUBNODES	32

/* With the NUL.  The Devicetree Specification, 2.2.1, allows 31 characters. */
#define KHO_SUBNODE_NAME_BYTES	32

struct kho_subnode {
	char name[KHO_SUBNODE_NAME_BYTES];
	paddr_t pa;			/* of the blob */
	uint64_t size;			/* bytes */
};

struct kho_tree {
	uint64_t fdt_bytes;		/* fdt_totalsize() */
	paddr_t radix_root;
	struct kho_subnode node[KHO_MAX_SUBNODES];	/* in the order of the FDT */
	size_t nr;
};

/**
 * kho_tree_write() - build a root FDT
 * @buf:        where to, aligned to KHO_FDT_ALIGN; all @size bytes are set
 * @size:       bytes, KHO_FDT_BYTES for a handoff
 * @radix_root: root node of the radix tree
 * @nodes:      sub-nodes, oldest first: the last one stands first in the FDT, as Linux writes it
 * @n:          how many
 * @used:       bytes of the FDT
 *
 * Return: 0; -EINVAL alignment, a name that is empty, too long, not allowed or not unique;
 * -ENOSPC too many sub-nodes or too small a buffer.
 */
int kho_tree_write(void *buf, size_t size, paddr_t radix_root, const struct kho_subnode *nodes,
		   size_t n, size_t *used);

/**
 * kho_tree_read() - read a foreign root FDT
 * @s:   its buffer
 * @out: what it says; the addresses in it are not checked here
 * @why: set on refusal
 *
 * Unknown properties, and nodes below sub-nodes, are ignored.
 * Return: 0; -EBADMSG with @why.
 */
int kho_tree_read(struct span s, struct kho_tree *out, struct kho_refusal *why);

/* The sub-node of that name, or NULL. */
const struct kho_subnode *kho_tree_find(const struct kho_tree *t, const char *name);

#endif
