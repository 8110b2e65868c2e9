/* The hostile device. */
#include "hostile.h"

#include "kernel/machine/paging.h"
#include "platform/mmio.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_BAR_BYTES	MIB(1)
#define EDU_ID		0x00		/* 32-bit RO, low byte EDh */
#define   EDU_ID_LOW	0xed
#define EDU_SOURCE	0x80		/* 64-bit RW */
#define EDU_TARGET	0x88		/* 64-bit RW */
#define EDU_COUNT	0x90		/* 64-bit RW, bytes */
#define EDU_COMMAND	0x98		/* 64-bit RW */
#define   EDU_START	BIT32(0)	/* reads 1 while a copy is under way */
#define   EDU_TO_RAM	BIT32(1)
#define EDU_BUFFER	0x40000		/* the device's own memory */
#define SHOT_BYTES	64

bool hostile_supported(const struct pci_fn *fn)
{
	return fn->vendor == EDU_VENDOR && fn->device == EDU_DEVICE;
}

/* The function that hostile= names, if it is one of these. */
static const struct pci_fn *find(const struct run *r)
{
	const int i = r->cfg.has_hostile ? pci_find(r->mmu->fns, r->mmu->nr_fns, r->cfg.hostile.segment,
						    r->cfg.hostile.rid) : -1;

	return i >= 0 && hostile_supported(&r->mmu->fns[i]) ? &r->mmu->fns[i] : NULL;
}

void hostile_prepare(struct run *r)
{
	const struct pci_fn *fn = find(r);

	if (!fn)
		return;
	pci_write_control(fn->segment, fn->rid, PCI_COMMAND,
			  (uint16_t)(pci_read16(fn->segment, fn->rid, PCI_COMMAND) | PCI_COMMAND_MEMORY));
	pci_bus_master(fn, true);
	platform_log("hostile: edu at %02x:%02x.%x is bus master without a domain", PCI_BUS(fn->rid),
		     PCI_DEV(fn->rid), PCI_FN(fn->rid));
}

static paddr_t target(const struct run *r)
{
	struct port_region region[PORT_REGIONS];

	port_regions(r->port[0].control, region);
	return region[PORT_RX_BUFFERS].pa - PAGE_SIZE;
}

bool hostile_expected(const struct run *r, uint16_t rid, struct hostile_shot *shot)
{
	const struct pci_fn *fn = find(r);

	if (!fn || fn->rid != rid || !r->nr_ports)
		return false;	/* a NIC reads whatever descriptor comes next */
	*shot = (struct hostile_shot){ .addr = target(r), .is_read = false };
	return true;
}

void hostile_shoot(struct run *r)
{
	const struct pci_fn *fn = find(r);
	struct pci_bar bar;

	if (!fn || !r->nr_ports || pci_bar(fn, 0, &bar) || bar.is_io ||
	    !paging_map_mmio(bar.base, EDU_BAR_BYTES) ||
	    (mmio_read32(bar.base + EDU_ID) & 0xff) != EDU_ID_LOW ||
	    mmio_read32(bar.base + EDU_COMMAND) & EDU_START)
		return;
	mmio_write64(bar.base + EDU_SOURCE, EDU_BUFFER);
	mmio_write64(bar.base + EDU_TARGET, target(r));
	mmio_write64(bar.base + EDU_COUNT, SHOT_BYTES);
	mmio_write64(bar.base + EDU_COMMAND, EDU_START | EDU_TO_RAM);
}
