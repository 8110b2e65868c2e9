/* What both families share below the interface: waits, the semaphores shared with firmware, and
 * the way to the PHY. */
#include "errno.h"
#include "kernel/nic/driver.h"

#define SWSM_US			100000
#define RETRY_US		1000
#define MDIC_US			10000

void nic_delay(uint64_t us)
{
	const uint64_t start = platform_us();

	while (platform_us() - start <= us)
		platform_relax();
}

int nic_wait(const struct nic *nic, uint32_t reg, uint32_t mask, uint32_t want, uint64_t us,
	     const char *what)
{
	const uint64_t start = platform_us();
	uint32_t v;

	while (((v = nic_read(nic, reg)) & mask) != want) {
		if (platform_us() - start > us) {
			platform_log(NIC_LOG_ID "%s is not %u after %u ms, register %04x = 0x%08x",
				     NIC_LOG_ARGS(nic), what, want != 0, (unsigned)(us / 1000), reg,
				     v);
			return -ETIMEDOUT;
		}
		platform_relax();
	}
	return 0;
}

/* SMBI is among drivers, and none runs but us: one left behind by firmware's driver is put
 * back.  SWESMBI is with the firmware of the chip and never taken by force. */
int nic_swsm_acquire(const struct nic *nic)
{
	const uint64_t start = platform_us();

	if (nic_wait(nic, NIC_SWSM, SWSM_SMBI, 0, SWSM_US, "SWSM.SMBI"))
		nic_swsm_release(nic);
	for (;;) {
		nic_write(nic, NIC_SWSM, nic_read(nic, NIC_SWSM) | SWSM_SWESMBI);
		if (nic_read(nic, NIC_SWSM) & SWSM_SWESMBI)
			return 0;
		if (platform_us() - start > 2 * SWSM_US)
			break;
		nic_delay(RETRY_US);
	}
	platform_log(NIC_LOG_ID "firmware keeps SWSM.SWESMBI, SWSM = 0x%08x", NIC_LOG_ARGS(nic),
		     nic_read(nic, NIC_SWSM));
	nic_swsm_release(nic);
	return -ETIMEDOUT;
}

void nic_swsm_release(const struct nic *nic)
{
	nic_write(nic, NIC_SWSM, nic_read(nic, NIC_SWSM) & ~(SWSM_SMBI | SWSM_SWESMBI));
}

static int phy_write(const struct nic *nic, unsigned reg, uint16_t v)
{
	int err;

	nic_write(nic, NIC_MDIC, (uint32_t)(FIELD_PREP(MDIC_DATA, v) | FIELD_PREP(MDIC_REG, reg) |
					    FIELD_PREP(MDIC_PHY, PHY_ADDRESS)) | MDIC_WRITE);
	err = nic_wait(nic, NIC_MDIC, MDIC_READY, MDIC_READY, MDIC_US, "MDIC.R");
	if (!err && (nic_read(nic, NIC_MDIC) & MDIC_ERROR)) {
		platform_log(NIC_LOG_ID "the PHY does not answer, MDIC = 0x%08x",
			     NIC_LOG_ARGS(nic), nic_read(nic, NIC_MDIC));
		err = -EIO;
	}
	return err;
}

int nic_phy_restart(const struct nic *nic)
{
	int err = nic->drv->phy_acquire(nic);

	if (err)
		return err;
	if (nic->drv->has_phpm)
		nic_write(nic, NIC_PHPM, nic_read(nic, NIC_PHPM) & ~PHPM_GO_LINKD);
	err = phy_write(nic, PHY_BMCR, BMCR_ANENABLE | BMCR_ANRESTART);
	nic->drv->phy_release(nic);
	return err;
}
