/* 82571, 82572, 82573, 82574, 82583: legacy descriptors (82574 datasheet 7.1.4, 7.2.3). */
#include "errno.h"
#include "kernel/nic/driver.h"

/* Legacy receive descriptor, second word: 15:0 length, 39:32 status, 47:40 errors. */
#define RX_LEN			GENMASK64(15, 0)
#define RX_DD			BIT64(32)
#define RX_EOP			BIT64(33)
#define RX_ERRORS		GENMASK64(47, 40)
/* CE, SE, SEQ, CXE and RXE; TCPE and IPE speak of the payload's checksums, not of the frame. */
#define   RX_FRAME_ERRORS	0x97

/* Legacy transmit descriptor, second word: 15:0 length, 31:24 command, 35:32 status. */
#define TX_LEN			GENMASK64(15, 0)
#define TX_CMD_EOP		BIT64(24)
#define TX_CMD_IFCS		BIT64(25)	/* add the FCS */
#define TX_CMD_RS		BIT64(27)	/* report when sent */

#define MDIO_US			100000
#define RETRY_US		1000

static struct nic_desc tx_desc(iova_t buf, uint32_t len)
{
	return (struct nic_desc){
		.lo = buf,
		.hi = FIELD_PREP(TX_LEN, len) | TX_CMD_EOP | TX_CMD_IFCS | TX_CMD_RS,
	};
}

static bool rx_done(uint64_t hi, uint32_t *len, uint32_t *errors)
{
	*len = (uint32_t)FIELD_GET(RX_LEN, hi);
	*errors = hi & RX_EOP ? FIELD_GET(RX_ERRORS, hi) & RX_FRAME_ERRORS : UINT32_MAX;
	return hi & RX_DD;
}

/* Write each descriptor back at once: no delay timers, threshold of one. */
static int start_rx(const struct nic *nic)
{
	nic_write(nic, NIC_RDTR, 0);
	nic_write(nic, NIC_RADV, 0);
	nic_write(nic, NIC_RFCTL, nic_read(nic, NIC_RFCTL) & ~RFCTL_EXSTEN);
	nic_program_ring(nic, E1000E_RX, &nic->rx);
	nic_write(nic, E1000E_RX + NIC_DCTL, DCTL_GRAN | (uint32_t)FIELD_PREP(DCTL_WTHRESH, 1));
	return 0;
}

static int start_tx(const struct nic *nic)
{
	nic_program_ring(nic, E1000E_TX, &nic->tx);
	nic_write(nic, E1000E_TX + NIC_DCTL, DCTL_GRAN | TXDCTL_COUNT_DESC |
		  (uint32_t)FIELD_PREP(DCTL_WTHRESH, 1));
	return 0;
}

/* 82573 and later in this family share MDIO through one bit that sticks when it is free. */
static int mdio_acquire(const struct nic *nic)
{
	const uint64_t start = platform_us();

	do {
		nic_write(nic, NIC_EXTCNF_CTRL, nic_read(nic, NIC_EXTCNF_CTRL) | EXTCNF_MDIO_SW);
		if (nic_read(nic, NIC_EXTCNF_CTRL) & EXTCNF_MDIO_SW)
			return 0;
		nic_delay(RETRY_US);
	} while (platform_us() - start <= MDIO_US);
	platform_log(NIC_LOG_ID "firmware keeps MDIO, EXTCNF_CTRL = 0x%08x", NIC_LOG_ARGS(nic),
		     nic_read(nic, NIC_EXTCNF_CTRL));
	return -ETIMEDOUT;
}

static void mdio_release(const struct nic *nic)
{
	nic_write(nic, NIC_EXTCNF_CTRL, nic_read(nic, NIC_EXTCNF_CTRL) & ~EXTCNF_MDIO_SW);
}

const struct nic_driver nic_82571 = {
	.name = "82571", .family = NIC_E1000E, .format = NIC_LEGACY,
	.rx = E1000E_RX, .tx = E1000E_TX,
	.start_rx = start_rx, .start_tx = start_tx, .tx_desc = tx_desc, .rx_done = rx_done,
	.phy_acquire = nic_swsm_acquire, .phy_release = nic_swsm_release,
};

const struct nic_driver nic_82574 = {
	.name = "82574", .family = NIC_E1000E, .format = NIC_LEGACY,
	.rx = E1000E_RX, .tx = E1000E_TX,
	.start_rx = start_rx, .start_tx = start_tx, .tx_desc = tx_desc, .rx_done = rx_done,
	.phy_acquire = mdio_acquire, .phy_release = mdio_release,
};
