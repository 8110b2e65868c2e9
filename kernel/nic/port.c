/* One test NIC with its memory, its domain and its stream. */
#include "port.h"

#include <string.h>

#include "errno.h"
#include "kernel/console/printf.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/memmap.h"
#include "kernel/nic/driver.h"
#include "kernel/stream/frame.h"
#include "platform/mem.h"

#define HEARTBEAT_US	50000
#define REPOST_BATCH	64
#define IOVA_STEP	GIB(4)		/* where streams may start: multiples of this */
#define IOVA_LAST	GIB(508)	/* inside 39 bits */

static const uint8_t broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- guards -------------------------------------------------------------------------------- */

/* Different in every word, so that a copied guard is not a guard. */
static uint64_t guard_word(paddr_t pa)
{
	return (pa >> 3) * 0x9e3779b97f4a7c15u ^ 0x6272746e2d677264u;
}

static void guard_fill(paddr_t pa, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += 8)
		*(uint64_t *)mem_ptr(pa + off) = guard_word(pa + off);
}

static void guard_check(struct port *p, paddr_t pa, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += 8)
		if (mem_read64(mem_ptr(pa + off)) != guard_word(pa + off)) {
			if (!p->bad_guard)
				p->bad_guard = pa + off;
			return;
		}
}

static void for_each_guard(struct port *p, void (*fn)(struct port *p, paddr_t pa, uint64_t len))
{
	const struct stream_ring_ser *rx = &p->control->rx;
	struct port_region region[PORT_REGIONS];

	port_regions(p->control, region);
	for (unsigned i = 0; i < PORT_REGIONS; i++) {
		fn(p, region[i].pa - PAGE_SIZE, PAGE_SIZE);
		fn(p, region[i].pa + region[i].len, PAGE_SIZE);
	}
	for (uint32_t i = 0; i < rx->count; i++)
		fn(p, rx->buffers_pa + (uint64_t)i * rx->stride + rx->buffer_size, rx->guard_size);
}

static void fill_one(struct port *p, paddr_t pa, uint64_t len)
{
	(void)p;
	guard_fill(pa, len);
}

void port_check_guards(struct port *p)
{
	for_each_guard(p, guard_check);
}

/* ---- memory --------------------------------------------------------------------------------- */

void port_regions(const struct stream_control_ser *c, struct port_region region[PORT_REGIONS])
{
	const struct stream_ring_ser *rx = &c->rx, *tx = &c->tx;

	region[PORT_RX_BUFFERS] = (struct port_region){
		rx->buffers_pa, rx->buffers_iova, (uint64_t)rx->count * rx->stride, VTD_SS_W };
	region[PORT_RX_RING] = (struct port_region){
		rx->ring_pa, rx->ring_iova, (uint64_t)rx->entries * NIC_DESC_BYTES,
		VTD_SS_R | VTD_SS_W };
	region[PORT_TX_BUFFERS] = (struct port_region){
		tx->buffers_pa, tx->buffers_iova, (uint64_t)tx->count * tx->stride, VTD_SS_R };
	region[PORT_TX_RING] = (struct port_region){
		tx->ring_pa, tx->ring_iova, (uint64_t)tx->entries * NIC_DESC_BYTES,
		VTD_SS_R | VTD_SS_W };
	for (unsigned i = 0; i < PORT_REGIONS; i++)
		region[i].len = ALIGN_UP(region[i].len, PAGE_SIZE);
}

int port_map(const struct stream_control_ser *c, struct vtd_ss *ss)
{
	struct port_region region[PORT_REGIONS];

	port_regions(c, region);
	for (unsigned i = 0; i < PORT_REGIONS; i++) {
		const int err = vtd_ss_map(ss, region[i].iova, region[i].pa, region[i].len,
					   region[i].perm);
		if (err)
			return err;
	}
	return 0;
}

/* An address space where no RAM is: DMA that went round the IOMMU would hit nothing, or show.
 * @taken: how many such spaces others have in the same domain. */
