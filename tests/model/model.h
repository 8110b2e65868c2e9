/* The strict model: remapping units in software that are harsher than any emulator.  They stand
 * behind the seam, so that driver code runs on them unchanged.
 *
 * A unit caches whatever it may and forgets nothing unless the right invalidation says so.  It
 * reads tables through memory that only a flush reaches when it is not coherent.  Commands take
 * effect after some reads of their status; descriptors one after the other, long after IQH has
 * moved on.  What breaks a rule of the specification is written down as a sentence.
 *
 * Not modelled: first-stage and nested translation, requests with PASID, device-TLBs, page
 * requests, interrupt remapping beyond its enable bits, abort-DMA mode. */
#ifndef MODEL_H
#define MODEL_H

#include "base.h"

#define MODEL_RAM_BYTES		GIB(2)
#define MODEL_MAX_UNITS		8
#define MODEL_MAX_NFR		16
#define MODEL_FRO		0x400
#define MODEL_IRO		0x500
#define MODEL_REG_BYTES		0x1000

struct model_traits {
	unsigned major;			/* version; 0 stands for 1 */
	unsigned haw, mgaw;		/* bits; 0 stands for 39 and 48 */
	unsigned sagaw;			/* as in CAP; 0 stands for 3 and 4 levels */
	unsigned nd;			/* as in CAP; 0 stands for 6, 16-bit ids */
	unsigned sslps;			/* as in CAP */
	unsigned nfr;			/* records; 0 stands for 1 */
	unsigned mamv;			/* 0 stands for 18 */
	bool coherent, no_qi, no_psi, cm, rwbf, esrtps, pmr, ir, pt, sc;
	bool smts, smpwcs, rps;
};

/* ---- caches --------------------------------------------------------------------------------- */

/* Context-cache: found by SID; legacy entries carry their DID, 0 if they fault (CAP.CM). */
struct model_context {
	uint16_t sid, did;
	uint8_t reason;			/* 0, or a faulting entry that is cached */
	bool fpd;
	uint64_t qw[2];
};

/* PASID-cache: found by SID and PASID, invalidated by DID and PASID. */
struct model_pasid {
	uint16_t sid, did;
	uint32_t pasid;
	uint8_t reason;
	bool fpd;
	uint64_t qw[2];
};

/* Paging-structure cache: found by DID and IOVA bits alone.  That is why one DID on two tables
 * mixes them. */
struct model_structure {
	uint16_t did;
	uint8_t level;			/* of the cached entry; its table is one level below */
	iova_t base;
	paddr_t table, top;		/* @top: root of the walk it came from */
	paddr_t slot;			/* where the entry was read, and how */
	bool snooped;
	uint64_t perm;
};

/* IOTLB: found by SID and page, invalidated by DID. */
struct model_tlb {
	uint16_t sid, did;
	uint32_t pasid;
	iova_t page;
	paddr_t pa, top;
	uint64_t perm;
	uint8_t reason;
};

#define MODEL_MAX_CONTEXTS	1024
#define MODEL_MAX_STRUCTURES	8192
#define MODEL_MAX_TLBS		16384
#define MODEL_MAX_FETCHED	4096

/* ---- a unit --------------------------------------------------------------------------------- */

/* An invalidation that a change of a present entry has made necessary. */
struct model_owed {
	uint16_t sid, did;
	bool all;			/* root entry: global scope only */
	bool added;			/* CAP.CM: the context-cache copy is tagged DID 0 */
	paddr_t top;			/* table that must stay until it is done */
	bool cc, pc, iotlb;		/* executed, in this order */
};

struct model_unit {
	bool exists;
	unsigned index;
	paddr_t regs;
	struct model_traits t;

	uint32_t ver;
	uint64_t cap, ecap;
	uint32_t gsts, fsts, pmen;
	uint32_t fe[4], ie[4];		/* control, data, address, upper address */
	uint32_t plm[2], ics;
	uint64_t phm[2], rtaddr, ccmd, iqh, iqt, iqa, iqercd, irta, iva, iotlb;
	uint64_t frcd[MODEL_MAX_NFR][2];
	unsigned next_record;

	/* Latched by SRTP.  The former one may still be used until the caches are invalidated. */
	uint64_t root, old_root;
	bool use_old;			/* alternates while both are in use */
	bool rtaddr_dirty;		/* written, SRTP did not follow yet */
	bool need_srtp;			/* before TE may be set (again) */
	bool flush_cc, flush_pc, flush_iotlb;	/* global invalidations since SRTP */

