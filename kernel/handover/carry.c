/* Carrying on what is foreign. */
#include "carry.h"

#include <string.h>

#include "errno.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "platform/mem.h"

/* What a reader has room for besides what is ours. */
#define MAX_LISTED	(PROVE_MAX_EXTENTS - PROVE_OWN_EXTENTS)
#define OWN_RADIX_NODES	512
#define OWN_NODES	3
#define OWN_FDT_BYTES	512		/* of three sub-nodes, names included */
#define OWN_FLBS	1
#define MAX_BLOBS	MIB(1)		/* of carried sub-nodes together: digested in every blackout */

/* ---- digests ----------------------------------------------------------------------------------- */

static uint64_t list_bytes(uint64_t nr_extents)
{
	return nr_extents * sizeof(struct kho_extent);
}

/* Session blocks, and behind each the blocks of its files.  The chains were read before. */
static uint32_t blocks_crc32c(paddr_t first)
{
	const struct kho_block_ser *block, *files;
	uint32_t crc = 0;

	for (paddr_t pa = first; pa; pa = block->next_pa) {
		const struct kho_session_ser *session;

		block = mem_ptr(pa);
		session = (const struct kho_session_ser *)(block + 1);
		crc = kho_crc32c(crc, block, PAGE_SIZE);
		for (uint64_t i = 0; i < block->count; i++)
			for (paddr_t at = session[i].files_pa; at; at = files->next_pa) {
				files = mem_ptr(at);
				crc = kho_crc32c(crc, files, PAGE_SIZE);
			}
	}
	return crc;
}

/* Everything of theirs that is handed on where it is but the data itself. */
static uint32_t carried_crc32c(const struct foreign *f)
{
	uint32_t crc = blocks_crc32c(f->luo.sessions_pa);

	for (size_t i = 0; i < f->nr_nodes; i++)
		crc = kho_crc32c(crc, mem_ptr(f->node[i].pa), f->node[i].size);
	return crc;
}

/* ---- taking, in generation 0 ------------------------------------------------------------------- */

/* What every kernel writes anew. */
static bool is_replaced(const struct kho_subnode *n)
{
	return !strcmp(n->name, KHO_NODE_LUO) || !strcmp(n->name, KHO_NODE_METADATA) ||
	       !strcmp(n->name, NODE_NAME);
}

static void take_nodes(const struct kho_tree *t, struct foreign *f)
{
	f->nr_nodes = 0;
	for (size_t i = t->nr; i-- > 0;)	/* the FDT has the newest first */
		if (!is_replaced(&t->node[i]))
			f->node[f->nr_nodes++] = t->node[i];
}

/* Chunks that lie in @gone, all of them: they are of no use to anybody once this handoff is written anew. */
static size_t without(const struct kho_extent *e, const struct kho_range *gone, struct kho_extent out[2])
{
	const uint64_t chunk = PAGE_SIZE << e->order, len = kho_extent_len(e);
	const uint64_t from = gone->base > e->pa ? ALIGN_UP(gone->base - e->pa, chunk) : 0;
	const uint64_t end = gone->base + gone->len > e->pa ?
			     ALIGN_DOWN(MIN(gone->base + gone->len - e->pa, len), chunk) : 0;
	size_t n = 0;

	if (from >= end) {
		out[0] = *e;
		return 1;
	}
	if (from)
		out[n++] = (struct kho_extent){ e->pa, from / chunk, e->order };
	if (end < len)
		out[n++] = (struct kho_extent){ e->pa + end, (len - end) / chunk, e->order };
	return n;
}

static int take_extents(const struct kho_map *m, const struct kho_range *replaced, size_t nr_replaced,
			struct foreign *f, struct kho_refusal *why)
{
	const size_t max = m->nr_extents + nr_replaced;
	struct kho_extent *list[2] = { scratch_new(max * sizeof(*list[0])), scratch_new(max * sizeof(*list[0])) };
	size_t n = m->nr_extents;

