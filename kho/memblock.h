/* Sub-node "memblock": the regions of reserve_mem=, by name.
 * Linux: mm/memblock.c, include/linux/kho/abi/memblock.h. */
#ifndef BATON_KHO_MEMBLOCK_H
#define BATON_KHO_MEMBLOCK_H

#include "map.h"
#include "refusal.h"
#include "span.h"

#define KHO_NODE_MEMBLOCK	"memblock"

struct kho_region {
	const char *name;	/* in the FDT */
	paddr_t start;
	uint64_t size;		/* bytes */
};

/* Check the blob of the sub-node, aligned to 8.  @fdt: for kho_memblock_next().
 * Return: 0; -EBADMSG with @why. */
int kho_memblock_open(struct span blob, struct span *fdt, struct kho_refusal *why);

/**
 * kho_memblock_next() - the next region
 * @fdt:  as opened
 * @map:  every byte of a region is preserved
 * @node: -1 before the first one, moved on
 * @out:  what it says
 * @why:  set on refusal
 *
 * Return: 0; -ENOENT there is none left; -EBADMSG with @why, the ones behind it can be asked for.
 */
int kho_memblock_next(struct span fdt, const struct kho_map *map, int *node, struct kho_region *out,
		      struct kho_refusal *why);

#endif
