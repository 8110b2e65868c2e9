/* The radix tree of preserved memory. */
#include "radix.h"

#include "platform/mem.h"
#include "sort.h"

#define ROOT_LEVEL	(KHO_RADIX_LEVELS - 1)
#define WORD_BITS	64

static uint64_t chunk_len(unsigned order)
{
	return PAGE_SIZE << order;
}

int kho_key_decode(uint64_t key, paddr_t *pa, unsigned *order)
{
	unsigned top, o;
	uint64_t index;

	if (!key || key >= BIT64(KHO_KEY_BITS))
		return -EINVAL;
	top = WORD_BITS - 1 - __builtin_clzll(key);
	o = KHO_KEY_ORDER_BIT - top;
	index = key & ~BIT64(top);
	if (o > KHO_MAX_ORDER || index >= KHO_ADDR_LIMIT >> (PAGE_SHIFT + o))
		return -EINVAL;
	*pa = index << (PAGE_SHIFT + o);
	*order = o;
	return 0;
}

/* --- Writing --- */

int kho_radix_init(struct kho_radix *r, const struct kho_scratch *scratch)
{
	const paddr_t root = mem_alloc_pages(0);

	if (!root)
		return -ENOMEM;
	*r = (struct kho_radix){ .root = root, .scratch = scratch, .nodes = 1 };
	return 0;
}

static void free_node(paddr_t node, unsigned level)
{
	const uint64_t *slot = mem_ptr(node);

	for (unsigned i = 0; level && i < KHO_RADIX_SLOTS; i++)
		if (slot[i])
			free_node(slot[i], level - 1);
	mem_free_pages(node, 0);
}

void kho_radix_free(struct kho_radix *r)
{
	free_node(r->root, ROOT_LEVEL);
	*r = (struct kho_radix){ .root = 0 };
}

/* The word of the leaf that holds @key; with @create, missing nodes are added. */
static int find_word(struct kho_radix *r, uint64_t key, bool create, uint64_t **word)
{
	uint64_t *node = mem_ptr(r->root);

	for (unsigned level = ROOT_LEVEL; level; level--) {
		uint64_t *slot = &node[kho_radix_slot(key, level)];

		if (!*slot && !create)
			return -ENOENT;
		if (!*slot) {
			const paddr_t child = mem_alloc_pages(0);

			if (!child)
				return -ENOMEM;
			*slot = child;
			r->nodes++;
		}
		node = mem_ptr(*slot);
	}
	*word = &node[kho_radix_bit(key) / WORD_BITS];
	return 0;
}

static bool chunk_valid(const struct kho_radix *r, paddr_t pa, unsigned order)
{
	return order <= KHO_MAX_ORDER && IS_ALIGNED(pa, chunk_len(order)) &&
	       pa >= KHO_LOW_LIMIT && kho_addressable(pa, chunk_len(order)) &&
	       !kho_scratch_overlaps(r->scratch, pa, chunk_len(order));
}

int kho_preserve(struct kho_radix *r, paddr_t pa, unsigned order)
{
	uint64_t key, *word;
	int err;

	if (!chunk_valid(r, pa, order))
		return -EINVAL;
	key = kho_key(pa, order);
	err = find_word(r, key, true, &word);
	if (err)
		return err;
	if (*word & BIT64(key % WORD_BITS))
		return -EEXIST;
	*word |= BIT64(key % WORD_BITS);
	r->entries++;
	r->pages += BIT64(order);
	return 0;
}

int kho_unpreserve(struct kho_radix *r, paddr_t pa, unsigned order)
{
	uint64_t key, *word;

	if (!chunk_valid(r, pa, order))
		return -EINVAL;
	key = kho_key(pa, order);
	if (find_word(r, key, false, &word) || !(*word & BIT64(key % WORD_BITS)))
		return -ENOENT;
	*word &= ~BIT64(key % WORD_BITS);
	r->entries--;
	r->pages -= BIT64(order);
	return 0;
}

