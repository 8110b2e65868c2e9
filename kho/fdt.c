/* Reading foreign FDTs.  fdt_check_full() walks all of it once, so that what libfdt reads later
 * is known to be inside. */
#include "fdt.h"

#include <libfdt.h>

#include "abi.h"

/* Version 17 states the size of the structure block: without it there is no bound. */
#define MIN_VERSION	17

/* The fields of an FDT header are big-endian. */
static uint32_t header_field(struct span s, size_t off)
{
	const uint8_t *p = s.p + off;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int kho_fdt_check(struct span s, const char *what, struct span *out, struct kho_refusal *why)
{
	int err;

	if ((uintptr_t)s.p % KHO_FDT_ALIGN)
		return kho_refuse(why, -EBADMSG, what, "is not 8-byte aligned", 0, s.len);
	if (s.len < sizeof(struct fdt_header))
		return kho_refuse(why, -EBADMSG, what, "is too short for an FDT header", 0, s.len);
	if (header_field(s, offsetof(struct fdt_header, magic)) != FDT_MAGIC)
		return kho_refuse(why, -EBADMSG, what, "has no FDT magic", 0,
				  header_field(s, offsetof(struct fdt_header, magic)));
	if (header_field(s, offsetof(struct fdt_header, version)) < MIN_VERSION)
		return kho_refuse(why, -EBADMSG, what, "has an FDT version below 17", 0,
				  header_field(s, offsetof(struct fdt_header, version)));
	if (header_field(s, offsetof(struct fdt_header, totalsize)) > s.len)
		return kho_refuse(why, -EBADMSG, what, "is larger than its buffer", 0,
				  header_field(s, offsetof(struct fdt_header, totalsize)));
	err = fdt_check_full(s.p, s.len);
	if (err)
		return kho_refuse(why, -EBADMSG, what, "is malformed (libfdt error)", 0, -err);
	*out = span_of(s.p, fdt_totalsize(s.p));
	return 0;
}

int kho_fdt_bytes(struct span fdt, int node, const char *name, struct span *v)
{
	int len;
	const void *p = fdt_getprop(fdt.p, node, name, &len);

	if (!p)
		return -ENOENT;
	*v = span_of(p, len);
	return 0;
}

bool kho_fdt_compatible(struct span fdt, int node, const char *name)
{
	struct span list;

	/* Without the last NUL, libfdt would compare a byte behind the list. */
	return !kho_fdt_bytes(fdt, node, "compatible", &list) && list.len &&
	       !list.p[list.len - 1] &&
	       fdt_stringlist_contains((const char *)list.p, list.len, name);
}

int kho_fdt_u64(struct span fdt, int node, const char *name, uint64_t *v)
{
	struct span s;

	if (kho_fdt_bytes(fdt, node, name, &s))
		return -ENOENT;
	return s.len == sizeof(*v) && span_u64(s, 0, v) ? 0 : -EBADMSG;
}

int kho_fdt_u32(struct span fdt, int node, const char *name, uint32_t *v)
{
	struct span s;

	if (kho_fdt_bytes(fdt, node, name, &s))
		return -ENOENT;
	return s.len == sizeof(*v) && span_u32(s, 0, v) ? 0 : -EBADMSG;
}
