/* One generation's run: what its phases share. */
#ifndef BATON_RUN_H
#define BATON_RUN_H

#include "boot_info.h"
#include "kernel/config.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/iommu.h"
#include "kernel/memory/window.h"
#include "kernel/nic/port.h"

struct run {
	const struct boot_info *bi;
	struct baton_config cfg;
	struct window window;
	struct acpi_tables acpi;
	struct iommu *mmu;
	struct port port;
	bool have_port;			/* it is attached and its stream is ours */
	bool stalled;			/* its sender fell silent */
	bool left_hostile;		/* hostile= was left behind in this hand-over */
	uint64_t setup_tsc;		/* own tables live, units read */
};

static inline bool run_is_last(const struct run *r)
{
	return r->cfg.generation + 1 >= r->cfg.generations;
}

_Noreturn void run(const struct boot_info *bi);

#endif