/* The order of the first chunk of a range: what alignment and length both allow. */
static unsigned first_order(paddr_t pa, uint64_t len)
{
	const uint64_t pfn = pa >> PAGE_SHIFT, pages = len >> PAGE_SHIFT;
	const unsigned fits = WORD_BITS - 1 - __builtin_clzll(pages);

	return pfn ? MIN(fits, (unsigned)__builtin_ctzll(pfn)) : fits;
}

/* Take out the chunks that kho_preserve_range() entered in [@pa, @end) of a range that was to
 * end at @range_end. */
static void undo_range(struct kho_radix *r, paddr_t pa, paddr_t end, paddr_t range_end)
{
	while (pa < end) {
		const unsigned order = first_order(pa, range_end - pa);

		kho_unpreserve(r, pa, order);
		pa += chunk_len(order);
	}
}

int kho_preserve_range(struct kho_radix *r, paddr_t pa, uint64_t len)
{
	const paddr_t end = pa + len;

	if (!len || !kho_addressable(pa, len) || !IS_ALIGNED(pa | len, PAGE_SIZE))
		return -EINVAL;
	for (paddr_t at = pa; at < end;) {
		const unsigned order = first_order(at, end - at);
		const int err = kho_preserve(r, at, order);

		if (err) {
			undo_range(r, pa, at, end);
			return err;
		}
		at += chunk_len(order);
	}
	return 0;
}

/* --- Reading --- */

struct walk {
	const struct kho_limits *lim;
	const struct kho_scratch *scratch;
	struct kho_refusal *why;
	paddr_t path[KHO_RADIX_LEVELS];		/* the node being read, at every level */
	size_t nr_nodes, nr_extents;
};

/* May @node be read at @level?  If so it is counted. */
static int enter_node(struct walk *w, paddr_t node, unsigned level)
{
	static const char what[] = "radix node";

	if (!IS_ALIGNED(node, PAGE_SIZE))
		return kho_refuse(w->why, -EBADMSG, what, "is not page aligned", node, level);
	if (kho_check_place(w->lim, w->scratch, what, node, PAGE_SIZE, w->why))
		return -EBADMSG;
	for (unsigned above = level + 1; above < KHO_RADIX_LEVELS; above++)
		if (w->path[above] == node)
			return kho_refuse(w->why, -ELOOP, what, "is its own ancestor", node, level);
	if (w->nr_nodes == w->lim->max_nodes)
		return kho_refuse(w->why, -ENOSPC, "radix tree", "has too many nodes", node,
				  w->lim->max_nodes);
	w->path[level] = node;
	w->lim->nodes[w->nr_nodes++] = node;
	return 0;
}

/* Note @count chunks with consecutive keys.  Keys ascend during the walk, so only the extent
 * before can continue in this one. */
static int add_chunks(struct walk *w, uint64_t key, uint64_t count)
{
	struct kho_extent *last = w->nr_extents ? &w->lim->extents[w->nr_extents - 1] : NULL;
	const paddr_t leaf = w->path[0];
	unsigned order;
	paddr_t pa;

	if (kho_key_decode(key, &pa, &order) ||
	    count > (KHO_ADDR_LIMIT - pa) >> (PAGE_SHIFT + order))
		return kho_refuse(w->why, -EBADMSG, "radix leaf", "has a bit that is no valid key",
				  leaf, key);
	if (last && last->order == order && last->pa + kho_extent_len(last) == pa) {
		last->count += count;
		return 0;
	}
	if (w->nr_extents == w->lim->max_extents)
		return kho_refuse(w->why, -ENOSPC, "radix tree", "has too many scattered entries",
				  leaf, w->lim->max_extents);
	w->lim->extents[w->nr_extents++] = (struct kho_extent){ pa, count, order };
	return 0;
}

/* Runs of set bits in one word of a leaf; @key belongs to bit 0. */
static int read_word(struct walk *w, uint64_t word, uint64_t key)
{
	while (word) {
		const unsigned first = __builtin_ctzll(word);
		const uint64_t rest = ~(word >> first);
		const unsigned count = rest ? __builtin_ctzll(rest) : WORD_BITS;
		const int err = add_chunks(w, key + first, count);

		if (err)
			return err;
		word &= ~(GENMASK64(count - 1, 0) << first);
	}
	return 0;
}

