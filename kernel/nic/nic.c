/* The NIC interface: reset, start, adoption and both rings.  What differs between the families
 * is in e1000e.c and igb.c, what both share below this in common.c. */
#include "kernel/nic/nic.h"

#include "errno.h"
#include "kernel/machine/pci.h"
#include "kernel/nic/driver.h"
#include "platform/mem.h"

#define VENDOR_INTEL		0x8086
#define MIN_FRAME		14		/* Ethernet header */
#define STOP_US			10000		/* frames under way, before and after a reset */
#define MASTER_OFF_US		100000
#define RESET_US		100000
#define TX_DONE_US		1000000

/* Copper ports only: fibre and SerDes need a link set-up of their own. */
static const struct { uint16_t device; const struct nic_driver *drv; } ids[] = {
	{ 0x105e, &nic_82571 },		/* 82571EB dual */
	{ 0x10a4, &nic_82571 },		/* 82571EB quad */
	{ 0x10bc, &nic_82571 },		/* 82571EB quad, low profile */
	{ 0x10d5, &nic_82571 },		/* 82571PT quad */
	{ 0x107d, &nic_82571 },		/* 82572EI */
	{ 0x10b9, &nic_82571 },		/* 82572EI */
	{ 0x108b, &nic_82574 },		/* 82573E */
	{ 0x108c, &nic_82574 },		/* 82573E */
	{ 0x109a, &nic_82574 },		/* 82573L */
	{ 0x10d3, &nic_82574 },		/* 82574L */
	{ 0x10f6, &nic_82574 },		/* 82574LA */
	{ 0x150c, &nic_82574 },		/* 82583V */
	{ 0x10c9, &nic_82576 },		/* 82576 */
	{ 0x10e8, &nic_82576 },		/* 82576 quad */
	{ 0x1526, &nic_82576 },		/* 82576 quad ET2 */
	{ 0x150a, &nic_82576 },		/* 82576NS */
	{ 0x150e, &nic_82580 },		/* 82580 */
	{ 0x1516, &nic_82580 },		/* 82580 dual */
	{ 0x1521, &nic_82580 },		/* I350 */
	{ 0x1533, &nic_82580 },		/* I210 */
	{ 0x157b, &nic_82580 },		/* I210 without flash */
	{ 0x1539, &nic_82580 },		/* I211 */
};

const struct nic_driver *nic_match(uint16_t vendor, uint16_t device)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids) && vendor == VENDOR_INTEL; i++)
		if (ids[i].device == device)
			return ids[i].drv;
	return NULL;
}

const char *nic_name(const struct nic *nic)
{
	return nic->drv->name;
}

enum nic_family nic_family(const struct nic *nic)
{
	return nic->drv->family;
}

enum nic_format nic_format(const struct nic *nic)
{
	return nic->drv->format;
}

bool nic_link(const struct nic *nic)
{
	const uint32_t status = nic_read(nic, NIC_STATUS);

	return status != UINT32_MAX && (status & STATUS_LU);
}

bool nic_firmware_passthrough(const struct nic *nic)
{
	const uint32_t fwsm = nic_read(nic, NIC_FWSM);

	return (nic_read(nic, NIC_MANC) & MANC_RCV_TCO_EN) ||
	       ((fwsm & FWSM_VALID) && FIELD_GET(FWSM_MODE, fwsm) == FWSM_MODE_PASS);
}

static uint64_t read_base(const struct nic *nic, uint32_t base)
{
	return nic_read(nic, base + NIC_DBAL) | (uint64_t)nic_read(nic, base + NIC_DBAH) << 32;
}

