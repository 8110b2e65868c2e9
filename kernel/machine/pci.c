/* PCI configuration space through ECAM: access, enumeration, capabilities, BARs, snapshot. */
#include "kernel/machine/pci.h"

#include <string.h>

#include "errno.h"
#include "kernel/machine/paging.h"
#include "platform/mmio.h"

#define CONFIG_BYTES		4096		/* per function */
#define BUS_BYTES		MIB(1)		/* 256 functions */
#define FIRST_CAP		0x40		/* capabilities live behind the header */
#define MAX_CAPS		48		/* dwords from 40h to FFh */
#define FIRST_EXT_CAP		0x100
#define MAX_EXT_CAPS		960		/* dwords from 100h to FFFh */

#define PM_PMCSR		0x04		/* PCI Power Management 1.2, 3.2.4 */
#define   PMCSR_STATE		GENMASK32(1, 0)
#define   PMCSR_PME_STATUS	BIT32(15)	/* RW1C */
#define D3_TO_D0_US		10000		/* 5.4 */

#define AF_STATUS		0x05		/* Advanced Features ECN: bit 0 Transactions Pending */
#define PENDING_US		1000000

static struct window {
	struct acpi_mcfg_entry mcfg;
	uint64_t mapped[4];			/* one bit per bus */
	uint64_t unmappable[4];
} windows[ACPI_MAX_MCFG];
static size_t nr_windows;

void pci_init(const struct acpi_mcfg *mcfg)
{
	memset(windows, 0, sizeof(windows));
	nr_windows = MIN(mcfg->n, (size_t)ACPI_MAX_MCFG);
	for (size_t i = 0; i < nr_windows; i++)
		windows[i].mcfg = mcfg->entry[i];
}

static bool map_bus(struct window *w, unsigned bus)
{
	const uint64_t bit = BIT64(bus % 64);

	if (w->mapped[bus / 64] & bit)
		return true;
	if (w->unmappable[bus / 64] & bit)
		return false;
	if (paging_map_mmio(w->mcfg.base + bus * BUS_BYTES, BUS_BYTES)) {
		w->mapped[bus / 64] |= bit;
		return true;
	}
	w->unmappable[bus / 64] |= bit;
	platform_log("pci: bus %04x:%02x: its ECAM window cannot be mapped",
		     w->mcfg.segment, bus);
	return false;
}

/* Address of a register, 0 if no window has it.  The base of a window is that of bus 0
 * (PCI Firmware 3.3, table 4-3). */
static paddr_t config_address(uint16_t segment, uint16_t rid, unsigned off)
{
	const unsigned bus = PCI_BUS(rid);

	for (size_t i = 0; i < nr_windows && off < CONFIG_BYTES; i++) {
		struct window *w = &windows[i];

		if (w->mcfg.segment == segment && bus >= w->mcfg.start_bus &&
		    bus <= w->mcfg.end_bus)
			return map_bus(w, bus) ? w->mcfg.base + ((paddr_t)rid << 12) + off : 0;
	}
	return 0;
}

uint32_t pci_read32(uint16_t segment, uint16_t rid, unsigned off)
{
	const paddr_t addr = config_address(segment, rid, off & ~3U);

	return addr ? mmio_read32(addr) : UINT32_MAX;
}

uint16_t pci_read16(uint16_t segment, uint16_t rid, unsigned off)
{
	return (uint16_t)(pci_read32(segment, rid, off) >> (off & 2) * 8);
}

uint8_t pci_read8(uint16_t segment, uint16_t rid, unsigned off)
{
	return (uint8_t)(pci_read32(segment, rid, off) >> (off & 3) * 8);
}

void pci_write32(uint16_t segment, uint16_t rid, unsigned off, uint32_t v)
{
	const paddr_t addr = config_address(segment, rid, off & ~3U);

	if (addr)
		mmio_write32(addr, v);
}

static void write_part(uint16_t segment, uint16_t rid, unsigned off, uint32_t mask, uint32_t v)
{
	const unsigned shift = (off & 3) * 8;
	const uint32_t was = pci_read32(segment, rid, off);

	pci_write32(segment, rid, off, (was & ~(mask << shift)) | v << shift);
}

void pci_write16(uint16_t segment, uint16_t rid, unsigned off, uint16_t v)
{
	write_part(segment, rid, off & ~1U, 0xffff, v);
}

void pci_write8(uint16_t segment, uint16_t rid, unsigned off, uint8_t v)
{
	write_part(segment, rid, off, 0xff, v);
}

