/* ACPI tables: finding them and decoding the few that are needed (ACPI 6.5, chapter 5.2; PCI
 * Firmware 3.3, 4.1.2 MCFG).  Pure: every byte is foreign and reached through the caller. */
#ifndef BATON_MACHINE_ACPI_H
#define BATON_MACHINE_ACPI_H

#include "base.h"
#include "span.h"

#define ACPI_MAX_TABLES		96	/* real servers list about 40 */
#define ACPI_MAX_TABLE_LEN	MIB(16)
#define ACPI_MAX_MCFG		16
#define ACPI_MAX_IOAPICS	32

/* How physical bytes are reached: NULL unless all of [@pa, @pa + @len) is RAM or ACPI memory. */
struct acpi_reader {
	const void *(*map)(void *ctx, paddr_t pa, uint64_t len);
	void *ctx;
};

struct acpi_found {
	char signature[4];
	paddr_t pa;
	struct span bytes;	/* whole table; empty when its length or place is impossible */
	bool checksum_ok;
};

struct acpi_tables {
	bool from_xsdt;		/* else from the RSDT */
	size_t n;
	struct acpi_found found[ACPI_MAX_TABLES];
	size_t left_out;	/* listed, but not readable or beyond ACPI_MAX_TABLES */
};

/**
 * acpi_init() - walk from the RSDP to the list of tables
 * @r:    how memory is reached
 * @rsdp: physical address of the Root System Description Pointer
 * @out:  tables listed by the XSDT, or by the RSDT when there is no usable XSDT
 * @why:  the failed check, when refused
 *
 * Return: 0; -ENOENT no RSDP given; -EBADMSG RSDP or both root tables are broken.
 * Spec: ACPI 6.5, 5.2.5 "Root System Description Pointer", 5.2.7 RSDT, 5.2.8 XSDT.
 */
int acpi_init(const struct acpi_reader *r, paddr_t rsdp, struct acpi_tables *out, const char **why);

/**
 * acpi_table() - one table by its signature
 * @t:         from acpi_init()
 * @signature: four characters, "DMAR"
 * @out:       all bytes of the first table of that name, header included
 *
 * Return: 0; -ENOENT not listed; -EBADMSG listed, but length or checksum is wrong.
 */
int acpi_table(const struct acpi_tables *t, const char *signature, struct span *out);

struct acpi_mcfg_entry {
	paddr_t base;		/* of bus 0, even if start_bus is not 0 */
	uint16_t segment;
	uint8_t start_bus, end_bus;
};

struct acpi_mcfg {
	size_t n;
	struct acpi_mcfg_entry entry[ACPI_MAX_MCFG];
	size_t refused;		/* unaligned, backwards, overlapping, or beyond ACPI_MAX_MCFG */
};

/* Return: 0; -EBADMSG too short for its header; -ENOENT without a usable entry. */
int acpi_decode_mcfg(struct span table, struct acpi_mcfg *out);

/* Generic Address Structure (ACPI 6.5, 5.2.3.2). */
#define ACPI_GAS_MEMORY		0
#define ACPI_GAS_IO		1
#define ACPI_GAS_PCI_CONFIG	2	/* address: 47:32 device, 31:16 function, 15:0 offset; bus 0 */
struct acpi_gas {
	uint8_t space;
	uint8_t bit_width, bit_offset, access_size;
	uint64_t address;
};

struct acpi_reset {
	struct acpi_gas reg;
	uint8_t value;
};

/* Return: 0; -EBADMSG too short; -EOPNOTSUPP the flag RESET_REG_SUP is clear, or the register is
 * not one byte in a space we can write. */
int acpi_decode_reset(struct span facp, struct acpi_reset *out);

#define ACPI_SPCR_16550		0x00	/* full 16550 */
#define ACPI_SPCR_16450		0x01
#define ACPI_SPCR_16550_GAS	0x12	/* 16550, parameters in the GAS */
struct acpi_spcr {
	uint8_t interface;
	struct acpi_gas reg;
	uint32_t baud;		/* 0: as firmware left it */
};

/* Return: 0; -EBADMSG too short or unknown baud rate code; -ENOENT console redirection is off. */
int acpi_decode_spcr(struct span table, struct acpi_spcr *out);

struct acpi_madt {
	paddr_t local_apic;
	size_t processors;	/* enabled */
	size_t ioapics;
	uint8_t ioapic_id[ACPI_MAX_IOAPICS];
};

/* Return: 0; -EBADMSG too short, an entry of impossible length, or too many I/O APICs. */
int acpi_decode_madt(struct span table, struct acpi_madt *out);

#endif
