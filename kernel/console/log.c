/* The seam's platform_log(): a line of its own, so that it is a comment in KTAP output. */
#include <stdarg.h>

#include "kernel/console/console.h"
#include "kernel/console/printf.h"
#include "platform/mmio.h"

void platform_log(const char *fmt, ...)
{
	char text[CONSOLE_LINE_MAX - sizeof("# \n")];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	kprintf("# %s\n", text);
}
