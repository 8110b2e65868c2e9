/* Taking USB host controllers from firmware: a firmware that lets go, one that does not, and
 * registers that lead nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/pci.h"
#include "platform/mmio.h"

#define ECAM		0xb0000000ULL
#define BAR		0xd0000000ULL
#define BAR_BYTES	0x10000
#define FIRMWARE	BIT32(16)
#define OS		BIT32(24)

static uint32_t config[64], bar[BAR_BYTES / 4];
static uint64_t mapped;			/* bytes of the BAR */
static unsigned writes;
static uint32_t *semaphore;		/* USBLEGSUP, or HcControl */
static bool firmware_lets_go, map_fails;

static uint32_t *decode(paddr_t addr)
{
	if (addr >= BAR) {
		assert_true(addr - BAR < mapped);
		return &bar[(addr - BAR) / 4];
	}
	return addr - ECAM < sizeof(config) ? &config[(addr - ECAM) / 4] : NULL;
}

uint32_t mmio_read32(paddr_t addr)
{
	const uint32_t *p = decode(addr);

	return p ? *p : UINT32_MAX;
}

/* Firmware answers a request of the OS (OHCI: HcCommandStatus.OCR). */
void mmio_write32(paddr_t addr, uint32_t v)
{
	uint32_t *p = decode(addr);

	writes++;
	if (!p)
		return;
	*p = v;
	if (!firmware_lets_go)
		return;
	if (p == semaphore && (v & OS))
		*p &= ~FIRMWARE;
	if (p == &bar[0x08 / 4] && semaphore == &bar[0x04 / 4] && (v & BIT32(3)))
		*semaphore &= ~BIT32(8);
}

uint64_t mmio_read64(paddr_t addr) { (void)addr; fail(); return 0; }
void mmio_write64(paddr_t addr, uint64_t v) { (void)addr; (void)v; fail(); }

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	if (pa == ECAM)
		return (void *)(uintptr_t)pa;
	assert_int_equal(pa, BAR);
	mapped = len;
	return map_fails ? NULL : (void *)(uintptr_t)pa;
}

static struct pci_fn fn;

static void build(uint32_t class_code)
{
	size_t n;

	memset(config, 0, sizeof(config));
	memset(bar, 0, sizeof(bar));
	config[0] = 0x000d1b36;
	config[1] = PCI_COMMAND_MEMORY;
	config[2] = class_code << 8;
	config[4] = (uint32_t)BAR;
	bar[0] = 0x01000020;
	semaphore = NULL;
	firmware_lets_go = true;
	map_fails = false;
	mapped = 0;
	pci_init(&(struct acpi_mcfg){ .n = 1, .entry = { { .base = ECAM } } });
	assert_int_equal(pci_enumerate(&fn, 1, &n), 0);
	writes = 0;
}

static void build_xhci(void)
{
	build(PCI_CLASS_XHCI);
	bar[0x10 / 4] = 0x0200 << 16;		/* xECP: 800h */
	bar[0x800 / 4] = 0x0402;		/* supported protocol; next 10h further */
	semaphore = &bar[0x810 / 4];
	*semaphore = 1 | FIRMWARE;
	bar[0x814 / 4] = 0xe00fe011 | 0x00100000;	/* SMI enables, status */
}

static void test_xhci(void **state)
{
	(void)state;
	build_xhci();
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(*semaphore, 1 | OS);
	assert_int_equal(bar[0x814 / 4] & 0xe011, 0);		/* no SMI any more */
	assert_int_equal(bar[0x814 / 4] >> 29, 7);		/* status cleared by ones */
	build_xhci();
	firmware_lets_go = false;
	assert_int_equal(pci_usb_handoff(&fn), -ETIMEDOUT);
	assert_int_equal(*semaphore, 1 | OS);
	assert_int_equal(bar[0x814 / 4] & 0xe011, 0);
}

