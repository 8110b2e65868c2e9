/* An image of physical memory. */
#include "image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "platform/mem.h"

/* Contiguous both in memory and here. */
struct run {
	paddr_t pa;
	uint64_t len;
	const uint8_t *p;
};

static struct run *runs;
static size_t nr_runs, max_runs;

static _Alignas(PAGE_SIZE) const uint8_t zeros[PAGE_SIZE];
static struct { paddr_t page[IMAGE_MISSING_MAX]; size_t nr, reported; } missing;

enum status complain(enum status s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("kho-dump: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return s;
}

enum status image_map_file(const char *path, struct span *out)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0)
		return complain(STATUS_MISSING, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return complain(STATUS_USAGE, "%s: no file, or an empty one", path);
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return complain(STATUS_USAGE, "%s: %s", path, strerror(errno));
	*out = span_of(p, st.st_size);
	return STATUS_OK;
}

void image_add(paddr_t pa, struct span bytes)
{
	runs = grow(runs, nr_runs, &max_runs, sizeof(*runs));
	runs[nr_runs++] = (struct run){ pa, bytes.len, bytes.p };
}

static int by_address(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return (x->pa > y->pa) - (x->pa < y->pa);
}

/* Copy @n runs, adjacent in memory but not in the file, into one. */
static struct run joined(const struct run *r, size_t n)
{
	const struct run *last = &r[n - 1];
	struct run out = { r->pa, last->pa + last->len - r->pa, NULL };
	uint8_t *p = aligned_alloc(PAGE_SIZE, out.len);

	if (!p)
		no_memory();
	for (size_t i = 0; i < n; i++)
		memcpy(p + (r[i].pa - r->pa), r[i].p, r[i].len);
	out.p = p;
	return out;
}

static struct run join(const struct run *r, size_t n)
{
	struct run out = *r;

	for (size_t i = 1; i < n; i++) {
		if (out.p + out.len != r[i].p)
			return joined(r, n);
		out.len += r[i].len;
	}
	return out;
}

enum status image_seal(void)
{
	size_t nr = 0;

	if (!nr_runs)
		return complain(STATUS_USAGE, "the image has no whole page");
	qsort(runs, nr_runs, sizeof(*runs), by_address);
	for (size_t i = 1; i < nr_runs; i++)
		if (runs[i].pa - runs[i - 1].pa < runs[i - 1].len)
			return complain(STATUS_USAGE, "the image has 0x%llx twice",
					(unsigned long long)runs[i].pa);
	for (size_t i = 0, end; i < nr_runs; i = end) {
		for (end = i + 1; end < nr_runs; end++)
			if (runs[end].pa - runs[end - 1].pa != runs[end - 1].len)
				break;
		runs[nr++] = join(&runs[i], end - i);
	}
	nr_runs = nr;
	return STATUS_OK;
}

/* The run that holds the byte at @pa, or NULL. */
static const struct run *run_at(paddr_t pa)
{
	size_t lo = 0, hi = nr_runs;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (runs[mid].pa <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pa - runs[lo - 1].pa < runs[lo - 1].len ? &runs[lo - 1] : NULL;
}

bool image_has(paddr_t pa, uint64_t len)
{
	const struct run *r = run_at(pa);

	return !len || (r && len <= r->len - (pa - r->pa));
}

static void note_missing(paddr_t page)
{
	for (size_t i = 0; i < missing.nr; i++)
		if (missing.page[i] == page)
			return;
	if (missing.nr < IMAGE_MISSING_MAX)
		missing.page[missing.nr++] = page;
}

bool image_missing(paddr_t *pa)
{
	if (missing.reported == missing.nr)
		return false;
	*pa = missing.page[missing.reported++];
	return true;
}

void *mem_ptr(paddr_t pa)
{
	const struct run *r = run_at(pa);

	if (r)
		return (void *)(uintptr_t)(r->p + (pa - r->pa));
	note_missing(ALIGN_DOWN(pa, PAGE_SIZE));
	return (void *)(uintptr_t)&zeros[pa % PAGE_SIZE];
}

paddr_t mem_pa(const void *p)
{
	const uint8_t *at = p;

	for (size_t i = 0; i < nr_runs; i++)
		if (at >= runs[i].p && (size_t)(at - runs[i].p) < runs[i].len)
			return runs[i].pa + (at - runs[i].p);
	return 0;
}
