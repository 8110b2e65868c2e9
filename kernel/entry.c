/* Where both entries end up in C, before FS base points at our canary: no stack protector. */
#include "boot_info.h"
#include "kernel/console/console.h"
#include "kernel/handover/bootparams.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/pci.h"
#include "kernel/panic.h"
#include "kernel/report/verdict.h"
#include "kernel/run.h"
#include "platform/mem.h"

extern const uint8_t text_start[], file_end[], image_end[], pristine_start[];

_Noreturn void boot64_main(const void *boot_params, uint64_t entry_tsc);

static struct boot_info boot_info;

/* The loader's tables map all RAM; a pointer that is not RAM is refused before it gets here,
 * and one that is not mapped ends in our own exception handler. */
static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	(void)len;
	return mem_ptr(pa);
}

/* From header.S: 64-bit entry of the Linux boot protocol.  Devices are running: before anything
 * is read that could be wrong, an exception finds a fence and a console. */
_Noreturn void boot64_main(const void *boot_params, uint64_t entry_tsc)
{
	const struct phys_reader reader = { .at = at };
	struct boot_info *bi = &boot_info;

	cpu_init();
	verdict_set_fence(pci_bus_masters_off_by_port);
	console_init();
	console_defer(true);	/* the blackout: nothing is printed until all is verified */
	phase_set("boot_params");
	bi->entry_tsc = entry_tsc;
	bi->image = mem_pa(text_start);
	bi->image_size = (uint64_t)(image_end - text_start);
	bi->pristine = pristine_start;
	bi->pristine_size = (uint64_t)(file_end - text_start);
	bootparams_read(boot_params, &reader, bi);	/* a failure is in bi->error */
	run(bi);
}

_Noreturn void kernel_main(const struct boot_info *bi)
{
	cpu_init();
	console_init();
	run(bi);
}
