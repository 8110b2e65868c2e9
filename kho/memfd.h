/* Files in memory, as the handler "memfd-v2" serialises them: their pages are preserved where they
 * are, and listed with their place in the file.
 * Linux: include/linux/kho/abi/memfd.h, mm/memfd_luo.c. */
#ifndef BATON_KHO_MEMFD_H
#define BATON_KHO_MEMFD_H

#include "abi.h"
#include "claim.h"
#include "pages.h"

/* Folios next to each other both in memory and in the file, of one order and one kind. */
struct kho_folios {
	paddr_t pa;
	uint64_t len;		/* bytes */
	uint64_t index;		/* page offset in the file of the first */
	uint32_t order;		/* pages of each, as a power of two */
	uint32_t flags;		/* KHO_FOLIO_ */
};

/* What a memfd is, plain: written from and read into. */
struct kho_memfd {
	uint64_t pos;			/* file position */
	uint64_t size;			/* bytes */
	uint32_t seals;			/* KHO_SEAL_ */
	struct kho_folios *folios;	/* [max_folios], the caller's; ascending in the file */
	size_t nr_folios, max_folios;
};

/**
 * kho_memfd_write() - write a memfd
 * @m:     what to write; holes are allowed, max_folios does not count
 * @radix: its pages are entered, and its folios, each with its own order: the receiver learns the
 *         order from there alone
 * @pages: receives the pages, the one for kho_file.data first
 * @why:   set on refusal
 *
 * Return: 0; -EINVAL, -ENOSPC, -ENOMEM, or as kho_preserve(); all with @why.  Nothing is taken or
 * preserved on failure.
 */
int kho_memfd_write(const struct kho_memfd *m, struct kho_radix *radix, struct kho_pages *pages,
		    struct kho_refusal *why);

/**
 * kho_memfd_read() - validate a memfd
 * @r:   reader; the pages and every folio are claimed
 * @pa:  kho_file.data
 * @m:   folios and max_folios are given, the rest is set; meaningful on success only
 * @why: set on refusal
 *
 * Entries that the format tells to skip are left out.
 * Return: 0; -EBADMSG, -ELOOP memory is named twice, -ENOSPC work memory; with @why.
 */
int kho_memfd_read(struct kho_reader *r, paddr_t pa, struct kho_memfd *m, struct kho_refusal *why);

#endif