void nic_read_regs(const struct nic *nic, struct nic_regs *regs)
{
	const uint32_t rx = nic->drv->rx, tx = nic->drv->tx;

	*regs = (struct nic_regs){
		.rdba = read_base(nic, rx), .tdba = read_base(nic, tx),
		.rdlen = nic_read(nic, rx + NIC_DLEN), .tdlen = nic_read(nic, tx + NIC_DLEN),
		.rdh = nic_read(nic, rx + NIC_DH), .rdt = nic_read(nic, rx + NIC_DT),
		.tdh = nic_read(nic, tx + NIC_DH), .tdt = nic_read(nic, tx + NIC_DT),
		.ctrl = nic_read(nic, NIC_CTRL), .status = nic_read(nic, NIC_STATUS),
		.rctl = nic_read(nic, NIC_RCTL), .tctl = nic_read(nic, NIC_TCTL),
		.rxdctl = nic_read(nic, rx + NIC_DCTL), .txdctl = nic_read(nic, tx + NIC_DCTL),
		.mark = nic_read(nic, NIC_FCTTV), .rah0 = nic_read(nic, NIC_RAH(0)),
	};
}

static bool marks_lost(uint32_t mark, uint32_t rah0)
{
	return mark != NIC_MARK || (rah0 & RAH_AV);
}

bool nic_was_reset(const struct nic *nic)
{
	return marks_lost(nic_read(nic, NIC_FCTTV), nic_read(nic, NIC_RAH(0)));
}

static void mask_interrupts(const struct nic *nic)
{
	nic_write(nic, NIC_IMC, UINT32_MAX);
	if (nic->drv->mask)
		nic->drv->mask(nic);
}

/* 82574 5.2.1, 82576 4.3.1: a reset must not meet requests of its own under way on PCIe. */
static int stop_and_reset(const struct nic *nic)
{
	int err;

	mask_interrupts(nic);
	nic_write(nic, NIC_RCTL, 0);
	nic_write(nic, NIC_TCTL, nic_read(nic, NIC_TCTL) & ~TCTL_EN);
	nic_delay(STOP_US);
	nic_write(nic, NIC_CTRL, nic_read(nic, NIC_CTRL) | CTRL_GIO_MASTER_OFF);
	/* A device that cannot finish is reset all the same; the wait has logged it. */
	nic_wait(nic, NIC_STATUS, STATUS_GIO_MASTER, 0, MASTER_OFF_US, "STATUS.GIO_MASTER");
	nic_write(nic, NIC_CTRL, nic_read(nic, NIC_CTRL) | CTRL_RST);
	nic_delay(STOP_US);
	err = nic_wait(nic, NIC_CTRL, CTRL_RST, 0, RESET_US, "CTRL.RST");
	mask_interrupts(nic);
	nic_read(nic, NIC_ICR);
	return err;
}

/* The address that every reset loads from NVM; false if it cannot be a station's. */
static bool read_mac(struct nic *nic)
{
	const uint32_t lo = nic_read(nic, NIC_RAL(0)), hi = nic_read(nic, NIC_RAH(0));

	if ((lo & 1) || (lo == 0 && (hi & RAH_ADDR) == 0))
		return false;
	for (unsigned i = 0; i < 6; i++)
		nic->mac[i] = (uint8_t)(i < 4 ? lo >> 8 * i : hi >> 8 * (i - 4));
	return true;
}

int nic_quiesce(struct nic *nic)
{
	int err;

	if (nic_read(nic, NIC_STATUS) == UINT32_MAX) {
		platform_log(NIC_LOG_ID "registers read all ones", NIC_LOG_ARGS(nic));
		return -ENODEV;
	}
	err = stop_and_reset(nic);
	if (err)
		return err;
	err = nic_wait(nic, NIC_RAH(0), RAH_AV, RAH_AV, RESET_US, "RAH0.AV");
	if (err || !read_mac(nic)) {
		platform_log(NIC_LOG_ID "no valid address, RAL0 = 0x%08x, RAH0 = 0x%08x",
			     NIC_LOG_ARGS(nic), nic_read(nic, NIC_RAL(0)),
			     nic_read(nic, NIC_RAH(0)));
		return -ENODEV;
	}
	return 0;
}

int nic_stop(struct nic *nic)
{
	return stop_and_reset(nic);
}

/* --- start --------------------------------------------------------------------------------- */

