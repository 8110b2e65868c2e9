/* Halves of the scratch area in use. */
#include "window.h"

#include "errno.h"
#include "memmap.h"
#include "platform/mem.h"

/* The array is the only thing of a handoff that is read before it is validated: nothing else
 * says where it is safe to put page tables.  Linux sends nodes + 2 entries. */
#define MAX_ARRAY_BYTES	(KHO_MAX_SCRATCH * sizeof(struct kho_scratch_entry))

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *bi = ctx;

	return memmap_is_ram(bi->map, bi->nr_map, pa, len);
}

int window_create(const struct boot_info *bi, uint64_t bytes, struct window *w)
{
	const struct memmap_request want = {
		.kinds = MEMMAP_KIND(MEM_CONVENTIONAL), .min = WINDOW_MIN, .max = WINDOW_MAX,
		.len = bytes, .align = WINDOW_ALIGN,
	};
	paddr_t base;

	if (memmap_find(bi->map, bi->nr_map, &want, &base))
		return -ENOMEM;
	*w = (struct window){ .own = base, .next = base + bytes / 2, .half = bytes / 2 };
	w->areas.nr = 1;
	w->areas.entry[0].addr = base;
	w->areas.entry[0].size = bytes;
	return 0;
}

int window_find(const struct boot_info *bi, struct window *w, struct kho_refusal *why)
{
	const struct kho_ram_view ram = { .is_ram = is_ram, .ctx = (void *)(uintptr_t)bi };
	int err;

	if (!bi->kho_scratch_size || bi->kho_scratch_size > MAX_ARRAY_BYTES ||
	    !range_valid(bi->kho_scratch, bi->kho_scratch_size) ||
	    !is_ram((void *)(uintptr_t)bi, bi->kho_scratch, bi->kho_scratch_size))
		return kho_refuse(why, -EBADMSG, "scratch array", "is not RAM or has an impossible size",
				  bi->kho_scratch, bi->kho_scratch_size);
	err = kho_scratch_read(span_of(mem_ptr(bi->kho_scratch), bi->kho_scratch_size), &ram,
			       &w->areas, why);
	if (err)
		return err;
	for (size_t i = 0; i < w->areas.nr; i++) {
		const struct kho_scratch_entry *e = &w->areas.entry[i];
		const uint64_t half = ALIGN_DOWN(e->size / 2, WINDOW_ALIGN / 2);

		if (bi->image < e->addr || bi->image + bi->image_size > e->addr + e->size)
			continue;
		w->half = half;
		w->own = bi->image < e->addr + half ? e->addr : e->addr + half;
		w->next = w->own == e->addr ? e->addr + half : e->addr;
		if (bi->image + bi->image_size > w->own + half)
			return kho_refuse(why, -EBADMSG, "image", "lies across both scratch halves",
					  bi->image, bi->image_size);
		return 0;
	}
	return kho_refuse(why, -ENOENT, "image", "is not in scratch", bi->image, bi->image_size);
}

void window_heap(const struct window *w, const struct boot_info *bi, paddr_t *base, uint64_t *len)
{
	const paddr_t image_end = ALIGN_UP(bi->image + bi->image_size, PAGE_SIZE);
	const paddr_t end = w->own + w->half;

	*base = image_end > w->own && image_end < end ? image_end : w->own;
	*len = end - *base;
}
