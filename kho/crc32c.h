/* CRC32C (Castagnoli), the digest of everything that is handed over and must not change. */
#ifndef BATON_KHO_CRC32C_H
#define BATON_KHO_CRC32C_H

#include "base.h"

/**
 * kho_crc32c() - CRC32C of some bytes
 * @crc: 0 to start, or the value for the bytes before these
 * @p:   bytes, any alignment
 * @len: how many
 *
 * Spec: RFC 3720 12.1 and appendix B.4 (reflected, initial and final value all ones).
 */
uint32_t kho_crc32c(uint32_t crc, const void *p, size_t len);

/* The same for @len bytes of zero, however many. */
uint32_t kho_crc32c_zeros(uint32_t crc, uint64_t len);

#endif
