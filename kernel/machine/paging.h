/* Identity-mapped page tables of our own: RAM, ACPI and runtime ranges, nothing else; MMIO on
 * demand (docs/design.md, memory).  Intel SDM 3A, "4-Level Paging and 5-Level Paging". */
#ifndef BATON_PAGING_H
#define BATON_PAGING_H

#include "base.h"
#include "boot_info.h"

#define PT_P		BIT64(0)
#define PT_W		BIT64(1)
#define PT_PWT		BIT64(3)
#define PT_PCD		BIT64(4)
#define PT_PS		BIT64(7)
#define PT_NX		BIT64(63)
#define PT_ADDR		GENMASK64(51, 12)

/* Cache types by PAT index; paging_init() sets the PAT: 0 WB, 1 WC, 2 UC-, 3 UC. */
#define PT_WB		0
#define PT_WC		PT_PWT
#define PT_UC		(PT_PCD | PT_PWT)

/* A set of identity-mapping tables; pages come from @alloc, zeroed (0: none left). */
struct page_tables {
	paddr_t top;
	unsigned levels;		/* 4 or 5 */
	bool gib_pages;
	paddr_t limit;			/* first address that cannot be mapped */
	paddr_t (*alloc)(void *ctx);
	void *ctx;
};

int page_tables_init(struct page_tables *pt, paddr_t (*alloc)(void *ctx), void *ctx);

/**
 * page_tables_map() - identity-map a range, or change how it is mapped
 * @pa, @len: bytes, multiples of PAGE_SIZE
 * @flags:    PT_P | PT_W | PT_NX | cache type; 0 unmaps
 *
 * Uses the largest pages that fit and splits larger ones where needed.  Flushes no TLB.
 * Return: 0; -ERANGE beyond what this processor or these tables can address (nothing changed);
 * -ENOMEM (the part already mapped stays).
 */
int page_tables_map(struct page_tables *pt, paddr_t pa, uint64_t len, uint64_t flags);

/* Map every RAM, ACPI and runtime range of @bi into @pt: RAM kinds and runtime with @flags. */
int page_tables_map_ram(struct page_tables *pt, const struct boot_info *bi, uint64_t flags);

/* Build and load our own tables: image W^X, page 0 and the stack guard unmapped; PAT, CR0,
 * CR4 and EFER set to known values.  Return: 0 or -ENOMEM. */
int paging_init(const struct boot_info *bi);

/* Of our own tables, and so of those that the next kernel is entered with: 4 or 5. */
unsigned paging_levels(void);

/* Back to our own tables, if they were loaded: an exception in the first instructions of the next
 * kernel still comes to us, through tables that map RAM alone. */
void paging_resume(void);

/* Map a device range UC (paging_map_mmio) or WC.  Return: its address, or NULL if the range
 * wraps, overlaps RAM, or no page is left for tables. */
void *paging_map_mmio(paddr_t pa, uint64_t len);
void *paging_map_wc(paddr_t pa, uint64_t len);

/* Make runtime-services code executable (and writable, as firmware expects), for the end of
 * a run only. */
int paging_map_runtime_executable(void);

/* True if [pa, pa + len) is mapped and readable now: a bounded answer for foreign pointers. */
bool paging_is_readable(paddr_t pa, uint64_t len);

#endif
