/* Telling the layouts of IOMMU records apart. */
#include "iommu_layout.h"

#include <string.h>

#include "platform/mem.h"

#define DELETED		0x01	/* in the byte of flags; of all layouts */
#define MAX_TOP_LEVEL	4

/* Records as far as the vote needs them.  In a domain record the top level follows the top table, in a
 * device record the unit's address the domain's. */
struct candidate {
	uint8_t family, layout;
	uint8_t unit_bytes;	/* 0: not known; any place behind the header of a block will do */
	uint8_t domain_bytes, device_bytes;
	uint8_t flags;		/* offset in every record, of the byte with the deleted bit */
	uint8_t top_table;	/* offset in a domain record; 0: not known */
	uint8_t domain_pa;	/* offset in a device record */
};

/* A layout with and without its PASID part has a line for each.  L4 got an owner's token in front of its
 * addresses before L5 did; the end of that record is not known, packed or padded it has these sizes. */
static const struct candidate candidates[] = {
	{ KHO_IOMMU_L0_L1, KHO_IOMMU_L0, 48, 41, 53, 8, 0, 33 },
	{ KHO_IOMMU_L0_L1, KHO_IOMMU_L1, 37, 33, 49, 8, 9, 29 },
	{ KHO_IOMMU_L0_L1, KHO_IOMMU_L1, 37, 33, 65, 8, 9, 29 },
	{ KHO_IOMMU_L2_L3, KHO_IOMMU_L2, 0, 34, 37, 4, 5, 21 },
	{ KHO_IOMMU_L2_L3, KHO_IOMMU_L2, 0, 34, 53, 4, 5, 21 },
	{ KHO_IOMMU_L2_L3, KHO_IOMMU_L3, 112, 37, 56, 4, 8, 24 },
	{ KHO_IOMMU_L4_L5, KHO_IOMMU_L4, 112, 37, 56, 4, 8, 24 },
	{ KHO_IOMMU_L4_L5, KHO_IOMMU_L4, 112, 37, 65, 4, 8, 32 },
	{ KHO_IOMMU_L4_L5, KHO_IOMMU_L4, 112, 37, 72, 4, 8, 32 },
	{ KHO_IOMMU_L4_L5, KHO_IOMMU_L5, 112, 40, 72, 4, 8, 32 },
};

/* What was counted when the layouts were compiled: a slip in a size above shows here. */
static_assert(KHO_BLOCK_CAPACITY(48) == 85 && KHO_BLOCK_CAPACITY(41) == 99 &&
	      KHO_BLOCK_CAPACITY(53) == 76, "L0, and L2's device");
static_assert(KHO_BLOCK_CAPACITY(37) == 110 && KHO_BLOCK_CAPACITY(33) == 123 &&
	      KHO_BLOCK_CAPACITY(49) == 83 && KHO_BLOCK_CAPACITY(65) == 62, "L1, and L3's domain");
static_assert(KHO_BLOCK_CAPACITY(34) == 120 && KHO_BLOCK_CAPACITY(56) == 72 &&
	      KHO_BLOCK_CAPACITY(112) == 36, "L2, L3");

/* How well a layout fits, worst first. */
enum fit {
	FITS_NOT,
	FITS_VACUOUSLY,		/* no live device speaks against it */
	FITS_MOST,		/* but some records are broken */
	FITS_ALL,
};

static uint64_t read64(paddr_t pa)
{
	uint64_t v;

	memcpy(&v, mem_ptr(pa), sizeof(v));
	return v;
}

static uint64_t block_count(paddr_t block)
{
	return read64(block + offsetof(struct kho_block_ser, count));
}

static paddr_t record_pa(paddr_t block, size_t bytes, size_t i)
{
	return block + sizeof(struct kho_block_ser) + i * bytes;
}

static bool deleted(const struct candidate *l, paddr_t record)
{
	return *(const uint8_t *)mem_ptr(record + l->flags) & DELETED;
}

size_t kho_iommu_record_at(const struct kho_key *block, size_t nr, size_t bytes, paddr_t pa)
{
	/* An address in the header wraps, and becomes a slot that no page has. */
	const uint64_t off = pa % PAGE_SIZE - sizeof(struct kho_block_ser);
	const uint64_t slot = off / bytes;
	const struct kho_key *b = kho_keys_find(block, nr, ALIGN_DOWN(pa, PAGE_SIZE));

	if (!b || off % bytes || slot >= KHO_BLOCK_CAPACITY(bytes) || slot >= block_count(b->key))
		return SIZE_MAX;
	return b->index * KHO_BLOCK_CAPACITY(bytes) + slot;
}

