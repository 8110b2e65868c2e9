/* One generation's run: what its phases share. */
#ifndef BATON_RUN_H
#define BATON_RUN_H

#include "boot_info.h"
#include "kernel/config.h"
#include "kernel/handover/foreign.h"
#include "kernel/handover/payload.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/iommu.h"
#include "kernel/memory/window.h"
#include "kernel/nic/port.h"

struct run {
	const struct boot_info *bi;
	struct baton_config cfg;
	struct window window;
	struct payload payload;		/* only with handoff_to=linux */
	struct acpi_tables acpi;
	struct iommu *mmu;
	struct port port[PORT_MAX];	/* attached, with streams that are ours */
	size_t nr_ports;
	struct foreign foreign;		/* what another kernel left in our care */
	bool stalled;			/* a sender fell silent */
	bool left_hostile;		/* hostile= was left behind in this hand-over */
	uint64_t setup_tsc;		/* own tables live, units read */
};

static inline bool run_is_last(const struct run *r)
{
	return r->cfg.generation + 1 >= r->cfg.generations;
}

/* Linux takes the place of the last generation. */
static inline bool run_next_is_linux(const struct run *r)
{
	return r->cfg.handoff_to == TARGET_LINUX && r->cfg.generation + 2 >= r->cfg.generations;
}

/* A port whose device was fenced is no longer ours.  The order of the others stays. */
static inline void run_drop_port(struct run *r, size_t i)
{
	r->nr_ports--;
	for (; i < r->nr_ports; i++)
		r->port[i] = r->port[i + 1];
}

_Noreturn void run(const struct boot_info *bi);

#endif
