/* Configuration space through ports, for the one thing that cannot wait for ECAM. */
#include "pci.h"

#include "cpu.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define CONFIG_ENABLE	BIT32(31)

static uint32_t read(uint16_t rid, unsigned off)
{
	cpu_out32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)rid << 8 | off);
	return cpu_in32(CONFIG_DATA);
}

static void stop(uint16_t rid)
{
	const uint32_t command = read(rid, PCI_COMMAND);

	if (command & PCI_COMMAND_MASTER)	/* Status, the upper half, is RW1C: written as 0 */
		cpu_out32(CONFIG_DATA, command & 0xffff & ~PCI_COMMAND_MASTER);
}

void pci_bus_masters_off_by_port(void)
{
	for (uint32_t rid = 0; rid <= UINT16_MAX; rid++) {
		const uint32_t id = read((uint16_t)rid, PCI_VENDOR);
		uint8_t type;

		if (id == UINT32_MAX) {
			if (PCI_FN(rid) == 0)
				rid |= 7;	/* no function 0: no device */
			continue;
		}
		type = (uint8_t)(read((uint16_t)rid, PCI_HEADER_TYPE & ~3u) >> 16);
		if ((type & PCI_HEADER_MASK) == PCI_HEADER_ENDPOINT)
			stop((uint16_t)rid);
		if (PCI_FN(rid) == 0 && !(type & PCI_HEADER_MULTI))
			rid |= 7;
	}
}
