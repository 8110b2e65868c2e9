/* Rules for changing live tables (VT-d 6.5.3.3 "Guidance for Software Updates", 6.2.2.1 "Tagging
 * of Cached Translations"), whether or not a device happened to use them in between. */
#include "internal.h"

/* ---- what is owed --------------------------------------------------------------------------- */

static void owe(struct model_unit *u, struct model_owed o)
{
	if (model_ttm(u) == SPEC_TTM_LEGACY)
		o.pc = true;
	assert(u->nr_owed < ARRAY_SIZE(u->owed));
	u->owed[u->nr_owed++] = o;
}

static bool owes_sid(const struct model_unit *u, uint16_t sid)
{
	for (size_t i = 0; i < u->nr_owed; i++)
		if (!u->owed[i].added && !u->owed[i].all && u->owed[i].sid == sid)
			return true;
	return false;
}

static bool cc_matches(const struct model_unit *u, const struct model_owed *o, unsigned g,
		       uint16_t did, uint16_t sid, unsigned fm)
{
	static const uint16_t ignored[] = { 0, 4, 6, 7 };
	const bool scalable = model_ttm(u) == SPEC_TTM_SCALABLE;

	if (g == SPEC_G_GLOBAL)
		return true;
	if (o->all || (!scalable && did != (o->added ? 0 : o->did)))
		return false;
	return g == SPEC_G_DOMAIN || !((o->sid ^ sid) & ~ignored[fm]);
}

void model_rule_cc(struct model_unit *u, unsigned g, uint16_t did, uint16_t sid, unsigned fm)
{
	for (size_t i = 0; i < u->nr_owed; i++)
		if (cc_matches(u, &u->owed[i], g, did, sid, fm))
			u->owed[i].cc = true;
}

void model_rule_pc(struct model_unit *u, unsigned g, uint16_t did)
{
	for (size_t i = 0; i < u->nr_owed; i++) {
		struct model_owed *o = &u->owed[i];

		if (o->cc && (g == SPEC_PC_G_GLOBAL || (!o->all && o->did == did)))
			o->pc = true;
	}
}

/* The last of the three: with it the debt is paid. */
void model_rule_iotlb(struct model_unit *u, unsigned g, uint16_t did)
{
	for (size_t i = 0; i < u->nr_owed;) {
		const struct model_owed *o = &u->owed[i];

		if (o->cc && o->pc &&
		    (g == SPEC_G_GLOBAL || (!o->all && g == SPEC_G_DOMAIN && o->did == did)))
			u->owed[i] = u->owed[--u->nr_owed];
		else
			i++;
	}
}

/* ---- domain ids ----------------------------------------------------------------------------- */

/* No cache may still know @did from another table than @top. */
static void check_did_is_clean(struct model_unit *u, uint16_t did, paddr_t top)
{
	bool stale = false;

	for (size_t i = 0; i < u->nr_owed; i++)
		if (!u->owed[i].added && !u->owed[i].all && u->owed[i].did == did && u->owed[i].top != top)
			stale = true;
	for (size_t i = 0; i < u->nr_structures; i++)
		stale |= u->structure[i].did == did && u->structure[i].top != top;
	for (size_t i = 0; i < u->nr_tlbs; i++)
		stale |= u->tlb[i].did == did && u->tlb[i].top != top && !u->tlb[i].reason;
	if (stale)
		model_violate(u, "DID %u reused before its invalidation", did);
}

struct sharing {
	uint16_t sid, did;
	uint32_t pasid;
	paddr_t top;
	unsigned levels;
};

static void compare_sharing(struct model_unit *u, void *ctx, uint16_t sid, uint32_t pasid,
			    uint16_t did, paddr_t top, unsigned levels)
{
	const struct sharing *s = ctx;

	if (did == s->did && (sid != s->sid || pasid != s->pasid) &&
	    (top != s->top || levels != s->levels))
		model_violate(u, "DID %u is given to %04x and to %04x with different tables", did,
			      s->sid, sid);
}

