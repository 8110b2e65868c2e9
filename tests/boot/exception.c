/* Test builds only: in the next image as loaded, a function of the chosen phase begins with an
 * invalid instruction.  The image is our own, so an offset here is one there. */
#include "tests/boot/exception.h"

#include <string.h>

#include "kernel/config.h"
#include "kernel/handover/bootparams.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/save.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/iommu.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/reset.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/window.h"
#include "kernel/nic/port.h"
#include "kernel/report/ktap.h"
#include "kernel/report/summary.h"
#include "kernel/selftest/selftest.h"
#include "kernel/stream/account.h"
#include "kernel/traffic.h"
#include "kho/read.h"
#include "platform/mem.h"
#include "vtd/pagetable.h"
#include "vtd/qi.h"

#define FUNCTIONS_MAX	2

extern const uint8_t text_start[], boot64_entry[];

static const uint8_t ud2[] = { 0x0f, 0x0b };

/* None of them is called before its phase, and each from another file, so it is not inlined. */
static const struct {
	const char *name;
	const void *function[FUNCTIONS_MAX];
} phases[] = {
	{ "exception_entry", { boot64_entry } },	/* the old kernel's handlers are still there */
	{ "exception_boot_params", { bootparams_read } },
	{ "exception_configuration", { config_defaults } },
	{ "exception_scratch", { window_find } },
	{ "exception_page_tables", { paging_init } },
	{ "exception_acpi", { acpi_init } },
	{ "exception_units", { iommu_discover } },
	{ "exception_validating", { kho_read } },
	{ "exception_comparing", { check_eq } },
	{ "exception_claiming", { keep_init } },
	{ "exception_adopting_units", { vtd_qi_take_over } },
	{ "exception_adopting_devices", { vtd_ss_adopt } },
	{ "exception_adopting_nics", { port_adopt } },
	{ "exception_verifying", { prove_tables } },
	{ "exception_fencing", { iommu_fence } },
	{ "exception_first_poll", { account_blackout_end } },
	{ "exception_reporting", { ktap_begin } },
	{ "exception_stream", { traffic_run } },
	{ "exception_replacing", { selftest_replace } },
	{ "exception_checking", { port_check_guards } },
	{ "exception_fault_tests", { selftest_replace_check } },
	{ "exception_teardown", { nic_stop } },
	{ "exception_results", { summary_handovers } },
	{ "exception_saving", { handover_save } },
	{ "exception_jump", { kexec_jump } },
	/* One inside the other: while devices are stopped, and on the way out. */
	{ "exception_in_fence", { kho_read, iommu_bus_masters_off } },
	{ "exception_in_reset", { kho_read, machine_reset } },
};

bool exception_in_next(const char *name, const struct kexec_target *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		if (strcmp(name, phases[i].name))
			continue;
		for (unsigned k = 0; t && k < FUNCTIONS_MAX && phases[i].function[k]; k++)
			memcpy(mem_ptr(t->part[0].pa + (mem_pa(phases[i].function[k]) - mem_pa(text_start))),
			       ud2, sizeof(ud2));
		return true;
	}
	return false;
}
