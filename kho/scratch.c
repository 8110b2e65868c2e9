/* The scratch array, written and read. */
#include "scratch.h"

#include <string.h>

int kho_scratch_write(const struct kho_scratch *s, void *buf, size_t size, size_t *used)
{
	const size_t bytes = s->nr * sizeof(s->entry[0]);

	if (bytes > size)
		return -ENOSPC;
	memcpy(buf, s->entry, bytes);
	*used = bytes;
	return 0;
}

bool kho_scratch_overlaps(const struct kho_scratch *s, paddr_t pa, uint64_t len)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->entry[i].size &&
		    ranges_overlap(pa, len, s->entry[i].addr, s->entry[i].size))
			return true;
	return false;
}

/* What is wrong with area @e, given the ones before it; NULL: nothing. */
static const char *area_fault(const struct kho_scratch *before, const struct kho_scratch_entry *e,
			      const struct kho_ram_view *ram)
{
	if (!kho_addressable(e->addr, e->size))
		return "wraps or exceeds 52 address bits";
	if (!IS_ALIGNED(e->addr | e->size, PAGE_SIZE))
		return "is not page aligned";
	if (!ram->is_ram(ram->ctx, e->addr, e->size))
		return "is not RAM";
	if (kho_scratch_overlaps(before, e->addr, e->size))
		return "overlaps another";
	return NULL;
}

int kho_scratch_read(struct span array, const struct kho_ram_view *ram, struct kho_scratch *out,
		     struct kho_refusal *why)
{
	const size_t nr = array.len / sizeof(struct kho_scratch_entry);
	struct kho_scratch s = { .nr = 0 };
	bool any = false;

	if (nr > KHO_MAX_SCRATCH)
		return kho_refuse(why, -EBADMSG, "scratch array", "has too many entries", 0, nr);
	for (size_t i = 0; i < nr; i++) {
		struct kho_scratch_entry *e = &s.entry[i];
		const char *fault;

		memcpy(e, array.p + i * sizeof(*e), sizeof(*e));
		if (e->size) {
			fault = area_fault(&s, e, ram);
			if (fault)
				return kho_refuse(why, -EBADMSG, "scratch area", fault, e->addr,
						  e->size);
			any = true;
		}
		s.nr++;
	}
	if (!any)
		return kho_refuse(why, -EBADMSG, "scratch array", "has no non-empty area", 0, nr);
	*out = s;
	return 0;
}
