/* A machine of one remapping unit (fake_unit.h) and six PCI functions, for the rooms above the
 * libraries.  PCI configuration space and ACPI are stand-ins for their functions, so that a test
 * sees in which order things happened.  Included once by a test program. */
#ifndef BATON_TEST_IOMMU_FAKE_H
#define BATON_TEST_IOMMU_FAKE_H

#include "errno.h"
#include "fake_unit.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/iommu.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/scratch.h"

#define OTHER_REGS	UINT64_C(0xfed91000)	/* an access there fails the test */
#define HOST_RID	PCI_RID(0, 0, 0)
#define GPU_RID		PCI_RID(0, 2, 0)
#define NIC_RID		PCI_RID(0, 3, 0)
#define USB_RID		PCI_RID(0, 0x14, 0)
#define PORT_RID	PCI_RID(0, 0x1c, 0)
#define FAR_RID		PCI_RID(1, 0, 0)
enum { HOST, GPU, NIC, USB, PORT, FAR, NR_FNS };
#define RMRR_BASE	UINT64_C(0x7d000000)
#define RMRR_LIMIT	UINT64_C(0x7d01ffff)

static const struct pci_fn bus_fns[NR_FNS] = {
	{ .rid = HOST_RID, .class_code = 0x060000, .parent = -1 },
	{ .rid = GPU_RID, .class_code = 0x030000, .parent = -1 },
	{ .rid = NIC_RID, .vendor = 0x8086, .device = 0x10d3, .class_code = 0x020000, .parent = -1 },
	{ .rid = USB_RID, .class_code = 0x0c0330, .parent = -1 },
	{ .rid = PORT_RID, .class_code = 0x060400, .parent = -1, .is_bridge = true, .secondary = 1,
	  .subordinate = 1 },
	{ .rid = FAR_RID, .class_code = 0x010802, .parent = PORT },
};

static bool bus_master[NR_FNS];
static unsigned bus_master_switches, usb_handoffs;
static uint16_t bus_alias[NR_FNS];		/* a second source id, 0: none */
static void (*on_master_off)(uint16_t rid);
static bool no_mcfg, no_dmar;
static uint8_t dmar_table[256];
static size_t dmar_len;
static struct iommu mmu;

static size_t bus_index(uint16_t rid)
{
	for (size_t i = 0; i < NR_FNS; i++)
		if (bus_fns[i].rid == rid)
			return i;
	fail_msg("access to function %x", rid);
	return 0;
}

void pci_init(const struct acpi_mcfg *mcfg)
{
	(void)mcfg;
}

int pci_enumerate(struct pci_fn *fns, size_t max, size_t *n)
{
	assert_true(max >= NR_FNS);
	memcpy(fns, bus_fns, sizeof(bus_fns));
	*n = NR_FNS;
	return 0;
}

int pci_find(const struct pci_fn *fns, size_t n, uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < n; i++)
		if (fns[i].segment == segment && fns[i].rid == rid)
			return (int)i;
	return -1;
}

size_t pci_requester_ids(const struct pci_fn *fns, size_t i, uint16_t ids[PCI_MAX_REQUESTER_IDS])
{
	ids[0] = fns[i].rid;
	ids[1] = bus_alias[i];
	return bus_alias[i] ? 2 : 1;
}

int pci_bus_master(const struct pci_fn *fn, bool on)
{
	if (!on && on_master_off)
		on_master_off(fn->rid);
	bus_master[bus_index(fn->rid)] = on;
	bus_master_switches++;
	return 0;
}

bool pci_is_bus_master(uint16_t segment, uint16_t rid)
{
	assert_int_equal(segment, 0);
	return bus_master[bus_index(rid)];
}

int pci_usb_handoff(const struct pci_fn *fn)
{
	(void)fn;
	assert_int_equal(bus_master_switches, 0);	/* the hand-shake comes first */
	usb_handoffs++;
	return 0;
}

