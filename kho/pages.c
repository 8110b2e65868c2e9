/* Pages of a writer. */
#include "pages.h"

#include "errno.h"
#include "platform/mem.h"

int kho_pages_alloc(struct kho_pages *p, size_t n)
{
	const size_t first = p->nr;

	if (n > p->max - p->nr)
		return -ENOSPC;
	while (p->nr < first + n) {
		const paddr_t pa = mem_alloc_pages(0);

		if (!pa) {
			kho_pages_free(p, first);
			return -ENOMEM;
		}
		p->pa[p->nr++] = pa;
	}
	return 0;
}

int kho_pages_preserve(const struct kho_pages *p, size_t first, struct kho_radix *r)
{
	for (size_t i = first; i < p->nr; i++) {
		const int err = kho_preserve(r, p->pa[i], 0);

		if (err) {
			while (i-- > first)
				kho_unpreserve(r, p->pa[i], 0);
			return err;
		}
	}
	return 0;
}

void kho_pages_free(struct kho_pages *p, size_t first)
{
	while (p->nr > first)
		mem_free_pages(p->pa[--p->nr], 0);
}
