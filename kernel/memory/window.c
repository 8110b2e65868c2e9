/* The parts of scratch in use. */
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

/* ---- parts ----------------------------------------------------------------------------------- */

/* What is in the way of either part. */
#define MAX_BUSY	4
struct busy {
	struct kho_range range[MAX_BUSY];
	size_t nr;
};

static void add_busy(struct busy *b, paddr_t pa, uint64_t len)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	if (len)
		b->range[b->nr++] = (struct kho_range){ base, ALIGN_UP(pa + len, PAGE_SIZE) - base };
}

/* The first byte in use from @pa on, and the end of what uses it; @end: none. */
static paddr_t next_busy(const struct busy *b, paddr_t pa, paddr_t end, paddr_t *after)
{
	paddr_t first = end;

	*after = end;
	for (size_t i = 0; i < b->nr; i++) {
		const struct kho_range *r = &b->range[i];

		if (r->base + r->len > pa && r->base < first) {
			first = MAX(r->base, pa);
			*after = r->base + r->len;
		}
	}
	return first;
}

/* Keep the two largest pieces of [@pa, @end) that are free. */
static void take_gaps(const struct busy *b, paddr_t pa, paddr_t end, struct kho_range largest[2])
{
	while (pa < end) {
		paddr_t after;
		const paddr_t stop = next_busy(b, pa, end, &after);
		const struct kho_range gap = { pa, stop - pa };

		if (gap.len > largest[0].len) {
			largest[1] = largest[0];
			largest[0] = gap;
		} else if (gap.len > largest[1].len) {
			largest[1] = gap;
		}
		pa = after;
	}
}

static bool is_clear(const struct busy *b, const struct kho_scratch_entry *e)
{
	paddr_t after;

	return next_busy(b, e->addr, e->addr + e->size, &after) == e->addr + e->size;
}

/* The largest area besides @own that nothing is in. */
static struct kho_range other_area(const struct window *w, const struct kho_scratch_entry *own,
				   const struct busy *b)
{
	struct kho_range r = { 0 };

	for (size_t i = 0; i < w->areas.nr; i++) {
		const struct kho_scratch_entry *e = &w->areas.entry[i];

		if (e != own && e->size > r.len && is_clear(b, e))
			r = (struct kho_range){ e->addr, e->size };
	}
	return r;
}

/* Two free pieces of one area's equal halves, neither across the middle, so that an image in one half
 * finds the other half free.  Of a piece much larger than all others each gets a part. */
#define MUCH_LARGER	4
static void halve(const struct kho_scratch_entry *e, const struct busy *b, struct kho_range piece[2])
{
	const uint64_t half = ALIGN_DOWN(e->size / 2, WINDOW_ALIGN / 2);

	take_gaps(b, e->addr, e->addr + half, piece);
	take_gaps(b, e->addr + half, e->addr + 2 * half, piece);
	if (piece[0].len / MUCH_LARGER > piece[1].len) {
		const uint64_t part = ALIGN_DOWN(piece[0].len / 2, PAGE_SIZE);

		piece[1] = (struct kho_range){ piece[0].base + part, piece[0].len - part };
		piece[0].len = part;
	}
}

/* The image is the first of what is busy. */
static int choose_parts(const struct busy *b, struct window *w, struct kho_refusal *why)
{
	struct kho_range piece[2] = { { 0 } }, whole[2] = { { 0 } }, other;
	const struct kho_range *image = &b->range[0];
	const struct kho_scratch_entry *own = NULL;

	for (size_t i = 0; i < w->areas.nr && !own; i++) {
		const struct kho_scratch_entry *e = &w->areas.entry[i];

		if (image->base >= e->addr && image->base - e->addr < e->size &&
		    image->len <= e->size - (image->base - e->addr))
			own = e;
	}
	if (!own)
		return kho_refuse(why, -ENOENT, "image", "is not in scratch", image->base, image->len);
	other = other_area(w, own, b);
	halve(own, b, piece);
	take_gaps(b, own->addr, own->addr + own->size, whole);
	if (other.len > piece[0].len) {
		piece[0] = other;
		piece[1] = whole[0];
	}
	if (!piece[0].len || !piece[1].len)
		return kho_refuse(why, -ENOMEM, "scratch area", "is full", own->addr, own->size);
	w->next = piece[0].base;
	w->half = piece[0].len;
	w->own = piece[1].base;
	w->own_len = piece[1].len;
	return 0;
}

/* ---- the two ways to a window ---------------------------------------------------------------------- */

int window_create(const struct boot_info *bi, uint64_t bytes, struct window *w)
{
	const struct memmap_request want = {
		.kinds = MEMMAP_KIND(MEM_CONVENTIONAL), .min = WINDOW_MIN, .max = WINDOW_MAX,
		.len = bytes, .align = WINDOW_ALIGN,
	};
	paddr_t base;

	if (memmap_find(bi->map, bi->nr_map, &want, &base))
		return -ENOMEM;
	*w = (struct window){ .own = base, .own_len = bytes / 2, .next = base + bytes / 2,
			      .half = bytes / 2 };
	w->areas.nr = 1;
	w->areas.entry[0].addr = base;
	w->areas.entry[0].size = bytes;
	return 0;
}

int window_find(const struct boot_info *bi, struct window *w, struct kho_refusal *why)
{
	const struct kho_ram_view ram = { .is_ram = is_ram, .ctx = (void *)(uintptr_t)bi };
	struct busy b = { .nr = 0 };
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
	add_busy(&b, bi->image, bi->image_size);
	add_busy(&b, bi->initrd, bi->initrd_size);
	add_busy(&b, bi->kho_scratch, bi->kho_scratch_size);
	return choose_parts(&b, w, why);
}

int window_after(const struct window *w, paddr_t image, uint64_t image_size, struct window *next)
{
	struct busy b = { .nr = 0 };
	struct kho_refusal why;

	*next = *w;
	add_busy(&b, image, image_size);
	return choose_parts(&b, next, &why);
}