bool paging_is_readable(paddr_t pa, uint64_t len)
{
	return pa >= MIB(1) && pa < GIB(2) && len <= GIB(2) - pa;	/* the fake machine's RAM */
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	assert_true(pa >= FAKE_REGS && pa + len <= OTHER_REGS + MIB(1));
	return &fake;
}

int acpi_table(const struct acpi_tables *acpi, const char signature[4], struct span *out)
{
	const bool dmar = !memcmp(signature, "DMAR", 4);

	(void)acpi;
	if (dmar ? no_dmar : no_mcfg)
		return -ENOENT;
	*out = span_of(dmar_table, dmar_len);
	return 0;
}

int acpi_decode_mcfg(struct span table, struct acpi_mcfg *out)
{
	(void)table;
	memset(out, 0, sizeof(*out));
	return 0;
}

/* ---- the DMAR table (VT-d chapter 8) ---------------------------------------------------------------- */

static void dmar_put(unsigned size, uint64_t v)
{
	memcpy(dmar_table + dmar_len, &v, size);
	dmar_len += size;
}

static void dmar_scope(uint16_t rid)
{
	dmar_put(2, 0x0801);		/* PCI endpoint, 8 bytes */
	dmar_put(4, (uint64_t)PCI_BUS(rid) << 24);
	dmar_put(1, PCI_DEV(rid));
	dmar_put(1, PCI_FN(rid));
}

static void dmar_drhd(uint64_t base, bool include_all, uint16_t scope)
{
	dmar_put(2, 0);
	dmar_put(2, scope ? 24 : 16);
	dmar_put(4, include_all);
	dmar_put(8, base);
	if (scope)
		dmar_scope(scope);
}

static void dmar_rmrr(uint16_t rid)
{
	dmar_put(2, 1);
	dmar_put(2, 32);
	dmar_put(4, 0);
	dmar_put(8, RMRR_BASE);
	dmar_put(8, RMRR_LIMIT);
	dmar_scope(rid);
}

static void dmar_begin(void)
{
	memset(dmar_table, 0, sizeof(dmar_table));
	memcpy(dmar_table, "DMAR", 4);
	dmar_table[8] = 1;
	dmar_table[36] = 47;		/* host address width, minus one */
	dmar_len = 48;
}

static void dmar_end(void)
{
	uint8_t sum = 0;

	memcpy(dmar_table + 4, &dmar_len, 4);
	for (size_t i = 0; i < dmar_len; i++)
		sum += dmar_table[i];
	dmar_table[9] = (uint8_t)-sum;
}

/* ---- a machine as firmware leaves it ------------------------------------------------------------------ */

static int machine_reset(void **state)
{
	(void)state;
	fake_reset();
	scratch_init(MIB(32), MIB(4));
	memset(&mmu, 0, sizeof(mmu));
	memset(bus_alias, 0, sizeof(bus_alias));
	for (size_t i = 0; i < NR_FNS; i++)
		bus_master[i] = i != HOST;
	bus_master_switches = usb_handoffs = 0;
	on_master_off = NULL;
	no_mcfg = no_dmar = false;
	dmar_begin();
	dmar_drhd(FAKE_REGS, true, 0);
	dmar_rmrr(USB_RID);
	dmar_end();
	return 0;
}

static int discover(const char **why)
{
	static const struct acpi_tables acpi;

	return iommu_discover(&mmu, &acpi, why);
}

static void bring_up(void)
{
	const char *why = "";

	assert_int_equal(discover(&why), 0);
	assert_int_equal(iommu_bring_up(&mmu), 0);
}

/* A domain with one page mapped; its index. */
static inline size_t domain_with(iova_t iova, paddr_t pa)
{
	const int d = iommu_domain_create(&mmu, 0, VTD_PG_4K, IOMMU_IOVA_BITS);

	assert_true(d >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[d].ss, iova, pa, PAGE_SIZE, VTD_SS_RW), 0);
	return (size_t)d;
}

#endif
