/* Kernels one after the other on the strict model: each brings up or adopts, serves its streams and
 * hands over.  In between everything is forgotten but what a machine keeps: memory that was
 * preserved, registers and caches of the units, the devices, which go on with their DMA. */
#ifndef BATON_TEST_MODEL_WORLD_H
#define BATON_TEST_MODEL_WORLD_H

#include "kernel/run.h"
#include "tests/model/model.h"
#include "tests/unit/model_board.h"
#include "tests/unit/model_foreign.h"
#include "tests/unit/model_kernel.h"

struct world {
	struct board board;
	struct model_traits unit[2];
	enum config_mode mode;
	enum config_profile profile;
	bool shared;			/* NICs of one unit are in one domain */
	unsigned evict;			/* before every so manieth DMA units drop their caches; 0: never */
	bool rogue;			/* a function without a domain does DMA, bus master or not */
	bool hostile;			/* hostile= names NIC 1 */
	bool foreign;			/* another kernel starts generation 0, model_foreign.h */
	bool left_scalable;		/* the table mode in which it left the units */
	enum foreign_ring ring;		/* where it left their queues */
};

/* What scenarios run through: table modes, kinds of unit, how long these remember (for ever, as
 * little as they can, now and then), and machines with two NICs on one unit or on one each. */
#define WORLD_MODES	2
#define WORLD_KINDS	10
#define WORLD_MEMORIES	3
#define WORLD_PAIRS	5
extern const enum config_mode world_modes[WORLD_MODES];
extern const struct world_kind {
	const char *name;
	struct model_traits t;
} world_kinds[WORLD_KINDS];
extern const unsigned world_memories[WORLD_MEMORIES];
extern const struct world world_pairs[WORLD_PAIRS];

/* Whether its units can have the table mode: scalable mode needs a queue and no write buffer. */
bool world_has_mode(const struct world *w, enum config_mode mode);

/* Generation 0 up to running streams, every function of the board but the rogue in a domain.  From
 * here on all devices do DMA before every step. */
void world_begin(const struct world *w);
struct run *world_run(void);

/* Poll until @frames more have come on every stream, and look at the streams.  "" or what failed. */
const char *world_serve(unsigned frames);

/* handover_save(), and its return value.  What is not kept is known from here on, so that the
 * handoff may be broken; what failed is in kernel_bad_checks(). */
int world_save(void);

/* Last poll, hold, jump; what is not kept is lost. */
void world_jump(void);

/* The next kernel until it has adopted and verified.  Return: whether there still is one, else
 * kernel_verdict says why not.  What failed is in kernel_bad_checks(). */
bool world_adopt(void);

/* All three, and nothing fails. */
void world_hand_over(void);

/* The end of the last generation: each port's domain replaced, one page of it unmapped, all torn
 * down. */
void world_finish(void);

/* Nothing that should land was lost, nothing that must not land did, every frame that the NICs
 * put into memory was found, no rule of the model was broken. */
void world_judge(void);

/* DMA before every step of what follows, or none. */
void world_dma(bool on);

/* What the devices have done since world_begin(); frames are counted by the NICs. */
struct world_seen {
	uint64_t landed;
	uint64_t lost;			/* blocked, or not where it belongs */
	uint64_t tried, pierced;	/* by the rogue, and how often it got through */
};
extern struct world_seen world_seen;

/* 8 bytes of its own that an RMRR or plain function writes. */
struct world_target {
	uint16_t rid;
	iova_t iova;
	paddr_t pa;
	bool live;			/* false: it has stopped, as it must be fenced or was */
};
struct world_target *world_target(uint16_t rid);
struct iommu_device *world_device(uint16_t rid);

/* Pages that this kernel has taken and not given back. */
uint64_t world_pages(void);

#endif
