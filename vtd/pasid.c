/* PASID directory and table of one source id. */
#include "pasid.h"

#include "errno.h"
#include "platform/mem.h"

/* The entry of VTD_RID_PASID, or NULL if the directory has no table for it. */
static uint64_t *entry_slot(paddr_t dir)
{
	const uint64_t de = mem_read64(mem_ptr(dir));
	struct vtd_pasid_entry *table;

	if (!(de & VTD_PDE_P))
		return NULL;
	table = mem_ptr(de & VTD_PDE_SMPTBLPTR);
	return table[VTD_RID_PASID].qw;
}

paddr_t vtd_pasid_alloc(struct vtd_pasid_entry entry, bool coherent)
{
	const paddr_t dir = mem_alloc_pages(0), table = mem_alloc_pages(0);

	if (!dir || !table) {
		if (dir)
			mem_free_pages(dir, 0);
		if (table)
			mem_free_pages(table, 0);
		return 0;
	}
	*((struct vtd_pasid_entry *)mem_ptr(table) + VTD_RID_PASID) = entry;
	mem_write64(mem_ptr(dir), (table & VTD_PDE_SMPTBLPTR) | VTD_PDE_P);
	if (!coherent) {
		mem_flush(mem_ptr(table), PAGE_SIZE);
		mem_flush(mem_ptr(dir), PAGE_SIZE);
	}
	mem_barrier();		/* before a context entry leads here */
	return dir;
}

void vtd_pasid_free(paddr_t dir)
{
	const uint64_t de = mem_read64(mem_ptr(dir));

	if (de & VTD_PDE_P)
		mem_free_pages(de & VTD_PDE_SMPTBLPTR, 0);
	mem_free_pages(dir, 0);
}

/* VT-d 6.5.3.3: what changes the translation must change the tag of its cached copies. */
static bool needs_new_did(const uint64_t *was, struct vtd_pasid_entry now)
{
	return ((was[0] ^ now.qw[0]) & (VTD_PE_SSPTPTR | VTD_PE_PGTT | VTD_PE_AW)) != 0;
}

int vtd_pasid_replace(paddr_t dir, struct vtd_pasid_entry entry, bool coherent)
{
	uint64_t *slot = entry_slot(dir);

	if (!(entry.qw[0] & VTD_PE_P))
		return -EINVAL;
	if (!slot || !(mem_read64(&slot[0]) & VTD_PE_P))
		return -ENOENT;
	if (needs_new_did(slot, entry) && !((slot[1] ^ entry.qw[1]) & VTD_PE_HI_DID))
		return -EINVAL;
	mem_write128(slot, entry.qw[0], entry.qw[1]);
	if (!coherent)
		mem_flush(slot, VTD_PE_BYTES);
	return 0;
}

int vtd_pasid_get(paddr_t dir, struct vtd_pasid_entry *entry)
{
	const uint64_t *slot = entry_slot(dir);

	if (!slot)
		return -ENOENT;
	for (unsigned i = 0; i < ARRAY_SIZE(entry->qw); i++)
		entry->qw[i] = mem_read64(&slot[i]);
	return 0;
}

int vtd_pasid_for_each_table(paddr_t dir, int (*fn)(void *ctx, paddr_t table), void *ctx)
{
	const uint64_t *de = mem_ptr(dir);
	int rc = fn(ctx, dir);

	for (unsigned i = 0; i < VTD_PASID_DIR_ENTRIES && !rc; i++)
		if (mem_read64(&de[i]) & VTD_PDE_P)
			rc = fn(ctx, mem_read64(&de[i]) & VTD_PDE_SMPTBLPTR);
	return rc;
}
