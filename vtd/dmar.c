/* DMAR parser and the matching of PCI functions to units. */
#include "dmar.h"

#include <string.h>

#include "errno.h"
#include "formats.h"

/* ACPI header and DMAR header (VT-d 8.1, "DMA Remapping Reporting Structure"). */
#define OFF_LENGTH		4
#define OFF_HAW			36
#define OFF_FLAGS		37
#define HEADER_BYTES		48

/* Remapping structures (VT-d 8.2, "Remapping Structure Types"). */
enum { DRHD = 0, RMRR = 1, ATSR = 2, RHSA = 3, ANDD = 4, SATC = 5, SIDP = 6 };
#define STRUCT_OFF_LENGTH	2
#define STRUCT_HEADER_BYTES	4
#define DRHD_INCLUDE_PCI_ALL	BIT32(0)
#define DRHD_SIZE		GENMASK32(3, 0)

/* Device scope: bytes before the path. */
#define SCOPE_HEADER_BYTES	6

#define MAX_PCI_DEPTH		256	/* there are no more buses to pass through */

static const struct { uint16_t min_len, scopes_at; } layouts[] = {
	[DRHD] = { 16, 16 },
	[RMRR] = { 24, 24 },
	[ATSR] = { 8, 8 },
	[RHSA] = { 20, 0 },
	[ANDD] = { 8, 0 },
	[SATC] = { 8, 8 },
	[SIDP] = { 8, 8 },
};

/* Reads inside a structure whose minimum length has been checked. */
static uint8_t get8(struct span s, size_t off) { return s.p[off]; }
static uint16_t get16(struct span s, size_t off) { uint16_t v = 0; span_u16(s, off, &v); return v; }
static uint64_t get64(struct span s, size_t off) { uint64_t v = 0; span_u64(s, off, &v); return v; }

static int refuse(const char **why, int err, const char *reason)
{
	*why = reason;
	return err;
}

static int check_header(struct span *table, const char **why)
{
	uint32_t len;
	uint8_t sum = 0;

	if (table->len < HEADER_BYTES)
		return refuse(why, -EBADMSG, "DMAR: shorter than its header");
	if (memcmp(table->p, "DMAR", 4) != 0)
		return refuse(why, -EBADMSG, "DMAR: wrong signature");
	span_u32(*table, OFF_LENGTH, &len);
	if (len < HEADER_BYTES || len > table->len)
		return refuse(why, -EBADMSG, "DMAR: length field does not fit the table");
	for (uint32_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table->p[i]);
	if (sum != 0)
		return refuse(why, -EBADMSG, "DMAR: wrong checksum");
	table->len = len;
	return 0;
}

/* SIDP and the SATC that it replaces define flags in byte 2; elsewhere bytes 2 and 3 are reserved. */
static int check_scopes(struct vtd_dmar *d, struct span scopes, unsigned type, const char **why)
{
	for (size_t off = 0; off < scopes.len;) {
		const struct span rest = span_of(scopes.p + off, scopes.len - off);
		size_t len, path;

		if (rest.len < SCOPE_HEADER_BYTES)
			return refuse(why, -EBADMSG, "DMAR: device scope runs past its structure");
		len = get8(rest, 1);
		if (len < SCOPE_HEADER_BYTES)
			return refuse(why, -EBADMSG, "DMAR: device scope shorter than its header");
		if (len > rest.len)
			return refuse(why, -EBADMSG, "DMAR: device scope runs past its structure");
		path = len - SCOPE_HEADER_BYTES;
		if (path / 2 > VTD_DMAR_MAX_PATH)
			return refuse(why, -ENOSPC, "DMAR: device scope path too long");
		if (path % 2 != 0 || path == 0)
			d->anomalies |= VTD_DMAR_SCOPE_PATH;
		if ((type == DRHD || type == RMRR || type == ATSR) && get16(rest, 2) != 0)
			d->anomalies |= VTD_DMAR_SCOPE_RESERVED;
		d->nr_scopes++;
		off += len;
	}
	return 0;
}

bool vtd_dmar_scope_next(struct span scopes, size_t *off, struct vtd_dmar_scope *out)
{
	struct span s;
	uint8_t len;

	if (!span_u8(scopes, *off + 1, &len) || len < SCOPE_HEADER_BYTES ||
	    !span_sub(scopes, *off, len, &s))
		return false;
	*out = (struct vtd_dmar_scope){
		.type = get8(s, 0),
		.flags = get8(s, 2),
		.enum_id = get8(s, 4),
		.start_bus = get8(s, 5),
		.n = MIN((len - SCOPE_HEADER_BYTES) / 2u, (unsigned)VTD_DMAR_MAX_PATH),
	};
	for (unsigned i = 0; i < out->n; i++) {
		out->path[i].dev = get8(s, SCOPE_HEADER_BYTES + 2 * i);
		out->path[i].fn = get8(s, SCOPE_HEADER_BYTES + 2 * i + 1);
	}
	*off += len;
	return true;
}

