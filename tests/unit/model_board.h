/* The machine of the hand-over tests but for its remapping units, which are the strict model's: PCI
 * functions with configuration space, ACPI tables, one or two NICs whose registers and DMA are real
 * enough for the driver, memory that RMRRs name. */
#ifndef BATON_TEST_MODEL_BOARD_H
#define BATON_TEST_MODEL_BOARD_H

#include "base.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/pci.h"
#include "tests/model/model.h"

#define BOARD_NICS	2
#define BOARD_RMRRS	9
#define BOARD_PLAIN	136		/* functions without a purpose of their own */

#define BOARD_RAM_END	MIB(64)
#define BOARD_RMRR_BASE	UINT64_C(0x70000000)
#define BOARD_RMRR_LEN	KIB(64)		/* of each, one behind the other */

#define BOARD_NIC(i)	((i) ? PCI_RID(1, 0, 0) : PCI_RID(0, 2, 0))	/* the second behind a port */
#define BOARD_BRIDGE	PCI_RID(0, 0x1c, 0)	/* what it is behind */
#define BOARD_ROGUE	PCI_RID(0, 3, 0)	/* there is never a domain for it */
#define BOARD_RMRR(i)	((i) ? PCI_RID(0, 0x1d, (i) - 1) : PCI_RID(0, 0x1f, 0))
#define BOARD_PLAIN_FN(i) PCI_RID(0, 4 + (i) / 8, (i) % 8)
#define BOARD_REGS(unit) (UINT64_C(0xfed90000) + 0x1000 * (unit))

/* A machine as firmware leaves it.  With two units the first serves NIC 0, every other RMRR
 * function and the first half of the plain ones, the second all that is left. */
struct board {
	unsigned nr_units, nr_nics, nr_rmrrs, nr_plain;
	bool pci_bridge;		/* NIC 1 is behind a conventional bridge: its id is an alias */
};

/* Model units exist already; their registers are at BOARD_REGS(). */
void board_reset(const struct board *b);
const struct acpi_tables *board_acpi(void);
unsigned board_unit_of(uint16_t rid);
uint16_t board_command(uint16_t rid);		/* of configuration space */
void board_set_master(uint16_t rid, bool on);	/* by nobody's will */
unsigned board_masters(void);			/* functions, without the bridge */

/* DMA as the function would do it: nothing goes out while bus master is off.
 * Return: as model_dma_write(), or BOARD_SILENT. */
#define BOARD_SILENT	(-1)
int board_dma_write(uint16_t rid, iova_t iova, const void *data, size_t len);
int board_dma_read(uint16_t rid, iova_t iova, void *data, size_t len);

/* By a unit, for whatever reason: which one depends on the table mode. */
static inline bool board_blocked(int result)
{
	return result > 0 && result < MODEL_DROPPED;
}

/* What a NIC has done. */
struct board_nic {
	uint64_t sequence;		/* of the next frame that comes from the wire */
	uint64_t end;			/* no frame from this one on */
	bool idle;			/* nothing comes from the wire, and it looks at nothing */
	bool mute;			/* there is no link: nothing is sent */
	uint64_t frames;		/* landed */
	uint64_t sent;			/* heartbeats */
	uint64_t ring_full;		/* frames that had to wait */
	uint64_t prefetched;
	uint64_t refused;		/* DMA that a unit blocked */
	int reason;			/* of the last of these */
};
struct board_nic *board_nic(unsigned i);

/* A frame comes from the wire: descriptor, buffer, descriptor again, all by DMA.  A frame that does
 * not land comes again. */
void board_receive(unsigned nic);

/* The NIC looks at its next receive descriptor. */
void board_prefetch(unsigned nic);

#endif
