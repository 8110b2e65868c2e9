/* What a Linux target is made of: bzImage, initrd and command line.  Read once, in generation 0, and
 * preserved with digests until the last Baton of the run starts that Linux. */
#ifndef BATON_PAYLOAD_H
#define BATON_PAYLOAD_H

#include "boot_info.h"
#include "kho/map.h"
#include "kho/radix.h"
#include "span.h"

/* As in the `baton` node. */
struct payload_file_ser {
	uint64_t pa;		/* page aligned once payload_keep() is through; 0: there is no such file */
	uint64_t len;		/* bytes */
	uint32_t crc32c;
	uint32_t reserved;
};
static_assert(sizeof(struct payload_file_ser) == 24, "layout is read by the next generation");

struct payload {
	struct payload_file_ser file[BOOT_FILES];	/* BOOT_FILE_ */
};

/* Digest the files that firmware's loader brought. */
void payload_take(const struct boot_file file[BOOT_FILES], struct payload *p);

/**
 * payload_unpack() - the same from the initrd that a Linux passed us
 * @archive: uncompressed newc cpio with baton/bzImage, and maybe baton/initrd and baton/cmdline
 *
 * Nothing is copied: payload_keep() does, once memory may be taken.
 * Return: 0; -ENOENT no bzImage in it; -EBADMSG; with @why.
 */
int payload_unpack(struct span archive, struct payload *p, const char **why);

/* Move the files into keep pages of their own.  Return: 0; -ENOMEM. */
int payload_keep(struct payload *p);

/* Enter every page of the files.  Return: as kho_preserve_range(). */
int payload_preserve(const struct payload *p, struct kho_radix *radix);

/* The first file that does not lie in preserved memory, or NULL. */
const struct payload_file_ser *payload_unpreserved(const struct payload *p,
						   const struct kho_map *map);

/* A file's bytes; an empty span if there is none. */
struct span payload_bytes(const struct payload *p, unsigned file);

/* The name of the first file whose bytes are no longer those that were read, or NULL. */
const char *payload_changed(const struct payload *p);

/**
 * payload_cmdline() - the command line for Linux
 * @out: [@size], NUL-terminated
 * @why: what is wrong with it
 *
 * Line ends behind it are dropped, line ends and tabs in it become blanks.
 * Return: 0; -ENOSPC longer than @size; -EINVAL bytes that are not text; with @why.
 */
int payload_cmdline(const struct payload *p, char *out, size_t size, const char **why);

#endif
