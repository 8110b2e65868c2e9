/* A whole handoff: scratch array, root FDT and radix tree in sparse memory.  What is accepted
 * keeps the promises of kho_read(), and its tree, entered again, reads the same. */
#include "sparse.h"

#include "kho/metadata.h"
#include "kho/radix.h"

#define MAX_AGAIN	512	/* chunks that are entered again */

static void check_promises(const struct kho_handoff *h)
{
	const struct kho_map *m = &h->map;

	REQUIRE(!kho_map_overlaps(m, SPARSE_USED, SPARSE_USED_BYTES));
	REQUIRE(kho_map_covers(m, h->data.fdt_pa, h->tree.fdt_bytes));
	for (size_t i = 0; i < h->tree.nr; i++)
		REQUIRE(kho_map_covers(m, h->tree.node[i].pa, h->tree.node[i].size));
	for (size_t i = 0; i < m->nr_ranges; i++) {
		const struct kho_range *r = &m->ranges[i];

		REQUIRE(sparse_within(false, r->base, r->len));
		REQUIRE(!kho_scratch_overlaps(&h->scratch, r->base, r->len));
		REQUIRE(!i || r[-1].base + r[-1].len < r->base);
	}
	for (size_t i = 0; i < m->nr_nodes; i++) {
		REQUIRE(sparse_within(false, m->nodes[i], PAGE_SIZE));
		REQUIRE(!kho_map_overlaps(m, m->nodes[i], PAGE_SIZE));
		REQUIRE(!i || m->nodes[i - 1] < m->nodes[i]);
	}
}

/* Preserved ranges are open to be read once the handoff is accepted. */
static void read_blobs(const struct kho_handoff *h)
{
	for (size_t i = 0; i < h->tree.nr; i++) {
		const struct span s = kho_subnode_blob(&h->tree.node[i]);
		struct kho_refusal why;
		struct kho_metadata m;
		uint8_t again[KHO_METADATA_BYTES];

		sparse_let_read(h->tree.node[i].pa, MIN(s.len, KHO_METADATA_BYTES));
		if (kho_metadata_read(s, &m, &why))
			continue;
		REQUIRE(!kho_metadata_write(&m, again));
		REQUIRE(!memcmp(again + KHO_METADATA_OFF_COUNT, s.p + KHO_METADATA_OFF_COUNT, 4));
	}
}

static void enter_again(const struct kho_handoff *h)
{
	const struct kho_limits lim = sparse_limits(true);
	const struct kho_map *m = &h->map;
	struct kho_refusal why;
	struct kho_radix r;
	struct kho_map again;

	if (m->entries > MAX_AGAIN)
		return;
	REQUIRE(!kho_radix_init(&r, &h->scratch));
	for (size_t i = 0; i < m->nr_extents; i++)
		for (uint64_t k = 0; k < m->extents[i].count; k++)
			REQUIRE(!kho_preserve(&r, m->extents[i].pa +
					      (k << (PAGE_SHIFT + m->extents[i].order)),
					      (unsigned)m->extents[i].order));
	REQUIRE(r.entries == m->entries && r.pages == m->pages);
	REQUIRE(!kho_radix_read(r.root, &lim, &h->scratch, &again, &why));
	REQUIRE(again.nr_extents == m->nr_extents && again.nr_ranges == m->nr_ranges);
	REQUIRE(!memcmp(again.extents, m->extents, m->nr_extents * sizeof(*m->extents)));
	REQUIRE(!memcmp(again.ranges, m->ranges, m->nr_ranges * sizeof(*m->ranges)));
	kho_radix_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kho_handoff h;
	const struct kho_limits lim = sparse_limits(false);
	struct span in = span_of(data, size);
	struct kho_refusal why = { 0 };
	struct kho_data where;

	sparse_open(false);
	fuzz_take(&in, &where, sizeof(where));
	sparse_lay(in, false);
	if (kho_read(&where, &lim, &h, &why)) {
		REQUIRE(why.what && why.fault);
	} else {
		check_promises(&h);
		read_blobs(&h);
		enter_again(&h);
	}
	sparse_wipe();
	return 0;
}
