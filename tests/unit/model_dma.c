/* What the devices do while a kernel runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "platform/mem.h"
#include "tests/unit/model_dma.h"

#define FRAME_BEATS	8		/* faster, and giving buffers back would never end */

static const struct world *world;
static struct world_target targets[BOARD_RMRRS + BOARD_PLAIN];
static unsigned nr_targets;
static uint64_t beats;

struct world_seen world_seen;

void dma_reset(const struct world *w)
{
	world = w;
	nr_targets = 0;
	beats = 0;
	memset(&world_seen, 0, sizeof(world_seen));
}

void dma_add_target(uint16_t rid, iova_t iova, paddr_t pa)
{
	assert_true(nr_targets < ARRAY_SIZE(targets));
	targets[nr_targets++] = (struct world_target){ rid, iova, pa, true };
}

struct world_target *world_target(uint16_t rid)
{
	for (unsigned i = 0; i < nr_targets; i++)
		if (targets[i].rid == rid)
			return &targets[i];
	fail_msg("%04x has no target", rid);
	return NULL;
}

struct iommu_device *world_device(uint16_t rid)
{
	struct iommu_device *d = iommu_device_of(world_run()->mmu, 0, rid);

	if (!d)
		fail_msg("%04x is in no domain", rid);
	return d;
}

static void write_to(const struct world_target *t)
{
	const uint64_t v = (uint64_t)t->rid << 48 | beats;

	if (!t->live)
		return;
	if (!board_dma_write(t->rid, t->iova, &v, sizeof(v)) && mem_read64(mem_ptr(t->pa)) == v)
		world_seen.landed++;
	else
		world_seen.lost++;
}

/* It aims at what others may write, which may be cached, and at memory itself. */
static void rogue_write(void)
{
	const unsigned unit = board_unit_of(BOARD_ROGUE);
	const struct run *r = world_run();
	const struct stream_control_ser *c = r->nr_ports ? r->port[0].control : NULL;
	const iova_t aims[] = {
		c ? c->rx.buffers_iova : 0, c ? c->rx.buffers_pa : 0, BOARD_RMRR_BASE,
		model_unit(unit)->root & ~(PAGE_SIZE - 1), r->window.own,
	};

	world_seen.tried++;
	if (!model_dma_write(unit, BOARD_ROGUE, aims[beats % ARRAY_SIZE(aims)], "rogue", 5))
		world_seen.pierced++;
}

static void beat(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < world->board.nr_units; i++)
		if (world->evict && beats % world->evict == 0)
			model_evict(i);
	for (unsigned i = 0; i < world->board.nr_nics; i++)
		if ((beats + i) % FRAME_BEATS)
			board_prefetch(i);
		else
			board_receive(i);
	if (nr_targets)
		write_to(&targets[beats % nr_targets]);
	if (world->rogue)
		rogue_write();
	beats++;
}

void world_dma(bool on)
{
	model_inject(on ? MODEL_EVERY_STEP : 0, on ? beat : NULL, NULL);
}