void pci_write_control(uint16_t segment, uint16_t rid, unsigned off, uint16_t v)
{
	pci_write32(segment, rid, off, v);
}

/* Where the list starts depends on the header; CardBus bridges keep it elsewhere. */
static uint8_t first_cap(uint16_t segment, uint16_t rid)
{
	if (!(pci_read16(segment, rid, PCI_STATUS) & PCI_STATUS_CAPS))
		return 0;
	if ((pci_read8(segment, rid, PCI_HEADER_TYPE) & PCI_HEADER_MASK) == PCI_HEADER_CARDBUS)
		return pci_read8(segment, rid, 0x14) & 0xfc;
	return pci_read8(segment, rid, PCI_CAP_POINTER) & 0xfc;
}

/* One step along the list: id and offset, which becomes that of the next one; false at its end,
 * where it leaves its range, or after as many steps as there is room for. */
static bool next_cap(uint16_t segment, uint16_t rid, uint8_t *next, unsigned *steps, uint8_t *id,
		     uint8_t *pos)
{
	uint16_t head;

	if (*next < FIRST_CAP || (*steps)++ == MAX_CAPS)
		return false;
	head = pci_read16(segment, rid, *next);
	*id = (uint8_t)head;
	*pos = *next;
	*next = head >> 8 & 0xfc;
	return true;
}

uint8_t pci_find_cap(uint16_t segment, uint16_t rid, uint8_t id)
{
	uint8_t next = first_cap(segment, rid), is, pos;
	unsigned steps = 0;

	while (next_cap(segment, rid, &next, &steps, &is, &pos))
		if (is == id)
			return pos;
	return 0;
}

/* PCI Express 6.0, 7.6.3: 15:0 id, 31:20 next, from 100h on; zero or ones: none at all. */
uint16_t pci_find_ext_cap(uint16_t segment, uint16_t rid, uint16_t id)
{
	uint16_t at = FIRST_EXT_CAP;

	for (unsigned steps = 0; steps < MAX_EXT_CAPS && at >= FIRST_EXT_CAP; steps++) {
		const uint32_t head = pci_read32(segment, rid, at);

		if (!head || head == UINT32_MAX)
			return 0;
		if ((head & 0xffff) == id)
			return at;
		at = (uint16_t)(head >> 20 & 0xffc);
	}
	return 0;
}

static void keep_first(uint8_t *cap, uint8_t pos)
{
	if (!*cap)
		*cap = pos;
}

static void read_caps(struct pci_fn *fn)
{
	uint8_t next = first_cap(fn->segment, fn->rid), id, pos;
	unsigned steps = 0;

	while (next_cap(fn->segment, fn->rid, &next, &steps, &id, &pos))
		switch (id) {
		case PCI_CAP_PM:
			keep_first(&fn->cap_pm, pos);
			break;
		case PCI_CAP_MSI:
			keep_first(&fn->cap_msi, pos);
			break;
		case PCI_CAP_MSIX:
			keep_first(&fn->cap_msix, pos);
			break;
		case PCI_CAP_AF:
			keep_first(&fn->cap_af, pos);
			break;
		case PCI_CAP_PCIE:
			keep_first(&fn->cap_pcie, pos);
			break;
		}
	if (fn->cap_pcie)
		fn->exp_type = (uint8_t)FIELD_GET(PCI_EXP_TYPE,
			pci_read16(fn->segment, fn->rid, fn->cap_pcie + PCI_EXP_FLAGS));
}

/* False if nothing answers. */
static bool read_fn(uint16_t segment, uint16_t rid, int parent, struct pci_fn *fn)
{
	const uint32_t id = pci_read32(segment, rid, PCI_VENDOR);

	if (id == UINT32_MAX || (id & 0xffff) == 0xffff || id == 0)
		return false;
	*fn = (struct pci_fn){
		.segment = segment, .rid = rid, .parent = parent,
		.vendor = (uint16_t)id, .device = (uint16_t)(id >> 16),
		.class_code = pci_read32(segment, rid, PCI_REVISION) >> 8,
		.header_type = pci_read8(segment, rid, PCI_HEADER_TYPE) & PCI_HEADER_MASK,
	};
	fn->is_bridge = fn->header_type == PCI_HEADER_BRIDGE;
	if (fn->is_bridge) {
		fn->secondary = pci_read8(segment, rid, PCI_PRIMARY_BUS + 1);
		fn->subordinate = pci_read8(segment, rid, PCI_PRIMARY_BUS + 2);
	}
	read_caps(fn);
	return true;
}

struct walk {
	struct pci_fn *fns;
	size_t max, n;
	const struct acpi_mcfg_entry *w;
	int above[256];			/* bridge that leads to a bus, -1: none */
};