static iova_t choose_iova(const struct boot_info *bi, const unsigned taken)
{
	unsigned skip = taken;

	for (iova_t iova = IOVA_LAST; iova > 0; iova -= IOVA_STEP) {
		bool free = true;

		for (size_t i = 0; i < bi->nr_map && free; i++)
			free = !ranges_overlap(iova, IOVA_STEP, bi->map[i].base, bi->map[i].len);
		if (free && !skip--)
			return iova;
	}
	return IOVA_LAST - taken * IOVA_STEP;	/* more than 508 GiB of RAM: the addresses still differ */
}

/* @entries descriptors and as many buffers; the next free IOVA is moved on. */
static int alloc_ring(struct stream_ring_ser *r, uint32_t entries, uint32_t guard, uint64_t align,
		      iova_t *iova)
{
	const uint64_t ring_len = ALIGN_UP((uint64_t)entries * NIC_DESC_BYTES, PAGE_SIZE);
	const uint64_t buf_len = (uint64_t)entries * PORT_STRIDE;

	r->entries = r->count = entries;
	r->stride = PORT_STRIDE;
	r->guard_size = guard;
	r->buffer_size = PORT_STRIDE - guard;
	r->buffers_pa = keep_alloc_guarded(buf_len, align);
	r->ring_pa = keep_alloc_guarded(ring_len, PAGE_SIZE);
	if (!r->buffers_pa || !r->ring_pa)
		return -ENOMEM;
	r->buffers_iova = ALIGN_UP(*iova + PAGE_SIZE, align);
	r->ring_iova = r->buffers_iova + buf_len + PAGE_SIZE;
	*iova = r->ring_iova + ring_len;
	return 0;
}

static void ring_to_nic(const struct stream_ring_ser *r, struct nic_ring *n)
{
	*n = (struct nic_ring){
		.ring_pa = r->ring_pa, .ring_iova = r->ring_iova, .entries = r->entries,
		.buf_pa = r->buffers_pa, .buf_iova = r->buffers_iova, .stride = r->stride,
		.next = r->next_index, .tail = r->tail,
	};
}

static int alloc_memory(struct port *p, const struct boot_info *bi, uint16_t stream, bool shares)
{
	iova_t iova = choose_iova(bi, shares ? stream - 1u : 0);
	struct stream_control_ser *c;
	int err;

	p->control_pa = mem_alloc_pages(0);
	if (!p->control_pa)
		return -ENOMEM;
	c = p->control = mem_ptr(p->control_pa);
	err = alloc_ring(&c->rx, PORT_RX_ENTRIES, PORT_GUARD_BYTES, MIB(2), &iova);
	if (!err)
		err = alloc_ring(&c->tx, PORT_TX_ENTRIES, 0, PAGE_SIZE, &iova);
	if (err)
		return err;
	c->magic = STREAM_CONTROL_MAGIC;
	c->version = STREAM_CONTROL_VERSION;
	c->size = sizeof(*c);
	c->stream = stream;
	memcpy(c->peer, broadcast, ETH_ALEN);
	account_start(&c->account, 0);
	for_each_guard(p, fill_one);
	ring_to_nic(&c->rx, &p->nic.rx);
	ring_to_nic(&c->tx, &p->nic.tx);
	return 0;
}

/* ---- choosing and starting ------------------------------------------------------------------- */

static bool map_bar(const struct pci_fn *fn, struct nic *nic)
{
	struct pci_bar bar;

	nic->drv = nic_match(fn->vendor, fn->device);
	nic->segment = fn->segment;
	nic->rid = fn->rid;
	if (!nic->drv || pci_bar(fn, 0, &bar) || bar.is_io || !bar.base ||
	    !paging_map_mmio(bar.base, NIC_BAR0_BYTES))
		return false;
	nic->bar0 = bar.base;
	return true;
}

/* Reasons not to take a port that was not named. */
static const char *must_not_take(const struct pci_fn *fn, const struct baton_config *cfg,
				 const struct boot_info *bi)
{
	struct nic nic;

	if (cfg->exit != EXIT_QEMU)	/* others may depend on it; firmware's driver still runs */
		return "on hardware a NIC is taken only if it is named";
	if (bi->has_boot_device && bi->boot_segment == fn->segment && bi->boot_rid == fn->rid)
		return "it is the one we were booted from";
	if (!map_bar(fn, &nic))
		return "its registers cannot be reached";
	if (nic_firmware_passthrough(&nic))
		return "a management controller uses it";
	return NULL;
}

