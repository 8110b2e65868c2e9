/* Blobs of our own that are FDTs. */
#include "blob.h"

#include <libfdt.h>

#include "abi.h"
#include "crc32c.h"
#include "fdt.h"

/* --- Writing --- */

void kho_blob_begin(struct kho_blob_writer *w, void *buf, size_t size, const char *compatible)
{
	*w = (struct kho_blob_writer){ .buf = buf, .size = size };
	if ((uintptr_t)buf % KHO_FDT_ALIGN) {
		w->err = -EINVAL;
		return;
	}
	if (size > INT_MAX || fdt_create(buf, size) || fdt_finish_reservemap(buf) ||
	    fdt_begin_node(buf, ""))
		w->err = -ENOSPC;
	kho_blob_string(w, "compatible", compatible);
}

void kho_blob_bytes(struct kho_blob_writer *w, const char *name, const void *p, size_t len)
{
	if (w->err)
		return;
	if (len > w->size || fdt_property(w->buf, name, p, len))
		w->err = -ENOSPC;
}

void kho_blob_u64(struct kho_blob_writer *w, const char *name, uint64_t v)
{
	kho_blob_bytes(w, name, &v, sizeof(v));
}

void kho_blob_u32(struct kho_blob_writer *w, const char *name, uint32_t v)
{
	kho_blob_bytes(w, name, &v, sizeof(v));
}

void kho_blob_string(struct kho_blob_writer *w, const char *name, const char *v)
{
	kho_blob_bytes(w, name, v, strlen(v) + 1);
}

/* CRC32C of the FDT with the four bytes of property @name taken as zero; also where they are. */
static int digest_of(struct span fdt, const char *name, uint32_t *crc, size_t *off)
{
	static const uint8_t zero[sizeof(*crc)];
	struct span field;
	size_t end;

	if (kho_fdt_bytes(fdt, 0, name, &field))
		return -ENOENT;
	if (field.len != sizeof(zero))
		return -EBADMSG;
	*off = field.p - fdt.p;
	end = *off + sizeof(zero);
	*crc = kho_crc32c(0, fdt.p, *off);
	*crc = kho_crc32c(*crc, zero, sizeof(zero));
	*crc = kho_crc32c(*crc, fdt.p + end, fdt.len - end);
	return 0;
}

int kho_blob_finish(struct kho_blob_writer *w, const char *digest, size_t *used)
{
	uint8_t *buf = w->buf;
	uint32_t crc;
	size_t off, len;

	kho_blob_u32(w, digest, 0);
	if (w->err)
		return w->err;
	if (fdt_end_node(buf) || fdt_finish(buf))
		return -ENOSPC;
	len = fdt_totalsize(buf);
	/* libfdt collects the strings at the end of the buffer before it moves them. */
	memset(buf + len, 0, w->size - len);
	if (digest_of(span_of(buf, len), digest, &crc, &off))
		return -EINVAL;		/* the caller had used the name already */
	memcpy(buf + off, &crc, sizeof(crc));
	*used = len;
	return 0;
}

/* --- Reading --- */

int kho_blob_open(struct span s, const char *what, const char *compatible, const char *digest,
		  struct kho_blob *out, struct kho_refusal *why)
{
	struct kho_blob b;
	uint32_t want, crc;
	size_t off;

	if (kho_fdt_check(s, what, &b.fdt, why))
		return -EBADMSG;
	if (!kho_fdt_compatible(b.fdt, 0, compatible))
		return kho_refuse(why, -EBADMSG, what, "has another format or version", 0, 0);
	if (kho_fdt_u32(b.fdt, 0, digest, &want) || digest_of(b.fdt, digest, &crc, &off))
		return kho_refuse(why, -EBADMSG, what, "has no digest", 0, 0);
	if (crc != want)
		return kho_refuse(why, -EBADMSG, what, "does not match its digest", 0, crc);
	*out = b;
	return 0;
}

int kho_blob_get_u64(const struct kho_blob *b, const char *name, uint64_t *v)
{
	return kho_fdt_u64(b->fdt, 0, name, v);
}

int kho_blob_get_u32(const struct kho_blob *b, const char *name, uint32_t *v)
{
	return kho_fdt_u32(b->fdt, 0, name, v);
}

int kho_blob_get_span(const struct kho_blob *b, const char *name, struct span *v)
{
	return kho_fdt_bytes(b->fdt, 0, name, v);
}

int kho_blob_get_bytes(const struct kho_blob *b, const char *name, void *p, size_t len)
{
	struct span s;

	if (kho_fdt_bytes(b->fdt, 0, name, &s))
		return -ENOENT;
	if (s.len != len)
		return -EBADMSG;
	memcpy(p, s.p, len);
	return 0;
}

int kho_blob_get_string(const struct kho_blob *b, const char *name, const char **v)
{
	struct span s;

	if (kho_fdt_bytes(b->fdt, 0, name, &s))
		return -ENOENT;
	if (!s.len || memchr(s.p, 0, s.len) != s.p + s.len - 1)
		return -EBADMSG;
	*v = (const char *)s.p;
	return 0;
}