	if (!list[0] || !list[1])
		return kho_refuse(why, -ENOMEM, "scratch", "is too small to read the handoff", 0, max);
	memcpy(list[0], m->extents, n * sizeof(*list[0]));
	for (size_t k = 0; k < nr_replaced; k++) {
		const struct kho_extent *from = list[k % 2];
		struct kho_extent *to = list[(k + 1) % 2];
		size_t kept = 0;

		for (size_t i = 0; i < n; i++)
			kept += without(&from[i], &replaced[k], &to[kept]);
		n = kept;
	}
	f->extent = list[nr_replaced % 2];
	f->nr_extents = n;
	return 0;
}

/* What could not be written beside ours is refused here, and not after the stream. */
static int check_room(const struct kho_handoff *h, const struct foreign *f, struct kho_refusal *why)
{
	uint64_t blobs = 0;

	for (size_t i = 0; i < f->nr_nodes; i++)
		blobs += f->node[i].size;
	if (f->nr_extents > MAX_LISTED || h->map.nr_nodes > PROVE_MAX_NODES - OWN_RADIX_NODES)
		return kho_refuse(why, -ENOSPC, "preserved memory", "is in more pieces than can be handed on", 0,
				  f->nr_extents);
	if (f->nr_nodes + OWN_NODES > KHO_MAX_SUBNODES ||
	    h->tree.fdt_bytes + OWN_FDT_BYTES > KHO_FDT_BYTES)
		return kho_refuse(why, -ENOSPC, "root FDT", "has no room for our sub-nodes", h->data.fdt_pa,
				  f->nr_nodes);
	if (f->luo.nr_flbs + OWN_FLBS > KHO_MAX_FLBS)
		return kho_refuse(why, -ENOSPC, "FLB page", "has no room for ours", f->luo.flbs_pa,
				  f->luo.nr_flbs);
	if (blobs > MAX_BLOBS)
		return kho_refuse(why, -ENOSPC, "sub-nodes", "have more than 1 MiB of data to be handed on", 0,
				  blobs);
	return 0;
}

int carry_take(const struct kho_handoff *h, const struct kho_range *replaced, size_t nr_replaced,
	       struct foreign *f, struct kho_refusal *why)
{
	int err = take_extents(&h->map, replaced, nr_replaced, f, why);

	take_nodes(&h->tree, f);
	if (!err)
		err = check_room(h, f, why);
	if (err)
		return err;
	f->extents_crc32c = kho_crc32c(0, f->extent, list_bytes(f->nr_extents));
	f->carried_crc32c = carried_crc32c(f);
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------- */

unsigned carry_list_order(const struct foreign *f)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < list_bytes(f->nr_extents))
		order++;
	return order;
}

static int preserve_extent(const struct kho_extent *e, struct kho_radix *radix)
{
	int err = 0;

	for (uint64_t i = 0; i < e->count && !err; i++)
		err = kho_preserve(radix, e->pa + (i << (PAGE_SHIFT + e->order)), (unsigned)e->order);
	return err;
}

