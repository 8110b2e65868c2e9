/* Domain-id allocator: one bit per id. */
#include "did.h"

#include <string.h>

#include "errno.h"

static bool in_range(const struct vtd_dids *d, uint16_t did)
{
	return did >= VTD_DID_FIRST && did < d->ndoms;
}

void vtd_dids_init(struct vtd_dids *d, uint32_t ndoms)
{
	memset(d->used, 0, sizeof(d->used));
	d->used[0] = BIT64(0) | BIT64(1);
	d->ndoms = ndoms;
	d->nr_used = 0;
}

bool vtd_dids_used(const struct vtd_dids *d, uint16_t did)
{
	return d->used[did / 64] & BIT64(did % 64);
}

int vtd_dids_alloc(struct vtd_dids *d, uint16_t *did)
{
	for (uint32_t word = 0; word * 64 < d->ndoms; word++) {
		uint32_t id;

		if (d->used[word] == UINT64_MAX)
			continue;
		id = word * 64 + (uint32_t)__builtin_ctzll(~d->used[word]);
		if (id >= d->ndoms)
			break;
		d->used[word] |= BIT64(id % 64);
		d->nr_used++;
		*did = (uint16_t)id;
		return 0;
	}
	return -ENOSPC;
}

int vtd_dids_reserve(struct vtd_dids *d, uint16_t did)
{
	if (!in_range(d, did))
		return -ERANGE;
	if (vtd_dids_used(d, did))
		return -EBUSY;
	d->used[did / 64] |= BIT64(did % 64);
	d->nr_used++;
	return 0;
}

int vtd_dids_free(struct vtd_dids *d, uint16_t did)
{
	if (!in_range(d, did))
		return -ERANGE;
	if (!vtd_dids_used(d, did))
		return -ENOENT;
	d->used[did / 64] &= ~BIT64(did % 64);
	d->nr_used--;
	return 0;
}