/* Why the bus behind bridge @fn is not followed, or NULL. */
static const char *bridge_refused(const struct walk *k, const struct pci_fn *fn)
{
	const struct pci_fn *up = fn->parent < 0 ? NULL : &k->fns[fn->parent];

	if (fn->secondary <= PCI_BUS(fn->rid))
		return "secondary bus is not beyond its own";
	if (fn->subordinate < fn->secondary)
		return "subordinate bus is below the secondary";
	if (fn->subordinate > (up ? up->subordinate : k->w->end_bus))
		return "buses reach beyond the bridge or window above";
	if (k->above[fn->secondary] >= 0)
		return "another bridge leads to the same bus";
	return NULL;
}

static int add_fn(struct walk *k, uint16_t rid, int parent)
{
	const char *refused;
	struct pci_fn fn;

	if (!read_fn(k->w->segment, rid, parent, &fn))
		return 0;
	if (k->n == k->max)
		return -ENOSPC;
	k->fns[k->n] = fn;
	if (fn.is_bridge && fn.secondary) {
		refused = bridge_refused(k, &fn);
		if (!refused)
			k->above[fn.secondary] = (int)k->n;
		else
			platform_log("pci: bridge %04x:%02x:%02x.%x (buses %02x-%02x) not followed: %s",
				     fn.segment, PCI_BUS(rid), PCI_DEV(rid), PCI_FN(rid),
				     fn.secondary, fn.subordinate, refused);
	}
	k->n++;
	return 0;
}

/* A link leads to one device: some answer to every device number (PCI Express 7.3.1). */
static unsigned devices_on_bus(const struct walk *k, int parent)
{
	const struct pci_fn *up = parent < 0 ? NULL : &k->fns[parent];

	return up && up->cap_pcie &&
	       (up->exp_type == PCI_EXP_ROOT_PORT || up->exp_type == PCI_EXP_DOWNSTREAM) ? 1 : 32;
}

