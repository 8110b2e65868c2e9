/* PCI configuration space through ECAM (PCI Express 6.0, 7.2.2; PCI Local Bus 3.0, chapter 6).
 * Enumeration follows the bus numbers firmware programmed and writes nothing. */
#ifndef BATON_MACHINE_PCI_H
#define BATON_MACHINE_PCI_H

#include "base.h"
#include "kernel/machine/acpi.h"

/* Requester id: bus 15:8, device 7:3, function 2:0. */
#define PCI_RID(bus, dev, fn)	((uint16_t)((bus) << 8 | (dev) << 3 | (fn)))
#define PCI_BUS(rid)		((rid) >> 8)
#define PCI_DEV(rid)		((rid) >> 3 & 0x1f)
#define PCI_FN(rid)		((rid) & 7)

/* Type 0 and type 1 header. */
#define PCI_VENDOR		0x00
#define PCI_COMMAND		0x04	/* 16-bit RW; the Status register above it is RW1C */
#define   PCI_COMMAND_IO	BIT32(0)
#define   PCI_COMMAND_MEMORY	BIT32(1)
#define   PCI_COMMAND_MASTER	BIT32(2)
#define   PCI_COMMAND_SERR	BIT32(8)
#define   PCI_COMMAND_INTX_OFF	BIT32(10)
#define PCI_STATUS		0x06
#define   PCI_STATUS_CAPS	BIT32(4)
#define PCI_REVISION		0x08	/* 7:0 revision, 31:8 class code */
#define PCI_HEADER_TYPE		0x0e
#define   PCI_HEADER_MASK	0x7f
#define   PCI_HEADER_MULTI	0x80
#define   PCI_HEADER_ENDPOINT	0
#define   PCI_HEADER_BRIDGE	1
#define   PCI_HEADER_CARDBUS	2
#define PCI_BAR0		0x10
#define PCI_PRIMARY_BUS		0x18	/* type 1: primary, secondary, subordinate, latency timer */
#define PCI_SUBSYSTEM		0x2c
#define PCI_CAP_POINTER		0x34

/* Capability ids. */
#define PCI_CAP_PM		0x01
#define PCI_CAP_MSI		0x05
#define PCI_CAP_PCIE		0x10
#define PCI_CAP_MSIX		0x11
#define PCI_CAP_AF		0x13

/* PCI Express capability: PCIe Capabilities 3:0 hold the 7:4 device/port type. */
#define PCI_EXP_FLAGS		0x02
#define   PCI_EXP_TYPE		GENMASK32(7, 4)
#define PCI_EXP_DEVSTA		0x0a
#define   PCI_EXP_DEVSTA_TRPND	BIT32(5)	/* Transactions Pending */
enum pci_exp_type {
	PCI_EXP_ENDPOINT = 0, PCI_EXP_LEGACY_ENDPOINT = 1, PCI_EXP_ROOT_PORT = 4,
	PCI_EXP_UPSTREAM = 5, PCI_EXP_DOWNSTREAM = 6, PCI_EXP_TO_PCI = 7,
	PCI_EXP_FROM_PCI = 8, PCI_EXP_RC_ENDPOINT = 9, PCI_EXP_RC_EVENT = 10,
};

#define PCI_CLASS_UHCI		0x0c0300
#define PCI_CLASS_OHCI		0x0c0310
#define PCI_CLASS_EHCI		0x0c0320
#define PCI_CLASS_XHCI		0x0c0330
#define PCI_CLASS_ETHERNET	0x0200	/* class and subclass */

struct pci_fn {
	uint16_t segment, rid;
	uint16_t vendor, device;
	uint32_t class_code;		/* class << 16 | subclass << 8 | interface */
	uint8_t header_type;		/* without the multi-function bit */
	bool is_bridge;			/* type 1 header */
	uint8_t secondary, subordinate;	/* bridges: as programmed */
	int parent;			/* index of the bridge above, -1 on a root bus */
	uint8_t cap_pcie, cap_pm, cap_msi, cap_msix, cap_af;	/* offset, 0: not there */
	uint8_t exp_type;		/* enum pci_exp_type, valid with cap_pcie */
};

/* Take over the windows of the MCFG.  Nothing is mapped until a bus is accessed. */
void pci_init(const struct acpi_mcfg *mcfg);

/* Reads of what does not exist give all ones, as on the bus. */
uint8_t pci_read8(uint16_t segment, uint16_t rid, unsigned off);
uint16_t pci_read16(uint16_t segment, uint16_t rid, unsigned off);
uint32_t pci_read32(uint16_t segment, uint16_t rid, unsigned off);
void pci_write32(uint16_t segment, uint16_t rid, unsigned off, uint32_t v);

/* Narrow writes read and write back the rest of the dword: not for a control register that has
 * an RW1C status register in its upper half.  That is what pci_write_control() is for: it
 * writes the upper half as zero, which clears nothing. */
void pci_write8(uint16_t segment, uint16_t rid, unsigned off, uint8_t v);
void pci_write16(uint16_t segment, uint16_t rid, unsigned off, uint16_t v);
void pci_write_control(uint16_t segment, uint16_t rid, unsigned off, uint16_t v);