/* Reasons that hold for a named port too. */
static const char *cannot_take(const struct iommu *mmu, size_t fn)
{
	if (iommu_unit_of(mmu, fn) < 0)
		return "no remapping unit serves it";
	if (iommu_has_rmrr(mmu, fn))
		return "firmware keeps memory mapped for it (RMRR)";
	return NULL;
}

int port_select(const struct iommu *mmu, const struct baton_config *cfg, const struct boot_info *bi,
		size_t fns[PORT_MAX], char *why, size_t size)
{
	unsigned seen = 0;
	int n = 0;

	str_format(why, size, "no supported NIC: Intel 82571 to 82574, 82583, 82576, 82580, I350, I210 or I211 on copper");
	for (size_t i = 0; i < mmu->nr_fns && n < PORT_MAX; i++) {
		const struct pci_fn *fn = &mmu->fns[i];
		const char *reason;

		if (!nic_match(fn->vendor, fn->device) ||
		    (cfg->has_nic && (fn->segment != cfg->nic.segment || fn->rid != cfg->nic.rid)))
			continue;
		seen++;
		reason = cannot_take(mmu, i);
		if (!reason && !cfg->has_nic)
			reason = must_not_take(fn, cfg, bi);
		if (!reason)
			fns[n++] = i;
		else if (!n)
			str_format(why, size, "NIC %04x:%02x:%02x.%x was not taken: %s (%u supported NICs seen); name one with nic=",
				   fn->segment, PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid),
				   reason, seen);
	}
	if (cfg->has_nic && !seen)
		str_format(why, size, "nic=%04x:%02x:%02x.%x is not a supported NIC of this machine",
			   cfg->nic.segment, PCI_BUS(cfg->nic.rid), PCI_DEV(cfg->nic.rid),
			   PCI_FN(cfg->nic.rid));
	return n ? n : -ENOENT;
}

/* The domain of another port, or a new one. */
static int domain_for(struct iommu *mmu, size_t unit, const struct port *share)
{
	if (share)
		return (int)iommu_device_of(mmu, share->nic.segment, share->nic.rid)->domain;
	return iommu_domain_create(mmu, unit, VTD_PG_4K | VTD_PG_2M, IOMMU_IOVA_BITS);
}

