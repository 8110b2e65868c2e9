/* Claiming memory. */
#include "claim.h"

#include "kernel/handover/adoption.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/scratch.h"
#include "kernel/report/verdict.h"

/* A queue will be written to. */
static void check_queues(const struct kho_handoff *h, const struct keep_range *queue, size_t n)
{
	struct kho_refusal why;

	for (size_t i = 0; i < n; i++)
		if (kho_map_overlaps(&h->map, queue[i].base, queue[i].len) ||
		    kho_scratch_overlaps(&h->scratch, queue[i].base, queue[i].len)) {
			kho_refuse(&why, -EBADMSG, "remapping unit", "has its queue in memory that is handed over",
				   queue[i].base, queue[i].len);
			adoption_refuse(&why);
		}
}

static size_t add_left(const struct run *r, const struct kho_handoff *h, struct keep_range *busy)
{
	size_t n;

	if (r->cfg.generation)
		return 0;	/* its queues and tables are preserved */
	n = iommu_left_queues(r->mmu, busy);
	check_queues(h, busy, n);
	return n + iommu_left_tables(r->mmu, &busy[n]);
}

void handover_claim(const struct run *r, const struct kho_handoff *h)
{
	const struct kho_map *map = &h->map;
	const struct kho_scratch *areas = &r->window.areas;
	const size_t max = map->nr_ranges + map->nr_nodes + areas->nr + VTD_DMAR_MAX_RMRR + IOMMU_MAX_LEFT + 3;
	struct keep_range *busy = scratch_new(max * sizeof(*busy));
	size_t n = 0;

	if (!busy)
		verdict_end(VERDICT_MEMORY, "scratch is too small to claim memory; try a larger scratch=");
	for (size_t i = 0; i < map->nr_ranges; i++)
		busy[n++] = (struct keep_range){ map->ranges[i].base, map->ranges[i].len };
	for (size_t i = 0; i < map->nr_nodes; i++)
		busy[n++] = (struct keep_range){ map->nodes[i], PAGE_SIZE };
	for (size_t i = 0; i < areas->nr; i++)
		busy[n++] = (struct keep_range){ areas->entry[i].addr, areas->entry[i].size };
	busy[n++] = (struct keep_range){ h->data.scratch_pa, h->data.scratch_size };
	busy[n++] = (struct keep_range){ r->bi->image, r->bi->image_size };
	busy[n++] = (struct keep_range){ r->bi->initrd, r->bi->initrd_size };
	n += iommu_rmrr_ranges(r->mmu, &busy[n]);
	n += add_left(r, h, &busy[n]);
	if (keep_init(r->bi->map, r->bi->nr_map, true, busy, n))
		verdict_end(VERDICT_MEMORY, "scratch is too small for the list of free memory; try a larger scratch=");
}
