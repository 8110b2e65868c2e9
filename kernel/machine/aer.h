/* Keeping a provoked fault from becoming a machine check: on servers a blocked DMA is an
 * Unsupported Request, which root ports may escalate (PCI Express 6.0, 7.8.4 "Advanced Error
 * Reporting"; Downstream Port Containment 7.9.14). */
#ifndef BATON_AER_H
#define BATON_AER_H

#include "base.h"
#include "kernel/machine/pci.h"

#define AER_MAX_PATH	(PCI_MAX_DEPTH + 1)

struct aer_path {
	unsigned n;
	struct {
		uint16_t segment, rid;
		uint16_t aer;		/* offset of the capability, 0: none */
		uint16_t command;	/* as found */
		uint32_t mask;		/* Uncorrectable Error Mask as found */
	} fn[AER_MAX_PATH];
};

/* Mask Unsupported Request and switch SERR# off on a function and every bridge above it. */
void aer_quiet(const struct pci_fn *fns, size_t fn, struct aer_path *path);
void aer_restore(const struct aer_path *path);

/* Log what AER, DPC and the SMI counter say: before and after are compared by the reader. */
void aer_log(const struct aer_path *path, const char *when);

#endif
