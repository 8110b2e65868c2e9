/* The local APIC: kept quiet.  IF stays 0 for the whole run. */
#ifndef BATON_APIC_H
#define BATON_APIC_H

#include "base.h"

/* Mask every local vector table entry, in xAPIC or x2APIC mode as found. */
void apic_mask(void);

#endif