static void check_new_did(struct model_unit *u, const struct sharing *s)
{
	const struct model_visit v = { .shallow = true, .target = compare_sharing, .ctx = (void *)s };

	if (s->did >> (4 + 2 * u->t.nd))
		model_violate(u, "DID %u of %04x is beyond the unit's ids", s->did, s->sid);
	if (u->t.cm && s->did == 0)
		model_violate(u, "DID 0 given to %04x, though it tags faulting entries", s->sid);
	check_did_is_clean(u, s->did, s->top);
	model_visit(u, u->root, &v);
}

/* ---- entries -------------------------------------------------------------------------------- */

/* One entry before and after a store: the two words that count, and which were written. */
struct change {
	const char *what;
	uint16_t sid;
	uint64_t was[2], now[2];
	bool wide;			/* both words in one store */
};

static bool was_present(const struct change *c)
{
	return c->was[0] & 1;
}

static bool is_present(const struct change *c)
{
	return c->now[0] & 1;
}

/* Anything but P and FPD, the same two bits in every kind of entry. */
static bool other_bits_changed(const struct change *c)
{
	return ((c->was[0] ^ c->now[0]) & ~3ULL) || c->was[1] != c->now[1];
}

static void check_not_torn(struct model_unit *u, const struct change *c)
{
	if (was_present(c) && !is_present(c) && other_bits_changed(c))
		model_violate(u, "%s of %04x: P cleared together with other fields", c->what, c->sid);
	if (was_present(c) && is_present(c) && other_bits_changed(c) && !c->wide)
		model_violate(u, "%s of %04x changed while present, by an 8-byte store", c->what, c->sid);
	if (!was_present(c) && other_bits_changed(c) && owes_sid(u, c->sid))
		model_violate(u, "%s of %04x rewritten before its invalidation", c->what, c->sid);
}

static struct sharing legacy_target(uint16_t sid, const uint64_t qw[2])
{
	return (struct sharing){
		.sid = sid, .did = (uint16_t)spec_get(SPEC_CE_HI_DID, qw[1]),
		.top = qw[0] & SPEC_CE_SSPTPTR,
		.levels = spec_get(SPEC_CE_TT, qw[0]) == SPEC_TT_PASS_THROUGH
				  ? 0 : (unsigned)spec_get(SPEC_CE_HI_AW, qw[1]) + 2,
	};
}

static struct sharing pasid_target(uint16_t sid, uint32_t pasid, const uint64_t qw[2])
{
	return (struct sharing){
		.sid = sid, .pasid = pasid, .did = (uint16_t)(qw[1] & SPEC_PE_HI_DID),
		.top = qw[0] & SPEC_PE_SSPTPTR,
		.levels = spec_get(SPEC_PE_PGTT, qw[0]) == SPEC_PGTT_PT
				  ? 0 : (unsigned)spec_get(SPEC_PE_AW, qw[0]) + 2,
	};
}

/* What an entry that translates was and will be. */
static void change_target(struct model_unit *u, const struct change *c, const struct sharing *was,
			  const struct sharing *now, bool cc_done)
{
	const bool moved = was->top != now->top || was->levels != now->levels;

	check_not_torn(u, c);
	if (was_present(c) && is_present(c) && moved && was->did == now->did)
		model_violate(u, "%s of %04x: another table under the same DID %u", c->what, c->sid,
			      was->did);
	if (was_present(c) && (!is_present(c) || moved || was->did != now->did))
		owe(u, (struct model_owed){ .sid = c->sid, .did = was->did, .top = was->top, .cc = cc_done });
	if (!is_present(c) || (was_present(c) && !moved && was->did == now->did))
		return;
	check_new_did(u, now);
	if (!was_present(c) && u->t.cm && !cc_done)
		owe(u, (struct model_owed){ .sid = c->sid, .did = now->did, .top = now->top, .added = true });
}

