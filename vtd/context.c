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

static struct vtd_root_entry *root_slot(paddr_t root, uint8_t bus)
{
	return (struct vtd_root_entry *)mem_ptr(root) + bus;
}

/* NULL if the bus has no context table. */
static struct vtd_context_entry *context_slot(paddr_t root, uint16_t rid)
{
	const uint64_t lo = mem_read64(&root_slot(root, VTD_RID_BUS(rid))->lo);

	if (!(lo & VTD_RE_P))
		return NULL;
	return (struct vtd_context_entry *)mem_ptr(lo & VTD_RE_CTP) + VTD_RID_DEVFN(rid);
}

static int add_context_table(paddr_t root, uint8_t bus, bool coherent)
{
	const paddr_t table = new_table(coherent);

	if (!table)
		return -ENOMEM;
	mem_barrier();
	store(&root_slot(root, bus)->lo, vtd_root_entry(table).lo, coherent);
	return 0;
}

int vtd_context_set(paddr_t root, uint16_t rid, struct vtd_context_entry entry, bool coherent)
{
	struct vtd_context_entry *slot = context_slot(root, rid);
	int rc;

	if (!(entry.lo & VTD_CE_P))
		return -EINVAL;
	if (!slot) {
		rc = add_context_table(root, VTD_RID_BUS(rid), coherent);
		if (rc)
			return rc;
		slot = context_slot(root, rid);
	}
	if (mem_read64(&slot->lo) & VTD_CE_P)
		return -EEXIST;
	store(&slot->hi, entry.hi, coherent);
	mem_barrier();
	store(&slot->lo, entry.lo, coherent);
	return 0;
}

int vtd_context_clear_present(paddr_t root, uint16_t rid, bool coherent)
{
	struct vtd_context_entry *slot = context_slot(root, rid);

	if (!slot || !(mem_read64(&slot->lo) & VTD_CE_P))
		return -ENOENT;
	store(&slot->lo, mem_read64(&slot->lo) & ~VTD_CE_P, coherent);
	return 0;
}

int vtd_context_zero(paddr_t root, uint16_t rid, bool coherent)
{
	struct vtd_context_entry *slot = context_slot(root, rid);

	if (!slot)
		return -ENOENT;
	if (mem_read64(&slot->lo) & VTD_CE_P)
		return -EBUSY;
	store(&slot->lo, 0, coherent);
	store(&slot->hi, 0, coherent);
	return 0;
}

/* VT-d 6.5.3.3: what changes the translation must change the tag of its cached copies. */
static bool needs_new_did(struct vtd_context_entry was, struct vtd_context_entry now)
{
	const uint64_t lo = VTD_CE_SSPTPTR | VTD_CE_TT;

	return (was.lo & lo) != (now.lo & lo) || (was.hi & VTD_CE_HI_AW) != (now.hi & VTD_CE_HI_AW);
}

int vtd_context_replace(paddr_t root, uint16_t rid, struct vtd_context_entry entry, bool coherent)
{
	struct vtd_context_entry *slot = context_slot(root, rid);

	if (!(entry.lo & VTD_CE_P))
		return -EINVAL;
	if (!slot || !(mem_read64(&slot->lo) & VTD_CE_P))
		return -ENOENT;
	if (needs_new_did(*slot, entry) && !((slot->hi ^ entry.hi) & VTD_CE_HI_DID))
		return -EINVAL;
	mem_write128(&slot->lo, entry.lo, entry.hi);
	if (!coherent)
		mem_flush(slot, sizeof(*slot));
	return 0;
}

int vtd_context_set_fpd(paddr_t root, uint16_t rid, bool fpd, bool coherent)
{
	struct vtd_context_entry *slot = context_slot(root, rid);
	uint64_t lo;

	if (!slot)
		return -ENOENT;
	lo = mem_read64(&slot->lo) & ~VTD_CE_FPD;
	store(&slot->lo, lo | (fpd ? VTD_CE_FPD : 0), coherent);
	return 0;
}

int vtd_context_get(paddr_t root, uint16_t rid, struct vtd_context_entry *entry)
{
	const struct vtd_context_entry *slot = context_slot(root, rid);

	if (!slot)
		return -ENOENT;
	entry->lo = mem_read64(&slot->lo);
	entry->hi = mem_read64(&slot->hi);
	return 0;
}

int vtd_root_clear_present(paddr_t root, uint8_t bus, bool coherent)
{
	struct vtd_root_entry *slot = root_slot(root, bus);
	const uint64_t lo = mem_read64(&slot->lo);

	if (!(lo & VTD_RE_P))
		return -ENOENT;
	store(&slot->lo, lo & ~VTD_RE_P, coherent);
	return 0;
}

int vtd_root_zero(paddr_t root, uint8_t bus, bool coherent, paddr_t *context_table)
{
	struct vtd_root_entry *slot = root_slot(root, bus);
	const uint64_t lo = mem_read64(&slot->lo);

	if (lo & VTD_RE_P)
		return -EBUSY;
	if (!(lo & VTD_RE_CTP))
		return -ENOENT;
	store(&slot->lo, 0, coherent);
	*context_table = lo & VTD_RE_CTP;
	return 0;
}

void vtd_root_context_tables(paddr_t root, uint64_t bits[8])
{
	for (unsigned i = 0; i < 8; i++)
		bits[i] = 0;
	for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES; bus++)
		if (mem_read64(&root_slot(root, (uint8_t)bus)->lo) & VTD_RE_P)
			bits[bus / 32] |= BIT64(bus % 32 * 2);
}

int vtd_context_for_each_table(paddr_t root, int (*fn)(void *ctx, paddr_t table, int bus),
			       void *ctx)
{
	int rc = fn(ctx, root, -1);

	for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES && !rc; bus++) {
		const uint64_t lo = mem_read64(&root_slot(root, (uint8_t)bus)->lo);

		if (lo & VTD_RE_P)
			rc = fn(ctx, lo & VTD_RE_CTP, (int)bus);
	}
	return rc;
}
