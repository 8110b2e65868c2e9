/* The NICs of the machine: registers of an 82574 as far as the driver looks, and all of their DMA
 * through the remapping units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/nic/regs.h"
#include "kernel/stream/frame.h"
#include "tests/unit/model_board.h"
#include "tests/unit/model_nic.h"

/* Legacy descriptors, second word: done and end of packet; length in 15:0. */
#define DONE		BIT64(32)
#define END_OF_PACKET	BIT64(33)

struct descriptor {
	uint64_t address, state;
};

static struct {
	struct board_nic public;
	uint32_t reg[NIC_BAR0_BYTES / 4];
} nics[BOARD_NICS];

static uint32_t *reg(unsigned i, uint32_t off)
{
	return &nics[i].reg[off / 4];
}

struct board_nic *board_nic(unsigned i)
{
	return &nics[i].public;
}

/* What every reset loads: the address 52:54:00:00:00:0i, valid. */
static void reset(unsigned i)
{
	memset(nics[i].reg, 0, sizeof(nics[i].reg));
	*reg(i, NIC_RAL(0)) = 0x00005452;
	*reg(i, NIC_RAH(0)) = RAH_AV | i << 8;
}

void nic_reset_all(void)
{
	memset(nics, 0, sizeof(nics));
	for (unsigned i = 0; i < BOARD_NICS; i++) {
		nics[i].public.end = UINT64_MAX;
		reset(i);
	}
}

/* ---- DMA ------------------------------------------------------------------------------------ */

static iova_t descriptor_at(unsigned i, uint32_t base, uint32_t index)
{
	return (*reg(i, base + NIC_DBAL) | (iova_t)*reg(i, base + NIC_DBAH) << 32) +
	       (iova_t)index * NIC_DESC_BYTES;
}

static void advance(unsigned i, uint32_t base)
{
	*reg(i, base + NIC_DH) = (*reg(i, base + NIC_DH) + 1) % (*reg(i, base + NIC_DLEN) / NIC_DESC_BYTES);
}

/* Return: whether the access went through. */
static bool reads(unsigned i, iova_t iova, void *data, size_t len)
{
	const int reason = board_dma_read(BOARD_NIC(i), iova, data, len);

	nics[i].public.refused += reason != 0;
	nics[i].public.reason = reason ? reason : nics[i].public.reason;
	return !reason;
}

static bool writes(unsigned i, iova_t iova, const void *data, size_t len)
{
	const int reason = board_dma_write(BOARD_NIC(i), iova, data, len);

	nics[i].public.refused += reason != 0;
	nics[i].public.reason = reason ? reason : nics[i].public.reason;
	return !reason;
}

static size_t next_frame(const struct board_nic *n, unsigned i, uint8_t frame[FRAME_MAX])
{
	return frame_build(frame, &(struct frame_info){
		.dst = { 0x52, 0x54, 0, 0, 0, (uint8_t)i }, .src = { 2, 0, 0, 0, 0, 1 },
		.stream = (uint16_t)(i + 1), .sequence = n->sequence,
		.flags = n->sequence + 1 == n->end ? FRAME_F_LAST : 0,
		.sent_ns = 1000 * n->sequence });
}

static bool runs(unsigned i)
{
	return !nics[i].public.idle && *reg(i, NIC_RCTL) & RCTL_EN &&
	       board_command(BOARD_NIC(i)) & PCI_COMMAND_MASTER;
}

void board_prefetch(unsigned i)
{
	const iova_t at = descriptor_at(i, E1000E_RX, *reg(i, E1000E_RX + NIC_DH));
	struct descriptor d;

	if (runs(i) && reads(i, at, &d, sizeof(d)))
		nics[i].public.prefetched++;
}

void board_receive(unsigned i)
{
	struct board_nic *n = &nics[i].public;
	const iova_t at = descriptor_at(i, E1000E_RX, *reg(i, E1000E_RX + NIC_DH));
	uint8_t frame[FRAME_MAX];
	struct descriptor d;
	size_t len;

	if (!runs(i) || n->sequence >= n->end)
		return;
	if (*reg(i, E1000E_RX + NIC_DH) == *reg(i, E1000E_RX + NIC_DT)) {
		n->ring_full++;
		return;
	}
	len = next_frame(n, i, frame);
	if (!reads(i, at, &d, sizeof(d)) || !writes(i, d.address, frame, len))
		return;
	d.state = len | DONE | END_OF_PACKET;
	if (!writes(i, at, &d, sizeof(d)))
		return;
	advance(i, E1000E_RX);
	n->sequence++;
	n->frames++;
}

static void transmit(unsigned i)
{
	while (!nics[i].public.mute && *reg(i, E1000E_TX + NIC_DH) != *reg(i, E1000E_TX + NIC_DT)) {
		const iova_t at = descriptor_at(i, E1000E_TX, *reg(i, E1000E_TX + NIC_DH));
		uint8_t frame[NIC_BUFFER_BYTES];
		struct descriptor d;

		if (!reads(i, at, &d, sizeof(d)) ||
		    !reads(i, d.address, frame, MIN(d.state & 0xffff, sizeof(frame))))
			return;
		d.state |= DONE;
		if (!writes(i, at, &d, sizeof(d)))
			return;
		advance(i, E1000E_TX);
		nics[i].public.sent++;
	}
}

/* ---- registers ------------------------------------------------------------------------------ */

static unsigned nic_at(paddr_t addr, uint32_t *off)
{
	const paddr_t from = addr - NIC_BAR(0);

	if (from >= BOARD_NICS * NIC_BAR0_BYTES)
		fail_msg("access to %llx, where nothing is", (unsigned long long)addr);
	*off = (uint32_t)(from % NIC_BAR0_BYTES);
	return (unsigned)(from / NIC_BAR0_BYTES);
}

uint32_t nic_register_read(paddr_t addr)
{
	uint32_t off;
	const unsigned i = nic_at(addr, &off);

	if (off == NIC_STATUS)
		return STATUS_LU | (*reg(i, NIC_CTRL) & CTRL_GIO_MASTER_OFF ? 0 : STATUS_GIO_MASTER);
	return *reg(i, off);
}

void nic_register_write(paddr_t addr, uint32_t v)
{
	uint32_t off;
	const unsigned i = nic_at(addr, &off);

	if (off == NIC_CTRL && (v & CTRL_RST))
		reset(i);
	else
		*reg(i, off) = v;
	if (off == E1000E_TX + NIC_DT)
		transmit(i);
}