static void owe_target(struct model_unit *u, void *ctx, uint16_t sid, uint32_t pasid, uint16_t did,
		       paddr_t top, unsigned levels)
{
	const struct model_owed *like = ctx;

	(void)pasid;
	(void)levels;
	if (sid == like->sid)
		owe(u, (struct model_owed){ .sid = sid, .did = did, .top = top, .cc = like->cc });
}

/* An entry that leads to PASID entries: each of these is affected. */
static void change_branch(struct model_unit *u, const struct change *c, bool cc_done)
{
	struct model_owed like = { .sid = c->sid, .cc = cc_done };
	const struct model_visit v = { .shallow = true, .target = owe_target, .ctx = &like };

	check_not_torn(u, c);
	if (was_present(c) && (!is_present(c) || other_bits_changed(c)))
		model_visit(u, u->root, &v);
}

static void change_root(struct model_unit *u, const struct change *c, bool owes_all)
{
	if (was_present(c) && is_present(c) && c->was[0] != c->now[0])
		model_violate(u, "root entry of bus %02x changed while present", c->sid >> 8);
	if (was_present(c) && !is_present(c)) {
		if (other_bits_changed(c))
			model_violate(u, "root entry of bus %02x: P cleared together with other fields",
				      c->sid >> 8);
		owe(u, (struct model_owed){ .all = true, .top = c->was[0] & SPEC_RE_CTP });
	}
	if (!was_present(c) && c->was[0] != c->now[0] && owes_all)
		model_violate(u, "root entry of bus %02x rewritten before its invalidation", c->sid >> 8);
}

/* ---- finding the entry a store hits --------------------------------------------------------- */

struct place {
	paddr_t page;
	bool found;
	enum model_table kind;
	uint16_t sid;
};

static void note_place(struct model_unit *u, void *ctx, enum model_table kind, paddr_t page,
		       uint16_t sid, bool snooped)
{
	struct place *p = ctx;

	(void)u;
	(void)snooped;
	if (page == p->page && !p->found) {
		p->found = true;
		p->kind = kind;
		p->sid = sid;
	}
}

/* The entry of @bytes that contains @pa, before and after; @word counts from its start. */
static struct change change_of(const char *what, paddr_t pa, unsigned bytes, const uint64_t *now,
			       unsigned words, unsigned *word)
{
	const paddr_t entry = ALIGN_DOWN(pa, bytes);
	struct change c = { .what = what, .wide = words == 2 };

	*word = (unsigned)(pa - entry) / 8;
	c.was[0] = c.now[0] = model_cpu_read64(entry);
	if (bytes > 8)
		c.was[1] = c.now[1] = model_cpu_read64(entry + 8);
	for (unsigned i = 0; i < words && *word + i < 2; i++)
		c.now[*word + i] = now[i];
	return c;
}

static unsigned index_of(paddr_t pa, unsigned bytes)
{
	return (unsigned)(pa & (PAGE_SIZE - 1)) / bytes;
}

static bool owes_all(const struct model_unit *u)
{
	for (size_t i = 0; i < u->nr_owed; i++)
		if (u->owed[i].all)
			return true;
	return false;
}

static void store_to_context(struct model_unit *u, const struct place *p, paddr_t pa,
			     const uint64_t *now, unsigned words)
{
	const bool scalable = model_ttm(u) == SPEC_TTM_SCALABLE;
	const unsigned bytes = scalable ? SPEC_SCE_BYTES : 16;
	unsigned word;
	struct change c = change_of("context entry", pa, bytes, now, words, &word);

	c.sid = (uint16_t)(p->sid + index_of(pa, bytes));
	if (word > 1) {
		if (was_present(&c))
			model_violate(u, "context entry of %04x changed while present", c.sid);
	} else if (scalable) {
		change_branch(u, &c, false);
	} else {
		const struct sharing was = legacy_target(c.sid, c.was), is = legacy_target(c.sid, c.now);

		change_target(u, &c, &was, &is, false);
	}
}

