/* Features that write to memory: off, on or absent, by the bit the capability says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/machine/pci.h"

#define MSI	0x50
#define MSIX	0x70
#define ATS	0x100
#define PRI	0x140

static uint16_t config[2048];
static bool has_ats, has_pri;
static struct pci_fn fn;

uint16_t pci_read16(uint16_t segment, uint16_t rid, unsigned off)
{
	assert_int_equal(segment, 1);
	assert_int_equal(rid, 0x18);
	return config[off / 2];
}

void pci_write16(uint16_t segment, uint16_t rid, unsigned off, uint16_t v)
{
	(void)segment;
	(void)rid;
	config[off / 2] = v;
}

uint16_t pci_find_ext_cap(uint16_t segment, uint16_t rid, uint16_t id)
{
	(void)segment;
	(void)rid;
	return id == 0x0f && has_ats ? ATS : id == 0x13 && has_pri ? PRI : 0;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(config); i++)
		config[i] = 0;
	has_ats = has_pri = false;
	fn = (struct pci_fn){ .segment = 1, .rid = 0x18 };
	return 0;
}

/* pci.messages: MSI by bit 0, MSI-X by bit 15, either is enough; other bits say nothing */
static void test_messages(void **state)
{
	(void)state;
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_ABSENT);
	fn.cap_msi = MSI;
	config[(MSI + 2) / 2] = 0xfffe;
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_OFF);
	config[(MSI + 2) / 2] = 1;
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_ON);
	config[(MSI + 2) / 2] = 0;
	fn.cap_msix = MSIX;
	config[(MSIX + 2) / 2] = 0x7fff;
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_OFF);
	config[(MSIX + 2) / 2] = 0x8000;
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_ON);
}

/* pci.messages_off: both enable bits cleared, the rest kept */
static void test_messages_off(void **state)
{
	(void)state;
	fn.cap_msi = MSI;
	fn.cap_msix = MSIX;
	config[(MSI + 2) / 2] = 0x0187;
	config[(MSIX + 2) / 2] = 0xc004;
	pci_interrupt_messages_off(&fn);
	assert_int_equal(config[(MSI + 2) / 2], 0x0186);
	assert_int_equal(config[(MSIX + 2) / 2], 0x4004);
	assert_int_equal(pci_interrupt_messages(&fn), PCI_FEATURE_OFF);
}

/* pci.ats_and_pri: absent without the capability, then by the enable bit alone */
static void test_extended(void **state)
{
	(void)state;
	assert_int_equal(pci_ats(&fn), PCI_FEATURE_ABSENT);
	assert_int_equal(pci_page_requests(&fn), PCI_FEATURE_ABSENT);
	has_ats = has_pri = true;
	config[(ATS + 6) / 2] = 0x7fff;
	config[(PRI + 4) / 2] = 0xfffe;
	assert_int_equal(pci_ats(&fn), PCI_FEATURE_OFF);
	assert_int_equal(pci_page_requests(&fn), PCI_FEATURE_OFF);
	config[(ATS + 6) / 2] = 0x8000;
	config[(PRI + 4) / 2] = 1;
	assert_int_equal(pci_ats(&fn), PCI_FEATURE_ON);
	assert_int_equal(pci_page_requests(&fn), PCI_FEATURE_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_messages, setup),
		cmocka_unit_test_setup(test_messages_off, setup),
		cmocka_unit_test_setup(test_extended, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
