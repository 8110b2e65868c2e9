/* Sub-node "memblock": the regions of reserve_mem= (Linux mm/memblock.c). */
#include "dump.h"

#include <libfdt.h>

#include "kho/fdt.h"

#define COMPATIBLE		"memblock-v1"
#define REGION_COMPATIBLE	"reserve-mem-v1"

static void check_region(struct dump *d, struct span fdt, int node, paddr_t blob)
{
	static const char what[] = "reserve_mem region";
	uint64_t start, size;

	if (!kho_fdt_compatible(fdt, node, REGION_COMPATIBLE))
		dump_find(d, "K6", what, "is not compatible with reserve-mem-v1", blob, node);
	else if (kho_fdt_u64(fdt, node, "start", &start) || kho_fdt_u64(fdt, node, "size", &size))
		dump_find(d, "K6", what, "has no start or size of 8 bytes", blob, node);
	else if (!size || !kho_map_covers(&d->h.map, start, size))
		dump_find(d, "K6", what, "is not preserved", start, size);
}

void dump_memblock(struct dump *d)
{
	const struct kho_subnode *n = kho_tree_find(&d->h.tree, DUMP_MEMBLOCK);
	struct span fdt;
	int node;

	if (!n || !kho_map_covers(&d->h.map, n->pa, n->size))
		return;
	if (!image_has(n->pa, n->size)) {
		dump_find(d, "I0", DUMP_MEMBLOCK, "is not in the image", n->pa, n->size);
		return;
	}
	if (!dump_blob_fdt(d, n, &fdt)) {
		dump_find(d, "K6", DUMP_MEMBLOCK, "is no well-formed FDT", n->pa, n->size);
		return;
	}
	if (!kho_fdt_compatible(fdt, 0, COMPATIBLE))
		dump_find(d, "K6", DUMP_MEMBLOCK, "is not compatible with memblock-v1", n->pa, 0);
	fdt_for_each_subnode(node, fdt.p, 0)
		check_region(d, fdt, node, n->pa);
}
