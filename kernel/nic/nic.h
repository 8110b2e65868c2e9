/* The test NIC: one receive ring, one transmit ring, polled.  The ring's descriptors are written
 * through mem_ptr(); the device sees everything at IOVAs.  Nothing here needs an interrupt. */
#ifndef BATON_NIC_H
#define BATON_NIC_H

#include "base.h"

#define NIC_BAR0_BYTES		KIB(128)	/* to be mapped UC by the caller */
#define NIC_DESC_BYTES		16
#define NIC_MIN_ENTRIES		8		/* ring length is a multiple of 128 bytes */
#define NIC_MAX_ENTRIES		4096
#define NIC_RING_ALIGN		128
#define NIC_BUFFER_BYTES	2048		/* what the device may write into one buffer */

enum nic_family { NIC_E1000E = 1, NIC_IGB = 2 };	/* in the handoff: never renumber */
enum nic_format { NIC_LEGACY = 1, NIC_ADVANCED = 2 };	/* descriptors; likewise */

struct nic_driver;	/* driver.h */

struct nic_ring {
	paddr_t ring_pa;
	iova_t ring_iova;
	uint32_t entries;
	paddr_t buf_pa;		/* buffer of slot i at i * stride, the same in IOVAs */
	iova_t buf_iova;
	uint32_t stride;	/* bytes, at least NIC_BUFFER_BYTES */
	uint32_t next;		/* rx: to be polled next; tx: oldest not yet known to be sent */
	uint32_t tail;		/* value of RDT or TDT, or what it becomes with nic_tx_kick() */
};

struct nic {
	const struct nic_driver *drv;
	uint16_t segment, rid;
	paddr_t bar0;
	uint8_t mac[6];
	struct nic_ring rx, tx;
};

/* Registers that must not change over a hand-over, and those that tell how far the device is. */
struct nic_regs {
	uint64_t rdba, tdba;
	uint32_t rdlen, rdh, rdt;
	uint32_t tdlen, tdh, tdt;
	uint32_t ctrl, status, rctl, tctl, rxdctl, txdctl;
	uint32_t mark;		/* FCTTV, see nic_was_reset() */
	uint32_t rah0;
};

struct nic_rx {
	uint32_t slot;
	uint32_t len;		/* bytes, without FCS */
	uint32_t errors;	/* 0, or the descriptor's error bits; all ones: not a whole frame */
};

/* The driver of a PCI id, or NULL. */
const struct nic_driver *nic_match(uint16_t vendor, uint16_t device);
const char *nic_name(const struct nic *nic);
enum nic_family nic_family(const struct nic *nic);
enum nic_format nic_format(const struct nic *nic);

/* Reads only, allowed before anything else. */
bool nic_link(const struct nic *nic);

/* True if a management controller passes its traffic through this port (docs/on-a-server.md). */
bool nic_firmware_passthrough(const struct nic *nic);

void nic_read_regs(const struct nic *nic, struct nic_regs *regs);

/**
 * nic_quiesce() - from whatever state firmware left to a reset, silent device
 * @nic: drv, segment, rid and bar0 set; mac is filled
 *
 * Masks interrupts, stops both directions, waits for its own DMA to end, resets, reads the
 * address the reset loaded.  Bus master may be on or off.
 * Return: 0; -ENODEV registers read all ones, or no valid address; -ETIMEDOUT reset does not end.
 */
int nic_quiesce(struct nic *nic);

/**
 * nic_start() - program the rings and start to receive
 * @nic: quiesced, both rings' geometry set; next and tail are set here
 *
 * Accepts its own address and broadcast, strips the FCS, no frames beyond one buffer.  All
 * receive descriptors but one are handed out.  Waits for link.  Bus master must be on, since the
 * device reads descriptors at once.
 * Return: 0; -EINVAL geometry, or bus master off; -ETIMEDOUT a queue does not start, or no link
 * in NIC_LINK_US (the rings then run all the same).
 */
#define NIC_LINK_US		5000000
int nic_start(struct nic *nic);

/**
 * nic_adopt() - go on with rings that another generation started, without one write
 * @nic:  everything as recorded, rx.next and tx.next of the last poll included
 * @regs: what was read, always written
 * @why:  the register that does not fit, when refused
 *
 * Sets rx.tail and tx.tail.  Return: 0; -EBADMSG base, length, enable or index does not fit, or
 * the device was reset.
 */
int nic_adopt(struct nic *nic, struct nic_regs *regs, const char **why);

/**
 * nic_was_reset() - does anything show a reset since nic_start()?
 *
 * Two marks are left by nic_start() that a reset (CTRL.RST, PCI reset) takes back: FCTTV, a time
 * that counts only when PAUSE frames are sent, holds NIC_MARK; and receive address 0, which every
 * reset loads anew and makes valid, is not valid, our address stands in receive address 1.  QEMU
 * before 8.0 takes back the second only.
 */
#define NIC_MARK		0xba70
bool nic_was_reset(const struct nic *nic);

/* The next received frame, if there is one.  Reads memory only. */
bool nic_rx_poll(struct nic *nic, struct nic_rx *out);

/* Hand every polled buffer but the last one back, with one write of RDT; none of them may be
 * used any longer.  The caller chooses the batch. */
void nic_rx_repost(struct nic *nic);

/* Descriptors the device may still fill: RDT - RDH.  Reads a register. */
uint32_t nic_rx_free(const struct nic *nic);

/* Polled buffers that nic_rx_repost() would hand back. */
uint32_t nic_rx_to_repost(const struct nic *nic);

/**
 * nic_tx_queue() - put a frame into the transmit ring
 * @slot: which buffer holds it; must not be in flight (nic_tx_slot() is never)
 * @len:  bytes, 14 to NIC_BUFFER_BYTES; the device pads and adds the FCS
 *
 * The device learns of it with nic_tx_kick().  Return: 0; -EINVAL; -EAGAIN the ring is full.
 */
int nic_tx_queue(struct nic *nic, uint32_t slot, uint32_t len);
void nic_tx_kick(struct nic *nic);
int nic_tx_send(struct nic *nic, uint32_t slot, uint32_t len);	/* queue and kick */

/* A buffer that is free if every frame was sent from such a slot.  Return: 0; -EAGAIN. */
int nic_tx_slot(struct nic *nic, uint32_t *slot);

/* Wait until all that was queued is sent.  Return: 0; -ETIMEDOUT. */
int nic_tx_done(struct nic *nic);

/* Both directions off, own DMA ended, device reset.  Return: 0; -ETIMEDOUT. */
int nic_stop(struct nic *nic);

#endif
