/* The scratch array: memory the next kernel may use before it knows what is preserved.
 * Linux: kernel/liveupdate/kexec_handover.c, include/asm-generic/kexec_handover.h. */
#ifndef BATON_KHO_SCRATCH_H
#define BATON_KHO_SCRATCH_H

#include "abi.h"
#include "place.h"

/* Linux sends one entry per NUMA node and two more; this is a limit of ours. */
#define KHO_MAX_SCRATCH		64

/* The array as it stands: order kept and empty entries included, since it is handed on as is. */
struct kho_scratch {
	struct kho_scratch_entry entry[KHO_MAX_SCRATCH];
	size_t nr;
};

/**
 * kho_scratch_write() - serialise a scratch array
 * @s:    areas
 * @buf:  where to
 * @size: bytes of @buf
 * @used: bytes written, for kho_data.scratch_size
 *
 * Return: 0; -ENOSPC the buffer is too small.
 */
int kho_scratch_write(const struct kho_scratch *s, void *buf, size_t size, size_t *used);

/**
 * kho_scratch_read() - check a foreign scratch array and copy it
 * @array: its bytes; a partial entry at the end is ignored, as Linux does
 * @ram:   what is RAM
 * @out:   areas
 * @why:   set on refusal
 *
 * Refused: more than KHO_MAX_SCRATCH entries, an area that wraps, is not page aligned, is not
 * RAM or overlaps another, and an array without a single non-empty area.
 * Return: 0; -EBADMSG with @why.
 */
int kho_scratch_read(struct span array, const struct kho_ram_view *ram, struct kho_scratch *out,
		     struct kho_refusal *why);

/* True if the valid range [@pa, @pa + @len) shares a byte with an area. */
bool kho_scratch_overlaps(const struct kho_scratch *s, paddr_t pa, uint64_t len);

#endif
