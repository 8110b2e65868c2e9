/* 82576, 82580, I350, I210: advanced descriptors, one buffer (82576 datasheet 7.1.5, 7.2.2). */
#include "errno.h"
#include "kernel/nic/driver.h"

/* Advanced receive descriptor as written back, second word: 19:0 status, 31:20 errors,
 * 47:32 length. */
#define RX_DD			BIT64(0)
#define RX_EOP			BIT64(1)
#define RX_ERRORS		GENMASK64(31, 20)
#define   RX_RXE		BIT32(11)	/* bit 31 of the word: the frame itself is bad */
#define RX_LEN			GENMASK64(47, 32)

/* Advanced transmit data descriptor, second word: 15:0 length of this buffer, 23:20 type,
 * 31:24 command, 63:46 length of the frame. */
#define TX_LEN			GENMASK64(15, 0)
#define TX_DTYP			GENMASK64(23, 20)
#define   TX_DTYP_DATA		3
#define TX_CMD_EOP		BIT64(24)
#define TX_CMD_IFCS		BIT64(25)
#define TX_CMD_RS		BIT64(27)
#define TX_CMD_DEXT		BIT64(29)	/* advanced */
#define TX_PAYLEN		GENMASK64(63, 46)

#define ENABLE_US		10000
#define SYNC_US			1000000
#define RETRY_US		5000
#define SYNC_FIRMWARE_SHIFT	16	/* firmware's bit of the same resource */

static struct nic_desc tx_desc(iova_t buf, uint32_t len)
{
	return (struct nic_desc){
		.lo = buf,
		.hi = FIELD_PREP(TX_LEN, len) | FIELD_PREP(TX_DTYP, TX_DTYP_DATA) | TX_CMD_EOP |
		      TX_CMD_IFCS | TX_CMD_RS | TX_CMD_DEXT | FIELD_PREP(TX_PAYLEN, len),
	};
}

static bool rx_done(uint64_t hi, uint32_t *len, uint32_t *errors)
{
	*len = (uint32_t)FIELD_GET(RX_LEN, hi);
	*errors = hi & RX_EOP ? FIELD_GET(RX_ERRORS, hi) & RX_RXE : UINT32_MAX;
	return hi & RX_DD;
}

static void mask(const struct nic *nic)
{
	nic_write(nic, NIC_EIMC, UINT32_MAX);
}

/* 82576 4.5.9, 4.5.10: program while the queue is off, enable, wait until it says so. */
static int start_queue(const struct nic *nic, uint32_t base, const struct nic_ring *r,
		       uint32_t dctl, const char *what)
{
	nic_write(nic, base + NIC_DCTL, 0);
	nic_program_ring(nic, base, r);
	if (base == IGB_RX)
		nic_write(nic, base + NIC_SRRCTL,
			  (uint32_t)(FIELD_PREP(SRRCTL_BSIZEPKT, NIC_BUFFER_BYTES / KIB(1)) |
				     FIELD_PREP(SRRCTL_DESCTYPE, SRRCTL_ADV_ONEBUF)));
	nic_write(nic, base + NIC_DCTL, dctl | DCTL_ENABLE);
	return nic_wait(nic, base + NIC_DCTL, DCTL_ENABLE, DCTL_ENABLE, ENABLE_US, what);
}

/* Descriptors are fetched ahead and written back one by one. */
static int start_rx(const struct nic *nic)
{
	return start_queue(nic, IGB_RX, &nic->rx,
			   (uint32_t)(FIELD_PREP(DCTL_PTHRESH, 8) | FIELD_PREP(DCTL_HTHRESH, 8) |
				      FIELD_PREP(DCTL_WTHRESH, 1)), "RXDCTL.ENABLE");
}

static int start_tx(const struct nic *nic)
{
	return start_queue(nic, IGB_TX, &nic->tx,
			   (uint32_t)(FIELD_PREP(DCTL_PTHRESH, 8) | FIELD_PREP(DCTL_HTHRESH, 1)),
			   "TXDCTL.ENABLE");
}

/* SW_FW_SYNC: one bit for the PHY of each port (82576 8.16.4). */
static uint32_t sync_bit(const struct nic *nic)
{
	static const uint32_t bits[] = { BIT32(1), BIT32(2), BIT32(5), BIT32(6) };

	return bits[FIELD_GET(STATUS_LAN_ID, nic_read(nic, NIC_STATUS))];
}

static int phy_acquire(const struct nic *nic)
{
	const uint32_t ours = sync_bit(nic);
	const uint64_t start = platform_us();
	uint32_t sync;

	do {
		const int err = nic_swsm_acquire(nic);

		if (err)
			return err;
		sync = nic_read(nic, NIC_SW_FW_SYNC);
		if (!(sync & (ours | ours << SYNC_FIRMWARE_SHIFT))) {
			nic_write(nic, NIC_SW_FW_SYNC, sync | ours);
			nic_swsm_release(nic);
			return 0;
		}
		nic_swsm_release(nic);
		nic_delay(RETRY_US);
	} while (platform_us() - start <= SYNC_US);
	platform_log(NIC_LOG_ID "the PHY is kept by another, SW_FW_SYNC = 0x%08x",
		     NIC_LOG_ARGS(nic), sync);
	return -ETIMEDOUT;
}

static void phy_release(const struct nic *nic)
{
	if (nic_swsm_acquire(nic))
		return;		/* firmware clears what a driver leaves behind */
	nic_write(nic, NIC_SW_FW_SYNC, nic_read(nic, NIC_SW_FW_SYNC) & ~sync_bit(nic));
	nic_swsm_release(nic);
}

const struct nic_driver nic_82576 = {
	.name = "82576", .family = NIC_IGB, .format = NIC_ADVANCED,
	.rx = IGB_RX, .tx = IGB_TX, .mask = mask,
	.start_rx = start_rx, .start_tx = start_tx, .tx_desc = tx_desc, .rx_done = rx_done,
	.phy_acquire = phy_acquire, .phy_release = phy_release,
};

const struct nic_driver nic_82580 = {
	.name = "82580", .family = NIC_IGB, .format = NIC_ADVANCED, .has_phpm = true,
	.rx = IGB_RX, .tx = IGB_TX, .mask = mask,
	.start_rx = start_rx, .start_tx = start_tx, .tx_desc = tx_desc, .rx_done = rx_done,
	.phy_acquire = phy_acquire, .phy_release = phy_release,
};
