/* Sub-node "memblock": the regions of reserve_mem=. */
#include "dump.h"

#include "kho/memblock.h"

void dump_memblock(struct dump *d)
{
	const struct kho_subnode *n = kho_tree_find(&d->h.tree, KHO_NODE_MEMBLOCK);
	struct kho_refusal why;
	struct kho_region r;
	struct span fdt;
	int node = -1, err;

	if (!n || !kho_map_covers(&d->h.map, n->pa, n->size))
		return;
	if (!image_has(n->pa, n->size)) {
		dump_find(d, "I0", KHO_NODE_MEMBLOCK, "is not in the image", n->pa, n->size);
		return;
	}
	if (!dump_blob_fdt(d, n, &fdt)) {
		dump_find(d, "K6", KHO_NODE_MEMBLOCK, "is no well-formed FDT", n->pa, n->size);
		return;
	}
	if (kho_memblock_open(kho_subnode_blob(n), &fdt, &why))
		dump_find(d, "K6", why.what, why.fault, n->pa, why.value);
	while ((err = kho_memblock_next(fdt, &d->h.map, &node, &r, &why)) != -ENOENT)
		if (err)
			dump_find(d, "K6", why.what, why.fault, why.at ? why.at : n->pa, why.value);
}
