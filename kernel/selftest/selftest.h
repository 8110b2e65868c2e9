/* What the last generation does with a restored device: use it as its own. */
#ifndef BATON_SELFTEST_H
#define BATON_SELFTEST_H

#include "kernel/run.h"

/* Under live DMA: a fresh domain with a fresh DID for the NIC, the old one freed. */
void selftest_replace(struct run *r, struct port *p);
/* At the end of the stream: nothing was lost over it. */
void selftest_replace_check(struct run *r, struct port *p);

/* Unmap one buffer and show that the next frame for it faults, and lands nowhere.  Needs
 * frames that keep coming, and 4 KiB pages: after selftest_replace(). */
void selftest_unmapped(struct run *r, struct port *p);

/* Tear everything down and leave the machine safe. */
void selftest_teardown(struct run *r);

#endif