static int parse_drhd(struct vtd_dmar *d, struct span s, struct span scopes, const char **why)
{
	const size_t i = d->nr_drhd;
	struct vtd_dmar_drhd *u = &d->drhd[i];

	if (i == VTD_DMAR_MAX_DRHD)
		return refuse(why, -ENOSPC, "DMAR: too many DRHD structures");
	*u = (struct vtd_dmar_drhd){
		.include_all = get8(s, 4) & DRHD_INCLUDE_PCI_ALL,
		.bytes = PAGE_SIZE << FIELD_GET(DRHD_SIZE, get8(s, 5)),
		.segment = get16(s, 6),
		.base = get64(s, 8),
		.same_as = i,
		.scopes = scopes,
	};
	for (size_t j = 0; j < i && u->same_as == i; j++)
		if (d->drhd[j].base == u->base && d->drhd[j].segment == u->segment)
			u->same_as = j;

	if (u->same_as != i)
		d->anomalies |= VTD_DMAR_DRHD_DUPLICATE;
	if (u->base == 0)
		d->anomalies |= VTD_DMAR_DRHD_BASE_ZERO;
	if (!IS_ALIGNED(u->base, PAGE_SIZE))
		d->anomalies |= VTD_DMAR_DRHD_BASE_UNALIGNED;
	if (!u->include_all && scopes.len == 0)
		d->anomalies |= VTD_DMAR_DRHD_NO_SCOPE;
	d->nr_drhd++;
	return 0;
}

static int parse_rmrr(struct vtd_dmar *d, struct span s, struct span scopes, const char **why)
{
	struct vtd_dmar_rmrr *r = &d->rmrr[d->nr_rmrr];

	if (d->nr_rmrr == VTD_DMAR_MAX_RMRR)
		return refuse(why, -ENOSPC, "DMAR: too many RMRR structures");
	*r = (struct vtd_dmar_rmrr){
		.segment = get16(s, 6),
		.base = get64(s, 8),
		.limit = get64(s, 16),
		.scopes = scopes,
	};
	if (r->limit <= r->base)
		d->anomalies |= VTD_DMAR_RMRR_EMPTY;
	else if (r->base < MIB(1))
		d->anomalies |= VTD_DMAR_RMRR_BELOW_1M;
	if (!IS_ALIGNED(r->base, PAGE_SIZE) || !IS_ALIGNED(r->limit + 1, PAGE_SIZE))
		d->anomalies |= VTD_DMAR_RMRR_UNALIGNED;
	d->nr_rmrr++;
	return 0;
}

static void check_andd(struct vtd_dmar *d, struct span s)
{
	d->nr_andd++;
	if (!memchr(s.p + 8, 0, s.len - 8))
		d->anomalies |= VTD_DMAR_ANDD_UNTERMINATED;
}

static int parse_struct(struct vtd_dmar *d, struct span s, const char **why)
{
	const uint16_t type = get16(s, 0);
	struct span scopes = span_of(s.p, 0);
	int rc;

	if (type >= ARRAY_SIZE(layouts)) {
		d->nr_unknown++;
		d->anomalies |= VTD_DMAR_UNKNOWN_TYPE;
		return 0;
	}
	if (s.len < layouts[type].min_len)
		return refuse(why, -EBADMSG, "DMAR: structure shorter than its type needs");
	if (layouts[type].scopes_at) {
		scopes = span_of(s.p + layouts[type].scopes_at, s.len - layouts[type].scopes_at);
		rc = check_scopes(d, scopes, type, why);
		if (rc)
			return rc;
	}
	switch (type) {
	case DRHD: return parse_drhd(d, s, scopes, why);
	case RMRR: return parse_rmrr(d, s, scopes, why);
	case ATSR: d->nr_atsr++; return 0;
	case RHSA: d->nr_rhsa++; return 0;
	case ANDD: check_andd(d, s); return 0;
	case SATC: d->nr_satc++; return 0;
	default:   d->nr_sidp++; return 0;
	}
}

/* The structure at @off, header and length checked; false at or past a broken one. */
static bool struct_at(struct span table, size_t off, struct span *out)
{
	uint16_t len;

	return span_u16(table, off + STRUCT_OFF_LENGTH, &len) && len >= STRUCT_HEADER_BYTES &&
	       span_sub(table, off, len, out);
}

