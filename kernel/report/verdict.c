/* How a run ends. */
#include "verdict.h"

#include <stdarg.h>

#include "kernel/console/console.h"
#include "kernel/console/printf.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/reset.h"

static bool debug_exit_allowed;
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

_Noreturn void verdict_end(enum verdict_code code, const char *fmt, ...)
{
	char sentence[256];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	console_defer(false);
	if (fence_devices) {
		void (*fence)(void) = fence_devices;

		fence_devices = NULL;	/* a fault inside must not come back here */
		fence();
	}
	kprintf("VERDICT: %s (%02xh) %s\n", verdict_word(code), code, sentence);
	console_flush();
	if (debug_exit_allowed)
		verdict_debug_exit(code);
	machine_reset();
}
