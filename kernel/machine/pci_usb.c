/* Taking USB host controllers from firmware, which drives them from SMI for the keyboard.  Done
 * before bus master goes off: a controller that loses it under SMI code hangs that code. */
#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/pci.h"
#include "platform/mmio.h"

#define HANDOFF_US		1000000		/* xHCI 1.2, 4.22.1: firmware answers within 1 s */
#define XHCI_BYTES		KIB(64)		/* reaches the extended capabilities */
#define EHCI_OHCI_BYTES		PAGE_SIZE

/* USB Legacy Support, the same word in EHCI (config space) and xHCI (memory). */
#define LEGSUP_ID		0x01
#define LEGSUP_FIRMWARE_OWNS	BIT32(16)
#define LEGSUP_OS_OWNS		BIT32(24)
#define LEGSUP_CONTROL		0x04		/* next dword: SMI enables and status */

/* xHCI 1.2, 5.3.6, 7.1. */
#define XHCI_HCCPARAMS1		0x10
#define   XHCI_XECP		GENMASK32(31, 16)	/* in dwords from the BAR */
#define   XHCI_CAP_NEXT		GENMASK32(15, 8)	/* in dwords from this one, never back */
#define   XHCI_SMI_RW1C		GENMASK32(31, 29)
#define   XHCI_SMI_ENABLES	(BIT32(0) | BIT32(4) | GENMASK32(15, 13))

/* EHCI 1.0, 2.2.4, 5.1. */
#define EHCI_HCCPARAMS		0x08
#define   EHCI_EECP		GENMASK32(15, 8)
#define   EHCI_MAX_CAPS		48

/* OHCI 1.0a, 7.1. */
#define OHCI_CONTROL		0x04
#define   OHCI_CONTROL_IR	BIT32(8)	/* Interrupt Routing: to SMI */
#define OHCI_COMMAND_STATUS	0x08
#define   OHCI_OCR		BIT32(3)	/* Ownership Change Request */
#define OHCI_INTERRUPT_ENABLE	0x10
#define OHCI_INTERRUPT_DISABLE	0x14
#define   OHCI_INTERRUPT_OC	BIT32(30)	/* Ownership Change */
#define   OHCI_INTERRUPT_ALL	(GENMASK32(31, 30) | GENMASK32(6, 0))

/* UHCI legacy support register of the Intel controllers, in config space: traps and SMI off,
 * their RW1C status cleared. */
#define UHCI_LEGSUP		0xc0
#define   UHCI_LEGSUP_OFF	0x8f00

static void log_kept(const struct pci_fn *fn, const char *reg, uint32_t v)
{
	platform_log("pci: %04x:%02x:%02x.%x: firmware keeps the USB controller, %s = 0x%08x; "
		     "taken all the same", fn->segment, PCI_BUS(fn->rid), PCI_DEV(fn->rid),
		     PCI_FN(fn->rid), reg, v);
}

/* The registers behind BAR 0, 0 if they cannot be reached. */
static paddr_t map_registers(const struct pci_fn *fn)
{
	const uint64_t len = fn->class_code == PCI_CLASS_XHCI ? XHCI_BYTES : EHCI_OHCI_BYTES;
	struct pci_bar bar;

	if (pci_bar(fn, 0, &bar) || bar.is_io || !bar.base ||
	    !paging_map_mmio(ALIGN_DOWN(bar.base, PAGE_SIZE), len))
		return 0;
	return bar.base;
}

static int take_xhci(const struct pci_fn *fn, paddr_t base)
{
	const uint64_t start = platform_us();
	uint32_t off = (uint32_t)FIELD_GET(XHCI_XECP, mmio_read32(base + XHCI_HCCPARAMS1)) * 4;
	uint32_t v = 0;

	while (off && off < XHCI_BYTES - 4) {
		v = mmio_read32(base + off);
		if ((v & 0xff) == LEGSUP_ID || v == UINT32_MAX || !FIELD_GET(XHCI_CAP_NEXT, v))
			break;
		off += (uint32_t)FIELD_GET(XHCI_CAP_NEXT, v) * 4;
	}
	if (v == UINT32_MAX || (v & 0xff) != LEGSUP_ID)
		return 0;	/* no legacy support: nothing to take */
	mmio_write32(base + off, v | LEGSUP_OS_OWNS);
	while ((v = mmio_read32(base + off)) & LEGSUP_FIRMWARE_OWNS &&
	       platform_us() - start <= HANDOFF_US)
		platform_relax();
	if (v & LEGSUP_FIRMWARE_OWNS) {
		log_kept(fn, "USBLEGSUP", v);
		mmio_write32(base + off, (v | LEGSUP_OS_OWNS) & ~LEGSUP_FIRMWARE_OWNS);
	}
	mmio_write32(base + off + LEGSUP_CONTROL,
		     (mmio_read32(base + off + LEGSUP_CONTROL) & ~XHCI_SMI_ENABLES) |
		     XHCI_SMI_RW1C);
	return v & LEGSUP_FIRMWARE_OWNS ? -ETIMEDOUT : 0;
}