/**
 * pci_enumerate() - every function that answers, without a single write
 * @fns: filled by ascending segment and requester id, a bridge before what is below it
 * @max: room in @fns
 * @n:   functions found
 *
 * Buses are visited once each, in ascending order; a bridge is followed if its secondary bus is
 * beyond its own and within the bridge above.  A bus no bridge leads to counts as a root bus.
 * Return: 0; -ENOENT no window; -ENOSPC more than @max functions (the first @max are valid).
 */
int pci_enumerate(struct pci_fn *fns, size_t max, size_t *n);

/* Index of a function, or -1. */
int pci_find(const struct pci_fn *fns, size_t n, uint16_t segment, uint16_t rid);

/* Offset of a capability, 0 if it is not there; a list that loops or leaves its range ends. */
uint8_t pci_find_cap(uint16_t segment, uint16_t rid, uint8_t id);

/* Offset of an extended capability, 0 if it is not there; bounded likewise. */
uint16_t pci_find_ext_cap(uint16_t segment, uint16_t rid, uint16_t id);

/**
 * pci_requester_ids() - the ids under which DMA of a function reaches the IOMMU
 * @fns: from pci_enumerate()
 * @i:   index of the function
 * @ids: its own id first, then the alias each conventional bridge above puts in its place
 *
 * Not covered: phantom functions and devices that send with another function's number.
 * Return: how many were written, 1 to PCI_MAX_REQUESTER_IDS.
 * Spec: PCI Express to PCI/PCI-X Bridge 1.0, 2.3 "Assigning a Requester ID".
 */
#define PCI_MAX_REQUESTER_IDS	4
size_t pci_requester_ids(const struct pci_fn *fns, size_t i, uint16_t ids[PCI_MAX_REQUESTER_IDS]);

/* Switch bus master on or off; off waits until no transaction is pending.
 * Return: 0; -ETIMEDOUT still pending after a second (bus master is off all the same). */
int pci_bus_master(const struct pci_fn *fn, bool on);
bool pci_is_bus_master(uint16_t segment, uint16_t rid);

/* Whether it is in D0; a function without power management always is. */
bool pci_is_d0(const struct pci_fn *fn);

/* Bring a function to D0.  Return: 0; -ETIMEDOUT it stays in another state. */
int pci_set_d0(const struct pci_fn *fn);

/* Bus master off on every endpoint of segment 0 through ports CF8h and CFCh: the fence of a
 * kernel that has no page tables for ECAM yet (PCI Local Bus 3.0, 3.2.2.3.2). */
void pci_bus_masters_off_by_port(void);

struct pci_bar {
	uint64_t base;		/* 0: not assigned */
	bool is_io, is_64, is_prefetchable;
};

/* Decode BAR @index without sizing it.  The index after a 64-bit BAR is its upper half and means
 * nothing by itself.  Return: 0; -EINVAL no such BAR in this header, a
 * reserved type, or a 64-bit BAR without an upper half. */
int pci_bar(const struct pci_fn *fn, unsigned index, struct pci_bar *out);

/* Size BAR @index in bytes by writing ones to it, with decode off meanwhile; all is put back.
 * Only in generation 0 and while bus master is off.  Return: 0 if unimplemented or not allowed. */
uint64_t pci_bar_size(const struct pci_fn *fn, unsigned index);

/**
 * pci_usb_handoff() - take a USB host controller from firmware
 * @fn: any function; nothing happens unless it is a host controller
 *
 * xHCI 1.2, 4.22.1; EHCI 1.0, 5.1; OHCI 1.0a, 5.1.1.3.3; UHCI legacy support register.  Maps
 * BAR 0.  Return: 0 taken, or not needed; -ETIMEDOUT firmware did not let go and the controller
 * was taken all the same; -EIO its registers cannot be reached.
 */
int pci_usb_handoff(const struct pci_fn *fn);

/* What a device must not use across a hand-over; each is on, off, or not there at all. */
enum pci_feature { PCI_FEATURE_ABSENT, PCI_FEATURE_OFF, PCI_FEATURE_ON };
enum pci_feature pci_interrupt_messages(const struct pci_fn *fn);	/* MSI or MSI-X */
void pci_interrupt_messages_off(const struct pci_fn *fn);
enum pci_feature pci_page_requests(const struct pci_fn *fn);		/* PRI */
enum pci_feature pci_ats(const struct pci_fn *fn);

/* What must read the same before and after a hand-over.  Plain bytes without padding. */
#define PCI_MAX_DEPTH		8
struct pci_bridge_snapshot {
	uint16_t rid, command;
	uint8_t primary, secondary, subordinate, rsvd;
};
struct pci_config_snapshot {
	uint16_t segment, rid;
	uint16_t vendor, device;
	uint16_t command;
	uint16_t nr_bridges;
	uint32_t bars[6];
	struct pci_bridge_snapshot bridge[PCI_MAX_DEPTH];	/* nearest first */
};
static_assert(sizeof(struct pci_bridge_snapshot) == 8, "no padding");
static_assert(sizeof(struct pci_config_snapshot) == 36 + 8 * PCI_MAX_DEPTH, "no padding");

/* Return: 0; -ELOOP more than PCI_MAX_DEPTH bridges above. */
int pci_config_snapshot(const struct pci_fn *fns, size_t i, struct pci_config_snapshot *out);

/* The first thing that differs, or NULL. */
const char *pci_config_difference(const struct pci_config_snapshot *was,
				  const struct pci_config_snapshot *is);

#endif
