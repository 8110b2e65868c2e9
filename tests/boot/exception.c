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

extern const uint8_t text_start[], boot64_entry[];

static const uint8_t invalid[] = { 0x0f, 0x0b };	/* ud2 */
/* mov 0, %al: page 0 is not mapped.  The handler's stack begins anew each time, so that running
 * into it again and again does not end by itself. */
static const uint8_t null_read[] = { 0x8a, 0x04, 0x25, 0, 0, 0, 0 };

/* None of them is called before its phase, and each from another file, so it is not inlined. */
static const struct {
	const char *name;
	const void *function;
	const void *then;	/* called while that exception is dealt with */
} phases[] = {
	{ "exception_entry", boot64_entry, NULL },	/* the old kernel's handlers are still there */
	{ "exception_boot_params", bootparams_read, NULL },
	{ "exception_configuration", config_defaults, NULL },
	{ "exception_scratch", window_find, NULL },
	{ "exception_page_tables", paging_init, NULL },
	{ "exception_acpi", acpi_init, NULL },
	{ "exception_units", iommu_discover, NULL },
	{ "exception_validating", kho_read, NULL },
	{ "exception_comparing", check_eq, NULL },
	{ "exception_claiming", keep_init, NULL },
	{ "exception_adopting_units", vtd_qi_take_over, NULL },
	{ "exception_adopting_devices", vtd_ss_adopt, NULL },
	{ "exception_adopting_nics", port_adopt, NULL },
	{ "exception_verifying", prove_tables, NULL },
	{ "exception_fencing", iommu_fence, NULL },
	{ "exception_first_poll", account_blackout_end, NULL },
	{ "exception_reporting", ktap_begin, NULL },
	{ "exception_stream", traffic_run, NULL },
	{ "exception_replacing", selftest_replace, NULL },
	{ "exception_checking", port_check_guards, NULL },
	{ "exception_fault_tests", selftest_replace_check, NULL },
	{ "exception_teardown", nic_stop, NULL },
	{ "exception_results", summary_handovers, NULL },
	{ "exception_saving", handover_save, NULL },
	{ "exception_jump", kexec_jump, NULL },
	/* While devices are stopped, and on the way out. */
	{ "exception_in_fence", kho_read, iommu_bus_masters_off },
	{ "exception_in_reset", kho_read, machine_reset },
};

static void overwrite(const struct kexec_target *t, const void *function, const void *code, size_t len)
{
	memcpy(mem_ptr(t->part[0].pa + (mem_pa(function) - mem_pa(text_start))), code, len);
}

bool exception_in_next(const char *name, const struct kexec_target *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		if (strcmp(name, phases[i].name))
			continue;
		if (t)
			overwrite(t, phases[i].function, invalid, sizeof(invalid));
		if (t && phases[i].then)
			overwrite(t, phases[i].then, null_read, sizeof(null_read));
		return true;
	}
	return false;
}
