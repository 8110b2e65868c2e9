/* Chains of serialization blocks. */
#include "block.h"

#include <string.h>

#include "platform/mem.h"

void kho_chain_write(const struct kho_block_kind *k, const paddr_t *block, size_t nr, size_t n,
		     paddr_t next_pa)
{
	const size_t capacity = KHO_BLOCK_CAPACITY(k->entry_bytes);

	for (size_t i = 0; i < nr; i++) {
		struct kho_block_ser *b = mem_ptr(block[i]);

		b->next_pa = i + 1 < nr ? block[i + 1] : next_pa;
		b->count = MIN(n, capacity);
		n -= b->count;
	}
}

int kho_chain_step(struct kho_chain *c, struct kho_refusal *why)
{
	const struct kho_block_kind *k = c->kind;
	const uint64_t capacity = KHO_BLOCK_CAPACITY(k->entry_bytes);
	const paddr_t pa = c->next;
	struct kho_block_ser b;

	memcpy(&b, mem_ptr(pa), sizeof(b));
	if (b.count > capacity)
		return kho_refuse(why, -EBADMSG, k->what, "claims more entries than fit", pa,
				  b.count);
	if (!b.count && !k->may_be_empty)
		return kho_refuse(why, -EBADMSG, k->what, "is empty", pa, 0);
	if (k->fills && b.next_pa && b.count < capacity)
		return kho_refuse(why, -EBADMSG, k->what, "is not full but not the last", pa,
				  b.count);
	c->next = b.next_pa;
	c->nr_blocks++;
	c->count = b.count;
	c->entries_pa = pa + sizeof(b);
	return 0;
}

int kho_chain_open(struct kho_chain *c, struct kho_reader *r, struct kho_refusal *why)
{
	const struct kho_block_kind *k = c->kind;
	int err;

	if (c->nr_blocks == k->max_blocks)
		return kho_refuse(why, -EBADMSG, k->what, "follows too many others", c->next,
				  k->max_blocks);
	err = kho_claim_page(r, k->what, c->next, why);
	return err ? err : kho_chain_step(c, why);
}
