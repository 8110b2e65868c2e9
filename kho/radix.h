/* The radix tree of preserved memory: written page by page, read back with distrust.
 * Linux: kernel/liveupdate/kexec_handover.c, include/linux/kho/abi/kexec_handover.h. */
#ifndef BATON_KHO_RADIX_H
#define BATON_KHO_RADIX_H

#include "map.h"
#include "scratch.h"

/* The key of 2^@order pages at @pa.  An address that is not aligned to the chunk encodes
 * another one: kho_preserve() refuses those. */
static inline uint64_t kho_key(paddr_t pa, unsigned order)
{
	return BIT64(KHO_KEY_ORDER_BIT - order) | pa >> (PAGE_SHIFT + order);
}

/* The slot of an interior node, @level 1 to 5, that leads to @key. */
static inline unsigned kho_radix_slot(uint64_t key, unsigned level)
{
	const unsigned shift = KHO_RADIX_LEAF_BITS + KHO_RADIX_INDEX_BITS * (level - 1);

	return key >> shift & (KHO_RADIX_SLOTS - 1);
}

/* The bit of a leaf that stands for @key. */
static inline unsigned kho_radix_bit(uint64_t key)
{
	return key & (BIT64(KHO_RADIX_LEAF_BITS) - 1);
}

/**
 * kho_key_decode() - what a key stands for
 * @key:   any value
 * @pa:    first byte of the chunk
 * @order: its pages, as a power of two
 *
 * Return: 0; -EINVAL no key of 53 bits, or a chunk that exceeds 52 address bits.
 */
int kho_key_decode(uint64_t key, paddr_t *pa, unsigned *order);

/* A tree being written. */
struct kho_radix {
	paddr_t root;
	const struct kho_scratch *scratch;	/* nothing in here is preserved */
	uint64_t nodes;				/* pages of the tree itself */
	uint64_t entries;			/* chunks */
	uint64_t pages;				/* preserved pages */
};

/**
 * kho_radix_init() - start an empty tree
 * @r:       tree
 * @scratch: the areas handed over with it; kept, not copied
 *
 * Nodes come from mem_alloc_pages().  Return: 0; -ENOMEM.
 */
int kho_radix_init(struct kho_radix *r, const struct kho_scratch *scratch);

/* Give all nodes back, for a handoff that is dropped.  What was preserved is not touched. */
void kho_radix_free(struct kho_radix *r);

/**
 * kho_preserve() - enter one chunk
 * @r:     tree
 * @pa:    first byte, a multiple of PAGE_SIZE << @order
 * @order: pages, as a power of two, 0 to KHO_MAX_ORDER
 *
 * Chunks of different orders that overlap are not noticed here: the reader, and so the
 * outgoing checks that run it, refuse them.
 * Return: 0; -EINVAL alignment, order, range, below 1 MiB or in scratch; -EEXIST entered
 * already; -ENOMEM no page for a node.  Nothing is entered on failure.
 */
int kho_preserve(struct kho_radix *r, paddr_t pa, unsigned order);

/**
 * kho_preserve_range() - enter a contiguous range
 * @r:   tree
 * @pa:  first byte, page aligned
 * @len: bytes, non-zero multiple of PAGE_SIZE
 *
 * Cut greedily from the start into the largest aligned chunks, as Linux cuts it: a receiver
 * that restores the range computes the same cut.
 * Return: as kho_preserve(); nothing is entered on failure.
 */
int kho_preserve_range(struct kho_radix *r, paddr_t pa, uint64_t len);

/* Take one chunk out again.  Nodes stay, as in Linux.  Return: 0; -EINVAL; -ENOENT. */
int kho_unpreserve(struct kho_radix *r, paddr_t pa, unsigned order);

/**
 * kho_radix_read() - read a foreign tree
 * @root:    its root node
 * @lim:     RAM, excluded ranges, and work memory: every node takes one of @lim->nodes, every
 *           run of adjacent chunks of one order one of @lim->extents
 * @scratch: nothing of the tree, and nothing preserved, may lie in here
 * @out:     what is preserved; points into the work memory
 * @why:     set on refusal
 *
 * Only nodes are read, each after its place was checked; the depth is six and the number of
 * nodes bounded, so it ends on any bytes.  A node met twice is refused: at once when it is its own
 * ancestor, else when the walk is over.
 * Return: 0; -EBADMSG a node or an entry is not allowed; -ELOOP a node is met twice; -ENOSPC the work
 * memory is too small.  All with @why.
 */
int kho_radix_read(paddr_t root, const struct kho_limits *lim, const struct kho_scratch *scratch,
		   struct kho_map *out, struct kho_refusal *why);

#endif
