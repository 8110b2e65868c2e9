/* SHA-256 (FIPS 180-4), for digests that other tools can recompute. */
#ifndef KHO_DUMP_SHA256_H
#define KHO_DUMP_SHA256_H

#include "base.h"

#define SHA256_BYTES	32

struct sha256 {
	uint32_t h[8];
	uint64_t len;		/* bytes so far */
	uint8_t block[64];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t len);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]);

#endif
