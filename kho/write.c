/* Putting a handoff together. */
#include "write.h"

#include "platform/mem.h"

static int preserve_blob(struct kho_radix *r, const struct kho_subnode *n)
{
	if (!n->size || n->size > KHO_ADDR_LIMIT || !IS_ALIGNED(n->pa, PAGE_SIZE))
		return -EINVAL;
	return kho_preserve_range(r, n->pa, ALIGN_UP(n->size, PAGE_SIZE));
}

int kho_write(const struct kho_plan *p, struct kho_data *out)
{
	size_t array_bytes, fdt_bytes;
	int err;

	err = kho_scratch_write(p->scratch, mem_ptr(p->scratch_pa), PAGE_SIZE, &array_bytes);
	if (!err)
		err = kho_preserve(p->radix, p->fdt_pa, 0);
	for (size_t i = p->nr_carried; i < p->nr_nodes && !err; i++)
		err = preserve_blob(p->radix, &p->nodes[i]);
	if (!err)
		err = kho_tree_write(mem_ptr(p->fdt_pa), KHO_FDT_BYTES, p->radix->root, p->nodes,
				     p->nr_nodes, &fdt_bytes);
	if (err)
		return err;
	*out = (struct kho_data){
		.fdt_pa = p->fdt_pa, .fdt_size = KHO_FDT_BYTES,
		.scratch_pa = p->scratch_pa, .scratch_size = array_bytes,
	};
	return 0;
}
