/* Claims of a reader. */
#include "claim.h"

#include <string.h>

/* The number of ranges that begin at or below @pa. */
static size_t ranges_upto(const struct kho_claims *c, paddr_t pa)
{
	size_t lo = 0, hi = c->nr;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (c->range[mid].base <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void remove_range(struct kho_claims *c, size_t i)
{
	c->nr--;
	memmove(&c->range[i], &c->range[i + 1], (c->nr - i) * sizeof(c->range[0]));
}

int kho_claim(struct kho_claims *c, paddr_t pa, uint64_t len)
{
	const size_t at = ranges_upto(c, pa);
	struct kho_range *before = at ? &c->range[at - 1] : NULL;
	struct kho_range *after = at < c->nr ? &c->range[at] : NULL;
	const bool joins_after = after && after->base - pa == len;

	if ((before && pa - before->base < before->len) || (after && after->base - pa < len))
		return -EEXIST;
	if (before && before->base + before->len == pa) {
		before->len += len + (joins_after ? after->len : 0);
		if (joins_after)
			remove_range(c, at);
		return 0;
	}
	if (joins_after) {
		after->base = pa;
		after->len += len;
		return 0;
	}
	if (c->nr == c->max)
		return -ENOSPC;
	memmove(&c->range[at + 1], &c->range[at], (c->nr - at) * sizeof(c->range[0]));
	c->range[at] = (struct kho_range){ pa, len };
	c->nr++;
	return 0;
}

int kho_claim_range(struct kho_reader *r, const char *what, paddr_t pa, uint64_t len,
		    struct kho_refusal *why)
{
	switch (kho_claim(&r->claims, pa, len)) {
	case 0:
		return 0;
	case -EEXIST:
		return kho_refuse(why, -ELOOP, what, "is named twice", pa, len);
	default:
		return kho_refuse(why, -ENOSPC, what, "is one too many for the work memory", pa,
				  r->claims.max);
	}
}

/* The whole pages of a blob, or of the root FDT: kho_read() saw that none are shared. */
static int claim_pages_of(struct kho_reader *r, const char *what, paddr_t pa, uint64_t len,
			  struct kho_refusal *why)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	return kho_claim_range(r, what, base, ALIGN_UP(pa + len, PAGE_SIZE) - base, why);
}

int kho_reader_init(struct kho_reader *r, const struct kho_handoff *h, const struct kho_limits *lim,
		    struct kho_range *work, size_t max, struct kho_refusal *why)
{
	int err;

	*r = (struct kho_reader){
		.lim = lim, .scratch = &h->scratch, .map = &h->map,
		.claims = { .range = work, .max = max },
	};
	err = claim_pages_of(r, "root FDT", h->data.fdt_pa, h->tree.fdt_bytes, why);
	for (size_t i = 0; i < h->tree.nr && !err; i++)
		err = claim_pages_of(r, "blob of a sub-node", h->tree.node[i].pa,
				     h->tree.node[i].size, why);
	return err;
}

int kho_claim_chunk(struct kho_reader *r, const char *what, paddr_t pa, unsigned *order,
		    struct kho_refusal *why)
{
	unsigned o;
	int err;

	if (!IS_ALIGNED(pa, PAGE_SIZE))
		return kho_refuse(why, -EBADMSG, what, "is not page aligned", pa, 0);
	if (kho_check_place(r->lim, r->scratch, what, pa, PAGE_SIZE, why))
		return -EBADMSG;
	if (!kho_map_chunk(r->map, pa, &o))
		return kho_refuse(why, -EBADMSG, what, "does not begin a preserved chunk", pa, 0);
	err = kho_claim_range(r, what, pa, PAGE_SIZE << o, why);
	if (!err)
		*order = o;
	return err;
}

int kho_claim_page(struct kho_reader *r, const char *what, paddr_t pa, struct kho_refusal *why)
{
	unsigned order;
	const int err = kho_claim_chunk(r, what, pa, &order, why);

	if (err)
		return err;
	if (order)
		return kho_refuse(why, -EBADMSG, what, "is not preserved as a page of its own", pa,
				  order);
	return 0;
}
