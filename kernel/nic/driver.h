/* What e1000e.c and igb.c give to nic.c, and the register helpers all three share. */
#ifndef BATON_NIC_DRIVER_H
#define BATON_NIC_DRIVER_H

#include "kernel/nic/nic.h"
#include "kernel/nic/regs.h"
#include "platform/mmio.h"

/* A descriptor as two little-endian words, raw.  The device writes the second one back. */
struct nic_desc { uint64_t lo, hi; };
static_assert(sizeof(struct nic_desc) == NIC_DESC_BYTES, "128-bit descriptor");

struct nic_driver {
	const char *name;
	enum nic_family family;
	enum nic_format format;
	uint32_t rx, tx;			/* base of the ring registers */
	bool has_phpm;				/* PHY may sit in "go link disconnect" */

	/* Silence what is the family's own, after the common masks. */
	void (*mask)(const struct nic *nic);
	/* Between ring registers and enables. */
	int (*start_rx)(const struct nic *nic);
	int (*start_tx)(const struct nic *nic);

	struct nic_desc (*tx_desc)(iova_t buf, uint32_t len);
	/* Of a written-back second word; false if the device has not written it. */
	bool (*rx_done)(uint64_t hi, uint32_t *len, uint32_t *errors);

	/* Firmware/software semaphore around PHY access.  Return: 0; -ETIMEDOUT. */
	int (*phy_acquire)(const struct nic *nic);
	void (*phy_release)(const struct nic *nic);
};

extern const struct nic_driver nic_82571, nic_82574, nic_82576, nic_82580;

/* Done bit of a transmit descriptor, the same place in both formats. */
#define TX_DONE			BIT64(32)

static inline uint32_t nic_read(const struct nic *nic, uint32_t reg)
{
	return mmio_read32(nic->bar0 + reg);
}

static inline void nic_write(const struct nic *nic, uint32_t reg, uint32_t v)
{
	mmio_write32(nic->bar0 + reg, v);
}

/* Wait until (@reg & @mask) == @want.  Return: 0; -ETIMEDOUT, logged with @what. */
int nic_wait(const struct nic *nic, uint32_t reg, uint32_t mask, uint32_t want, uint64_t us,
	     const char *what);
void nic_delay(uint64_t us);

/* Base, length and both indices (zero) of a ring whose registers start at @base. */
void nic_program_ring(const struct nic *nic, uint32_t base, const struct nic_ring *r);

/* SWSM, the semaphore between the ports' drivers and firmware (82576 4.6.11). */
int nic_swsm_acquire(const struct nic *nic);
void nic_swsm_release(const struct nic *nic);

/* Restart autonegotiation, with the semaphore held.  Return: 0; -ETIMEDOUT; -EIO MDIC.E. */
int nic_phy_restart(const struct nic *nic);

#define NIC_LOG_ID		"nic: %s %04x:%02x:%02x.%x: "
#define NIC_LOG_ARGS(nic)	(nic)->drv->name, (nic)->segment, (nic)->rid >> 8, \
				(nic)->rid >> 3 & 0x1f, (nic)->rid & 7

#endif
