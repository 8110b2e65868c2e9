/* Reading a whole handoff. */
#include "read.h"

#include "platform/mem.h"
#include "radix.h"

static const char scratch_array[] = "scratch array";
static const char root_fdt[] = "root FDT";

/* The pages that a range touches. */
static struct kho_range pages_of(paddr_t pa, uint64_t len)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	return (struct kho_range){ base, ALIGN_UP(pa + len, PAGE_SIZE) - base };
}

/* The array may lie in scratch, as Linux places it. */
static int read_scratch(const struct kho_data *d, const struct kho_limits *lim,
			struct kho_scratch *out, struct kho_refusal *why)
{
	if (kho_check_place(lim, NULL, scratch_array, d->scratch_pa, d->scratch_size, why))
		return -EBADMSG;
	return kho_scratch_read(span_of(mem_ptr(d->scratch_pa), d->scratch_size), &lim->ram, out,
				why);
}

static int read_tree(const struct kho_data *d, const struct kho_limits *lim,
		     struct kho_handoff *h, struct kho_refusal *why)
{
	if (d->fdt_size > KHO_FDT_MAX_BYTES)
		return kho_refuse(why, -EBADMSG, root_fdt, "has too large a buffer", d->fdt_pa,
				  d->fdt_size);
	if (!IS_ALIGNED(d->fdt_pa, PAGE_SIZE))
		return kho_refuse(why, -EBADMSG, root_fdt, "is not page aligned", d->fdt_pa, 0);
	if (kho_check_place(lim, &h->scratch, root_fdt, d->fdt_pa, d->fdt_size, why))
		return -EBADMSG;
	if (kho_tree_read(span_of(mem_ptr(d->fdt_pa), d->fdt_size), &h->tree, why)) {
		why->at = d->fdt_pa;
		return -EBADMSG;
	}
	return 0;
}

/* Blob @i lies in preserved pages, and shares none with the root FDT or an earlier blob. */
static int check_blob(const struct kho_handoff *h, size_t i, struct kho_refusal *why)
{
	const struct kho_subnode *n = &h->tree.node[i];
	struct kho_range mine = pages_of(h->data.fdt_pa, h->tree.fdt_bytes), other = mine;

	/* Preserved ranges end below the address limit, so a covered blob does not wrap. */
	if (!kho_map_covers(&h->map, n->pa, n->size))
		return kho_refuse(why, -EBADMSG, "blob of a sub-node", "is not preserved", n->pa,
				  n->size);
	mine = pages_of(n->pa, n->size);
	for (size_t j = 0;; j++) {
		if (ranges_overlap(mine.base, mine.len, other.base, other.len))
			return kho_refuse(why, -EBADMSG, "blob of a sub-node",
					  "shares a page with another", n->pa, n->size);
		if (j == i)
			return 0;
		other = pages_of(h->tree.node[j].pa, h->tree.node[j].size);
	}
}

/* What the parts say about each other. */
static int check_whole(const struct kho_handoff *h, struct kho_refusal *why)
{
	const struct kho_data *d = &h->data;

	if (kho_map_overlaps(&h->map, d->scratch_pa, d->scratch_size))
		return kho_refuse(why, -EBADMSG, scratch_array, "lies in preserved memory",
				  d->scratch_pa, d->scratch_size);
	if (kho_map_overlaps_node(&h->map, d->scratch_pa, d->scratch_size))
		return kho_refuse(why, -EBADMSG, scratch_array, "lies in a radix node",
				  d->scratch_pa, d->scratch_size);
	if (!kho_map_covers(&h->map, d->fdt_pa, h->tree.fdt_bytes))
		return kho_refuse(why, -EBADMSG, root_fdt, "is not preserved", d->fdt_pa,
				  h->tree.fdt_bytes);
	for (size_t i = 0; i < h->tree.nr; i++)
		if (check_blob(h, i, why))
			return -EBADMSG;
	return 0;
}

int kho_read(const struct kho_data *data, const struct kho_limits *lim, struct kho_handoff *out,
	     struct kho_refusal *why)
{
	int err;

	out->data = *data;
	err = read_scratch(data, lim, &out->scratch, why);
	if (!err)
		err = read_tree(data, lim, out, why);
	if (!err)
		err = kho_radix_read(out->tree.radix_root, lim, &out->scratch, &out->map, why);
	if (!err)
		err = check_whole(out, why);
	return err;
}

struct span kho_subnode_blob(const struct kho_subnode *n)
{
	return span_of(mem_ptr(n->pa), n->size);
}