static int read_leaf(struct walk *w, paddr_t leaf, uint64_t key)
{
	const uint64_t *word = mem_ptr(leaf);

	for (unsigned i = 0; i < KHO_RADIX_SLOTS; i++) {
		const int err = word[i] ? read_word(w, word[i], key + i * WORD_BITS) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* @key: the bits that the levels above stand for.  Recursion ends at level 0. */
static int read_node(struct walk *w, paddr_t node, unsigned level, uint64_t key)
{
	const uint64_t *slot;
	int err = enter_node(w, node, level);

	if (err || !level)
		return err ? err : read_leaf(w, node, key);
	slot = mem_ptr(node);
	for (unsigned i = 0; i < KHO_RADIX_SLOTS && !err; i++) {
		if (!slot[i])
			continue;
		if (level == ROOT_LEVEL && i >= KHO_RADIX_ROOT_SLOTS)
			return kho_refuse(w->why, -EBADMSG, "radix root",
					  "uses a slot above 2", node, i);
		err = read_node(w, slot[i], level - 1,
				key | (uint64_t)i << (KHO_RADIX_LEAF_BITS +
						      KHO_RADIX_INDEX_BITS * (level - 1)));
	}
	return err;
}

/* Every preserved chunk lies where it may, and none shares a byte with another. */
static int check_extents(struct walk *w)
{
	static const char what[] = "preserved memory";
	const struct kho_extent *e = w->lim->extents;

	kho_sort(w->lim->extents, w->nr_extents, sizeof(*e));
	for (size_t i = 0; i < w->nr_extents; i++) {
		if (kho_check_place(w->lim, w->scratch, what, e[i].pa, kho_extent_len(&e[i]),
				    w->why))
			return -EBADMSG;
		if (i && e[i].pa < e[i - 1].pa + kho_extent_len(&e[i - 1]))
			return kho_refuse(w->why, -EBADMSG, what, "is entered twice", e[i].pa,
					  kho_extent_len(&e[i]));
	}
	return 0;
}

/* No node was met twice, and none lies in what it preserves. */
static int check_nodes(struct walk *w, const struct kho_map *m)
{
	static const char what[] = "radix node";
	const paddr_t *node = w->lim->nodes;

	kho_sort(w->lim->nodes, w->nr_nodes, sizeof(*node));
	for (size_t i = 0; i < w->nr_nodes; i++) {
		if (i && node[i] == node[i - 1])
			return kho_refuse(w->why, -ELOOP, what, "has two parents", node[i], 0);
		if (kho_map_overlaps(m, node[i], PAGE_SIZE))
			return kho_refuse(w->why, -EBADMSG, what, "lies in preserved memory",
					  node[i], 0);
	}
	return 0;
}

static struct kho_map make_map(const struct walk *w)
{
	struct kho_map m = {
		.extents = w->lim->extents, .nr_extents = w->nr_extents,
		.ranges = w->lim->ranges,
		.nr_ranges = kho_map_merge(w->lim->extents, w->nr_extents, w->lim->ranges),
		.nodes = w->lim->nodes, .nr_nodes = w->nr_nodes,
	};

	for (size_t i = 0; i < m.nr_extents; i++) {
		m.entries += m.extents[i].count;
		m.entries_of[m.extents[i].order] += m.extents[i].count;
		m.pages += kho_extent_len(&m.extents[i]) >> PAGE_SHIFT;
	}
	return m;
}

int kho_radix_read(paddr_t root, const struct kho_limits *lim, const struct kho_scratch *scratch,
		   struct kho_map *out, struct kho_refusal *why)
{
	struct walk w = { .lim = lim, .scratch = scratch, .why = why };
	struct kho_map m;
	int err = read_node(&w, root, ROOT_LEVEL, 0);

	if (err)
		return err;
	err = check_extents(&w);
	if (err)
		return err;
	m = make_map(&w);
	err = check_nodes(&w, &m);
	if (!err)
		*out = m;
	return err;
}
