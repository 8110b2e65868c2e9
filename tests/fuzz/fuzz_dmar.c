/* The ACPI DMAR table.  The checksum is made right unless the input says otherwise, else hardly
 * anything would come further. */
#include "fuzz.h"

#include "errno.h"
#include "vtd/dmar.h"

/* Any topology, circles included: what the bytes say of a function. */
static struct span world;

static uint8_t world_byte(unsigned salt, uint16_t rid)
{
	return world.len ? world.p[(rid * 2 + salt) % world.len] : 0;
}

static bool secondary_bus(void *ctx, uint16_t segment, uint16_t rid, uint8_t *bus)
{
	(void)ctx;
	(void)segment;
	*bus = world_byte(0, rid);
	return world_byte(1, rid) & 1;
}

static bool parent(void *ctx, uint16_t segment, uint16_t rid, uint16_t *out)
{
	(void)ctx;
	(void)segment;
	*out = (uint16_t)(world_byte(0, rid) << 8 | world_byte(1, rid));
	return world_byte(1, rid) & 2;
}

static const struct vtd_pci_view view = { .secondary_bus = secondary_bus, .parent = parent };

static void walk(struct span table, struct span scopes)
{
	struct vtd_dmar_scope s;
	size_t off = 0, before = 0;

	REQUIRE(scopes.p >= table.p && scopes.p + scopes.len <= table.p + table.len);
	while (vtd_dmar_scope_next(scopes, &off, &s)) {
		REQUIRE(s.n <= VTD_DMAR_MAX_PATH);
		REQUIRE(off > before && off <= scopes.len);
		before = off;
	}
}

static void check(const struct vtd_dmar *d, struct span table)
{
	REQUIRE(d->nr_drhd <= VTD_DMAR_MAX_DRHD && d->nr_rmrr <= VTD_DMAR_MAX_RMRR);
	for (size_t i = 0; i < d->nr_drhd; i++) {
		REQUIRE(d->drhd[i].same_as <= i);
		REQUIRE(d->drhd[d->drhd[i].same_as].base == d->drhd[i].base);
		walk(table, d->drhd[i].scopes);
	}
	for (size_t i = 0; i < d->nr_rmrr; i++)
		walk(table, d->rmrr[i].scopes);
}

static void match(const struct vtd_dmar *d, uint16_t segment, uint16_t rid)
{
	size_t unit = SIZE_MAX;
	const int err = vtd_dmar_unit_of(d, segment, rid, &view, &unit);

	REQUIRE(!err || err == -ENOENT || err == -ELOOP);
	REQUIRE(!err == (unit < d->nr_drhd));
	REQUIRE(err || d->drhd[unit].segment == segment);
	for (size_t i = 0; i < d->nr_rmrr; i++)
		vtd_dmar_rmrr_names(d, i, segment, rid, &view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vtd_dmar d, again;
	struct span table;
	const char *why = NULL;
	uint32_t length;
	uint8_t sum = 0;

	if (size > FUZZ_GUARDED_MAX)
		return 0;
	table = fuzz_guarded(data, size);
	if (span_u32(table, 4, &length) && length >= 36 && length <= size && data[8] != 0xff) {
		uint8_t *p = (uint8_t *)(uintptr_t)table.p;

		for (uint32_t i = 0; i < length; i++)
			sum = (uint8_t)(sum + p[i]);
		p[9] = (uint8_t)(p[9] - sum);
	}
	memset(&d, 0, sizeof(d));
	if (vtd_dmar_parse(table, &d, &why)) {
		REQUIRE(why);
		return 0;
	}
	check(&d, table);
	/* What lies behind the table means nothing. */
	memset(&again, 0, sizeof(again));
	REQUIRE(!vtd_dmar_parse(span_of(table.p, length), &again, &why));
	REQUIRE(!memcmp(&d, &again, sizeof(d)));
	world = span_of(data, size);
	for (size_t i = 0; i + 1 < size && i < 64; i += 2)
		match(&d, d.nr_drhd ? d.drhd[i % d.nr_drhd].segment : 0,
		      (uint16_t)(data[i] << 8 | data[i + 1]));
	return 0;
}
