/* Configuration space, ACPI tables and plain DMA of the machine.  Its NICs are in model_nic.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/model/model.h"
#include "tests/unit/model_board.h"
#include "tests/unit/model_nic.h"

#define ECAM		UINT64_C(0xb0000000)
#define BUSES		2
#define FUNCTIONS	(BUSES * 256)
#define HOST_RID	PCI_RID(0, 0, 0)

#define CAP_PCIE	0x40
#define CAP_MSI		0x50
#define   MSI_ON	BIT32(16)

static struct board board;
static uint32_t config[FUNCTIONS][64];
static uint8_t tables[2][2048];
static struct acpi_tables acpi;

/* ---- configuration space -------------------------------------------------------------------- */

static void add_function(uint16_t rid, uint32_t id, uint32_t class_code, uint32_t header)
{
	config[rid][0] = id;
	config[rid][PCI_COMMAND / 4] = rid == HOST_RID ? 0 : PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	config[rid][PCI_REVISION / 4] = class_code << 8;
	config[rid][3] = header << 16;
}

static void add_capabilities(uint16_t rid, enum pci_exp_type type, bool msi)
{
	config[rid][PCI_COMMAND / 4] |= PCI_STATUS_CAPS << 16;
	config[rid][PCI_CAP_POINTER / 4] = CAP_PCIE;
	config[rid][CAP_PCIE / 4] = PCI_CAP_PCIE | (msi ? CAP_MSI << 8 : 0) | (uint32_t)type << 20;
	config[rid][CAP_MSI / 4] = msi ? PCI_CAP_MSI | MSI_ON : 0;
}

static void add_nic(unsigned i)
{
	const uint16_t rid = BOARD_NIC(i);

	add_function(rid, 0x10d38086, 0x020000, PCI_HEADER_ENDPOINT);
	add_capabilities(rid, PCI_EXP_ENDPOINT, true);
	config[rid][PCI_BAR0 / 4] = (uint32_t)NIC_BAR(i);
}

static void fill_config(void)
{
	memset(config, 0, sizeof(config));
	for (unsigned i = 0; i < FUNCTIONS; i++)
		config[i][0] = UINT32_MAX;
	add_function(HOST_RID, 0x29c08086, 0x060000, PCI_HEADER_ENDPOINT);
	add_function(BOARD_BRIDGE, 0x34208086, 0x060400, PCI_HEADER_BRIDGE);
	if (!board.pci_bridge)
		add_capabilities(BOARD_BRIDGE, PCI_EXP_ROOT_PORT, false);
	config[BOARD_BRIDGE][PCI_PRIMARY_BUS / 4] = 0x00010100;
	add_function(BOARD_ROGUE, 0x00011af4, 0x020000, PCI_HEADER_ENDPOINT);
	for (unsigned i = 0; i < board.nr_nics; i++)
		add_nic(i);
	for (unsigned i = 0; i < board.nr_rmrrs; i++)
		add_function(BOARD_RMRR(i), 0x1e028086, 0x0c8000,
			     PCI_FN(BOARD_RMRR(i)) ? 0 : PCI_HEADER_MULTI);
	for (unsigned i = 0; i < board.nr_plain; i++)
		add_function(BOARD_PLAIN_FN(i), 0x10c98086, 0x0c0500, i % 8 ? 0 : PCI_HEADER_MULTI);
}

static uint32_t read32(paddr_t addr)
{
	const uint32_t off = addr & 0xfff;

	if (addr - ECAM >= MIB(BUSES))
		return nic_register_read(addr);
	return off < sizeof(config[0]) ? config[(addr - ECAM) >> 12][off / 4] : 0;
}

static void write32(paddr_t addr, uint32_t v)
{
	uint32_t *reg = &config[(addr - ECAM) >> 12 & (FUNCTIONS - 1)][(addr & 0xff) / 4];

	if (addr - ECAM >= MIB(BUSES)) {
		nic_register_write(addr, v);
		return;
	}
	switch (addr & 0xfff) {
	case PCI_COMMAND:
		*reg = (*reg & 0xffff0000) | (v & 0xffff);
		break;
	case PCI_BAR0:
		*reg = v & ~(uint32_t)(NIC_BAR0_BYTES - 1);
		break;
	case CAP_MSI:
		*reg = v;
		break;
	default:
		fail_msg("write of %x to configuration space at %llx", v, (unsigned long long)addr);
	}
}

uint16_t board_command(uint16_t rid)
{
	return (uint16_t)config[rid][PCI_COMMAND / 4];
}

void board_set_master(uint16_t rid, bool on)
{
	config[rid][PCI_COMMAND / 4] &= ~PCI_COMMAND_MASTER;
	config[rid][PCI_COMMAND / 4] |= on ? PCI_COMMAND_MASTER : 0;
}

