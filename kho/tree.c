/* The KHO root FDT. */
#include "tree.h"

#include <libfdt.h>

#include "fdt.h"

static const char root_fdt[] = "root FDT";
static const char sub_node[] = "sub-node";

/* Characters of a node name (Devicetree Specification 2.2.1), without a unit address. */
static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr(",._+-", c));
}

static bool name_valid(const char *name)
{
	const size_t len = strnlen(name, KHO_SUBNODE_NAME_BYTES);

	if (!len || len == KHO_SUBNODE_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!name_char(name[i]))
			return false;
	return true;
}

/* --- Writing --- */

static int add_subnode(void *buf, const struct kho_subnode *n)
{
	int node, err;

	if (!name_valid(n->name))
		return -EINVAL;
	node = fdt_add_subnode(buf, 0, n->name);
	if (node < 0)
		return node == -FDT_ERR_EXISTS ? -EINVAL : -ENOSPC;
	err = fdt_setprop(buf, node, KHO_PROP_DATA, &n->pa, sizeof(n->pa));
	if (!err)
		err = fdt_setprop(buf, node, KHO_PROP_BLOB_SIZE, &n->size, sizeof(n->size));
	return err ? -ENOSPC : 0;
}

int kho_tree_write(void *buf, size_t size, paddr_t radix_root, const struct kho_subnode *nodes,
		   size_t n, size_t *used)
{
	int err;

	if ((uintptr_t)buf % KHO_FDT_ALIGN)
		return -EINVAL;
	if (n > KHO_MAX_SUBNODES || size > KHO_FDT_MAX_BYTES)
		return -ENOSPC;
	/* libfdt puts a new property, or node, in front: so the bytes are those Linux makes. */
	err = fdt_create_empty_tree(buf, size);
	if (!err)
		err = fdt_setprop(buf, 0, KHO_PROP_MAP, &radix_root, sizeof(radix_root));
	if (!err)
		err = fdt_setprop(buf, 0, "compatible", KHO_COMPATIBLE, sizeof(KHO_COMPATIBLE));
	if (err)
		return -ENOSPC;
	for (size_t i = 0; i < n && !err; i++)
		err = add_subnode(buf, &nodes[i]);
	if (err)
		return err;
	if (fdt_pack(buf))
		return -ENOSPC;
	*used = fdt_totalsize(buf);
	/* What packing moved away from is not part of the FDT, but of the page that is digested. */
	memset((uint8_t *)buf + *used, 0, size - *used);
	return 0;
}

/* --- Reading --- */

static int read_subnode(struct span fdt, int node, struct kho_tree *t, struct kho_refusal *why)
{
	struct kho_subnode *n = &t->node[t->nr];
	int len;
	const char *name = fdt_get_name(fdt.p, node, &len);

	if (!name || !name_valid(name))
		return kho_refuse(why, -EBADMSG, sub_node, "has no valid name", 0, node);
	if (kho_tree_find(t, name))
		return kho_refuse(why, -EBADMSG, sub_node, "has a name that is taken", 0, node);
	memcpy(n->name, name, len + 1);
	if (kho_fdt_u64(fdt, node, KHO_PROP_DATA, &n->pa) || !n->pa)
		return kho_refuse(why, -EBADMSG, sub_node,
				  "has no preserved-data of 8 bytes, not zero", 0, node);
	if (kho_fdt_u64(fdt, node, KHO_PROP_BLOB_SIZE, &n->size) || !n->size)
		return kho_refuse(why, -EBADMSG, sub_node,
				  "has no blob-size of 8 bytes, not zero", 0, node);
	t->nr++;
	return 0;
}

int kho_tree_read(struct span s, struct kho_tree *out, struct kho_refusal *why)
{
	struct kho_tree t = { .nr = 0 };
	struct span fdt;
	int node;

	if (kho_fdt_check(s, root_fdt, &fdt, why))
		return -EBADMSG;
	t.fdt_bytes = fdt.len;
	if (!kho_fdt_compatible(fdt, 0, KHO_COMPATIBLE))
		return kho_refuse(why, -EBADMSG, root_fdt, "is not compatible with kho-v4", 0, 0);
	if (kho_fdt_u64(fdt, 0, KHO_PROP_MAP, &t.radix_root) || !t.radix_root)
		return kho_refuse(why, -EBADMSG, root_fdt,
				  "has no preserved-memory-map of 8 bytes, not zero", 0, 0);
	fdt_for_each_subnode(node, fdt.p, 0) {
		if (t.nr == KHO_MAX_SUBNODES)
			return kho_refuse(why, -EBADMSG, root_fdt, "has too many sub-nodes", 0,
					  KHO_MAX_SUBNODES);
		if (read_subnode(fdt, node, &t, why))
			return -EBADMSG;
	}
	*out = t;
	return 0;
}

const struct kho_subnode *kho_tree_find(const struct kho_tree *t, const char *name)
{
	const size_t bytes = strlen(name) + 1;

	for (size_t i = 0; i < t->nr && bytes <= KHO_SUBNODE_NAME_BYTES; i++)
		if (!memcmp(t->node[i].name, name, bytes))
			return &t->node[i];
	return NULL;
}