	uint32_t gcmd_pending, gcmd_target;	/* fields under way, and what they are to become */
	unsigned gcmd_reads, pmen_reads, ccmd_reads, iotlb_reads;	/* left until done */

	struct { uint64_t qw[4]; } fetched[MODEL_MAX_FETCHED];	/* not executed yet */
	unsigned nr_fetched, first_fetched, ticks;
	bool hold_fetch;		/* behind a wait with FN */
	bool last_was_wait;

	struct model_context context[MODEL_MAX_CONTEXTS];
	struct model_pasid pasid[MODEL_MAX_CONTEXTS];
	struct model_structure structure[MODEL_MAX_STRUCTURES];
	struct model_tlb tlb[MODEL_MAX_TLBS];
	size_t nr_contexts, nr_pasids, nr_structures, nr_tlbs;
	struct model_owed owed[MODEL_MAX_CONTEXTS];
	size_t nr_owed;

	uint8_t *buffered;		/* CAP.RWBF: memory as far as the write buffer has let it */
	paddr_t *held;			/* lines that wait in it */
	size_t nr_held, max_held;

	/* Behaviour a test may ask for. */
	bool te_must_stay;		/* from here on TE=0 breaks a rule */
	bool root_must_stay;		/* likewise a write of RTADDR */
	bool te_is_stuck;		/* TE=0 is never done */
	bool ite_once, ice_once;	/* a device that does not answer; an unexpected completion */

	/* Evidence. */
	unsigned te_drops, events, interrupts;
	unsigned descriptors;		/* executed */
};

/* Forget everything: RAM, units, violations. */
void model_reset(void);

/* A unit as it comes out of power-on. Return: its index. */
unsigned model_add_unit(paddr_t regs, const struct model_traits *t);
struct model_unit *model_unit(unsigned unit);

/* Accesses that no unit decodes; without handlers they are violations. */
void model_other_mmio(uint32_t (*read32)(paddr_t), void (*write32)(paddr_t, uint32_t));

/* ---- memory --------------------------------------------------------------------------------- */

/* What a test wrote by itself becomes visible to every unit, as if long written back. */
void model_publish(paddr_t pa, uint64_t len);

/* Pages handed out by mem_alloc_pages() and not freed. */
uint64_t model_pages_in_use(void);

/* Where mem_alloc_pages() and mem_free_pages() go instead of the model's own pool, until the next
 * reset.  The model keeps its book of pages all the same. */
void model_use_allocator(paddr_t (*take)(unsigned order), void (*give)(paddr_t pa, unsigned order));

/* What whole pages held is gone: where there was something, nonsense stands for CPU and units alike.
 * They count as freed, so whatever still leads there breaks a rule. */
void model_lose(paddr_t pa, uint64_t len);

/* When what the CPU stores gets behind its caches.  A processor may write a line back before it
 * is told to; that a flush does nothing is the mistake of a driver that forgets it. */
enum model_write_back { MODEL_AT_FLUSH, MODEL_AT_STORE, MODEL_NEVER };
void model_write_back(enum model_write_back when);

/* ---- DMA ------------------------------------------------------------------------------------ */

/* Return: 0 moved; a fault reason; MODEL_DROPPED by protected memory, which records nothing. */
#define MODEL_DROPPED	0x100
int model_dma_write(unsigned unit, uint16_t rid, iova_t iova, const void *data, size_t len);
int model_dma_read(unsigned unit, uint16_t rid, iova_t iova, void *data, size_t len);

/* A posted write: translated now, moved by model_dma_land(), or before by an invalidation that
 * drains. @len at most 64, inside a page. */
int model_dma_post(unsigned unit, uint16_t rid, iova_t iova, const void *data, size_t len);
void model_dma_land(void);

/* Cache every translation that the tables of a unit allow. */
void model_prefetch(unsigned unit);

/* Drop all that a unit has cached, as hardware may at any time.  No invalidation is replaced by
 * it: what is owed stays owed. */
void model_evict(unsigned unit);

/* ---- steps ---------------------------------------------------------------------------------- */

/* Call @fn before step number @step of what follows, a step being any store, flush, register
 * access or look at the clock by the driver; MODEL_EVERY_STEP: before each. Counting starts
 * again at 1. */
#define MODEL_EVERY_STEP	(-1)
void model_inject(long step, void (*fn)(void *ctx), void *ctx);
long model_steps(void);

/* ---- violations ----------------------------------------------------------------------------- */

/* How many, after looking for what is still owed. A test ends with none. */
unsigned model_violations(void);
/* Whether one has been found whose sentence contains @part. */
bool model_violated(const char *part);
/* Drop those found so far. */
void model_forgive(void);

#endif
