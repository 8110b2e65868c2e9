/* Generation 0 started by a kernel that is no Baton: take over the machine and what is handed over. */
#ifndef BATON_RECEIVE_H
#define BATON_RECEIVE_H

#include "kernel/run.h"
#include "kho/read.h"

/* Stop the other processors, before any memory outside scratch is written. */
void receive_machine(void);

/* Validate and report the handoff, from scratch memory only.  A violation ends the run (17h). */
void receive_handoff(struct run *r, struct kho_handoff *h);

/* After the devices were silenced: translation off, and memory claimed. */
void receive_memory(struct run *r, const struct kho_handoff *h);

#endif
