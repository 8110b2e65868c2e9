/* Questions to the preserved memory, by binary search. */
#include "map.h"

size_t kho_map_merge(const struct kho_extent *e, size_t n, struct kho_range *out)
{
	size_t nr = 0;

	for (size_t i = 0; i < n; i++) {
		if (nr && out[nr - 1].base + out[nr - 1].len == e[i].pa)
			out[nr - 1].len += kho_extent_len(&e[i]);
		else
			out[nr++] = (struct kho_range){ e[i].pa, kho_extent_len(&e[i]) };
	}
	return nr;
}

/* The last range that begins at or below @pa, or NULL. */
static const struct kho_range *range_below(const struct kho_map *m, paddr_t pa)
{
	size_t lo = 0, hi = m->nr_ranges;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (m->ranges[mid].base <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &m->ranges[lo - 1] : NULL;
}

bool kho_map_covers(const struct kho_map *m, paddr_t pa, uint64_t len)
{
	const struct kho_range *r = range_below(m, pa);

	return r && pa - r->base < r->len && len <= r->len - (pa - r->base);
}

bool kho_map_overlaps(const struct kho_map *m, paddr_t pa, uint64_t len)
{
	/* Ranges are sorted: the last one to begin before the end reaches farthest. */
	const struct kho_range *r = range_below(m, pa + (len - 1));

	return r && (r->base >= pa || pa - r->base < r->len);
}

bool kho_map_chunk(const struct kho_map *m, paddr_t pa, unsigned *order)
{
	const struct kho_extent *e;
	size_t lo = 0, hi = m->nr_extents;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (m->extents[mid].pa <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	e = lo ? &m->extents[lo - 1] : NULL;
	if (!e || pa - e->pa >= kho_extent_len(e) || !IS_ALIGNED(pa, PAGE_SIZE << e->order))
		return false;
	*order = e->order;
	return true;
}

bool kho_map_overlaps_node(const struct kho_map *m, paddr_t pa, uint64_t len)
{
	size_t lo = 0, hi = m->nr_nodes;

	/* The first node that ends behind @pa. */
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (m->nodes[mid] + (PAGE_SIZE - 1) < pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->nr_nodes && m->nodes[lo] <= pa + (len - 1);
}
