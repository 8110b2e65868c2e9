/* Sub-node "memblock": an FDT of regions.  What is accepted lies in preserved memory, and is read in a time
 * that its size bounds. */
#include "fuzz.h"

#include "errno.h"
#include "kho/memblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct kho_extent extents[] = {
		{ MIB(1), 256, 0 }, { GIB(1), 512, 9 }, { GIB(4), 1, 0 },
	};
	static struct kho_range ranges[ARRAY_SIZE(extents)];
	struct kho_map map = { .extents = extents, .nr_extents = ARRAY_SIZE(extents), .ranges = ranges };
	struct kho_refusal why = { 0 };
	struct kho_region r;
	struct span blob, fdt;
	int node = -1, err;
	size_t nr = 0;

	if (!size || size > FUZZ_GUARDED_MAX)
		return 0;
	map.nr_ranges = kho_map_merge(extents, ARRAY_SIZE(extents), ranges);
	blob = fuzz_guarded(data, size);
	err = kho_memblock_open(blob, &fdt, &why);
	while (!err) {
		err = kho_memblock_next(fdt, &map, &node, &r, &why);
		if (err)
			break;
		REQUIRE(r.size && kho_map_covers(&map, r.start, r.size));
		REQUIRE((const uint8_t *)r.name > fdt.p && (const uint8_t *)r.name < fdt.p + fdt.len &&
			memchr(r.name, 0, fdt.p + fdt.len - (const uint8_t *)r.name));
		REQUIRE(++nr < size / 8);
	}
	if (err != -ENOENT)
		REQUIRE(why.what && why.fault);
	return 0;
}
