/* LUO, the Live Update Orchestrator: sessions, the files in them, and data bound to the lifetime
 * of files (FLBs), as "luo-v5" serialises them.  A Linux receiver panics on a malformed one, so
 * the writer refuses whatever it cannot write well.
 * Linux: include/linux/kho/abi/luo.h, kernel/liveupdate/luo_core.c, luo_session.c, luo_file.c,
 * luo_flb.c. */
#ifndef BATON_KHO_LUO_H
#define BATON_KHO_LUO_H

#include "abi.h"
#include "claim.h"
#include "keys.h"
#include "pages.h"
#include "span.h"

struct kho_file {
	char compatible[sizeof(((struct kho_file_ser *)0)->compatible)];
	uint64_t data;
	uint64_t token;
};

struct kho_session {
	char name[sizeof(((struct kho_session_ser *)0)->name)];
	size_t first_file, nr_files;	/* in kho_luo.files */
};

struct kho_flb {
	char name[sizeof(((struct kho_flb_ser *)0)->name)];
	uint64_t data;
	uint64_t count;
};

/* What a LUO blob says, plain: written from and read into.  All arrays are the caller's. */
struct kho_luo {
	uint64_t liveupdate_num;
	struct kho_session *sessions;
	size_t nr_sessions, max_sessions;
	struct kho_file *files;		/* of all sessions */
	size_t nr_files, max_files;
	struct kho_flb *flbs;
	size_t nr_flbs, max_flbs;
	struct kho_key *keys;		/* work memory: as many as there are sessions (with those
					 * of @behind), FLBs, or files in one session */
	size_t max_keys;

	/* Set by the reader. */
	paddr_t sessions_pa, flbs_pa;
	size_t nr_session_blocks;
};

/**
 * kho_luo_write() - write a LUO blob, its blocks and its FLB page
 * @l:      what to write; names are not empty, NUL-terminated and unique, so are tokens in a
 *          session, and every FLB has files that depend on it; the max_ members of the arrays
 *          and what the reader sets do not count
 * @behind: a foreign LUO as read, whose session blocks are handed on unchanged behind ours;
 *          NULL for none.  Its pages are the caller's to preserve again
 * @radix:  every block is entered, order 0; the blob itself is not: kho_write() does that
 * @pages:  receives the pages, the blob first
 * @why:    set on refusal
 *
 * Nothing to say is written as a null pointer, never as an empty block.
 * Return: 0; -EINVAL with @why; -ENOSPC with @why: more than the format or the work memory holds;
 * -ENOMEM, or as kho_preserve(), with @why.  Nothing is taken or preserved on failure.
 */
int kho_luo_write(const struct kho_luo *l, const struct kho_luo *behind, struct kho_radix *radix,
		  struct kho_pages *pages, struct kho_refusal *why);

/**
 * kho_luo_read() - validate a LUO blob and everything it points to but the files' data
 * @r:    reader
 * @blob: of sub-node KHO_NODE_LUO
 * @l:    arrays and their max_ members are given, the rest is set; meaningful on success only
 * @why:  set on refusal
 *
 * Return: 0; -EBADMSG, -ELOOP a page is named twice, -ENOSPC an array is too small; with @why.
 */
int kho_luo_read(struct kho_reader *r, struct span blob, struct kho_luo *l,
		 struct kho_refusal *why);

/* The FLB of that name, or NULL. */
const struct kho_flb *kho_luo_flb(const struct kho_luo *l, const char *name);

#endif
