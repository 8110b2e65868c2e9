/* The memory map: from UEFI, to and from E820, questions and changes.  Pure.
 *
 * A map is an array of struct mem_range, sorted, without overlaps or empty ranges; neighbours
 * that touch differ in kind.  All addresses are below MEMMAP_LIMIT. */
#ifndef BATON_MEMORY_MEMMAP_H
#define BATON_MEMORY_MEMMAP_H

#include "base.h"
#include "boot_info.h"

#define MEMMAP_LIMIT		BIT64(52)	/* no MAXPHYADDR is larger (SDM 3, 4.1.4) */

/* Sets of kinds, for memmap_find(). */
#define MEMMAP_KIND(kind)	BIT32(kind)
#define MEMMAP_RAM		(MEMMAP_KIND(MEM_RAM_KINDS) - 1)	/* all kinds of usable RAM */

/* E820 types (Linux asm/e820/types.h). */
#define E820_RAM		1
#define E820_RESERVED		2
#define E820_ACPI		3
#define E820_NVS		4
#define E820_UNUSABLE		5
#define E820_PMEM		7

/* As in the boot_params E820 table and SETUP_E820_EXT (Linux asm/bootparam.h). */
struct e820_entry_ser {
	uint64_t base_pa;
	uint64_t len;
	uint32_t type;
} __attribute__((packed));
static_assert(sizeof(struct e820_entry_ser) == 20, "E820 entry");

struct memmap_hole {
	paddr_t base;
	uint64_t len;		/* 0: none */
};

struct memmap_request {
	unsigned kinds;			/* MEMMAP_KIND() of each kind that will do */
	paddr_t min, max;		/* the place lies in [min, max); max 0: no limit */
	uint64_t len;			/* bytes, not 0 */
	uint64_t align;			/* bytes, a power of two */
	bool highest;			/* else the lowest place */
	const struct memmap_hole *exclude;	/* in any order, may overlap */
	size_t nr_exclude;
};

/**
 * memmap_add() - add a range; where it overlaps, the less usable (greater) kind stays
 * @n: entries in use, updated
 *
 * Return: 0, also for an empty range; -EINVAL beyond MEMMAP_LIMIT, nothing changed; -ENOSPC
 * more than @max entries are needed, be it before neighbours are merged: the map is sound but
 * incomplete.
 */
int memmap_add(struct mem_range *map, size_t max, size_t *n,
	       paddr_t base, uint64_t len, enum mem_kind kind);

/* Change the kind of all that the map has in the range; holes stay holes.  Returns as
 * memmap_add(). */
int memmap_carve(struct mem_range *map, size_t max, size_t *n,
		 paddr_t base, uint64_t len, enum mem_kind kind);

/**
 * memmap_from_efi() - make a map of UEFI memory descriptors
 * @efi:       GetMemoryMap()'s buffer
 * @desc_size: from one descriptor to the next, at least 40 and no more than 4096
 *
 * Loader data is free (MEM_CONVENTIONAL): whoever wants to keep some carves it out as
 * MEM_LOADER.  RAM that is not write-back, or marked specific-purpose, is reserved.
 * Return: 0; -EINVAL sizes; -EBADMSG a descriptor is unaligned or beyond MEMMAP_LIMIT;
 * -ENOSPC more than @max ranges.
 * Spec: UEFI 7.2 "Memory Allocation Services", EFI_MEMORY_DESCRIPTOR.
 */
int memmap_from_efi(const void *efi, size_t bytes, size_t desc_size,
		    struct mem_range *map, size_t max, size_t *n);

/* Mark what UEFI descriptors call runtime code or data in a map made of E820, which has one
 * type for all that is reserved.  Errors as memmap_from_efi(). */
int memmap_overlay_runtime(const void *efi, size_t bytes, size_t desc_size,
			   struct mem_range *map, size_t max, size_t *n);

uint32_t memmap_e820_type(enum mem_kind kind);
enum mem_kind memmap_e820_kind(uint32_t type);

/* Entry by entry the map in E820 types, neighbours of one type merged.  *@i is 0 at first;
 * false at the end. */
bool memmap_next_e820(const struct mem_range *map, size_t n, size_t *i,
		      struct e820_entry_ser *entry);

/* The same into an array.  -ENOSPC if @max is too small. */
int memmap_to_e820(const struct mem_range *map, size_t n,
		   struct e820_entry_ser *out, size_t max, size_t *nr_out);

/* The range that holds @pa, or NULL. */
const struct mem_range *memmap_at(const struct mem_range *map, size_t n, paddr_t pa);

/* True if all of [@pa, @pa + @len) is RAM, of whatever usable kinds; false for @len 0. */
bool memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);

/* A place for @req; it may span ranges that touch.  -EINVAL a bad request; -ENOMEM none. */
int memmap_find(const struct mem_range *map, size_t n, const struct memmap_request *req,
		paddr_t *pa);

uint64_t memmap_total_ram(const struct mem_range *map, size_t n);

#endif
