/* Breaking a handoff on purpose.  The firmware that ships breaks nothing (corrupt.c); test
 * builds link tests/boot/corrupt.c and rmrr.c in its place and know corrupt=NAME. */
#ifndef BATON_CORRUPT_H
#define BATON_CORRUPT_H

#include "boot_info.h"
#include "kernel/handover/kexec.h"
#include "kernel/handover/node.h"
#include "kernel/machine/acpi.h"

struct corrupt_place {
	const struct kexec_target *target;
	const struct node *node;
	paddr_t fdt;		/* root FDT */
	paddr_t radix_root;
	paddr_t scratch;	/* a page inside scratch */
	paddr_t device_record;	/* IOMMU record of the first device */
	paddr_t luo;		/* LUO blob */
};

/* Called between writing and the outgoing checks, and right after them.
 * @name: value of corrupt=, may be empty. */
void corrupt_before_checks(const char *name, const struct corrupt_place *p);
void corrupt_after_checks(const char *name, const struct corrupt_place *p);

/* Called in every generation, when ACPI tables were found and before one is decoded. */
void corrupt_tables(const char *name, const struct boot_info *bi, struct acpi_tables *acpi);

#endif
