/* One remapping unit: its registers and the state that goes with them.  Commands of one unit are
 * serialised (VT-d 6.9); units are independent of each other. */
#ifndef VTD_UNIT_H
#define VTD_UNIT_H

#include "base.h"
#include "caps.h"
#include "context.h"
#include "did.h"
#include "qi.h"
#include "snapshot.h"

#define VTD_WAIT_US	1000000		/* bound of every hardware wait */

struct vtd_unit {
	unsigned index;		/* set by the caller before vtd_unit_probe(), like segment */
	uint16_t segment;
	paddr_t regs;
	uint32_t reg_bytes;	/* extent that the capabilities ask for */
	struct vtd_caps caps;
	paddr_t root;		/* last one set here, or adopted by the caller */
	uint8_t ttm;		/* table mode to use; set by the caller before the queue starts */
	struct vtd_qi qi;
	struct vtd_dids dids;

	/* Evidence for the checks. */
	uint64_t gcmd_writes;
	uint64_t gcmd_te_drops;	/* writes that took TE away while TES=1 */
	uint64_t rtaddr_writes;

	/* The wait that failed last. */
	const char *failed_wait;	/* register name; NULL: none */
	uint64_t failed_value;
};

/* Everything that is read before anything is written. */
struct vtd_unit_state {
	uint32_t gsts, fsts, fectl, pmen;
	uint64_t rtaddr, iqa, iqh, iqt, irta;
};

/* Its root and context tables, for context.h. */
static inline struct vtd_tables vtd_unit_tables(const struct vtd_unit *u)
{
	return (struct vtd_tables){ .root = u->root, .ttm = u->ttm, .coherent = u->caps.coherent };
}

/* Whether hardware snoops walks of second-stage tables (VT-d 3.10): ECAP.C counts in legacy mode
 * only; in scalable mode it does so where it can, since PASID entries then say PWSNP. */
static inline bool vtd_unit_snoops_ss(const struct vtd_unit *u)
{
	return u->ttm == VTD_TTM_SCALABLE ? u->caps.smpwcs : u->caps.coherent;
}

/* Read VER, CAP, ECAP at @regs; reads only.  u->index and u->segment are kept, legacy mode is set.
 * Return: as vtd_caps_decode(). */
int vtd_unit_probe(struct vtd_unit *u, paddr_t regs);

/* Reads only. */
void vtd_unit_read_state(const struct vtd_unit *u, struct vtd_unit_state *state);

/* What the next kernel compares with. @state as just read. */
void vtd_unit_snapshot(const struct vtd_unit *u, const struct vtd_unit_state *state,
		       struct vtd_unit_snapshot *out);

/* Mask fault, invalidation, page-request and performance events; read back. */
void vtd_unit_mask_events(struct vtd_unit *u);

/**
 * vtd_unit_set_root() - set the root table in the unit's table mode, then invalidate everything
 *
 * With TES=1 the new table must translate as the old one until this returns (VT-d 6.6).
 * Invalidates also where ESRTPS=1 does it, which is harmless.
 * Return: 0; -EINVAL alignment; -ETIMEDOUT; as vtd_inval_global().
 */
int vtd_unit_set_root(struct vtd_unit *u, paddr_t root);

/* The same without invalidating, for a unit whose translation is off: it leaves a foreign table
 * mode behind, in which our queue's descriptors are not legal, or enters ours.
 * vtd_unit_set_root() follows before translation is enabled.
 * Return: 0; -EINVAL alignment; -ETIMEDOUT. */
int vtd_unit_latch_root(struct vtd_unit *u, paddr_t root);

/* Return: 0; -ETIMEDOUT.  Nothing is written if it is so already. */
int vtd_unit_enable_translation(struct vtd_unit *u);
int vtd_unit_disable_translation(struct vtd_unit *u);
int vtd_unit_interrupt_remapping_off(struct vtd_unit *u);
int vtd_unit_disable_protected_memory(struct vtd_unit *u);

/* After not-present -> present updates where CAP.RWBF asks for it; else nothing.
 * Return: 0; -ETIMEDOUT. */
int vtd_unit_write_buffer_flush(struct vtd_unit *u);

/* For the other files of this library. */

/* Poll (register & @mask) == @want for at most VTD_WAIT_US.  Return: 0; -ETIMEDOUT, logged. */
int vtd_unit_wait32(struct vtd_unit *u, uint32_t reg, const char *name, uint32_t mask,
		    uint32_t want);
int vtd_unit_wait64(struct vtd_unit *u, uint32_t reg, const char *name, uint64_t mask,
		    uint64_t want);

/* One GCMD write, built from GSTS with one bit changed, then wait until GSTS shows that bit. */
int vtd_unit_command(struct vtd_unit *u, uint32_t bit, bool on, const char *name);

/* Record and log a wait that failed. Return: -ETIMEDOUT. */
int vtd_unit_timed_out(struct vtd_unit *u, const char *name, uint64_t mask, uint64_t want,
		       uint64_t last);

#endif
