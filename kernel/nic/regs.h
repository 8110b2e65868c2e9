/* Registers of the Intel 82571 to 82574, 82583, 82576, 82580, I350 and I210, offsets from BAR 0.
 * Sources: "Intel 82574 GbE Controller Family Datasheet" chapter 10 and "Intel 82576EB Gigabit
 * Ethernet Controller Datasheet" chapter 8, "Programming Interface".  All are 32 bits wide. */
#ifndef BATON_NIC_REGS_H
#define BATON_NIC_REGS_H

#include "base.h"

#define NIC_CTRL		0x0000	/* Device Control */
#define   CTRL_GIO_MASTER_OFF	BIT32(2)
#define   CTRL_LRST		BIT32(3)	/* reserved on the later ones */
#define   CTRL_SLU		BIT32(6)	/* Set Link Up */
#define   CTRL_FRCSPD		BIT32(11)
#define   CTRL_FRCDPLX		BIT32(12)
#define   CTRL_RST		BIT32(26)	/* self-clearing */
#define   CTRL_RFCE		BIT32(27)
#define   CTRL_TFCE		BIT32(28)
#define NIC_STATUS		0x0008
#define   STATUS_LU		BIT32(1)	/* Link Up */
#define   STATUS_LAN_ID		GENMASK32(3, 2)	/* which port of the chip */
#define   STATUS_GIO_MASTER	BIT32(19)	/* own requests may be outstanding */
#define NIC_MDIC		0x0020	/* MDI Control */
#define   MDIC_DATA		GENMASK32(15, 0)
#define   MDIC_REG		GENMASK32(20, 16)
#define   MDIC_PHY		GENMASK32(25, 21)
#define   MDIC_WRITE		BIT32(26)
#define   MDIC_READ		BIT32(27)
#define   MDIC_READY		BIT32(28)
#define   MDIC_ERROR		BIT32(30)
#define NIC_FCTTV		0x0170	/* Flow Control Transmit Timer Value, 15:0 */
#define NIC_ICR			0x00c0	/* cleared by reading */
#define NIC_IMC			0x00d8	/* Interrupt Mask Clear, WO */
#define NIC_RCTL		0x0100	/* Receive Control */
#define   RCTL_EN		BIT32(1)
#define   RCTL_BAM		BIT32(15)	/* accept broadcast */
#define   RCTL_SECRC		BIT32(26)	/* strip the FCS; buffer size 0: 2048 bytes */
#define NIC_TCTL		0x0400	/* Transmit Control */
#define   TCTL_EN		BIT32(1)
#define   TCTL_PSP		BIT32(3)	/* pad short packets */
#define   TCTL_CT		GENMASK32(11, 4)	/* collision threshold */
#define   TCTL_CT_DEFAULT	15
#define   TCTL_COLD		GENMASK32(21, 12)	/* collision distance */
#define   TCTL_COLD_DUPLEX	63
#define NIC_PHPM		0x0e14	/* 82580 and later: PHY Power Management */
#define   PHPM_GO_LINKD		BIT32(5)
#define NIC_EXTCNF_CTRL		0x0f00	/* 82573, 82574, 82583: Extended Configuration Control */
#define   EXTCNF_MDIO_SW	BIT32(5)	/* software owns MDIO */
#define NIC_EIMC		0x1528	/* igb: Extended Interrupt Mask Clear, WO */
#define NIC_RDTR		0x2820	/* e1000e: Receive Delay Timer */
#define NIC_RADV		0x282c	/* e1000e: Receive Absolute Delay Timer */
#define NIC_RXCSUM		0x5000	/* Receive Checksum Control */
#define NIC_RFCTL		0x5008	/* Receive Filter Control */
#define   RFCTL_EXSTEN		BIT32(15)	/* extended descriptors */
#define NIC_MTA(i)		(0x5200U + 4 * (i))	/* Multicast Table Array */
#define   NIC_MTA_WORDS		128
#define NIC_RAL(i)		(0x5400U + 8 * (i))	/* Receive Address Low */
#define NIC_RAH(i)		(0x5404U + 8 * (i))	/* Receive Address High */
#define   NIC_RA_ENTRIES	15	/* 82571 has 15, all others more */
#define   RAH_ADDR		GENMASK32(15, 0)
#define   RAH_AV		BIT32(31)	/* Address Valid */
#define NIC_MRQC		0x5818	/* Multiple Receive Queues Command */
#define NIC_MANC		0x5820	/* Management Control */
#define   MANC_RCV_TCO_EN	BIT32(17)	/* receive to the management controller */
#define NIC_SWSM		0x5b50	/* Software Semaphore */
#define   SWSM_SMBI		BIT32(0)	/* reads 0 once: taken by that read */
#define   SWSM_SWESMBI		BIT32(1)	/* sticks when firmware does not hold it */
#define NIC_FWSM		0x5b54	/* Firmware Semaphore */
#define   FWSM_MODE		GENMASK32(3, 1)
#define   FWSM_MODE_PASS	2		/* pass-through */
#define   FWSM_VALID		BIT32(15)
#define NIC_SW_FW_SYNC		0x5b5c	/* Software-Firmware Synchronization */

/* One ring's registers, from its base: the same layout in both families and directions. */
#define E1000E_RX		0x2800
#define E1000E_TX		0x3800
#define IGB_RX			0xc000
#define IGB_TX			0xe000
#define NIC_DBAL		0x00	/* descriptor base, 31:7 */
#define NIC_DBAH		0x04
#define NIC_DLEN		0x08	/* bytes, multiple of 128 */
#define NIC_SRRCTL		0x0c	/* igb receive: Split and Replication Receive Control */
#define   SRRCTL_BSIZEPKT	GENMASK32(6, 0)		/* KiB */
#define   SRRCTL_DESCTYPE	GENMASK32(27, 25)
#define   SRRCTL_ADV_ONEBUF	1
#define NIC_DH			0x10
#define NIC_DT			0x18
#define NIC_DCTL		0x28	/* RXDCTL, TXDCTL */
#define   DCTL_PTHRESH		GENMASK32(5, 0)
#define   DCTL_HTHRESH		GENMASK32(13, 8)
#define   DCTL_WTHRESH		GENMASK32(21, 16)
#define   TXDCTL_COUNT_DESC	BIT32(22)	/* e1000e: must be 1 */
#define   DCTL_GRAN		BIT32(24)	/* e1000e: thresholds count descriptors */
#define   DCTL_ENABLE		BIT32(25)	/* igb */

/* MII management, register 0. */
#define PHY_ADDRESS		1
#define PHY_BMCR		0
#define   BMCR_ANRESTART	BIT32(9)
#define   BMCR_ANENABLE		BIT32(12)

#endif