int carry_write(const struct foreign *f, paddr_t list, struct kho_radix *radix, struct node *n)
{
	int err = 0;

	n->foreign = (struct node_foreign_ser){
		.liveupdate_num = f->liveupdate_num, .kexec_count = f->kexec_count,
		.nr_extents = (uint32_t)f->nr_extents, .extents_pa = f->nr_extents ? list : 0,
		.extents_crc32c = f->extents_crc32c, .carried_crc32c = f->carried_crc32c,
	};
	if (!f->nr_extents)
		return 0;
	memcpy(mem_ptr(list), f->extent, list_bytes(f->nr_extents));
	err = kho_preserve_range(radix, list, PAGE_SIZE << carry_list_order(f));
	for (size_t i = 0; i < f->nr_extents && !err; i++)
		err = preserve_extent(&f->extent[i], radix);
	return err;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* All of @e lies in one extent of the map, chunk by chunk.  Both ascend: @at moves on. */
static bool preserved_as_listed(const struct kho_map *m, const struct kho_extent *e, size_t *at)
{
	const struct kho_extent *in;
	uint64_t from;

	while (*at < m->nr_extents && m->extents[*at].pa + kho_extent_len(&m->extents[*at]) <= e->pa)
		++*at;
	in = &m->extents[*at];
	if (*at == m->nr_extents || in->pa > e->pa || in->order != e->order)
		return false;
	from = e->pa - in->pa;
	return IS_ALIGNED(from, PAGE_SIZE << in->order) && e->count &&
	       e->count <= in->count - (from >> (PAGE_SHIFT + in->order));
}

static int read_list(const struct kho_handoff *h, const struct node *n, struct foreign *f,
		     struct kho_refusal *why)
{
	static const char what[] = "list of foreign memory";
	const struct node_foreign_ser *s = &n->foreign;
	paddr_t end = 0;
	size_t at = 0;

	if (!s->nr_extents)
		return 0;
	if (s->nr_extents > MAX_LISTED || !IS_ALIGNED(s->extents_pa, PAGE_SIZE) ||
	    !kho_map_covers(&h->map, s->extents_pa, list_bytes(s->nr_extents)))
		return kho_refuse(why, -EBADMSG, what, "is too long or not preserved", s->extents_pa,
				  s->nr_extents);
	f->extent = mem_ptr(s->extents_pa);
	f->nr_extents = s->nr_extents;
	if (kho_crc32c(0, f->extent, list_bytes(f->nr_extents)) != s->extents_crc32c)
		return kho_refuse(why, -EBADMSG, what, "changed since it was written", s->extents_pa, 0);
	for (size_t i = 0; i < f->nr_extents; i++) {
		const struct kho_extent *e = &f->extent[i];

		if (e->pa < end || !preserved_as_listed(&h->map, e, &at))
			return kho_refuse(why, -EBADMSG, "foreign memory", "is not preserved as it was", e->pa,
					  e->count);
		end = e->pa + kho_extent_len(e);
	}
	return 0;
}

/* Ours are session 0 and FLB 0. */
static int read_sessions(const struct node *n, const struct kho_luo *luo, struct foreign *f,
			 struct kho_refusal *why)
{
	const struct kho_block_ser *ours = luo->nr_sessions ? mem_ptr(luo->sessions_pa) : NULL;

	if (!ours || ours->count != 1 || strcmp(luo->sessions[0].name, RECORDS_SESSION))
		return kho_refuse(why, -EBADMSG, "session " RECORDS_SESSION, "does not come first",
				  luo->sessions_pa, luo->nr_sessions);
	if (luo->nr_flbs > 1 && strcmp(luo->flbs[0].name, KHO_IOMMU_FLB))
		return kho_refuse(why, -EBADMSG, "FLB " KHO_IOMMU_FLB, "does not come first", luo->flbs_pa,
				  luo->nr_flbs);
	f->luo = *luo;
	f->luo.sessions++;
	f->luo.nr_sessions--;
	f->luo.nr_session_blocks--;
	f->luo.sessions_pa = ours->next_pa;
	f->luo.flbs++;
	f->luo.nr_flbs -= luo->nr_flbs != 0;
	if (carried_crc32c(f) != n->foreign.carried_crc32c)
		return kho_refuse(why, -EBADMSG, "foreign session or sub-node", "changed since it was handed over",
				  f->luo.sessions_pa, f->luo.nr_sessions);
	return 0;
}

int carry_read(const struct kho_handoff *h, const struct node *n, const struct kho_luo *luo,
	       struct foreign *f, struct kho_refusal *why)
{
	int err;

	*f = (struct foreign){
		.liveupdate_num = n->foreign.liveupdate_num, .kexec_count = n->foreign.kexec_count,
		.extents_crc32c = n->foreign.extents_crc32c,
		.carried_crc32c = n->foreign.carried_crc32c };
	take_nodes(&h->tree, f);
	err = read_list(h, n, f, why);
	return err ? err : read_sessions(n, luo, f, why);
}

static bool same(const void *a, const void *b, uint64_t len)
{
	return !len || !memcmp(a, b, len);
}

bool carry_same(const struct foreign *a, const struct foreign *b)
{
	return a->nr_nodes == b->nr_nodes && a->nr_extents == b->nr_extents &&
	       a->luo.nr_flbs == b->luo.nr_flbs && a->luo.sessions_pa == b->luo.sessions_pa &&
	       same(a->node, b->node, a->nr_nodes * sizeof(a->node[0])) &&
	       same(a->extent, b->extent, list_bytes(a->nr_extents)) &&
	       same(a->luo.flbs, b->luo.flbs, a->luo.nr_flbs * sizeof(a->luo.flbs[0]));
}
