/* Results of checks: kept per id, printed as KTAP, carried over generations. */
#ifndef BATON_REPORT_KTAP_H
#define BATON_REPORT_KTAP_H

#include "base.h"

enum check_id {
#define CHECK(name, id, phase, ref, label, remedy) CHECK_##name,
#include "checks.def"
#undef CHECK
	CHECK_COUNT
};

enum check_phase {
	CHECK_PHASE_ADOPT	= BIT32(0),
	CHECK_PHASE_STREAM	= BIT32(1),
	CHECK_PHASE_SAVE	= BIT32(2),
	CHECK_PHASE_FINAL	= BIT32(3),
};

/* Start the document of @generation: header and plan.  @phases: all that it will report. */
void ktap_begin(unsigned generation, unsigned phases);

/* One observation.  A check may be observed many times: it passes if all were good.  The text
 * of the first bad one is kept. */
void check_ok(enum check_id id, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want);
void check_skip(enum check_id id, const char *reason);
bool check_failed(enum check_id id);

/* Print the lines of one phase, in the order of checks.def.  A check that was not observed is
 * "not ok": a result missing is a failure. */
void ktap_print(enum check_phase phase);

bool ktap_phase_failed(enum check_phase phase);
const char *check_name(enum check_id id);

/* Fixed block that travels in the handoff (docs/design.md, what a handoff carries). */
#define RESULTS_MAGIC		0x53524e42u	/* "BNRS" */
#define RESULTS_MAX_CHECKS	128
#define RESULTS_ROWS		16
#define RESULTS_NO_GENERATION	UINT32_MAX

struct result_ser {
	uint32_t passed, failed, skipped;
	uint32_t first_failure;		/* generation, or RESULTS_NO_GENERATION */
};

/* One hand-over; microseconds. */
struct handover_row_ser {
	uint32_t generation;		/* the incoming one */
	uint32_t preserved_pages;
	uint32_t frames_in_blackout;
	uint32_t ring_free;		/* descriptors, at the first incoming poll */
	uint64_t blackout_us, hold_us, jump_us, setup_us, validate_us, adopt_us, verify_us;
	uint64_t longest_gap_us;	/* between frames, by the sender's stamps */
};

struct results_ser {
	uint32_t magic;
	uint32_t nr_checks;
	uint32_t nr_handovers;		/* all of them, also those no longer in @row */
	uint32_t reserved;
	struct result_ser check[RESULTS_MAX_CHECKS];
	struct handover_row_ser row[RESULTS_ROWS];	/* hand-over n is row[n % RESULTS_ROWS] */
	uint64_t blackout_min_us, blackout_max_us, blackout_sum_us;
};
static_assert(sizeof(struct result_ser) == 16, "layout");
static_assert(sizeof(struct handover_row_ser) == 80, "layout");
static_assert(sizeof(struct results_ser) == 16 + 128 * 16 + 16 * 80 + 24, "layout");
static_assert(sizeof(struct results_ser) <= PAGE_SIZE, "one page");
static_assert(CHECK_COUNT <= RESULTS_MAX_CHECKS, "room for every check");

extern struct results_ser results;

void results_init(void);
/* Take over the block of the kernel before us.  Return: 0 or -EBADMSG (then it is not used). */
int results_adopt(const struct results_ser *from);
void results_add_handover(const struct handover_row_ser *row);
unsigned results_failed_checks(void);	/* over all generations */

#endif
