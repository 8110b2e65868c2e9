/* What the files of the model share among themselves. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H

#include "model.h"
#include "spec.h"

extern struct model_unit model_units[MODEL_MAX_UNITS];

/* violations.c */
void model_violate(const struct model_unit *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* steps.c */
void model_step(void);
void model_steps_reset(void);

/* memory.c */
void model_memory_reset(void);
bool model_is_ram(paddr_t pa, uint64_t len);
bool model_is_freed(paddr_t pa);
uint64_t model_read64(const struct model_unit *u, bool snooped, paddr_t pa);
uint64_t model_cpu_read64(paddr_t pa);
void model_device_write(paddr_t pa, const void *data, size_t len);
void model_drain_write_buffer(struct model_unit *u);
void model_free_unit_memory(struct model_unit *u);

/* queue.c */
void model_queue_fetch(struct model_unit *u);
void model_queue_tick(struct model_unit *u);
bool model_queue_idle(const struct model_unit *u);

/* caches.c: the invalidations; @g in SPEC_G_ (SPEC_PC_G_ for the PASID-cache) */
void model_inv_context(struct model_unit *u, unsigned g, uint16_t did, uint16_t sid, unsigned fm);
void model_inv_pasid(struct model_unit *u, unsigned g, uint16_t did, uint32_t pasid);
void model_inv_iotlb(struct model_unit *u, unsigned g, uint16_t did, iova_t addr, unsigned am,
		     bool ih, bool drain);
void model_inv_p_iotlb(struct model_unit *u, unsigned g, uint16_t did, uint32_t pasid, iova_t addr,
		       unsigned am);
void model_inv_all(struct model_unit *u);
struct model_context *model_find_context(struct model_unit *u, uint16_t sid);
struct model_pasid *model_find_pasid(struct model_unit *u, uint16_t sid, uint32_t pasid);
const struct model_structure *model_find_structure(const struct model_unit *u, uint16_t did,
						   unsigned level, iova_t iova);
const struct model_tlb *model_find_tlb(const struct model_unit *u, uint16_t sid, iova_t iova);
void model_add_context(struct model_unit *u, const struct model_context *e);
void model_add_pasid(struct model_unit *u, const struct model_pasid *e);
void model_add_structure(struct model_unit *u, const struct model_structure *e);
void model_add_tlb(struct model_unit *u, const struct model_tlb *e);

/* walk.c */
struct model_walk {
	int reason;
	bool qualified, fpd;
	uint16_t did;
	uint32_t pasid;
	unsigned levels;	/* 0: pass-through */
	paddr_t top, pa;
	uint64_t perm;
	bool snooped;		/* the second-stage walk */
};
/* @cached: use the caches and fill them; else only look at memory. */
struct model_walk model_resolve(struct model_unit *u, uint16_t sid, bool cached);
struct model_walk model_translate(struct model_unit *u, uint16_t sid, iova_t iova, bool write,
				  bool cached);
unsigned model_ttm(const struct model_unit *u);
uint64_t model_entry_bytes(unsigned level);

/* tables.c: everything reachable from a root, in memory as the CPU sees it */
enum model_table { MODEL_ROOT, MODEL_CONTEXT, MODEL_DIR, MODEL_PASID, MODEL_SS };
struct model_visit {
	bool shallow;		/* not into second-stage tables */
	/* Each table page once per way to it; @sid of its first device, @snooped if the unit is. */
	void (*table)(struct model_unit *u, void *ctx, enum model_table kind, paddr_t page,
		      uint16_t sid, bool snooped);
	/* Each present context entry (legacy) or PASID entry (scalable) that translates. */
	void (*target)(struct model_unit *u, void *ctx, uint16_t sid, uint32_t pasid, uint16_t did,
		       paddr_t top, unsigned levels);
	/* Each leaf. */
	void (*leaf)(struct model_unit *u, void *ctx, uint16_t sid, iova_t iova, uint64_t bytes);
	void *ctx;
};
void model_visit(struct model_unit *u, uint64_t root, const struct model_visit *v);

/* rules.c: judges stores to live tables, and what invalidations they make necessary */
void model_rule_store(paddr_t pa, const uint64_t *now, unsigned words);
void model_rules_look_again(void);	/* other tables are live than before, by no store */
void model_rule_cc(struct model_unit *u, unsigned g, uint16_t did, uint16_t sid, unsigned fm);
void model_rule_pc(struct model_unit *u, unsigned g, uint16_t did);
void model_rule_iotlb(struct model_unit *u, unsigned g, uint16_t did);

/* audit.c: judges what is in use when a page is freed, and what is left at the end */
void model_rule_free(paddr_t page);
void model_rule_dids(struct model_unit *u);
void model_audit(struct model_unit *u);

/* fault.c */
void model_fault(struct model_unit *u, uint16_t sid, iova_t iova, bool write,
		 const struct model_walk *w);
void model_event(struct model_unit *u, uint32_t *control);
void model_fault_index_reset(struct model_unit *u);

/* dma.c */
void model_dma_reset(void);
void model_drain(struct model_unit *u, unsigned g, uint16_t did, iova_t addr, unsigned am);

#endif
