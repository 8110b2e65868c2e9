/* What the fuzz targets share: taking an input apart, and bytes that end where readable memory
 * ends, since libfdt is not built with sanitizers. */
#ifndef BATON_FUZZ_H
#define BATON_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base.h"
#include "span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted must hold this; the sanitizers see the rest. */
#define REQUIRE(x) do {								\
	if (!(x)) {								\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);	\
		abort();							\
	}									\
} while (0)

/* The first @len bytes of what is left, zeros behind its end. */
static inline void fuzz_take(struct span *in, void *out, size_t len)
{
	const size_t n = MIN(len, in->len);

	memset(out, 0, len);
	if (n)
		memcpy(out, in->p, n);
	in->p += n;
	in->len -= n;
}

static inline uint64_t fuzz_take_u64(struct span *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

#define FUZZ_GUARDED_MAX	KIB(512)

/* A copy, 8-byte aligned, with at most seven bytes between its end and memory that faults. */
static inline struct span fuzz_guarded(const void *p, size_t len)
{
	static uint8_t *end;
	uint8_t *at;

	REQUIRE(len <= FUZZ_GUARDED_MAX);
	if (!end) {
		uint8_t *base = mmap(NULL, FUZZ_GUARDED_MAX + PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE(base != MAP_FAILED);
		end = base + FUZZ_GUARDED_MAX;
		REQUIRE(!mprotect(end, PAGE_SIZE, PROT_NONE));
	}
	at = end - ALIGN_UP(len, 8);
	memset(at, 0xa5, end - at);
	if (len)
		memcpy(at, p, len);
	return span_of(at, len);
}

#endif