static void no_list(void) { bar[0x10 / 4] = 0; }
static void list_ends(void) { bar[0x800 / 4] = 0x0002; }
static void list_loops(void) { bar[0x10 / 4] = 0x3ff0U << 16; bar[0xffc0 / 4] = 0xff02; }
static void beyond_the_mapping(void) { bar[0x10 / 4] = 0x4000U << 16; }
static void list_all_ones(void) { bar[0x800 / 4] = UINT32_MAX; }

static void test_xhci_lists_end(void **state)
{
	static void (*const damage[])(void) = {
		no_list, list_ends, list_loops, beyond_the_mapping, list_all_ones,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		build_xhci();
		damage[i]();
		assert_int_equal(pci_usb_handoff(&fn), 0);
		assert_int_equal(writes, 0);
	}
	build_xhci();
	for (uint32_t off = 0x800; off < BAR_BYTES; off += 4)	/* far more than any list */
		bar[off / 4] = 0x0102;
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(writes, 0);
}

static void build_ehci(void)
{
	build(PCI_CLASS_EHCI);
	bar[0x08 / 4] = 0x6800;			/* EECP: 68h */
	semaphore = &config[0x68 / 4];
	*semaphore = 1 | FIRMWARE;
	config[0x6c / 4] = 0x2000e03f;
}

static void test_ehci(void **state)
{
	(void)state;
	build_ehci();
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(*semaphore, 1 | OS);
	assert_int_equal(config[0x6c / 4], 0);
	build_ehci();
	firmware_lets_go = false;
	assert_int_equal(pci_usb_handoff(&fn), -ETIMEDOUT);
	assert_int_equal(*semaphore, 1 | OS);
	build_ehci();
	bar[0x08 / 4] = 0x1000;			/* points into the header */
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(writes, 0);
	build_ehci();
	*semaphore = 0x6802;			/* another capability that leads to itself */
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(writes, 0);
}

static void test_ohci(void **state)
{
	(void)state;
	build(PCI_CLASS_OHCI);
	semaphore = &bar[0x04 / 4];
	*semaphore = BIT32(8) | 0x80;
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(*semaphore, 0x80);
	assert_int_equal(bar[0x10 / 4], BIT32(30));
	assert_int_equal(bar[0x14 / 4], 0xc000007f);
	firmware_lets_go = false;
	*semaphore = BIT32(8) | 0x80;
	assert_int_equal(pci_usb_handoff(&fn), -ETIMEDOUT);
	assert_int_equal(*semaphore, 0x80);
}

static void test_uhci(void **state)
{
	(void)state;
	build(PCI_CLASS_UHCI);
	config[0xc0 / 4] = 0x2f3f;
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(config[0xc0 / 4], 0x8f00);
}

static void test_nothing_to_take(void **state)
{
	(void)state;
	build(0x020000);
	assert_int_equal(pci_usb_handoff(&fn), 0);
	build_xhci();
	config[1] = 0;				/* memory decode off */
	assert_int_equal(pci_usb_handoff(&fn), 0);
	assert_int_equal(mapped, 0);
	assert_int_equal(writes, 0);
}

static void test_unreachable(void **state)
{
	(void)state;
	build_xhci();
	map_fails = true;
	assert_int_equal(pci_usb_handoff(&fn), -EIO);
	build_xhci();
	bar[0] = UINT32_MAX;			/* D3hot */
	assert_int_equal(pci_usb_handoff(&fn), -EIO);
	build_xhci();
	config[4] = 0;
	assert_int_equal(pci_usb_handoff(&fn), -EIO);
	assert_int_equal(writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "usb.xhci", test_xhci, NULL, NULL, NULL },
		{ "usb.xhci_lists_end", test_xhci_lists_end, NULL, NULL, NULL },
		{ "usb.ehci", test_ehci, NULL, NULL, NULL },
		{ "usb.ohci", test_ohci, NULL, NULL, NULL },
		{ "usb.uhci", test_uhci, NULL, NULL, NULL },
		{ "usb.nothing_to_take", test_nothing_to_take, NULL, NULL, NULL },
		{ "usb.unreachable", test_unreachable, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("pci usb", tests, NULL, NULL);
}
