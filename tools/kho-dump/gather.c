/* Reading a handoff part by part, so that what is wrong with one does not hide the others. */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kho/fdt.h"
#include "kho/radix.h"
#include "platform/mem.h"

/* Bounds of time and memory for hostile bytes; real handoffs are far below. */
#define MAX_EXTENTS	(BIT32(22))
#define MAX_NODES	(BIT32(18))

/* --- Findings --- */

void dump_find(struct dump *d, const char *id, const char *what, const char *fault, paddr_t at,
	       uint64_t value)
{
	const struct finding f = { id, what, fault, at, value };

	if (d->nr_findings == DUMP_FINDINGS_MAX)
		return;
	for (size_t i = 0; i < d->nr_findings; i++)
		if (d->finding[i].at == at && d->finding[i].value == value &&
		    !strcmp(d->finding[i].fault, fault) &&
		    !strcmp(d->finding[i].what, what) && !strcmp(d->finding[i].id, id))
			return;
	d->finding = grow(d->finding, d->nr_findings, &d->max_findings, sizeof(f));
	d->finding[d->nr_findings++] = f;
}

bool dump_missing(struct dump *d, const char *what)
{
	bool any = false;
	paddr_t pa;

	while (image_missing(&pa)) {
		dump_find(d, "I0", what, "needs a page that is not in the image", pa, 0);
		any = true;
	}
	return any;
}

void dump_refused(struct dump *d, const char *id, const struct kho_refusal *why)
{
	if (!dump_missing(d, why->what))
		dump_find(d, id, why->what, why->fault, why->at, why->value);
}

/* --- The parts --- */

/* Without a memory map everything counts as RAM. */
static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	const struct dump *d = ctx;
	size_t lo = 0, hi = d->nr_ram;

	if (!d->nr_ram)
		return true;
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (d->ram[mid].base <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pa - d->ram[lo - 1].base < d->ram[lo - 1].len &&
	       len <= d->ram[lo - 1].len - (pa - d->ram[lo - 1].base);
}

static void make_limits(struct dump *d)
{
	d->lim = (struct kho_limits){
		.ram = { .is_ram = is_ram, .ctx = d },
		.extents = take(MAX_EXTENTS, sizeof(*d->lim.extents)),
		.ranges = take(MAX_EXTENTS, sizeof(*d->lim.ranges)),
		.max_extents = MAX_EXTENTS,
		.nodes = take(MAX_NODES, sizeof(*d->lim.nodes)), .max_nodes = MAX_NODES,
	};
}

static void read_scratch(struct dump *d)
{
	const struct kho_data *data = &d->h.data;
	const uint64_t nr = data->scratch_size / sizeof(struct kho_scratch_entry);
	struct kho_refusal why;

	if (kho_check_place(&d->lim, NULL, "scratch array", data->scratch_pa, data->scratch_size,
			    &why)) {
		dump_refused(d, "K2", &why);
		return;
	}
	if (nr <= KHO_MAX_SCRATCH && !image_has(data->scratch_pa, data->scratch_size)) {
		dump_find(d, "I0", "scratch array", "is not in the image", data->scratch_pa,
			  data->scratch_size);
		return;
	}
	d->has_scratch = !kho_scratch_read(span_of(mem_ptr(data->scratch_pa), data->scratch_size),
					   &d->lim.ram, &d->h.scratch, &why);
	if (!d->has_scratch)
		dump_refused(d, "K2", &why);
}

static void read_tree(struct dump *d)
{
	const struct kho_data *data = &d->h.data;
	struct kho_refusal why;

	if (data->fdt_size > KHO_FDT_MAX_BYTES) {
		dump_find(d, "K3", "root FDT", "has too large a buffer", data->fdt_pa,
			  data->fdt_size);
		return;
	}
	if (!IS_ALIGNED(data->fdt_pa, PAGE_SIZE)) {
		dump_find(d, "K3", "root FDT", "is not page aligned", data->fdt_pa, 0);
		return;
	}
	if (kho_check_place(&d->lim, &d->h.scratch, "root FDT", data->fdt_pa, data->fdt_size, &why)) {
		dump_refused(d, "K3", &why);
		return;
	}
	if (!image_has(data->fdt_pa, data->fdt_size)) {
		dump_find(d, "I0", "root FDT", "is not in the image", data->fdt_pa, data->fdt_size);
		return;
	}
	d->has_tree = !kho_tree_read(span_of(mem_ptr(data->fdt_pa), data->fdt_size), &d->h.tree,
				     &why);
	why.at = data->fdt_pa;
	if (!d->has_tree)
		dump_refused(d, "K3", &why);
}

