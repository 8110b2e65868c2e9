/* corrupt= names that give the DMAR table RMRRs, which QEMU's has none of. */
#ifndef BATON_TEST_RMRR_H
#define BATON_TEST_RMRR_H

#include "base.h"

/* Let the RMRR's device use it: @early, and the kernel is watching; else it starts a copy that the
 * next kernel must find done.  Return: whether @name is one of these. */
bool rmrr_use(const char *name, bool early, uint32_t generation);

#endif
