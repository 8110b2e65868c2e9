/* Regions of reserve_mem=. */
#include "memblock.h"

#include <libfdt.h>

#include "fdt.h"

#define COMPATIBLE		"memblock-v1"
#define REGION_COMPATIBLE	"reserve-mem-v1"

int kho_memblock_open(struct span blob, struct span *fdt, struct kho_refusal *why)
{
	const int err = kho_fdt_check(blob, KHO_NODE_MEMBLOCK, fdt, why);

	if (err)
		return err;
	if (!kho_fdt_compatible(*fdt, 0, COMPATIBLE))
		return kho_refuse(why, -EBADMSG, KHO_NODE_MEMBLOCK, "is not compatible with memblock-v1",
				  0, 0);
	return 0;
}

int kho_memblock_next(struct span fdt, const struct kho_map *map, int *node, struct kho_region *out,
		      struct kho_refusal *why)
{
	static const char what[] = "reserve_mem region";
	struct kho_region r;

	*node = *node < 0 ? fdt_first_subnode(fdt.p, 0) : fdt_next_subnode(fdt.p, *node);
	if (*node < 0)
		return -ENOENT;
	if (!kho_fdt_compatible(fdt, *node, REGION_COMPATIBLE))
		return kho_refuse(why, -EBADMSG, what, "is not compatible with reserve-mem-v1", 0, *node);
	if (kho_fdt_u64(fdt, *node, "start", &r.start) || kho_fdt_u64(fdt, *node, "size", &r.size))
		return kho_refuse(why, -EBADMSG, what, "has no start or size of 8 bytes", 0, *node);
	if (!r.size || !kho_map_covers(map, r.start, r.size))
		return kho_refuse(why, -EBADMSG, what, "is not preserved", r.start, r.size);
	r.name = fdt_get_name(fdt.p, *node, NULL);
	*out = r;
	return 0;
}
