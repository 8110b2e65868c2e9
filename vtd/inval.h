/* What to invalidate when (VT-d 6.5.3, "Guidance to Software for Invalidations").
 *
 * Context entry removed:  clear P; vtd_inval_context(old DID); zero the rest; free its tables.
 * Context entry replaced: 16-byte store; vtd_inval_context(old DID).
 * PASID entry replaced:   16-byte store; vtd_inval_pasid(old DID).
 * Context entry added:    store; vtd_inval_context_added(new DID).
 * Leaves removed or changed: store; vtd_inval_pages(DID).  Leaves added: vtd_inval_pages_added().
 * Root entry, root table:  vtd_inval_global().
 *
 * Through the queue when it runs, else through the registers.  All return 0; -ERANGE a DID the
 * unit does not have (its upper bits would be ignored and the wrong domain be invalidated);
 * -EIO refused; -ETIMEDOUT; -EOPNOTSUPP no queue running and no register interface; -EBUSY a
 * queue runs that is not ours, under which the registers never complete. */
#ifndef VTD_INVAL_H
#define VTD_INVAL_H

#include "base.h"

struct vtd_unit;

/* Context cache, in scalable mode PASID cache, then IOTLB, everything. */
int vtd_inval_global(struct vtd_unit *u);

/* One function's context, in scalable mode the PASID entries of its domain, then all translations
 * of the domain that it was in. */
int vtd_inval_context(struct vtd_unit *u, uint16_t rid, uint16_t old_did);

/* Scalable mode: the PASID-cache copies of a domain's entries for @pasid, then all its
 * translations. */
int vtd_inval_pasid(struct vtd_unit *u, uint32_t pasid, uint16_t old_did);

/* All translations of a domain. */
int vtd_inval_domain(struct vtd_unit *u, uint16_t did);

/* Translations of a range, or of the whole domain where the unit cannot be that selective.
 * @leaf_only: no table page was unlinked or replaced. */
int vtd_inval_pages(struct vtd_unit *u, uint16_t did, uint64_t iova, uint64_t len, bool leaf_only);

/* After not-present -> present: nothing unless the unit caches such entries (CAP.CM) or buffers
 * writes (CAP.RWBF). */
int vtd_inval_context_added(struct vtd_unit *u, uint16_t rid, uint16_t did);
int vtd_inval_pages_added(struct vtd_unit *u, uint16_t did, uint64_t iova, uint64_t len);

#endif
