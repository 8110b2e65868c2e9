/* How a run ends. */
#include "verdict.h"

#include <stdarg.h>

#include "kernel/console/console.h"
#include "kernel/console/printf.h"
#include "kernel/machine/pci.h"
#include "kernel/machine/reset.h"

static bool debug_exit_allowed, line_is_out;
static void (*fence_devices)(void);

const char *verdict_word(enum verdict_code code)
{
	switch (code) {
	case VERDICT_PASS:
		return "PASS";
	case VERDICT_FAIL:
	case VERDICT_TIMEOUT:
	case VERDICT_EXCEPTION:
		return "FAIL";
	default:
		return "REFUSED";
	}
}

void verdict_allow_debug_exit(bool on)
{
	debug_exit_allowed = on;
}

void verdict_set_fence(void (*fence)(void))
{
	fence_devices = fence;
}

bool verdict_is_out(void)
{
	return line_is_out;
}

/* An exception inside comes back here: then the ports must do. */
static void stop_devices(void)
{
	void (*const now)(void) = fence_devices;

	if (!now)
		return;
	fence_devices = now == pci_bus_masters_off_by_port ? NULL : pci_bus_masters_off_by_port;
	now();
	fence_devices = NULL;
}

_Noreturn void verdict_end(enum verdict_code code, const char *fmt, ...)
{
	char sentence[256];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	stop_devices();	/* before a console that may be what is broken */
	console_defer(false);
	kprintf("VERDICT: %s (%02xh) %s\n", verdict_word(code), code, sentence);
	line_is_out = true;
	console_flush();
	if (debug_exit_allowed)
		verdict_debug_exit(code);
	machine_reset();
}
