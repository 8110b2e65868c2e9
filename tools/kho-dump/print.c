/* What both forms have in common. */
#include "print.h"

#include "bootparams.h"
#include "platform/mem.h"

#define CMDLINE_MAX	4096

const char *print_cmdline(const struct dump *d, paddr_t *pa, size_t *max)
{
	const struct span page = span_of(mem_ptr(d->where.boot_params), BOOT_PARAMS_BYTES);
	uint32_t lo = 0, hi = 0;

	span_u32(page, BP_CMD_LINE_PTR, &lo);
	span_u32(page, BP_EXT_CMD_LINE_PTR, &hi);
	*pa = (uint64_t)hi << 32 | lo;
	if (!*pa || !image_has(*pa, 1))
		return NULL;
	*max = PAGE_SIZE - *pa % PAGE_SIZE;
	if (image_has(*pa, CMDLINE_MAX))
		*max = CMDLINE_MAX;
	return mem_ptr(*pa);
}

/* Page by page: folios need not be in one piece of the image. */
bool print_content_there(const struct kho_memfd *m)
{
	for (size_t i = 0; i < m->nr_folios; i++)
		for (uint64_t at = 0; at < m->folios[i].len; at += PAGE_SIZE)
			if (!image_has(m->folios[i].pa + at, PAGE_SIZE))
				return false;
	return true;
}

bool print_is_string(struct span v)
{
	for (size_t i = 0; i + 1 < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return v.len > 1 && !v.p[v.len - 1];
}
