/* What the kernel before handed over, for programs that use iommu_fake.h: records and node of the
 * live state, in plain form.  Included once by a test program, after iommu_fake.h. */
#ifndef BATON_TEST_RESTORE_FAKE_H
#define BATON_TEST_RESTORE_FAKE_H

#include "kernel/handover/picture.h"
#include "kernel/handover/records_plain.h"
#include "kernel/handover/restore.h"
#include "kernel/report/ktap.h"

/* In the place of report/: what was observed. */
static bool seen[CHECK_COUNT], bad[CHECK_COUNT];

void check_ok(enum check_id id, bool ok, const char *fmt, ...)
{
	(void)fmt;
	seen[id] = true;
	bad[id] |= !ok;
}

void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want)
{
	check_ok(id, got == want, "%s", what);
}

static struct records_plain plain;
static struct restore restore;

/* All memory of the fake machine is preserved. */
static const struct kho_range all_ranges[] = { { 0, ARENA_BYTES } };
static const struct kho_map all_preserved = { .ranges = all_ranges, .nr_ranges = 1 };

/* The picture that a node gives together with records of what is live now. */
static inline void take_picture(const struct node *n, struct picture *p)
{
	records_describe(&mmu, NULL, 0, &plain);
	restore_match(&restore, &mmu, &all_preserved, n, &plain);
	restore_picture(&restore, p);
}

#endif