int port_prepare(struct port *p, struct iommu *mmu, const struct boot_info *bi, size_t fn,
		 uint16_t stream, const struct port *share)
{
	const struct pci_fn *f = &mmu->fns[fn];
	const int unit = iommu_unit_of(mmu, fn);
	int err, domain;

	p->fn = fn;
	if (unit < 0)
		return unit;
	if (share && iommu_unit_of(mmu, share->fn) != unit)
		share = NULL;
	/* Firmware enables a bridge only for a device that it drives itself. */
	for (int i = f->parent; i >= 0; i = mmu->fns[i].parent)
		pci_write_control(mmu->fns[i].segment, mmu->fns[i].rid, PCI_COMMAND,
				  (uint16_t)(pci_read16(mmu->fns[i].segment, mmu->fns[i].rid, PCI_COMMAND) |
					     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	err = pci_set_d0(f);
	if (err)
		return err;
	pci_write_control(f->segment, f->rid, PCI_COMMAND,
			  (uint16_t)(pci_read16(f->segment, f->rid, PCI_COMMAND) |
				     PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF));
	pci_interrupt_messages_off(f);
	if (pci_bar_size(f, 0) < NIC_BAR0_BYTES || !map_bar(f, &p->nic))
		return -ENODEV;
	err = nic_quiesce(&p->nic);
	if (!err)
		err = alloc_memory(p, bi, stream, share);
	if (err)
		return err;
	domain = domain_for(mmu, (size_t)unit, share);
	if (domain < 0)
		return domain;
	err = port_map(p->control, &mmu->domain[domain].ss);
	if (!err)
		err = iommu_attach(mmu, fn, (size_t)domain);
	if (err)
		return err;
	p->control->segment = f->segment;
	p->control->rid = f->rid;
	p->control->nic_family = (uint16_t)nic_family(&p->nic);
	p->control->rx.format = p->control->tx.format = nic_format(&p->nic);
	p->control->bar_pa = p->nic.bar0;
	p->control->bar_size = NIC_BAR0_BYTES;
	memcpy(p->control->mac, p->nic.mac, ETH_ALEN);
	return 0;
}

int port_start(struct port *p, struct iommu *mmu)
{
	pci_bus_master(&mmu->fns[p->fn], true);
	return nic_start(&p->nic);
}

/* ---- the stream ------------------------------------------------------------------------------- */

static void take_frame(struct port *p, const struct nic_rx *rx)
{
	const struct stream_ring_ser *r = &p->control->rx;
	const paddr_t buf = r->buffers_pa + (uint64_t)rx->slot * r->stride;
	struct frame_info f;

	guard_check(p, buf + r->buffer_size, r->guard_size);
	if (rx->errors || rx->len > r->buffer_size) {
		p->bad_descriptors++;
		p->control->account.corrupt++;
		return;
	}
	if (!account_receive(&p->control->account, p->control->stream,
			     span_of(mem_ptr(buf), rx->len), &f))
		memcpy(p->control->peer, f.src, ETH_ALEN);
}

unsigned port_poll(struct port *p)
{
	struct nic_rx rx;
	unsigned n = 0;

	while (n < PORT_RX_ENTRIES && nic_rx_poll(&p->nic, &rx)) {
		take_frame(p, &rx);
		n++;
		if (nic_rx_to_repost(&p->nic) >= REPOST_BATCH)
			nic_rx_repost(&p->nic);
	}
	return n;
}

void port_heartbeat(struct port *p, bool now)
{
	const uint64_t us = platform_us();
	uint32_t slot;
	size_t len;

	if ((!now && us < p->next_heartbeat_us) || nic_tx_slot(&p->nic, &slot))
		return;
	p->next_heartbeat_us = us + HEARTBEAT_US;
	len = frame_build_heartbeat(mem_ptr(p->control->tx.buffers_pa +
					    (uint64_t)slot * p->control->tx.stride),
				    p->control->peer, p->nic.mac, p->control->stream,
				    p->control->account.next, us * 1000);
	if (!nic_tx_send(&p->nic, slot, (uint32_t)len))
		p->control->heartbeats++;
}

int port_settle(struct port *p)
{
	nic_rx_repost(&p->nic);
	return nic_tx_done(&p->nic);
}

void port_record(struct port *p, uint32_t generation)
{
	struct stream_control_ser *c = p->control;
	struct nic_regs regs;

	nic_read_regs(&p->nic, &regs);
	c->generation = generation;
	c->rx.next_index = p->nic.rx.next;
	c->rx.tail = p->nic.rx.tail;
	c->tx.next_index = p->nic.tx.next;
	c->tx.tail = p->nic.tx.tail;
	c->rdh = regs.rdh;
	c->next_sequence = c->account.next;
	account_blackout_begin(&c->account);
	c->tsc = cpu_tsc();
}

int port_adopt(struct port *p, struct iommu *mmu, paddr_t control_pa, const char **why)
{
	struct stream_control_ser *c = mem_ptr(control_pa);
	const int fn = pci_find(mmu->fns, mmu->nr_fns, c->segment, c->rid);
	struct nic_regs regs;

	memset(p, 0, sizeof(*p));
	if (fn < 0) {
		*why = "the NIC is not where it was: no such PCI function";
		return -EBADMSG;
	}
	p->fn = (size_t)fn;
	p->control = c;
	p->control_pa = control_pa;
	if (c->tsc > cpu_tsc()) {
		*why = "the control page was written in the future";
		return -EBADMSG;
	}
	if (!map_bar(&mmu->fns[fn], &p->nic) || p->nic.bar0 != c->bar_pa ||
	    (uint32_t)nic_family(&p->nic) != c->nic_family) {
		*why = "NIC family or BAR differ from the record";
		return -EBADMSG;
	}
	memcpy(p->nic.mac, c->mac, ETH_ALEN);
	ring_to_nic(&c->rx, &p->nic.rx);
	ring_to_nic(&c->tx, &p->nic.tx);
	return nic_adopt(&p->nic, &regs, why);
}
