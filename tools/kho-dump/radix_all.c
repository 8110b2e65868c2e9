/* A radix tree that its reader refuses, once more: every node and entry that is not allowed, not the first
 * alone.  What is good makes a map, so that the rest of the handoff can be read. */
#include "dump.h"

#include <stdlib.h>

#include "kho/radix.h"
#include "kho/sort.h"
#include "platform/mem.h"

#define ROOT_LEVEL	(KHO_RADIX_LEVELS - 1)
#define WORD_BITS	64
#define MAX_CHUNKS	BIT32(26)	/* a bound of time; 256 GiB in single pages */

static const char rule[] = "K4";
static const char node_what[] = "radix node";
static const char memory[] = "preserved memory";

struct walk {
	struct dump *d;
	paddr_t path[KHO_RADIX_LEVELS];
	size_t nr_nodes, nr_extents, nr_chunks;
};

static bool may_enter(struct walk *w, paddr_t node, unsigned level)
{
	const struct kho_limits *lim = &w->d->lim;
	struct kho_refusal why;

	if (!IS_ALIGNED(node, PAGE_SIZE)) {
		dump_find(w->d, rule, node_what, "is not page aligned", node, level);
		return false;
	}
	if (kho_check_place(lim, &w->d->h.scratch, node_what, node, PAGE_SIZE, &why)) {
		dump_refused(w->d, rule, &why);
		return false;
	}
	for (unsigned above = level + 1; above < KHO_RADIX_LEVELS; above++)
		if (w->path[above] == node) {
			dump_find(w->d, rule, node_what, "is its own ancestor", node, level);
			return false;
		}
	if (w->nr_nodes == lim->max_nodes)
		return false;
	w->path[level] = node;
	lim->nodes[w->nr_nodes++] = node;
	return true;
}

/* One chunk; those that may not be preserved are left out. */
static void add_chunk(struct walk *w, uint64_t key)
{
	struct kho_extent *last = w->nr_extents ? &w->d->lim.extents[w->nr_extents - 1] : NULL;
	struct kho_refusal why;
	unsigned order;
	paddr_t pa;

	if (kho_key_decode(key, &pa, &order)) {
		dump_find(w->d, rule, "radix leaf", "has a bit that is no valid key", w->path[0], key);
		return;
	}
	if (kho_check_place(&w->d->lim, &w->d->h.scratch, memory, pa, PAGE_SIZE << order, &why)) {
		dump_refused(w->d, rule, &why);
		return;
	}
	if (last && last->order == order && last->pa + kho_extent_len(last) == pa)
		last->count++;
	else if (w->nr_extents < w->d->lim.max_extents)
		w->d->lim.extents[w->nr_extents++] = (struct kho_extent){ pa, 1, order };
}

static void walk_leaf(struct walk *w, const uint64_t *word, uint64_t key)
{
	for (unsigned i = 0; i < KHO_RADIX_SLOTS; i++)
		for (uint64_t left = word[i]; left && w->nr_chunks++ < MAX_CHUNKS; left &= left - 1)
			add_chunk(w, key + i * WORD_BITS + __builtin_ctzll(left));
}

/* A node that no reader may touch is not followed; recursion ends at level 0. */
static void walk_node(struct walk *w, paddr_t node, unsigned level, uint64_t key)
{
	const unsigned shift = level ? KHO_RADIX_LEAF_BITS + KHO_RADIX_INDEX_BITS * (level - 1) : 0;
	const uint64_t *slot;

	if (!may_enter(w, node, level))
		return;
	slot = mem_ptr(node);
	if (!level) {
		walk_leaf(w, slot, key);
		return;
	}
	for (unsigned i = 0; i < KHO_RADIX_SLOTS; i++) {
		if (!slot[i])
			continue;
		if (level == ROOT_LEVEL && i >= KHO_RADIX_ROOT_SLOTS)
			dump_find(w->d, rule, "radix root", "uses a slot above 2", node, i);
		else
			walk_node(w, slot[i], level - 1, key | (uint64_t)i << shift);
	}
}

/* Of two chunks that overlap, the one that begins first stays. */
static void drop_overlaps(struct walk *w)
{
	struct kho_extent *e = w->d->lim.extents;
	paddr_t end = 0;
	size_t n = 0;

	kho_sort(e, w->nr_extents, sizeof(*e));
	for (size_t i = 0; i < w->nr_extents; i++) {
		if (e[i].pa < end) {
			dump_find(w->d, rule, memory, "is entered twice", e[i].pa, kho_extent_len(&e[i]));
			continue;
		}
		end = e[i].pa + kho_extent_len(&e[i]);
		e[n++] = e[i];
	}
	w->nr_extents = n;
}

static void check_nodes(struct walk *w, const struct kho_map *m)
{
	paddr_t *node = w->d->lim.nodes;

	kho_sort(node, w->nr_nodes, sizeof(*node));
	for (size_t i = 0; i < w->nr_nodes; i++) {
		if (i && node[i] == node[i - 1])
			dump_find(w->d, rule, node_what, "has two parents", node[i], 0);
		if (kho_map_overlaps(m, node[i], PAGE_SIZE))
			dump_find(w->d, rule, node_what, "lies in preserved memory", node[i], 0);
	}
}

void dump_radix_all(struct dump *d)
{
	const struct kho_limits *lim = &d->lim;
	struct kho_map *m = &d->h.map;
	struct walk w = { .d = d };

	walk_node(&w, d->h.tree.radix_root, ROOT_LEVEL, 0);
	drop_overlaps(&w);
	*m = (struct kho_map){
		.extents = lim->extents, .nr_extents = w.nr_extents, .ranges = lim->ranges,
		.nr_ranges = kho_map_merge(lim->extents, w.nr_extents, lim->ranges),
		.nodes = lim->nodes, .nr_nodes = w.nr_nodes,
	};
	for (size_t i = 0; i < m->nr_extents; i++) {
		m->entries += m->extents[i].count;
		m->entries_of[m->extents[i].order] += m->extents[i].count;
		m->pages += kho_extent_len(&m->extents[i]) >> PAGE_SHIFT;
	}
	check_nodes(&w, m);
}
