/* QEMU's edu as the hostile device: it says nothing of how its copy went. */
#include "hostile_kind.h"

#include "edu.h"
#include "platform/mmio.h"

#define SHOT_BYTES	64

static bool answers(paddr_t regs)
{
	return (mmio_read32(regs + EDU_ID) & 0xff) == EDU_ID_LOW;
}

static void shoot(paddr_t regs, uint64_t addr)
{
	if (mmio_read32(regs + EDU_COMMAND) & EDU_START)
		return;
	mmio_write64(regs + EDU_SOURCE, EDU_BUFFER);
	mmio_write64(regs + EDU_TARGET, addr);
	mmio_write64(regs + EDU_COUNT, SHOT_BYTES);
	mmio_write64(regs + EDU_COMMAND, EDU_START | EDU_TO_RAM);
}

const struct hostile_kind hostile_edu = {
	.name = "edu", .vendor = EDU_VENDOR, .device = EDU_DEVICE,
	.bar_bytes = EDU_BAR_BYTES,
	.answers = answers, .shoot = shoot,
};
