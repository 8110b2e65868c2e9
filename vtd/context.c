/* Root and context tables. */
#include "context.h"

#include "errno.h"
#include "platform/mem.h"

static void store(uint64_t *word, uint64_t v, bool coherent)
{
	mem_write64(word, v);
	if (!coherent)
		mem_flush(word, sizeof(*word));
}

static paddr_t new_table(bool coherent)
{
	const paddr_t table = mem_alloc_pages(0);

	if (table && !coherent)
		mem_flush(mem_ptr(table), PAGE_SIZE);
	return table;
}

paddr_t vtd_root_alloc(bool coherent)
{
	return new_table(coherent);
}

/* The word that leads to the context table of @index, see vtd_context_table_index(): in scalable
 * mode each half of a root entry stands for itself (VT-d 9.2). */
static uint64_t *root_word(const struct vtd_tables *t, unsigned index)
{
	return (uint64_t *)mem_ptr(t->root) + index;
}

static uint64_t *root_word_of(const struct vtd_tables *t, uint16_t rid)
{
	return root_word(t, vtd_context_table_index(t->ttm, rid));
}

paddr_t vtd_context_table_of(const struct vtd_tables *t, uint16_t rid)
{
	const uint64_t word = mem_read64(root_word_of(t, rid));

	return word & VTD_RE_P ? word & VTD_RE_CTP : 0;
}

/* NULL if there is no context table. */
static struct vtd_context_entry *context_slot(const struct vtd_tables *t, uint16_t rid)
{
	const paddr_t table = vtd_context_table_of(t, rid);

	return table ? mem_ptr(table + vtd_context_offset(t->ttm, rid)) : NULL;
}

static int add_context_table(const struct vtd_tables *t, uint16_t rid)
{
	const paddr_t table = new_table(t->coherent);

	if (!table)
		return -ENOMEM;
	mem_barrier();
	store(root_word_of(t, rid), vtd_root_entry(table).lo, t->coherent);
	return 0;
}

int vtd_context_set(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry entry)
{
	struct vtd_context_entry *slot = context_slot(t, rid);
	int rc;

	if (!(entry.lo & VTD_CE_P))
		return -EINVAL;
	if (!slot) {
		rc = add_context_table(t, rid);
		if (rc)
			return rc;
		slot = context_slot(t, rid);
	}
	if (mem_read64(&slot->lo) & VTD_CE_P)
		return -EEXIST;
	for (unsigned i = 2; i < vtd_context_bytes(t->ttm) / sizeof(uint64_t); i++)
		store((uint64_t *)slot + i, 0, t->coherent);
	store(&slot->hi, entry.hi, t->coherent);
	mem_barrier();
	store(&slot->lo, entry.lo, t->coherent);
	return 0;
}

int vtd_context_clear_present(const struct vtd_tables *t, uint16_t rid)
{
	struct vtd_context_entry *slot = context_slot(t, rid);

	if (!slot || !(mem_read64(&slot->lo) & VTD_CE_P))
		return -ENOENT;
	store(&slot->lo, mem_read64(&slot->lo) & ~VTD_CE_P, t->coherent);
	return 0;
}

int vtd_context_zero(const struct vtd_tables *t, uint16_t rid)
{
	struct vtd_context_entry *slot = context_slot(t, rid);

	if (!slot)
		return -ENOENT;
	if (mem_read64(&slot->lo) & VTD_CE_P)
		return -EBUSY;
	for (unsigned i = 0; i < vtd_context_bytes(t->ttm) / sizeof(uint64_t); i++)
		store((uint64_t *)slot + i, 0, t->coherent);
	return 0;
}

/* VT-d 6.5.3.3: what changes the translation must change the tag of its cached copies. */
static bool needs_new_did(struct vtd_context_entry was, struct vtd_context_entry now)
{
	const uint64_t lo = VTD_CE_SSPTPTR | VTD_CE_TT;

	return (was.lo & lo) != (now.lo & lo) || (was.hi & VTD_CE_HI_AW) != (now.hi & VTD_CE_HI_AW);
}

int vtd_context_replace(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry entry)
{
	struct vtd_context_entry *slot = context_slot(t, rid);

	if (!(entry.lo & VTD_CE_P) || t->ttm != VTD_TTM_LEGACY)
		return -EINVAL;
	if (!slot || !(mem_read64(&slot->lo) & VTD_CE_P))
		return -ENOENT;
	if (needs_new_did(*slot, entry) && !((slot->hi ^ entry.hi) & VTD_CE_HI_DID))
		return -EINVAL;
	mem_write128(&slot->lo, entry.lo, entry.hi);
	if (!t->coherent)
		mem_flush(slot, sizeof(*slot));
	return 0;
}

int vtd_context_set_fpd(const struct vtd_tables *t, uint16_t rid, bool fpd)
{
	struct vtd_context_entry *slot = context_slot(t, rid);
	uint64_t lo;

	if (!slot && add_context_table(t, rid))
		return -ENOMEM;
	slot = context_slot(t, rid);
	lo = mem_read64(&slot->lo) & ~VTD_CE_FPD;
	store(&slot->lo, lo | (fpd ? VTD_CE_FPD : 0), t->coherent);
	return 0;
}

int vtd_context_get(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry *entry)
{
	const struct vtd_context_entry *slot = context_slot(t, rid);

	if (!slot)
		return -ENOENT;
	entry->lo = mem_read64(&slot->lo);
	entry->hi = mem_read64(&slot->hi);
	return 0;
}

int vtd_root_clear_present(const struct vtd_tables *t, uint16_t rid)
{
	uint64_t *word = root_word_of(t, rid);
	const uint64_t was = mem_read64(word);

	if (!(was & VTD_RE_P))
		return -ENOENT;
	store(word, was & ~VTD_RE_P, t->coherent);
	return 0;
}

int vtd_root_zero(const struct vtd_tables *t, uint16_t rid, paddr_t *context_table)
{
	uint64_t *word = root_word_of(t, rid);
	const uint64_t was = mem_read64(word);

	if (was & VTD_RE_P)
		return -EBUSY;
	if (!(was & VTD_RE_CTP))
		return -ENOENT;
	store(word, 0, t->coherent);
	*context_table = was & VTD_RE_CTP;
	return 0;
}

void vtd_context_tables(const struct vtd_tables *t, uint64_t present[VTD_CONTEXT_TABLE_WORDS])
{
	const unsigned step = t->ttm == VTD_TTM_SCALABLE ? 1 : 2;

	for (unsigned i = 0; i < VTD_CONTEXT_TABLE_WORDS; i++)
		present[i] = 0;
	for (unsigned i = 0; i < VTD_CONTEXT_TABLES; i += step)
		if (mem_read64(root_word(t, i)) & VTD_RE_P)
			present[i / 64] |= BIT64(i % 64);
}

int vtd_context_for_each_table(const struct vtd_tables *t,
			       int (*fn)(void *ctx, paddr_t table, int index), void *ctx)
{
	const unsigned step = t->ttm == VTD_TTM_SCALABLE ? 1 : 2;
	int rc = fn(ctx, t->root, -1);

	for (unsigned i = 0; i < VTD_CONTEXT_TABLES && !rc; i += step) {
		const uint64_t word = mem_read64(root_word(t, i));

		if (word & VTD_RE_P)
			rc = fn(ctx, word & VTD_RE_CTP, (int)i);
	}
	return rc;
}
