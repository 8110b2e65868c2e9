/* An array in scattered pages, listed in chunk pages ("kho_vmalloc").
 * Linux: include/linux/kho/abi/kexec_handover.h, kernel/liveupdate/kexec_handover.c. */
#ifndef BATON_KHO_VMALLOC_H
#define BATON_KHO_VMALLOC_H

#include "abi.h"
#include "claim.h"
#include "pages.h"

/**
 * kho_vmalloc_write() - list pages
 * @p:     the chunk pages are appended; they are the caller's to preserve
 * @first: index in @p of the first page to list
 * @nr:    pages to list; none gives a descriptor of zeros
 * @out:   descriptor
 *
 * Return: 0; -ERANGE more than 32 bits count; -ENOSPC, -ENOMEM as kho_pages_alloc().
 */
int kho_vmalloc_write(struct kho_pages *p, size_t first, size_t nr, struct kho_vmalloc_ser *out);

/* Reading, one page after the other. */
struct kho_vmalloc_walk {
	struct kho_reader *r;
	paddr_t chunk;			/* claimed; 0 before the first */
	paddr_t next_chunk;
	unsigned slot;			/* in @chunk, to be read next */
	uint64_t left;			/* pages not yet read */
};

/* Start.  Return: 0; -EBADMSG with @why: pieces of more than a page, or unknown flags. */
int kho_vmalloc_begin(struct kho_vmalloc_walk *w, struct kho_reader *r,
		      const struct kho_vmalloc_ser *v, struct kho_refusal *why);

/* The next page, checked and claimed; not to be called more often than total_pages.
 * Return: 0; -EBADMSG, -ELOOP, -ENOSPC with @why. */
int kho_vmalloc_next(struct kho_vmalloc_walk *w, paddr_t *page, struct kho_refusal *why);

/* After the last page: is that the end of the list?  One empty chunk may follow a full one, which
 * is how Linux allocates them.  Return: 0; -EBADMSG, -ELOOP, -ENOSPC with @why. */
int kho_vmalloc_end(struct kho_vmalloc_walk *w, struct kho_refusal *why);

#endif
