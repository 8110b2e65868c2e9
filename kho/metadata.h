/* Sub-node "kexec-metadata": which release handed over, and how often.
 * Linux: include/linux/kho/abi/kexec_metadata.h. */
#ifndef BATON_KHO_METADATA_H
#define BATON_KHO_METADATA_H

#include "abi.h"
#include "refusal.h"
#include "span.h"

struct kho_metadata {
	char previous_release[KHO_METADATA_RELEASE_BYTES];	/* NUL-terminated */
	uint32_t kexec_count;		/* hand overs so far, this one included */
};

/**
 * kho_metadata_write() - serialise
 * @m:    release and count
 * @buf:  at least KHO_METADATA_BYTES, any alignment; exactly those are set
 *
 * Bytes behind the release's NUL are written as zero, whatever @m has there.
 * Return: 0; -EINVAL the release is not terminated.
 */
int kho_metadata_write(const struct kho_metadata *m, void *buf);

/**
 * kho_metadata_read() - read the blob of the sub-node
 * @s:   blob, blob-size bytes
 * @out: release and count
 * @why: set on refusal
 *
 * Return: 0; -EBADMSG too short, another version, or the release is not terminated.
 */
int kho_metadata_read(struct span s, struct kho_metadata *out, struct kho_refusal *why);

#endif
