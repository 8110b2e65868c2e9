/* One source id, in either table mode. */
#include "source.h"

#include "errno.h"
#include "inval.h"
#include "pasid.h"
#include "platform/mem.h"

static struct vtd_pasid_entry pasid_entry(const struct vtd_unit *u, const struct vtd_source *s)
{
	return vtd_pasid_entry(s->top, s->did, vtd_aw_of_levels(s->levels), u->caps.smpwcs);
}

static struct vtd_context_entry legacy_entry(const struct vtd_source *s)
{
	return vtd_context_entry(s->top, s->did, vtd_aw_of_levels(s->levels));
}

static int find_legacy(struct vtd_context_entry e, struct vtd_source *out)
{
	out->did = (uint16_t)FIELD_GET(VTD_CE_HI_DID, e.hi);
	out->top = e.lo & VTD_CE_SSPTPTR;
	out->levels = vtd_levels_of_aw((unsigned)FIELD_GET(VTD_CE_HI_AW, e.hi));
	return FIELD_GET(VTD_CE_TT, e.lo) == VTD_TT_SS ? 0 : -EOPNOTSUPP;
}

static int find_pasid(struct vtd_context_entry e, bool (*page_ok)(void *ctx, paddr_t page), void *ctx,
		      struct vtd_source *out)
{
	struct vtd_pasid_entry pe;
	uint64_t de;

	/* Requests of other kinds, or with another PASID, would be translated by what is not seen here. */
	if ((e.lo & (VTD_SCE_DTE | VTD_SCE_PASIDE | VTD_SCE_PRE)) || e.hi ||
	    FIELD_GET(VTD_SCE_PDTS, e.lo) != VTD_PASID_DIR_PDTS)
		return -EOPNOTSUPP;
	out->pasid_dir = e.lo & VTD_SCE_PASIDDIRPTR;
	if (!page_ok(ctx, out->pasid_dir))
		return -EBADMSG;
	de = mem_read64(mem_ptr(out->pasid_dir));
	if (!(de & VTD_PDE_P))
		return -EOPNOTSUPP;
	if (!page_ok(ctx, de & VTD_PDE_SMPTBLPTR))
		return -EBADMSG;
	vtd_pasid_get(out->pasid_dir, &pe);
	out->did = (uint16_t)FIELD_GET(VTD_PE_HI_DID, pe.qw[1]);
	out->top = pe.qw[0] & VTD_PE_SSPTPTR;
	out->levels = vtd_levels_of_aw((unsigned)FIELD_GET(VTD_PE_AW, pe.qw[0]));
	return pe.qw[0] & VTD_PE_P && FIELD_GET(VTD_PE_PGTT, pe.qw[0]) == VTD_PGTT_SS ? 0 : -EOPNOTSUPP;
}

int vtd_source_find(const struct vtd_tables *t, uint16_t rid, bool (*page_ok)(void *ctx, paddr_t page),
		    void *ctx, struct vtd_source *out)
{
	struct vtd_context_entry e;
	paddr_t table;

	*out = (struct vtd_source){ 0 };
	if (!t->root || !page_ok(ctx, t->root))
		return -EBADMSG;
	table = vtd_context_table_of(t, rid);
	if (!table)
		return -ENOENT;
	if (!page_ok(ctx, table))
		return -EBADMSG;
	vtd_context_get(t, rid, &e);
	if (!(e.lo & VTD_CE_P))
		return -ENOENT;
	return t->ttm == VTD_TTM_SCALABLE ? find_pasid(e, page_ok, ctx, out) : find_legacy(e, out);
}

int vtd_source_set(struct vtd_unit *u, uint16_t rid, struct vtd_source *s)
{
	const struct vtd_tables t = vtd_unit_tables(u);
	int rc;

	s->pasid_dir = 0;
	if (u->ttm == VTD_TTM_SCALABLE) {
		s->pasid_dir = vtd_pasid_alloc(pasid_entry(u, s), u->caps.coherent);
		if (!s->pasid_dir)
			return -ENOMEM;
	}
	rc = vtd_context_set(&t, rid, s->pasid_dir ? vtd_scalable_context_entry(s->pasid_dir)
						   : legacy_entry(s));
	if (rc)
		vtd_source_free_tables(s);
	return rc;
}

int vtd_source_clear(struct vtd_unit *u, uint16_t rid, uint16_t did)
{
	const struct vtd_tables t = vtd_unit_tables(u);
	int rc = vtd_context_clear_present(&t, rid);

	if (!rc)
		rc = vtd_inval_context(u, rid, did);
	return rc ? rc : vtd_context_zero(&t, rid);
}

int vtd_source_block(struct vtd_unit *u, uint16_t rid)
{
	const struct vtd_tables t = vtd_unit_tables(u);
	const bool was_present = !vtd_context_clear_present(&t, rid);
	const int rc = vtd_inval_global(u);

	return rc || !was_present ? rc : vtd_context_zero(&t, rid);
}

void vtd_source_free_tables(struct vtd_source *s)
{
	if (s->pasid_dir)
		vtd_pasid_free(s->pasid_dir);
	s->pasid_dir = 0;
}

int vtd_source_replace(struct vtd_unit *u, uint16_t rid, struct vtd_source *s,
		       const struct vtd_source *now)
{
	const struct vtd_tables t = vtd_unit_tables(u);
	const uint16_t old = s->did;
	const paddr_t dir = s->pasid_dir;
	int rc;

	if (u->ttm == VTD_TTM_SCALABLE)
		rc = vtd_pasid_replace(dir, pasid_entry(u, now), u->caps.coherent);
	else
		rc = vtd_context_replace(&t, rid, legacy_entry(now));
	if (rc)
		return rc;
	*s = *now;
	s->pasid_dir = dir;
	return u->ttm == VTD_TTM_SCALABLE ? vtd_inval_pasid(u, VTD_RID_PASID, old)
					  : vtd_inval_context(u, rid, old);
}

int vtd_source_suppress_faults(struct vtd_unit *u, uint16_t rid)
{
	const struct vtd_tables t = vtd_unit_tables(u);
	const int rc = vtd_context_set_fpd(&t, rid, true);

	return rc ? rc : vtd_inval_global(u);	/* its entry has no DID to name */
}