static bool names_records(const struct candidate *l, const struct kho_iommu_chains *c, paddr_t device)
{
	const paddr_t domain = read64(device + l->domain_pa);
	const paddr_t unit = read64(device + l->domain_pa + sizeof(domain));

	if (kho_iommu_record_at(c->domain, c->nr_domains, l->domain_bytes, domain) == SIZE_MAX)
		return false;
	if (!l->unit_bytes)
		return unit % PAGE_SIZE >= sizeof(struct kho_block_ser) &&
		       kho_keys_find(c->unit, c->nr_units, ALIGN_DOWN(unit, PAGE_SIZE));
	return kho_iommu_record_at(c->unit, c->nr_units, l->unit_bytes, unit) != SIZE_MAX;
}

static bool counts_fit(const struct kho_key *block, size_t nr, size_t bytes)
{
	for (size_t i = 0; bytes && i < nr; i++)
		if (block_count(block[i].key) > KHO_BLOCK_CAPACITY(bytes))
			return false;
	return true;
}

/* Does the spacing make records of the domains?  Elsewhere a top table is no page, or the level that
 * follows it is part of an address. */
static bool domains_fit(const struct candidate *l, const struct kho_iommu_chains *c)
{
	if (!l->top_table)
		return true;	/* cannot be ruled out */
	for (size_t k = 0; k < c->nr_domains; k++)
		for (size_t i = 0; i < block_count(c->domain[k].key); i++) {
			const paddr_t pa = record_pa(c->domain[k].key, l->domain_bytes, i);
			const paddr_t table = read64(pa + l->top_table);

			if (!deleted(l, pa) &&
			    (!table || table % PAGE_SIZE || !kho_addressable(table, PAGE_SIZE) ||
			     read64(pa + l->top_table + sizeof(table)) > MAX_TOP_LEVEL))
				return false;
		}
	return true;
}

/* Is there a device record, be it dead? */
static bool has_devices(const struct kho_iommu_chains *c)
{
	return c->device && (block_count(c->device) || read64(c->device));
}

/* A block that counts more than it holds is broken, but may well be of the layout. */
static enum fit fit_of(const struct candidate *l, const struct kho_iommu_chains *c)
{
	bool whole = counts_fit(c->unit, c->nr_units, l->unit_bytes) &&
		     counts_fit(c->domain, c->nr_domains, l->domain_bytes);
	size_t live = 0, hits = 0;

	for (paddr_t block = c->device; block; block = read64(block)) {
		const uint64_t n = block_count(block), max = KHO_BLOCK_CAPACITY(l->device_bytes);

		whole &= n <= max;
		for (size_t i = 0; i < MIN(n, max); i++) {
			const paddr_t pa = record_pa(block, l->device_bytes, i);

			live += !deleted(l, pa);
			hits += !deleted(l, pa) && names_records(l, c, pa);
		}
	}
	if (live)
		return hits == live && whole ? FITS_ALL : hits > live / 2 ? FITS_MOST : FITS_NOT;
	return whole && (has_devices(c) || domains_fit(l, c)) ? FITS_VACUOUSLY : FITS_NOT;
}

enum kho_iommu_layout kho_iommu_recognise(enum kho_iommu_family family,
					  const struct kho_iommu_chains *c)
{
	const struct candidate *winner = NULL;
	enum fit fit[ARRAY_SIZE(candidates)], best = FITS_NOT;

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		const struct candidate *l = &candidates[i];

		fit[i] = l->family == family ? fit_of(l, c) : FITS_NOT;
		if (fit[i] < best || fit[i] == FITS_NOT)
			continue;
		best = fit[i];
		winner = l;	/* the youngest of those that fit best */
	}
	if (!winner)
		return KHO_IOMMU_NO_LAYOUT;
	if (best == FITS_VACUOUSLY && has_devices(c))
		return KHO_IOMMU_NO_DEVICE;
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		const struct candidate *l = &candidates[i];

		if (fit[i] != best || l->layout == winner->layout)
			continue;
		if (best == FITS_VACUOUSLY)
			return KHO_IOMMU_NO_DEVICE;
		if (l->domain_pa != winner->domain_pa)
			return KHO_IOMMU_AMBIGUOUS;
		/* L4 with an owner's token has its addresses where L5 has them.  Where both fit, the
		 * domains that devices name lie where both have one, and say the same in both. */
	}
	return winner->layout;
}
