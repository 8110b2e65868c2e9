/* QEMU's edu (docs/specs/edu.rst): copies on command, about 100 ms later, and says nothing of how
 * that went. */
#include "hostile_kind.h"

#include "platform/mmio.h"

#define EDU_ID		0x00		/* 32-bit RO, low byte EDh */
#define   EDU_ID_LOW	0xed
#define EDU_SOURCE	0x80		/* 64-bit RW */
#define EDU_TARGET	0x88		/* 64-bit RW */
#define EDU_COUNT	0x90		/* 64-bit RW, bytes */
#define EDU_COMMAND	0x98		/* 64-bit RW */
#define   EDU_START	BIT32(0)	/* reads 1 while a copy is under way */
#define   EDU_TO_RAM	BIT32(1)
#define EDU_BUFFER	0x40000		/* the device's own memory */
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
	.name = "edu", .vendor = 0x1234, .device = 0x11e8, .bar_bytes = MIB(1),
	.answers = answers, .shoot = shoot,
};