unsigned board_masters(void)
{
	unsigned n = 0;

	for (unsigned rid = 0; rid < FUNCTIONS; rid++)
		n += rid != BOARD_BRIDGE && config[rid][0] != UINT32_MAX &&
		     config[rid][PCI_COMMAND / 4] & PCI_COMMAND_MASTER;
	return n;
}

/* ---- ACPI tables (VT-d chapter 8) ----------------------------------------------------------- */

static size_t put(uint8_t *t, size_t at, unsigned size, uint64_t v)
{
	memcpy(t + at, &v, size);
	return at + size;
}

static size_t put_scope(uint8_t *t, size_t at, uint16_t rid)
{
	at = put(t, at, 2, 0x0801);	/* PCI endpoint, 8 bytes */
	at = put(t, at, 4, (uint64_t)PCI_BUS(rid) << 24);
	at = put(t, at, 1, PCI_DEV(rid));
	return put(t, at, 1, PCI_FN(rid));
}

/* Length and type first, filled in when it is known how much there is. */
static size_t put_named_unit(uint8_t *t, size_t at)
{
	const size_t start = at;

	at = put(t, at, 8, 0);
	at = put(t, at, 8, BOARD_REGS(0));
	at = put_scope(t, at, BOARD_NIC(0));
	for (unsigned i = 0; i < board.nr_rmrrs; i += 2)
		at = put_scope(t, at, BOARD_RMRR(i));
	for (unsigned i = 0; i < board.nr_plain / 2; i++)
		at = put_scope(t, at, BOARD_PLAIN_FN(i));
	put(t, start + 2, 2, at - start);
	return at;
}

static size_t put_last_unit(uint8_t *t, size_t at)
{
	at = put(t, at, 4, 16 << 16);
	at = put(t, at, 4, 1);		/* INCLUDE_PCI_ALL */
	return put(t, at, 8, BOARD_REGS(board.nr_units - 1));
}

static size_t put_rmrr(uint8_t *t, size_t at, unsigned i)
{
	const paddr_t base = BOARD_RMRR_BASE + i * BOARD_RMRR_LEN;

	at = put(t, at, 4, 32 << 16 | 1);
	at = put(t, at, 4, 0);
	at = put(t, at, 8, base);
	at = put(t, at, 8, base + BOARD_RMRR_LEN - 1);
	return put_scope(t, at, BOARD_RMRR(i));
}

static void list_table(unsigned i, const char *signature, size_t len)
{
	uint8_t sum = 0;

	assert_true(len <= sizeof(tables[i]));
	memcpy(tables[i], signature, 4);
	put(tables[i], 4, 4, len);
	tables[i][8] = 1;
	for (size_t b = 0; b < len; b++)
		sum += tables[i][b];
	tables[i][9] = (uint8_t)-sum;
	memcpy(acpi.found[i].signature, signature, 4);
	acpi.found[i].bytes = span_of(tables[i], len);
	acpi.found[i].checksum_ok = true;
	acpi.n = i + 1;
}

static void write_tables(void)
{
	size_t at = 44;

	memset(tables, 0, sizeof(tables));
	at = put(tables[0], at, 8, ECAM);
	at = put(tables[0], at, 8, (BUSES - 1) << 24);	/* segment 0, from bus 0 */
	list_table(0, "MCFG", at);
	tables[1][36] = 38;			/* host address width, minus one */
	at = 48;
	if (board.nr_units > 1)
		at = put_named_unit(tables[1], at);
	at = put_last_unit(tables[1], at);
	for (unsigned i = 0; i < board.nr_rmrrs; i++)
		at = put_rmrr(tables[1], at, i);
	list_table(1, "DMAR", at);
}

const struct acpi_tables *board_acpi(void)
{
	return &acpi;
}

void board_reset(const struct board *b)
{
	board = *b;
	model_other_mmio(read32, write32);
	fill_config();
	write_tables();
	nic_reset_all();
}

/* ---- DMA ------------------------------------------------------------------------------------ */

static bool is_of_first(uint16_t rid)
{
	if (rid == BOARD_NIC(0))
		return true;
	for (unsigned i = 0; i < board.nr_rmrrs; i += 2)
		if (rid == BOARD_RMRR(i))
			return true;
	for (unsigned i = 0; i < board.nr_plain / 2; i++)
		if (rid == BOARD_PLAIN_FN(i))
			return true;
	return false;
}

unsigned board_unit_of(uint16_t rid)
{
	return board.nr_units > 1 && !is_of_first(rid);
}

int board_dma_write(uint16_t rid, iova_t iova, const void *data, size_t len)
{
	if (!(board_command(rid) & PCI_COMMAND_MASTER))
		return BOARD_SILENT;
	return model_dma_write(board_unit_of(rid), rid, iova, data, len);
}

int board_dma_read(uint16_t rid, iova_t iova, void *data, size_t len)
{
	if (!(board_command(rid) & PCI_COMMAND_MASTER))
		return BOARD_SILENT;
	return model_dma_read(board_unit_of(rid), rid, iova, data, len);
}
