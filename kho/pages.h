/* Pages that a writer takes for what it writes: listed, so that they can be preserved, digested
 * and given back. */
#ifndef BATON_KHO_PAGES_H
#define BATON_KHO_PAGES_H

#include "radix.h"

struct kho_pages {
	paddr_t *pa;		/* [max], in the order of allocation */
	size_t nr, max;
};

/* Append @n zeroed pages.  Return: 0; -ENOSPC the list is full; -ENOMEM.  None on failure. */
int kho_pages_alloc(struct kho_pages *p, size_t n);

/* Preserve every page from index @first on, order 0.  Return: as kho_preserve(); none on failure. */
int kho_pages_preserve(const struct kho_pages *p, size_t first, struct kho_radix *r);

/* Give back every page from index @first on. */
void kho_pages_free(struct kho_pages *p, size_t first);

#endif
