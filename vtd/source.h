/* One source id and the second-stage table that translates it, in either table mode: the context
 * entry (legacy), or the context entry, a PASID directory and the PASID entry of requests without
 * PASID (scalable).  Changes are complete: stores, then the invalidation that they need
 * (VT-d 6.5.3.3), then the rest. */
#ifndef VTD_SOURCE_H
#define VTD_SOURCE_H

#include "base.h"
#include "unit.h"

struct vtd_source {
	paddr_t top;		/* second-stage table */
	unsigned levels;
	uint16_t did;
	paddr_t pasid_dir;	/* scalable mode; 0 in legacy mode */
};

/**
 * vtd_source_find() - what the entries of a source id say that stand in memory
 * @page_ok: may this page be read as a table?  Asked before each page is, the root table included
 *
 * Nothing is judged here but whether it is there, and of the one type that this library writes.
 * Return: 0; -ENOENT not present; -EBADMSG a table lies where none may be read; -EOPNOTSUPP present,
 * but of another type, or a second PASID level that is not present; then @out->did counts alone, 0
 * where there is none.
 */
int vtd_source_find(const struct vtd_tables *t, uint16_t rid, bool (*page_ok)(void *ctx, paddr_t page),
		    void *ctx, struct vtd_source *out);

/* Not present -> present; sets @s->pasid_dir.  vtd_inval_context_added() is left to the caller, who
 * must write down first that the entry exists, to take it back if that fails.
 * Return: 0; -EEXIST the source id has an entry; -ENOMEM. */
int vtd_source_set(struct vtd_unit *u, uint16_t rid, struct vtd_source *s);

/**
 * vtd_source_clear() - present -> not present, caches clean, entry zero
 * @did: of the entry
 *
 * PASID structures stay, see vtd_source_free_tables().
 * Return: 0; -ENOENT not present; as vtd_inval_context(), P is clear then.
 */
int vtd_source_clear(struct vtd_unit *u, uint16_t rid, uint16_t did);

/* The same for an entry of which nothing is believed, its DID included: everything is invalidated,
 * also if there is no entry, since one may be cached.  Return: as vtd_inval_global(). */
int vtd_source_block(struct vtd_unit *u, uint16_t rid);

/* PASID structures of a source that was cleared without error. */
void vtd_source_free_tables(struct vtd_source *s);

/* Another table, under another DID, while the device goes on: one 16-byte store. @s as set, becomes
 * @now, whose pasid_dir is not looked at.
 * Return: 0; -ENOENT; -EINVAL; as the invalidation, the new table counts then. */
int vtd_source_replace(struct vtd_unit *u, uint16_t rid, struct vtd_source *s,
		       const struct vtd_source *now);

/* No more fault records for a source id that has no entry.
 * Return: as vtd_context_set_fpd(), vtd_inval_global(). */
int vtd_source_suppress_faults(struct vtd_unit *u, uint16_t rid);

#endif
