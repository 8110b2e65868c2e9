/* What every reader of a foreign FDT needs on top of libfdt.  KHO's u64 properties are memory
 * images, little-endian, not the big-endian cells that libfdt's own helpers read and write. */
#ifndef BATON_KHO_FDT_H
#define BATON_KHO_FDT_H

#include "refusal.h"
#include "span.h"

/**
 * kho_fdt_check() - is this a whole, well-formed FDT?
 * @s:    its bytes; the FDT may be shorter than they are
 * @what: its name, for the refusal
 * @out:  exactly the FDT, safe for libfdt's read-only calls
 * @why:  set on refusal
 *
 * Demands 8-byte alignment, version 17 and that every token, name and string lies inside.
 * Return: 0; -EBADMSG with @why.
 */
int kho_fdt_check(struct span s, const char *what, struct span *out, struct kho_refusal *why);

/* Does node @node of a checked FDT list @name in its `compatible`? */
bool kho_fdt_compatible(struct span fdt, int node, const char *name);

/* The property of exactly 8 or 4 bytes.  Return: 0; -ENOENT; -EBADMSG another length. */
int kho_fdt_u64(struct span fdt, int node, const char *name, uint64_t *v);
int kho_fdt_u32(struct span fdt, int node, const char *name, uint32_t *v);

/* The property's bytes, any length.  Return: 0; -ENOENT. */
int kho_fdt_bytes(struct span fdt, int node, const char *name, struct span *v);

#endif
