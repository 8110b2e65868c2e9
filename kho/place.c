/* Where things of a handoff may lie. */
#include "place.h"

#include "scratch.h"

static bool excluded(const struct kho_limits *lim, paddr_t pa, uint64_t len)
{
	for (size_t i = 0; i < lim->nr_exclude; i++)
		if (ranges_overlap(pa, len, lim->exclude[i].base, lim->exclude[i].len))
			return true;
	return false;
}

int kho_check_place(const struct kho_limits *lim, const struct kho_scratch *scratch,
		    const char *what, paddr_t pa, uint64_t len, struct kho_refusal *why)
{
	const char *fault;

	if (!len)
		fault = "is empty";
	else if (!kho_addressable(pa, len))
		fault = "exceeds 52 address bits";
	else if (pa < KHO_LOW_LIMIT)
		fault = "lies below 1 MiB";
	else if (!lim->ram.is_ram(lim->ram.ctx, pa, len))
		fault = "is not RAM";
	else if (scratch && kho_scratch_overlaps(scratch, pa, len))
		fault = "lies in scratch";
	else if (excluded(lim, pa, len))
		fault = "lies in memory in use";
	else
		return 0;
	return kho_refuse(why, -EBADMSG, what, fault, pa, len);
}
