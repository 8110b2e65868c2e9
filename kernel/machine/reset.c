/* The way out of a machine. */
#include "reset.h"

#include "cpu.h"
#include "paging.h"
#include "runtime.h"
#include "time.h"

#define RESET_WAIT_US	500000		/* what a reset may take before the next way is tried */
#define PORT_CF9	0xcf9

static bool have_register, register_is_io;
static paddr_t register_address;
static uint8_t register_value;
static paddr_t systab;

void machine_set_reset_register(bool io, paddr_t address, uint8_t value)
{
	have_register = true;
	register_is_io = io;
	register_address = address;
	register_value = value;
}

void machine_set_runtime(paddr_t efi_systab)
{
	systab = efi_systab;
}

static void fadt_reset(void)
{
	volatile uint8_t *reg;

	if (register_is_io) {
		cpu_out8((uint16_t)register_address, register_value);
	} else {
		reg = paging_map_mmio(register_address, 1);
		if (!reg)
			return;
		*reg = register_value;
	}
	time_delay_us(RESET_WAIT_US);
}

/* Each way is tried once: one that ends in an exception comes back here. */
_Noreturn void machine_reset(void)
{
	const paddr_t st = systab;

	if (have_register) {
		have_register = false;
		fadt_reset();
	}
	if (st) {
		systab = 0;
		runtime_reset(st);
		time_delay_us(RESET_WAIT_US);
	}
	cpu_out8(PORT_CF9, 0x02);	/* hard reset: first select, then trigger */
	cpu_out8(PORT_CF9, 0x06);
	time_delay_us(RESET_WAIT_US);
	cpu_triple_fault();
}