static bool ring_valid(const struct nic_ring *r)
{
	return r->entries >= NIC_MIN_ENTRIES && r->entries <= NIC_MAX_ENTRIES &&
	       r->entries % (NIC_RING_ALIGN / NIC_DESC_BYTES) == 0 &&
	       r->ring_pa && IS_ALIGNED(r->ring_pa, NIC_RING_ALIGN) &&
	       IS_ALIGNED(r->ring_iova, NIC_RING_ALIGN) && r->stride >= NIC_BUFFER_BYTES;
}

static struct nic_desc *desc_at(const struct nic_ring *r, uint32_t i)
{
	return mem_ptr(r->ring_pa + (paddr_t)i * NIC_DESC_BYTES);
}

/* Second word first: it holds what the device will write when it is done. */
static void write_desc(const struct nic_ring *r, uint32_t i, struct nic_desc d)
{
	struct nic_desc *at = desc_at(r, i);

	mem_write64(&at->hi, d.hi);
	mem_write64(&at->lo, d.lo);
}

static void give_rx(const struct nic_ring *r, uint32_t i)
{
	write_desc(r, i, (struct nic_desc){ .lo = r->buf_iova + (iova_t)i * r->stride });
}

void nic_program_ring(const struct nic *nic, uint32_t base, const struct nic_ring *r)
{
	nic_write(nic, base + NIC_DBAL, (uint32_t)r->ring_iova);
	nic_write(nic, base + NIC_DBAH, (uint32_t)(r->ring_iova >> 32));
	nic_write(nic, base + NIC_DLEN, r->entries * NIC_DESC_BYTES);
	nic_write(nic, base + NIC_DH, 0);
	nic_write(nic, base + NIC_DT, 0);
}

/* Our address stands in entry 1 and entry 0 is switched off: see nic_was_reset(). */
static void program_filters(const struct nic *nic)
{
	const uint8_t *m = nic->mac;
	const uint32_t lo = m[0] | (uint32_t)m[1] << 8 | (uint32_t)m[2] << 16 |
			    (uint32_t)m[3] << 24;
	const uint32_t hi = m[4] | (uint32_t)m[5] << 8;

	for (unsigned i = 0; i < NIC_RA_ENTRIES; i++) {
		nic_write(nic, NIC_RAL(i), i < 2 ? lo : 0);
		nic_write(nic, NIC_RAH(i), i == 0 ? hi : i == 1 ? hi | RAH_AV : 0);
	}
	for (unsigned i = 0; i < NIC_MTA_WORDS; i++)
		nic_write(nic, NIC_MTA(i), 0);
	nic_write(nic, NIC_FCTTV, NIC_MARK);
}

static int bring_link_up(const struct nic *nic)
{
	int err;

	if (nic_link(nic))
		return 0;
	err = nic_phy_restart(nic);
	return err ? err : nic_wait(nic, NIC_STATUS, STATUS_LU, STATUS_LU, NIC_LINK_US, "STATUS.LU");
}

static int start_queues(struct nic *nic)
{
	const uint32_t tctl = nic_read(nic, NIC_TCTL) & ~(TCTL_CT | TCTL_COLD);
	int err;

	for (uint32_t i = 0; i < nic->rx.entries; i++)
		give_rx(&nic->rx, i);
	for (uint32_t i = 0; i < nic->tx.entries; i++)
		write_desc(&nic->tx, i, (struct nic_desc){ 0 });
	mem_barrier();
	nic->rx.next = nic->tx.next = nic->tx.tail = 0;
	nic->rx.tail = nic->rx.entries - 1;
	nic_write(nic, NIC_MRQC, 0);
	nic_write(nic, NIC_RXCSUM, 0);
	err = nic->drv->start_rx(nic);
	if (err)
		return err;
	err = nic->drv->start_tx(nic);
	if (err)
		return err;
	nic_write(nic, NIC_TCTL, tctl | TCTL_EN | TCTL_PSP |
		  (uint32_t)FIELD_PREP(TCTL_CT, TCTL_CT_DEFAULT) |
		  (uint32_t)FIELD_PREP(TCTL_COLD, TCTL_COLD_DUPLEX));
	return 0;
}

