/* Carrying on what is foreign. */
#include "carry.h"

#include <string.h>

#include "errno.h"
#include "kernel/handover/records.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "platform/mem.h"

#define MAX_LISTED	32768		/* extents: what a reader has room for */

/* ---- writing ----------------------------------------------------------------------------------- */

static uint64_t list_bytes(uint64_t nr_extents)
{
	return nr_extents * sizeof(struct kho_extent);
}

unsigned carry_list_order(const struct foreign *f)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < list_bytes(f->nr_extents))
		order++;
	return order;
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
		.extents_crc32c = kho_crc32c(0, f->extent, list_bytes(f->nr_extents)),
		.blocks_crc32c = blocks_crc32c(f->luo.sessions_pa),
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
	if (blocks_crc32c(f->luo.sessions_pa) != n->foreign.blocks_crc32c)
		return kho_refuse(why, -EBADMSG, "foreign session", "changed since it was handed over",
				  f->luo.sessions_pa, f->luo.nr_sessions);
	return 0;
}

int carry_read(const struct kho_handoff *h, const struct node *n, const struct kho_luo *luo,
	       struct foreign *f, struct kho_refusal *why)
{
	int err;

	*f = (struct foreign){
		.liveupdate_num = n->foreign.liveupdate_num, .kexec_count = n->foreign.kexec_count };
	foreign_nodes(&h->tree, f);
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
