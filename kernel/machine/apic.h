/* The local APIC: kept quiet.  IF stays 0 for the whole run. */
#ifndef BATON_APIC_H
#define BATON_APIC_H

#include "base.h"

/* Mask every local vector table entry, in xAPIC or x2APIC mode as found. */
void apic_mask(void);

/* INIT to all other processors: whatever a kernel before us left them doing, they stop until somebody
 * starts them, and nobody does.  Only the machine's boot processor may: it would begin at the reset
 * vector.  Return: 0; -ENODEV there is no local APIC; -EOPNOTSUPP we run on another processor; -ENOMEM the
 * APIC's page cannot be mapped; -ETIMEDOUT it does not say that it was sent. */
int apic_silence_others(void);

#endif