int nic_start(struct nic *nic)
{
	int err;

	if (!ring_valid(&nic->rx) || !ring_valid(&nic->tx))
		return -EINVAL;
	if (!pci_is_bus_master(nic->segment, nic->rid)) {
		platform_log(NIC_LOG_ID "bus master is off, not started", NIC_LOG_ARGS(nic));
		return -EINVAL;
	}
	nic_write(nic, NIC_CTRL, (nic_read(nic, NIC_CTRL) &
				  ~(CTRL_GIO_MASTER_OFF | CTRL_LRST | CTRL_FRCSPD | CTRL_FRCDPLX |
				    CTRL_RFCE | CTRL_TFCE)) | CTRL_SLU);
	program_filters(nic);
	err = start_queues(nic);
	if (err)
		return err;
	err = bring_link_up(nic);
	/* The tail comes last: igb takes it only with queue and RCTL.EN on, and QEMU looks for
	 * frames that wait in its backend when the tail is written, not when link comes up. */
	nic_write(nic, NIC_RCTL, RCTL_EN | RCTL_BAM | RCTL_SECRC);
	nic_write(nic, nic->drv->rx + NIC_DT, nic->rx.tail);
	return err;
}

/* --- adopt --------------------------------------------------------------------------------- */

/* Steps from @from forward to @to. */
static uint32_t ahead(const struct nic_ring *r, uint32_t from, uint32_t to)
{
	return (to + r->entries - from) % r->entries;
}

/* From the slot behind RDT on, the device has given back all up to RDH (the whole ring when the
 * two are equal); what is polled next lies in there. */
static bool rx_index_fits(const struct nic_ring *r, uint32_t head, uint32_t tail)
{
	const uint32_t first = (tail + 1) % r->entries;

	return ahead(r, first, r->next) <= ahead(r, first, head);
}

/* What is not known to be sent starts at TDH or before. */
static bool tx_index_fits(const struct nic_ring *r, uint32_t head, uint32_t tail)
{
	return ahead(r, r->next, tail) >= ahead(r, head, tail);
}

/* The first register that is not as nic_start() left it, or NULL. */
static const char *mismatch(const struct nic *nic, const struct nic_regs *is)
{
	const struct nic_ring *rx = &nic->rx, *tx = &nic->tx;
	const bool enable_bit = nic->drv->family == NIC_IGB;

	if (is->status == UINT32_MAX)
		return "STATUS";
	if (is->mark != NIC_MARK)
		return "FCTTV";
	if (is->rah0 & RAH_AV)
		return "RAH0";
	if (is->rdba != rx->ring_iova)
		return "RDBA";
	if (is->rdlen != rx->entries * NIC_DESC_BYTES)
		return "RDLEN";
	if (is->tdba != tx->ring_iova)
		return "TDBA";
	if (is->tdlen != tx->entries * NIC_DESC_BYTES)
		return "TDLEN";
	if (~is->rctl & (RCTL_EN | RCTL_BAM | RCTL_SECRC))
		return "RCTL";
	if (!(is->tctl & TCTL_EN))
		return "TCTL";
	if (enable_bit && !(is->rxdctl & DCTL_ENABLE))
		return "RXDCTL";
	if (enable_bit && !(is->txdctl & DCTL_ENABLE))
		return "TXDCTL";
	if (is->rdt >= rx->entries)
		return "RDT";
	if (is->rdh >= rx->entries || rx->next >= rx->entries ||
	    !rx_index_fits(rx, is->rdh, is->rdt))
		return "RDH";
	if (is->tdt >= tx->entries)
		return "TDT";
	if (is->tdh >= tx->entries || tx->next >= tx->entries ||
	    !tx_index_fits(tx, is->tdh, is->tdt))
		return "TDH";
	return NULL;
}

int nic_adopt(struct nic *nic, struct nic_regs *regs, const char **why)
{
	const char *wrong = "geometry of the rings";

	nic_read_regs(nic, regs);
	if (ring_valid(&nic->rx) && ring_valid(&nic->tx))
		wrong = mismatch(nic, regs);
	if (wrong) {
		*why = wrong;
		return -EBADMSG;
	}
	nic->rx.tail = regs->rdt;
	nic->tx.tail = regs->tdt;
	return 0;
}