/* A validated tree once more, for the levels of its nodes. */
static void list_nodes(struct dump *d, paddr_t pa, unsigned level)
{
	const uint64_t *slot = mem_ptr(pa);

	d->node[d->nr_node++] = (struct radix_node){ pa, level };
	for (unsigned i = 0; level && i < KHO_RADIX_SLOTS; i++)
		if (slot[i])
			list_nodes(d, slot[i], level - 1);
}

static void read_radix(struct dump *d)
{
	const size_t findings = d->nr_findings;
	struct kho_refusal why;

	d->has_map = !kho_radix_read(d->h.tree.radix_root, &d->lim, &d->h.scratch, &d->h.map, &why);
	if (!d->has_map) {
		dump_radix_all(d);
		/* The reader has the last word. */
		if (d->nr_findings == findings)
			dump_refused(d, "K4", &why);
		return;
	}
	dump_missing(d, "radix tree");
	d->node = take(d->h.map.nr_nodes, sizeof(*d->node));
	list_nodes(d, d->h.tree.radix_root, KHO_RADIX_LEVELS - 1);
}

/* Root FDT and blobs, whatever the others are. */
static void check_blobs(struct dump *d)
{
	if (!kho_map_covers(&d->h.map, d->h.data.fdt_pa, d->h.tree.fdt_bytes))
		dump_find(d, "K5", "root FDT", "is not preserved", d->h.data.fdt_pa,
			  d->h.tree.fdt_bytes);
	for (size_t i = 0; i < d->h.tree.nr; i++) {
		const struct kho_subnode *n = &d->h.tree.node[i];

		if (!kho_map_covers(&d->h.map, n->pa, n->size))
			dump_find(d, "K5", "blob of a sub-node", "is not preserved", n->pa, n->size);
	}
}

/* The reader of a kernel has the last word: what it refuses and the parts did not. */
static void judge_whole(struct dump *d)
{
	static struct kho_handoff again;
	struct kho_refusal why;

	if (d->has_scratch && d->has_tree && kho_read(&d->h.data, &d->lim, &again, &why))
		dump_refused(d, "K5", &why);
	else
		dump_missing(d, "handoff");
}

static void read_metadata(struct dump *d)
{
	const struct kho_subnode *n = kho_tree_find(&d->h.tree, KHO_NODE_METADATA);
	struct kho_refusal why;

	if (!n || !kho_map_covers(&d->h.map, n->pa, n->size))
		return;
	if (!image_has(n->pa, MIN(n->size, KHO_METADATA_BYTES))) {
		dump_find(d, "I0", "kexec-metadata", "is not in the image", n->pa, n->size);
		return;
	}
	d->has_metadata = !kho_metadata_read(kho_subnode_blob(n), &d->metadata, &why);
	why.at = n->pa;
	if (!d->has_metadata)
		dump_refused(d, "K6", &why);
}

bool dump_blob_fdt(const struct dump *d, const struct kho_subnode *n, struct span *fdt)
{
	struct kho_refusal why;

	return kho_map_covers(&d->h.map, n->pa, n->size) && n->size <= DUMP_FDT_MAX &&
	       IS_ALIGNED(n->pa, KHO_FDT_ALIGN) && image_has(n->pa, n->size) &&
	       !kho_fdt_check(kho_subnode_blob(n), n->name, fdt, &why);
}

void dump_read(struct dump *d, const struct where *w)
{
	*d = (struct dump){ .where = *w };
	if (w->has_boot_params)
		dump_announcement(d);
	if (w->has_fdt) {
		d->h.data.fdt_pa = w->fdt;
		d->h.data.fdt_size = w->fdt_size;
		d->h.data.scratch_pa = w->scratch;
		d->h.data.scratch_size = w->scratch_size;
		d->has_data = true;
	}
	if (!d->has_data)
		return;
	make_limits(d);
	read_scratch(d);
	read_tree(d);
	if (!d->has_tree)
		return;
	read_radix(d);
	check_blobs(d);
	if (d->has_map)
		judge_whole(d);
	read_metadata(d);
	dump_memblock(d);
	dump_luo(d);
}
