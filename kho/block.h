/* Chains of serialization blocks: pages of entries of one size, linked by their headers.  LUO keeps
 * sessions and files in them, the IOMMU series its records.
 * Linux: include/linux/kho/abi/block.h, kernel/liveupdate/kho_block.c. */
#ifndef BATON_KHO_BLOCK_H
#define BATON_KHO_BLOCK_H

#include "abi.h"
#include "claim.h"
#include "pages.h"

/* What a chain is made of. */
struct kho_block_kind {
	const char *what;	/* "session block" */
	size_t entry_bytes;
	bool may_be_empty;	/* a block without entries; in LUO that is an error */
	bool fills;		/* every block but the last one is full */
	size_t max_blocks;
};

/* Blocks needed for @n entries, none for none. */
static inline size_t kho_blocks_for(const struct kho_block_kind *k, size_t n)
{
	return DIV_ROUND_UP(n, KHO_BLOCK_CAPACITY(k->entry_bytes));
}

/* --- Writing --- */

/**
 * kho_chain_write() - link blocks and state their counts
 * @k:       kind
 * @block:   pages of the chain, zeroed
 * @nr:      how many; at least kho_blocks_for(@k, @n)
 * @n:       entries, filled from the first block on
 * @next_pa: block that follows the last one, or 0
 */
void kho_chain_write(const struct kho_block_kind *k, const paddr_t *block, size_t nr, size_t n,
		     paddr_t next_pa);

/* Where entry @i of a chain without partly filled blocks lies. */
static inline paddr_t kho_entry_pa(const struct kho_block_kind *k, const paddr_t *block, size_t i)
{
	const size_t capacity = KHO_BLOCK_CAPACITY(k->entry_bytes);

	return block[i / capacity] + sizeof(struct kho_block_ser) +
	       i % capacity * k->entry_bytes;
}

/* --- Reading --- */

struct kho_chain {
	const struct kho_block_kind *kind;
	paddr_t next;		/* block to be opened; 0 at the end */
	size_t nr_blocks;	/* opened so far */
	uint64_t count;		/* entries of the block opened last */
	paddr_t entries_pa;	/* the first of them */
};

static inline struct kho_chain kho_chain_of(const struct kho_block_kind *k, paddr_t first)
{
	return (struct kho_chain){ .kind = k, .next = first };
}

/**
 * kho_chain_open() - check and claim the next block of a chain
 * @c:   chain, @c->next is not 0
 * @r:   reader
 * @why: set on refusal
 *
 * A chain ends: no page is claimed twice, and claims are bounded.
 * Return: 0; -EBADMSG, -ELOOP, -ENOSPC with @why.
 */
int kho_chain_open(struct kho_chain *c, struct kho_reader *r, struct kho_refusal *why);

/* The same for a block that was checked and claimed before, as one of another kind. */
int kho_chain_step(struct kho_chain *c, struct kho_refusal *why);

/* Entry @i of the block opened last. */
static inline paddr_t kho_chain_entry(const struct kho_chain *c, size_t i)
{
	return c->entries_pa + i * c->kind->entry_bytes;
}

#endif