static int scan_bus(struct walk *k, unsigned bus)
{
	const int parent = k->above[bus];
	const unsigned devices = devices_on_bus(k, parent);

	for (unsigned dev = 0; dev < devices; dev++) {
		const uint16_t rid = PCI_RID(bus, dev, 0);
		unsigned nr_fns = 1;

		if (pci_read16(k->w->segment, rid, PCI_VENDOR) == 0xffff)
			continue;
		if (pci_read8(k->w->segment, rid, PCI_HEADER_TYPE) & PCI_HEADER_MULTI)
			nr_fns = 8;
		for (unsigned fn = 0; fn < nr_fns; fn++) {
			const int err = add_fn(k, (uint16_t)(rid + fn), parent);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Ascending order is enough to see each bridge before its bus, since a secondary bus number is
 * always greater than the primary one, and it makes loops impossible. */
static int scan_window(struct walk *k)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(k->above); i++)
		k->above[i] = -1;
	for (unsigned bus = k->w->start_bus; bus <= k->w->end_bus && !err; bus++)
		err = scan_bus(k, bus);
	return err;
}

int pci_enumerate(struct pci_fn *fns, size_t max, size_t *n)
{
	struct walk k = { .fns = fns, .max = max };
	int err = nr_windows ? 0 : -ENOENT;

	for (size_t i = 0; i < nr_windows && !err; i++) {
		k.w = &windows[i].mcfg;
		err = scan_window(&k);
	}
	*n = k.n;
	return err;
}

int pci_find(const struct pci_fn *fns, size_t n, uint16_t segment, uint16_t rid)
{
	const uint32_t want = (uint32_t)segment << 16 | rid;
	size_t low = 0, high = n;

	while (low < high) {	/* sorted by pci_enumerate() */
		const size_t mid = low + (high - low) / 2;
		const uint32_t is = (uint32_t)fns[mid].segment << 16 | fns[mid].rid;

		if (is == want)
			return (int)mid;
		if (is < want)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

size_t pci_requester_ids(const struct pci_fn *fns, size_t i, uint16_t ids[PCI_MAX_REQUESTER_IDS])
{
	size_t n = 0;

	ids[n++] = fns[i].rid;
	for (int up = fns[i].parent; up >= 0 && n < PCI_MAX_REQUESTER_IDS; up = fns[up].parent) {
		const struct pci_fn *b = &fns[up];

		if (!b->cap_pcie || b->exp_type == PCI_EXP_FROM_PCI)
			ids[n++] = b->rid;
		else if (b->exp_type == PCI_EXP_TO_PCI)
			ids[n++] = PCI_RID(b->secondary, 0, 0);
	}
	return n;
}

bool pci_is_bus_master(uint16_t segment, uint16_t rid)
{
	const uint16_t command = pci_read16(segment, rid, PCI_COMMAND);

	return command != 0xffff && (command & PCI_COMMAND_MASTER);
}

static bool transactions_pending(const struct pci_fn *fn)
{
	if (fn->cap_pcie)
		return pci_read16(fn->segment, fn->rid, fn->cap_pcie + PCI_EXP_DEVSTA) &
		       PCI_EXP_DEVSTA_TRPND;
	if (fn->cap_af)
		return pci_read8(fn->segment, fn->rid, fn->cap_af + AF_STATUS) & 1;
	return false;
}

int pci_bus_master(const struct pci_fn *fn, bool on)
{
	const uint16_t was = pci_read16(fn->segment, fn->rid, PCI_COMMAND);
	const uint16_t want = on ? was | PCI_COMMAND_MASTER : was & (uint16_t)~PCI_COMMAND_MASTER;
	const uint64_t start = platform_us();

	if (want != was)
		pci_write_control(fn->segment, fn->rid, PCI_COMMAND, want);
	while (!on && transactions_pending(fn)) {
		if (platform_us() - start > PENDING_US) {
			platform_log("pci: %04x:%02x:%02x.%x: Transactions Pending still 1 after "
				     "1 s, Device Status = 0x%04x", fn->segment, PCI_BUS(fn->rid),
				     PCI_DEV(fn->rid), PCI_FN(fn->rid),
				     fn->cap_pcie ? pci_read16(fn->segment, fn->rid,
							       fn->cap_pcie + PCI_EXP_DEVSTA) : 0);
			return -ETIMEDOUT;
		}
		platform_relax();
	}
	return 0;
}

bool pci_is_d0(const struct pci_fn *fn)
{
	return !fn->cap_pm || !(pci_read16(fn->segment, fn->rid, fn->cap_pm + PM_PMCSR) & PMCSR_STATE);
}

int pci_set_d0(const struct pci_fn *fn)
{
	const unsigned reg = fn->cap_pm + PM_PMCSR;
	const uint64_t start = platform_us();
	uint16_t pmcsr;

	if (!fn->cap_pm)
		return 0;
	pmcsr = pci_read16(fn->segment, fn->rid, reg);
	if (!(pmcsr & PMCSR_STATE))
		return 0;
	pci_write_control(fn->segment, fn->rid, reg,
			  pmcsr & (uint16_t)~(PMCSR_STATE | PMCSR_PME_STATUS));
	while (platform_us() - start <= D3_TO_D0_US)
		platform_relax();
	if (pci_is_d0(fn)) {
		platform_log("pci: %04x:%02x:%02x.%x: woken from D%u", fn->segment, PCI_BUS(fn->rid),
			     PCI_DEV(fn->rid), PCI_FN(fn->rid), pmcsr & PMCSR_STATE);
		return 0;
	}
	pmcsr = pci_read16(fn->segment, fn->rid, reg);
	platform_log("pci: %04x:%02x:%02x.%x: does not reach D0, PMCSR = 0x%04x", fn->segment,
		     PCI_BUS(fn->rid), PCI_DEV(fn->rid), PCI_FN(fn->rid), pmcsr);
	return -ETIMEDOUT;
}

/* Base Address Registers (PCI Local Bus 3.0, 6.2.5.1). */
#define BAR_IO			BIT32(0)
#define BAR_IO_BASE		GENMASK32(31, 2)
#define BAR_MEM_TYPE		GENMASK32(2, 1)		/* 0: 32-bit, 2: 64-bit */
#define BAR_MEM_PREFETCH	BIT32(3)
#define BAR_MEM_BASE		GENMASK32(31, 4)

static unsigned nr_bars(const struct pci_fn *fn)
{
	static const unsigned per_header[] = { 6, 2, 1 };

	return fn->header_type < ARRAY_SIZE(per_header) ? per_header[fn->header_type] : 0;
}

static uint32_t read_bar(const struct pci_fn *fn, unsigned index)
{
	return pci_read32(fn->segment, fn->rid, PCI_BAR0 + 4 * index);
}

int pci_bar(const struct pci_fn *fn, unsigned index, struct pci_bar *out)
{
	struct pci_bar bar = { 0 };
	uint32_t lo;

	if (index >= nr_bars(fn))
		return -EINVAL;
	lo = read_bar(fn, index);
	bar.is_io = lo & BAR_IO;
	if (bar.is_io) {
		bar.base = lo & BAR_IO_BASE;
	} else {
		const unsigned type = (unsigned)FIELD_GET(BAR_MEM_TYPE, lo);

		bar.is_64 = type == 2;
		if ((type != 0 && type != 2) || (bar.is_64 && index + 1 >= nr_bars(fn)))
			return -EINVAL;
		bar.is_prefetchable = lo & BAR_MEM_PREFETCH;
		bar.base = lo & BAR_MEM_BASE;
		if (bar.is_64)
			bar.base |= (uint64_t)read_bar(fn, index + 1) << 32;
	}
	*out = bar;
	return 0;
}

/* The BAR reads back ones where its address has bits. */
static uint32_t probe_bar(const struct pci_fn *fn, unsigned index)
{
	const unsigned off = PCI_BAR0 + 4 * index;
	const uint32_t was = pci_read32(fn->segment, fn->rid, off);
	uint32_t mask;

	pci_write32(fn->segment, fn->rid, off, UINT32_MAX);
	mask = pci_read32(fn->segment, fn->rid, off);
	pci_write32(fn->segment, fn->rid, off, was);
	return mask;
}

uint64_t pci_bar_size(const struct pci_fn *fn, unsigned index)
{
	const uint16_t command = pci_read16(fn->segment, fn->rid, PCI_COMMAND);
	struct pci_bar bar;
	uint64_t mask;

	if (pci_bar(fn, index, &bar) || (command & PCI_COMMAND_MASTER))
		return 0;
	pci_write_control(fn->segment, fn->rid, PCI_COMMAND,
			  command & (uint16_t)~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	mask = probe_bar(fn, index) & (bar.is_io ? BAR_IO_BASE : BAR_MEM_BASE);
	if (bar.is_64)
		mask |= (uint64_t)probe_bar(fn, index + 1) << 32;
	else if (mask && bar.is_io)
		mask |= GENMASK64(63, 16);	/* I/O BARs may leave 31:16 at zero */
	else if (mask)
		mask |= GENMASK64(63, 32);
	pci_write_control(fn->segment, fn->rid, PCI_COMMAND, command);
	return mask & -mask;
}

int pci_config_snapshot(const struct pci_fn *fns, size_t i, struct pci_config_snapshot *out)
{
	const struct pci_fn *fn = &fns[i];

	memset(out, 0, sizeof(*out));
	out->segment = fn->segment;
	out->rid = fn->rid;
	out->vendor = pci_read16(fn->segment, fn->rid, PCI_VENDOR);
	out->device = pci_read16(fn->segment, fn->rid, PCI_VENDOR + 2);
	out->command = pci_read16(fn->segment, fn->rid, PCI_COMMAND);
	for (unsigned bar = 0; bar < nr_bars(fn); bar++)
		out->bars[bar] = read_bar(fn, bar);
	for (int up = fn->parent; up >= 0; up = fns[up].parent) {
		const uint16_t seg = fns[up].segment, rid = fns[up].rid;

		if (out->nr_bridges == PCI_MAX_DEPTH)
			return -ELOOP;
		out->bridge[out->nr_bridges++] = (struct pci_bridge_snapshot){
			.rid = rid, .command = pci_read16(seg, rid, PCI_COMMAND),
			.primary = pci_read8(seg, rid, PCI_PRIMARY_BUS),
			.secondary = pci_read8(seg, rid, PCI_PRIMARY_BUS + 1),
			.subordinate = pci_read8(seg, rid, PCI_PRIMARY_BUS + 2),
		};
	}
	return 0;
}

const char *pci_config_difference(const struct pci_config_snapshot *was,
				  const struct pci_config_snapshot *is)
{
	if (was->segment != is->segment || was->rid != is->rid)
		return "segment, bus, device or function";
	if (was->vendor != is->vendor || was->device != is->device)
		return "vendor or device id";
	if (was->command != is->command)
		return "Command register";
	if (memcmp(was->bars, is->bars, sizeof(was->bars)))
		return "a Base Address Register";
	if (was->nr_bridges != is->nr_bridges)
		return "number of bridges above";
	for (size_t i = 0; i < MIN(was->nr_bridges, (uint16_t)PCI_MAX_DEPTH); i++) {
		const struct pci_bridge_snapshot *a = &was->bridge[i], *b = &is->bridge[i];

		if (a->rid != b->rid || a->primary != b->primary || a->secondary != b->secondary ||
		    a->subordinate != b->subordinate)
			return "bus numbers of a bridge above";
		if (a->command != b->command)
			return "Command register of a bridge above";
	}
	return NULL;
}
