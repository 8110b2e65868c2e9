/* Arrays in scattered pages. */
#include "vmalloc.h"

#include "platform/mem.h"

static const char chunk_page[] = "vmalloc chunk";

int kho_vmalloc_write(struct kho_pages *p, size_t first, size_t nr, struct kho_vmalloc_ser *out)
{
	const size_t chunks = DIV_ROUND_UP(nr, KHO_VMALLOC_SLOTS), at = p->nr;
	int err;

	*out = (struct kho_vmalloc_ser){ 0 };
	if (!nr)
		return 0;
	if (nr > UINT32_MAX)
		return -ERANGE;
	err = kho_pages_alloc(p, chunks);
	if (err)
		return err;
	for (size_t i = 0; i < nr; i++) {
		struct kho_vmalloc_chunk_ser *c = mem_ptr(p->pa[at + i / KHO_VMALLOC_SLOTS]);

		c->piece_pa[i % KHO_VMALLOC_SLOTS] = p->pa[first + i];
	}
	for (size_t i = 0; i + 1 < chunks; i++)
		((struct kho_vmalloc_chunk_ser *)mem_ptr(p->pa[at + i]))->next_pa = p->pa[at + i + 1];
	*out = (struct kho_vmalloc_ser){
		.first_pa = p->pa[at], .total_pages = nr, .flags = KHO_VMALLOC_ALLOC,
	};
	return 0;
}

static int open_chunk(struct kho_vmalloc_walk *w, struct kho_refusal *why)
{
	const struct kho_vmalloc_chunk_ser *c;
	const paddr_t pa = w->next_chunk;
	const int err = kho_claim_page(w->r, chunk_page, pa, why);

	if (err)
		return err;
	c = mem_ptr(pa);
	w->chunk = pa;
	w->next_chunk = c->next_pa;
	w->slot = 0;
	return 0;
}

int kho_vmalloc_begin(struct kho_vmalloc_walk *w, struct kho_reader *r,
		      const struct kho_vmalloc_ser *v, struct kho_refusal *why)
{
	if (v->order)
		return kho_refuse(why, -EBADMSG, "vmalloc array", "has pieces of several pages",
				  v->first_pa, v->order);
	if (v->flags & ~(KHO_VMALLOC_ALLOC | KHO_VMALLOC_HUGE))
		return kho_refuse(why, -EBADMSG, "vmalloc array", "has unknown flags", v->first_pa,
				  v->flags);
	*w = (struct kho_vmalloc_walk){
		.r = r, .next_chunk = v->first_pa, .slot = KHO_VMALLOC_SLOTS,
		.left = v->total_pages,
	};
	return 0;
}

int kho_vmalloc_next(struct kho_vmalloc_walk *w, paddr_t *page, struct kho_refusal *why)
{
	paddr_t pa;
	int err;

	if (w->slot == KHO_VMALLOC_SLOTS) {
		err = open_chunk(w, why);
		if (err)
			return err;
	}
	pa = ((const struct kho_vmalloc_chunk_ser *)mem_ptr(w->chunk))->piece_pa[w->slot];
	if (!pa)
		return kho_refuse(why, -EBADMSG, chunk_page, "ends before all pages are listed",
				  w->chunk, w->left);
	err = kho_claim_page(w->r, "page of a vmalloc array", pa, why);
	if (err)
		return err;
	w->slot++;
	w->left--;
	*page = pa;
	return 0;
}

int kho_vmalloc_end(struct kho_vmalloc_walk *w, struct kho_refusal *why)
{
	const struct kho_vmalloc_chunk_ser *c;

	if (w->chunk && w->slot == KHO_VMALLOC_SLOTS && w->next_chunk) {
		const int err = open_chunk(w, why);

		if (err)
			return err;
	}
	if (w->next_chunk)
		return kho_refuse(why, -EBADMSG, chunk_page, "is not the last one", w->chunk,
				  w->next_chunk);
	c = w->chunk ? mem_ptr(w->chunk) : NULL;
	if (c && w->slot < KHO_VMALLOC_SLOTS && c->piece_pa[w->slot])
		return kho_refuse(why, -EBADMSG, chunk_page, "lists more pages than there are",
				  w->chunk, w->slot);
	return 0;
}
