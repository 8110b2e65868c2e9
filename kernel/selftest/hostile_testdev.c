/* QEMU's iommu-testdev (11.1 and later): a read of the trigger register writes a pattern through the
 * IOMMU, looks around it whether the pattern has arrived, and keeps the result until the next shot.
 * The ids are those of pci-testdev as well. */
#include "hostile_kind.h"

#include "platform/mmio.h"

/* All 32-bit, accessed as such. */
#define TESTDEV_TRIGGER		0x00	/* RO, 0; a read shoots, if armed */
#define TESTDEV_IOVA_LO		0x04	/* RW, where to write */
#define TESTDEV_IOVA_HI		0x08
#define TESTDEV_LENGTH		0x0c	/* RW, bytes */
#define TESTDEV_RESULT		0x10	/* RW */
#define   TESTDEV_WRITE_FAILED	0xdead0002u	/* nothing was written */
#define   TESTDEV_BUSY		0xfffffffeu	/* armed, not shot yet */
#define   TESTDEV_IDLE		0xffffffffu	/* neither, since it was disarmed */
#define TESTDEV_DOORBELL	0x14	/* WO */
#define   TESTDEV_DISARM	0
#define   TESTDEV_ARM		BIT32(0)
#define TESTDEV_PA_LO		0x1c	/* RW, where the pattern is looked for */
#define TESTDEV_PA_HI		0x20
#define SHOT_BYTES		64

static bool answers(paddr_t regs)
{
	bool armed, idle;

	mmio_write32(regs + TESTDEV_DOORBELL, TESTDEV_ARM);
	armed = mmio_read32(regs + TESTDEV_RESULT) == TESTDEV_BUSY;
	mmio_write32(regs + TESTDEV_DOORBELL, TESTDEV_DISARM);
	idle = mmio_read32(regs + TESTDEV_RESULT) == TESTDEV_IDLE;
	return armed && idle;
}

static void shoot(paddr_t regs, uint64_t addr)
{
	mmio_write32(regs + TESTDEV_IOVA_LO, (uint32_t)addr);
	mmio_write32(regs + TESTDEV_IOVA_HI, (uint32_t)(addr >> 32));
	/* Nothing translates it, so this is where it would land. */
	mmio_write32(regs + TESTDEV_PA_LO, (uint32_t)addr);
	mmio_write32(regs + TESTDEV_PA_HI, (uint32_t)(addr >> 32));
	mmio_write32(regs + TESTDEV_LENGTH, SHOT_BYTES);
	mmio_write32(regs + TESTDEV_DOORBELL, TESTDEV_ARM);
	(void)mmio_read32(regs + TESTDEV_TRIGGER);
}

static uint32_t take_result(paddr_t regs)
{
	const uint32_t result = mmio_read32(regs + TESTDEV_RESULT);

	mmio_write32(regs + TESTDEV_DOORBELL, TESTDEV_DISARM);
	return result;
}

const struct hostile_kind hostile_testdev = {
	.name = "iommu-testdev", .vendor = 0x1b36, .device = 0x0005, .bar_bytes = KIB(4),
	.answers = answers, .shoot = shoot, .take_result = take_result,
	.blocked = TESTDEV_WRITE_FAILED,
};
