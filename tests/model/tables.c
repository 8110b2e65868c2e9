/* Everything reachable from a root table, in memory as the CPU sees it; and filling the caches
 * with all of it. */
#include "internal.h"

struct visit {
	struct model_unit *u;
	const struct model_visit *v;
	uint16_t sid;
	bool snooped;
};

static void report(const struct visit *v, enum model_table kind, paddr_t page, bool snooped)
{
	if (v->v->table)
		v->v->table(v->u, v->v->ctx, kind, page, v->sid, snooped);
}

static void visit_ss(const struct visit *v, paddr_t table, unsigned level, iova_t iova)
{
	const uint64_t bytes = model_entry_bytes(level);

	if (!model_is_ram(table, PAGE_SIZE))
		return;
	report(v, MODEL_SS, table, v->snooped);
	for (unsigned i = 0; i < SPEC_SS_ENTRIES; i++, iova += bytes) {
		const uint64_t e = model_cpu_read64(table + 8 * i);

		if (!(e & SPEC_SS_RW))
			continue;
		if (level > 1 && !(level <= 3 && (e & SPEC_SS_PS)))
			visit_ss(v, e & SPEC_SS_ADDR, level - 1, iova);
		else if (v->v->leaf)
			v->v->leaf(v->u, v->v->ctx, v->sid, iova, bytes);
	}
}

static void visit_target(const struct visit *v, uint32_t pasid, uint16_t did, paddr_t top,
			 unsigned levels)
{
	if (v->v->target)
		v->v->target(v->u, v->v->ctx, v->sid, pasid, did, top, levels);
	if (levels >= 3 && levels <= 5 && !v->v->shallow)
		visit_ss(v, top, levels, 0);
}

static void visit_context(struct visit *v, paddr_t slot)
{
	const uint64_t lo = model_cpu_read64(slot), hi = model_cpu_read64(slot + 8);

	if (!(lo & SPEC_CE_P))
		return;
	v->snooped = v->u->t.coherent;
	visit_target(v, 0, (uint16_t)spec_get(SPEC_CE_HI_DID, hi), lo & SPEC_CE_SSPTPTR,
		     spec_get(SPEC_CE_TT, lo) == SPEC_TT_PASS_THROUGH
			     ? 0 : (unsigned)spec_get(SPEC_CE_HI_AW, hi) + 2);
}

static void visit_pasid_table(struct visit *v, paddr_t table, uint32_t first)
{
	if (!model_is_ram(table, PAGE_SIZE))
		return;
	report(v, MODEL_PASID, table, v->u->t.coherent);
	for (unsigned i = 0; i < SPEC_PASIDS_PER_TABLE; i++) {
		const uint64_t lo = model_cpu_read64(table + SPEC_PE_BYTES * i);
		const uint64_t hi = model_cpu_read64(table + SPEC_PE_BYTES * i + 8);

		if (!(lo & SPEC_PE_P))
			continue;
		v->snooped = hi & SPEC_PE_HI_PWSNP;
		visit_target(v, first + i, (uint16_t)(hi & SPEC_PE_HI_DID), lo & SPEC_PE_SSPTPTR,
			     spec_get(SPEC_PE_PGTT, lo) == SPEC_PGTT_PT
				     ? 0 : (unsigned)spec_get(SPEC_PE_AW, lo) + 2);
	}
}

static void visit_scalable_context(struct visit *v, paddr_t slot)
{
	const uint64_t lo = model_cpu_read64(slot);
	const paddr_t dir = lo & SPEC_SCE_PASIDDIRPTR;
	const unsigned entries = 128U << spec_get(SPEC_SCE_PDTS, lo);

	if (!(lo & SPEC_SCE_P) || !model_is_ram(dir, entries * 8ULL))
		return;
	for (paddr_t page = dir; page < dir + entries * 8ULL; page += PAGE_SIZE)
		report(v, MODEL_DIR, page, v->u->t.coherent);
	for (unsigned i = 0; i < entries; i++)
		if (model_cpu_read64(dir + 8 * i) & SPEC_PDE_P)
			visit_pasid_table(v, model_cpu_read64(dir + 8 * i) & SPEC_PDE_SMPTBLPTR,
					  i * SPEC_PASIDS_PER_TABLE);
}

static void visit_contexts(struct visit *v, uint64_t root_entry, uint16_t first_sid, bool scalable)
{
	const paddr_t table = root_entry & SPEC_RE_CTP;

	if (!(root_entry & SPEC_RE_P) || !model_is_ram(table, PAGE_SIZE))
		return;
	v->sid = first_sid;
	report(v, MODEL_CONTEXT, table, v->u->t.coherent);
	for (unsigned i = 0; i < (scalable ? 128 : 256); i++) {
		v->sid = (uint16_t)(first_sid + i);
		if (scalable)
			visit_scalable_context(v, table + SPEC_SCE_BYTES * i);
		else
			visit_context(v, table + 16 * i);
	}
}

void model_visit(struct model_unit *u, uint64_t root, const struct model_visit *callbacks)
{
	const bool scalable = spec_get(SPEC_RTADDR_TTM, root) == SPEC_TTM_SCALABLE;
	const paddr_t table = root & SPEC_RTADDR_RTA;
	struct visit v = { .u = u, .v = callbacks };

	if (!table || !model_is_ram(table, PAGE_SIZE))
		return;
	report(&v, MODEL_ROOT, table, u->t.coherent);
	for (unsigned bus = 0; bus < SPEC_TABLE_ENTRIES; bus++) {
		const uint16_t sid = (uint16_t)(bus << 8);

		visit_contexts(&v, model_cpu_read64(table + 16 * bus), sid, scalable);
		if (scalable)
			visit_contexts(&v, model_cpu_read64(table + 16 * bus + 8), sid | 0x80, true);
	}
}

/* A large page as the first and the last of its small ones. */
static void cache_leaf(struct model_unit *u, void *ctx, uint16_t sid, iova_t iova, uint64_t bytes)
{
	(void)ctx;
	model_translate(u, sid, iova, false, true);
	model_translate(u, sid, iova + bytes - PAGE_SIZE, false, true);
}

void model_prefetch(unsigned unit)
{
	struct model_unit *u = model_unit(unit);
	const struct model_visit v = { .leaf = cache_leaf };

	if (u->gsts & SPEC_GSTS_TES)
		model_visit(u, u->root, &v);
}
