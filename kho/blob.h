/* Blobs of our own that are FDTs: flat properties of one root node, and a digest over all of it.
 * What they are called and contain is the caller's. */
#ifndef BATON_KHO_BLOB_H
#define BATON_KHO_BLOB_H

#include "refusal.h"
#include "span.h"

/* --- Writing --- */

/* Errors stick: after the first one nothing more is added, and kho_blob_finish() returns it. */
struct kho_blob_writer {
	void *buf;
	size_t size;
	int err;
};

/**
 * kho_blob_begin() - start a blob
 * @w:          writer
 * @buf:        where to, aligned to 8 bytes; all @size bytes are set
 * @size:       bytes
 * @compatible: its format and version
 */
void kho_blob_begin(struct kho_blob_writer *w, void *buf, size_t size, const char *compatible);

/* Add a property; integers are little-endian, as KHO's own.  Names may not repeat. */
void kho_blob_u64(struct kho_blob_writer *w, const char *name, uint64_t v);
void kho_blob_u32(struct kho_blob_writer *w, const char *name, uint32_t v);
void kho_blob_string(struct kho_blob_writer *w, const char *name, const char *v);
void kho_blob_bytes(struct kho_blob_writer *w, const char *name, const void *p, size_t len);

/**
 * kho_blob_finish() - end a blob
 * @w:      writer
 * @digest: name of the property to add that holds the digest of the blob
 * @used:   bytes of the blob
 *
 * Return: 0; -EINVAL alignment; -ENOSPC it does not fit.
 */
int kho_blob_finish(struct kho_blob_writer *w, const char *digest, size_t *used);

/* --- Reading --- */

/* A checked blob. */
struct kho_blob {
	struct span fdt;
};

/**
 * kho_blob_open() - check a foreign blob
 * @s:          its bytes, aligned to 8
 * @what:       its name, for the refusal
 * @compatible: format and version it must have
 * @digest:     name of the property that holds its digest
 * @out:        for the getters below
 * @why:        set on refusal
 *
 * Return: 0; -EBADMSG with @why: no well-formed FDT, another format, no digest or a wrong one.
 */
int kho_blob_open(struct span s, const char *what, const char *compatible, const char *digest,
		  struct kho_blob *out, struct kho_refusal *why);

/* A property.  Return: 0; -ENOENT it is not there; -EBADMSG another length than asked for, or a
 * string without an end or with more than one. */
int kho_blob_get_u64(const struct kho_blob *b, const char *name, uint64_t *v);
int kho_blob_get_u32(const struct kho_blob *b, const char *name, uint32_t *v);
int kho_blob_get_string(const struct kho_blob *b, const char *name, const char **v);
int kho_blob_get_bytes(const struct kho_blob *b, const char *name, void *p, size_t len);

/* The bytes themselves, where the length is not known beforehand.  Aligned to 4 only. */
int kho_blob_get_span(const struct kho_blob *b, const char *name, struct span *v);

#endif
