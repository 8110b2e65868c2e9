/* Text on the firmware's console. */
#include "efi.h"

#include <stdarg.h>

#include "kernel/console/printf.h"

void efi_printf(const struct efi_env *env, const char *fmt, ...)
{
	char text[320];
	CHAR16 wide[2 * sizeof(text)];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *c = text; *c; c++) {
		if (*c == '\n')
			wide[n++] = '\r';
		wide[n++] = (CHAR16)(unsigned char)*c;
	}
	wide[n] = 0;
	if (env->SystemTable->ConOut)
		env->SystemTable->ConOut->OutputString(env->SystemTable->ConOut, wide);
}
