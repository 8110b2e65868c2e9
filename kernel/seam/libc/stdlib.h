/* What libfdt_env.h and libfdt's fdt_overlay.c and fdt_strerror.c expect of <stdlib.h>. */
#ifndef BATON_LIBC_STDLIB_H
#define BATON_LIBC_STDLIB_H

#include <stddef.h>

unsigned long strtoul(const char *restrict s, char **restrict end, int base);

#endif