static void store_to_pasid(struct model_unit *u, const struct place *p, paddr_t pa,
			   const uint64_t *now, unsigned words)
{
	const uint32_t pasid = index_of(pa, SPEC_PE_BYTES);
	unsigned word;
	struct change c = change_of("PASID entry", pa, SPEC_PE_BYTES, now, words, &word);
	struct sharing was, is;

	c.sid = p->sid;
	was = pasid_target(c.sid, pasid, c.was);
	is = pasid_target(c.sid, pasid, c.now);
	if (word > 1 && was_present(&c))
		model_violate(u, "PASID entry %u of %04x changed while present", pasid, c.sid);
	if (word <= 1)
		change_target(u, &c, &was, &is, true);
}

static void store_to_table(struct model_unit *u, const struct place *p, paddr_t pa,
			   const uint64_t *now, unsigned words)
{
	struct change c;
	unsigned word;

	switch (p->kind) {
	case MODEL_ROOT:
		/* Each half of a scalable entry stands for itself; the upper one of a legacy entry is 0. */
		c = change_of("root entry", pa, 8, now, words, &word);
		c.sid = (uint16_t)(index_of(pa, 16) << 8);
		change_root(u, &c, owes_all(u));
		break;
	case MODEL_CONTEXT:
		store_to_context(u, p, pa, now, words);
		break;
	case MODEL_DIR:
		c = change_of("PASID directory entry", pa, 8, now, words, &word);
		c.sid = p->sid;
		change_branch(u, &c, true);
		break;
	case MODEL_PASID:
		store_to_pasid(u, p, pa, now, words);
		break;
	case MODEL_SS:
		break;		/* any change is allowed; the caches and the audit tell */
	}
}

/* Pages of all root, context and PASID tables in use, so that stores elsewhere cost nothing. */
#define MAX_LIVE	8192
static struct {
	bool known;
	size_t n;
	paddr_t page[MAX_LIVE];
	bool is[MODEL_RAM_BYTES / PAGE_SIZE];
} live;

void model_rules_look_again(void)
{
	live.known = false;
}

static void note_live(struct model_unit *u, void *ctx, enum model_table kind, paddr_t page,
		      uint16_t sid, bool snooped)
{
	(void)u;
	(void)ctx;
	(void)kind;
	(void)sid;
	(void)snooped;
	if (live.is[page / PAGE_SIZE])
		return;
	assert(live.n < MAX_LIVE);
	live.page[live.n++] = page;
	live.is[page / PAGE_SIZE] = true;
}

static bool is_live(paddr_t pa)
{
	const struct model_visit v = { .shallow = true, .table = note_live };

	if (!live.known) {
		while (live.n)
			live.is[live.page[--live.n] / PAGE_SIZE] = false;
		for (unsigned i = 0; i < MODEL_MAX_UNITS; i++)
			if (model_units[i].exists && model_units[i].gsts & SPEC_GSTS_TES)
				model_visit(&model_units[i], model_units[i].root, &v);
		live.known = true;
	}
	return live.is[pa / PAGE_SIZE];
}

void model_rule_store(paddr_t pa, const uint64_t *now, unsigned words)
{
	if (!is_live(pa))
		return;
	live.known = false;	/* the store may lead to another table, or no longer to one */
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++) {
		struct model_unit *u = &model_units[i];
		struct place p = { .page = ALIGN_DOWN(pa, PAGE_SIZE) };
		const struct model_visit v = { .shallow = true, .table = note_place, .ctx = &p };

		if (!u->exists || !(u->gsts & SPEC_GSTS_TES))
			continue;
		model_visit(u, u->root, &v);
		if (p.found)
			store_to_table(u, &p, pa, now, words);
	}
}
