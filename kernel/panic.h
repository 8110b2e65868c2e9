/* Broken invariants of our own, and the phase that is printed when anything goes wrong. */
#ifndef BATON_PANIC_H
#define BATON_PANIC_H

#include "base.h"

/* Name of what the kernel is doing; a string constant. */
void phase_set(const char *phase);
const char *phase_get(void);

/* For our own broken invariants only: firmware, devices and the other kernel never get here. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