/* --- receive ------------------------------------------------------------------------------- */

bool nic_rx_poll(struct nic *nic, struct nic_rx *out)
{
	struct nic_ring *r = &nic->rx;
	uint32_t len, errors;

	/* The slot at RDT is not the device's; a done bit there is an old one. */
	if (r->next == r->tail || !nic->drv->rx_done(mem_read64(&desc_at(r, r->next)->hi), &len,
						     &errors))
		return false;
	mem_barrier();	/* the buffer is read after the descriptor */
	if (len > NIC_BUFFER_BYTES)
		errors = UINT32_MAX;
	*out = (struct nic_rx){ .slot = r->next, .len = MIN(len, (uint32_t)NIC_BUFFER_BYTES),
				.errors = errors };
	r->next = (r->next + 1) % r->entries;
	return true;
}

uint32_t nic_rx_to_repost(const struct nic *nic)
{
	const struct nic_ring *r = &nic->rx;

	return (r->next + 2 * r->entries - 1 - r->tail) % r->entries;
}

void nic_rx_repost(struct nic *nic)
{
	struct nic_ring *r = &nic->rx;
	const uint32_t n = nic_rx_to_repost(nic);

	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		give_rx(r, (r->tail + i) % r->entries);
	mem_barrier();
	r->tail = (r->tail + n) % r->entries;
	nic_write(nic, nic->drv->rx + NIC_DT, r->tail);
}

uint32_t nic_rx_free(const struct nic *nic)
{
	const uint32_t head = nic_read(nic, nic->drv->rx + NIC_DH);

	return head < nic->rx.entries ? ahead(&nic->rx, head, nic->rx.tail) : 0;
}

/* --- transmit ------------------------------------------------------------------------------ */

static void reap(struct nic_ring *r)
{
	while (r->next != r->tail && (mem_read64(&desc_at(r, r->next)->hi) & TX_DONE))
		r->next = (r->next + 1) % r->entries;
}

static bool tx_full(struct nic_ring *r)
{
	reap(r);
	return (r->tail + 1) % r->entries == r->next;
}

int nic_tx_slot(struct nic *nic, uint32_t *slot)
{
	if (tx_full(&nic->tx))
		return -EAGAIN;
	*slot = nic->tx.tail;
	return 0;
}

int nic_tx_queue(struct nic *nic, uint32_t slot, uint32_t len)
{
	struct nic_ring *r = &nic->tx;

	if (slot >= r->entries || len < MIN_FRAME || len > NIC_BUFFER_BYTES)
		return -EINVAL;
	if (tx_full(r))
		return -EAGAIN;
	write_desc(r, r->tail, nic->drv->tx_desc(r->buf_iova + (iova_t)slot * r->stride, len));
	r->tail = (r->tail + 1) % r->entries;
	return 0;
}

void nic_tx_kick(struct nic *nic)
{
	mem_barrier();
	nic_write(nic, nic->drv->tx + NIC_DT, nic->tx.tail);
}

int nic_tx_send(struct nic *nic, uint32_t slot, uint32_t len)
{
	const int err = nic_tx_queue(nic, slot, len);

	if (!err)
		nic_tx_kick(nic);
	return err;
}

int nic_tx_done(struct nic *nic)
{
	const uint64_t start = platform_us();

	for (reap(&nic->tx); nic->tx.next != nic->tx.tail; reap(&nic->tx)) {
		if (platform_us() - start > TX_DONE_US) {
			platform_log(NIC_LOG_ID "descriptor %u not sent after %u ms, TDH = %u, "
				     "TDT = %u", NIC_LOG_ARGS(nic), nic->tx.next,
				     (unsigned)(TX_DONE_US / 1000),
				     nic_read(nic, nic->drv->tx + NIC_DH),
				     nic_read(nic, nic->drv->tx + NIC_DT));
			return -ETIMEDOUT;
		}
		platform_relax();
	}
	return 0;
}