static int take_ehci(const struct pci_fn *fn, paddr_t base)
{
	const uint64_t start = platform_us();
	const uint16_t seg = fn->segment, rid = fn->rid;
	uint8_t off = (uint8_t)FIELD_GET(EHCI_EECP, mmio_read32(base + EHCI_HCCPARAMS));
	uint32_t v = 0;

	for (unsigned i = 0; i < EHCI_MAX_CAPS && off >= 0x40; i++) {
		v = pci_read32(seg, rid, off);
		if ((v & 0xff) == LEGSUP_ID || v == UINT32_MAX)
			break;
		off = v >> 8 & 0xfc;
	}
	if (off < 0x40 || v == UINT32_MAX || (v & 0xff) != LEGSUP_ID)
		return 0;
	pci_write32(seg, rid, off, v | LEGSUP_OS_OWNS);
	while ((v = pci_read32(seg, rid, off)) & LEGSUP_FIRMWARE_OWNS &&
	       platform_us() - start <= HANDOFF_US)
		platform_relax();
	if (v & LEGSUP_FIRMWARE_OWNS) {
		log_kept(fn, "USBLEGSUP", v);
		pci_write32(seg, rid, off, (v | LEGSUP_OS_OWNS) & ~LEGSUP_FIRMWARE_OWNS);
	}
	pci_write32(seg, rid, off + LEGSUP_CONTROL, 0);
	return v & LEGSUP_FIRMWARE_OWNS ? -ETIMEDOUT : 0;
}

static int take_ohci(const struct pci_fn *fn, paddr_t base)
{
	const uint64_t start = platform_us();
	uint32_t v = mmio_read32(base + OHCI_CONTROL);

	if (v & OHCI_CONTROL_IR) {
		mmio_write32(base + OHCI_INTERRUPT_ENABLE, OHCI_INTERRUPT_OC);
		mmio_write32(base + OHCI_COMMAND_STATUS, OHCI_OCR);
		while ((v = mmio_read32(base + OHCI_CONTROL)) & OHCI_CONTROL_IR &&
		       platform_us() - start <= HANDOFF_US)
			platform_relax();
	}
	if (v & OHCI_CONTROL_IR) {
		log_kept(fn, "HcControl", v);
		mmio_write32(base + OHCI_CONTROL, v & ~OHCI_CONTROL_IR);
	}
	mmio_write32(base + OHCI_INTERRUPT_DISABLE, OHCI_INTERRUPT_ALL);
	return v & OHCI_CONTROL_IR ? -ETIMEDOUT : 0;
}

int pci_usb_handoff(const struct pci_fn *fn)
{
	paddr_t base;

	switch (fn->class_code) {
	case PCI_CLASS_UHCI:
		pci_write16(fn->segment, fn->rid, UHCI_LEGSUP, UHCI_LEGSUP_OFF);
		return 0;
	case PCI_CLASS_OHCI:
	case PCI_CLASS_EHCI:
	case PCI_CLASS_XHCI:
		break;
	default:
		return 0;
	}
	/* Without memory decode firmware cannot be using it either. */
	if (!(pci_read16(fn->segment, fn->rid, PCI_COMMAND) & PCI_COMMAND_MEMORY))
		return 0;
	base = map_registers(fn);
	if (!base || mmio_read32(base) == UINT32_MAX) {
		platform_log("pci: %04x:%02x:%02x.%x: USB controller registers cannot be reached",
			     fn->segment, PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid));
		return -EIO;
	}
	if (fn->class_code == PCI_CLASS_OHCI)
		return take_ohci(fn, base);
	return fn->class_code == PCI_CLASS_EHCI ? take_ehci(fn, base) : take_xhci(fn, base);
}