static void check_include_all(struct vtd_dmar *d)
{
	for (size_t i = 0; i < d->nr_drhd; i++) {
		const struct vtd_dmar_drhd *u = &d->drhd[i];
		unsigned all = 0, later = 0;

		for (size_t j = 0; j < d->nr_drhd; j++) {
			if (d->drhd[j].segment != u->segment)
				continue;
			all += d->drhd[j].include_all;
			later += j > i;
		}
		if (all == 0)
			d->anomalies |= VTD_DMAR_NO_INCLUDE_ALL;
		if (all > 1)
			d->anomalies |= VTD_DMAR_TWO_INCLUDE_ALL;
		if (u->include_all && later)
			d->anomalies |= VTD_DMAR_INCLUDE_ALL_NOT_LAST;
	}
}

/* A second pass, since an RHSA may stand before the DRHD that it names. */
static void check_rhsa(struct vtd_dmar *d, struct span table)
{
	struct span s;

	for (size_t off = HEADER_BYTES; struct_at(table, off, &s); off += s.len) {
		bool known = false;

		if (get16(s, 0) != RHSA)
			continue;
		for (size_t i = 0; i < d->nr_drhd; i++)
			known |= d->drhd[i].base == get64(s, 8);
		if (!known)
			d->anomalies |= VTD_DMAR_RHSA_UNKNOWN_DRHD;
	}
}

int vtd_dmar_parse(struct span table, struct vtd_dmar *out, const char **why)
{
	size_t off;
	int rc;

	rc = check_header(&table, why);
	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	out->haw = (uint8_t)MIN(get8(table, OFF_HAW) + 1, 64);
	out->flags = get8(table, OFF_FLAGS);

	for (off = HEADER_BYTES; off < table.len;) {
		struct span s;

		if (!struct_at(table, off, &s))
			return refuse(why, -EBADMSG, "DMAR: structure of length zero or past the end");
		rc = parse_struct(out, s, why);
		if (rc)
			return rc;
		off += s.len;
	}
	check_include_all(out);
	check_rhsa(out, table);
	return 0;
}

/* Whether a PCI scope leads to the function @rid through the bus numbers programmed now. */
static bool scope_is(const struct vtd_dmar_scope *sc, uint16_t segment, uint16_t rid,
		     const struct vtd_pci_view *view)
{
	uint8_t bus = sc->start_bus;

	for (unsigned i = 0; i < sc->n; i++) {
		uint16_t here;

		if (sc->path[i].dev > 31 || sc->path[i].fn > 7)
			return false;
		here = VTD_RID(bus, sc->path[i].dev, sc->path[i].fn);
		if (i + 1 == sc->n)
			return here == rid;
		if (!view->secondary_bus(view->ctx, segment, here, &bus))
			return false;
	}
	return false;
}

/* @below: @rid is a bridge on the way, so only scopes that cover what is below it count. */
static bool scopes_name(struct span scopes, uint16_t segment, uint16_t rid, bool below,
			const struct vtd_pci_view *view)
{
	struct vtd_dmar_scope sc;

	for (size_t off = 0; vtd_dmar_scope_next(scopes, &off, &sc);) {
		if (sc.type != VTD_SCOPE_BRIDGE && (below || sc.type != VTD_SCOPE_ENDPOINT))
			continue;
		if (scope_is(&sc, segment, rid, view))
			return true;
	}
	return false;
}

static bool include_all_unit(const struct vtd_dmar *d, uint16_t segment, size_t *unit)
{
	for (size_t i = 0; i < d->nr_drhd; i++) {
		if (d->drhd[i].segment == segment && d->drhd[i].include_all) {
			*unit = d->drhd[i].same_as;
			return true;
		}
	}
	return false;
}

int vtd_dmar_unit_of(const struct vtd_dmar *d, uint16_t segment, uint16_t rid,
		     const struct vtd_pci_view *view, size_t *unit)
{
	for (unsigned depth = 0; depth < MAX_PCI_DEPTH; depth++) {
		for (size_t i = 0; i < d->nr_drhd; i++) {
			if (d->drhd[i].segment == segment &&
			    scopes_name(d->drhd[i].scopes, segment, rid, depth > 0, view)) {
				*unit = d->drhd[i].same_as;
				return 0;
			}
		}
		if (!view->parent(view->ctx, segment, rid, &rid))
			return include_all_unit(d, segment, unit) ? 0 : -ENOENT;
	}
	return -ELOOP;
}

bool vtd_dmar_rmrr_names(const struct vtd_dmar *d, size_t i, uint16_t segment, uint16_t rid,
			 const struct vtd_pci_view *view)
{
	if (i >= d->nr_rmrr || d->rmrr[i].segment != segment)
		return false;
	for (unsigned depth = 0; depth < MAX_PCI_DEPTH; depth++) {
		if (scopes_name(d->rmrr[i].scopes, segment, rid, depth > 0, view))
			return true;
		if (!view->parent(view->ctx, segment, rid, &rid))
			return false;
	}
	return false;
}
