#include "kernel/memory/memmap.h"

#include <string.h>

#include "errno.h"
#include "span.h"

/* EFI_MEMORY_DESCRIPTOR (UEFI 7.2), as far as it is read; later versions append fields. */
#define EFI_DESC_TYPE		0	/* u32 */
#define EFI_DESC_PHYSICAL_START	8	/* u64 */
#define EFI_DESC_NUMBER_OF_PAGES 24	/* u64 */
#define EFI_DESC_ATTRIBUTE	32	/* u64 */
#define EFI_DESC_MIN_SIZE	40
#define EFI_DESC_MAX_SIZE	4096	/* ours: a larger stride is nonsense */
#define EFI_MEMORY_WB		BIT64(3)
#define EFI_MEMORY_SP		BIT64(18)	/* specific purpose: not for general use */
#define EFI_MEMORY_RUNTIME	BIT64(63)

/* EFI_MEMORY_TYPE (UEFI 7.2); what is not listed is reserved: EfiReservedMemoryType,
 * EfiPalCode, EfiUnacceptedMemoryType and everything an OEM invents. */
enum {
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA,
	EFI_BOOT_SERVICES_CODE,
	EFI_BOOT_SERVICES_DATA,
	EFI_RUNTIME_SERVICES_CODE,
	EFI_RUNTIME_SERVICES_DATA,
	EFI_CONVENTIONAL,
	EFI_UNUSABLE,
	EFI_ACPI_RECLAIM,
	EFI_ACPI_NVS,
	EFI_MAPPED_IO,
	EFI_MAPPED_IO_PORT_SPACE,
	EFI_PERSISTENT = 14,
};

struct efi_range {
	uint32_t type;
	uint64_t attribute;
	paddr_t base;
	uint64_t len;		/* bytes, 0: nothing */
};

static bool is_ram(enum mem_kind kind)
{
	return kind < MEM_RAM_KINDS;
}

static paddr_t range_end(const struct mem_range *r)
{
	return r->base + r->len;
}

/* Index of the first range that ends above @pa; @n if there is none. */
static size_t first_above(const struct mem_range *map, size_t n, paddr_t pa)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (range_end(&map[mid]) > pa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int insert_at(struct mem_range *map, size_t max, size_t *n, size_t i, struct mem_range r)
{
	if (*n >= max)
		return -ENOSPC;
	memmove(&map[i + 1], &map[i], (*n - i) * sizeof(*map));
	map[i] = r;
	++*n;
	return 0;
}

/* Make @pa a border, if it lies inside a range. */
static int split_at(struct mem_range *map, size_t max, size_t *n, paddr_t pa)
{
	const size_t i = first_above(map, *n, pa);
	struct mem_range upper;
	int err;

	if (i == *n || map[i].base >= pa)
		return 0;
	upper = map[i];
	upper.len = range_end(&map[i]) - pa;
	upper.base = pa;
	err = insert_at(map, max, n, i + 1, upper);
	if (!err)
		map[i].len -= upper.len;
	return err;
}

static void merge(struct mem_range *map, size_t *n)
{
	size_t used = 0;

	for (size_t i = 0; i < *n; i++) {
		struct mem_range *last = used ? &map[used - 1] : NULL;

		if (last && last->kind == map[i].kind && range_end(last) == map[i].base)
			last->len += map[i].len;
		else
			map[used++] = map[i];
	}
	*n = used;
}

/* What becomes of memory that is painted with a kind. */
enum rule {
	RULE_ADD,	/* the less usable kind stays; holes are filled */
	RULE_CARVE,	/* the new kind; holes stay */
	RULE_RUNTIME,	/* the new kind where it was RAM or reserved; holes stay */
};

static enum mem_kind painted(enum rule rule, enum mem_kind was, enum mem_kind kind)
{
	switch (rule) {
	case RULE_ADD:		return MAX(was, kind);
	case RULE_CARVE:	return kind;
	case RULE_RUNTIME:	return is_ram(was) || was == MEM_RESERVED ? kind : was;
	}
	return was;
}

/* @base and @end are borders of ranges or lie in holes. */
static int paint(struct mem_range *map, size_t max, size_t *n, paddr_t base, paddr_t end,
		 enum mem_kind kind, enum rule rule)
{
	size_t i = first_above(map, *n, base);
	int err;

	while (base < end) {
		if (i == *n || map[i].base > base) {
			const paddr_t stop = i == *n ? end : MIN(end, map[i].base);

			if (rule != RULE_ADD) {
				base = stop;
				continue;
			}
			err = insert_at(map, max, n, i,
					(struct mem_range){ base, stop - base, kind });
			if (err)
				return err;
		}
		map[i].kind = painted(rule, map[i].kind, kind);
		base = range_end(&map[i++]);
	}
	return 0;
}

static int change(struct mem_range *map, size_t max, size_t *n, paddr_t base, uint64_t len,
		  enum mem_kind kind, enum rule rule)
{
	int err;

	if (base > MEMMAP_LIMIT || len > MEMMAP_LIMIT - base)
		return -EINVAL;
	if (!len)
		return 0;
	err = split_at(map, max, n, base);
	if (!err)
		err = split_at(map, max, n, base + len);
	if (!err)
		err = paint(map, max, n, base, base + len, kind, rule);
	merge(map, n);
	return err;
}

int memmap_add(struct mem_range *map, size_t max, size_t *n,
	       paddr_t base, uint64_t len, enum mem_kind kind)
{
	return change(map, max, n, base, len, kind, RULE_ADD);
}

int memmap_carve(struct mem_range *map, size_t max, size_t *n,
		 paddr_t base, uint64_t len, enum mem_kind kind)
{
	return change(map, max, n, base, len, kind, RULE_CARVE);
}

/* Descriptor @i of @efi; -EBADMSG if it cannot be one. */
static int efi_descriptor(struct span efi, size_t desc_size, size_t i, struct efi_range *r)
{
	const size_t off = i * desc_size;
	uint64_t pages;

	if (!span_u32(efi, off + EFI_DESC_TYPE, &r->type) ||
	    !span_u64(efi, off + EFI_DESC_PHYSICAL_START, &r->base) ||
	    !span_u64(efi, off + EFI_DESC_NUMBER_OF_PAGES, &pages) ||
	    !span_u64(efi, off + EFI_DESC_ATTRIBUTE, &r->attribute))
		return -EBADMSG;
	if (!IS_ALIGNED(r->base, PAGE_SIZE) || r->base > MEMMAP_LIMIT ||
	    pages > (MEMMAP_LIMIT - r->base) >> PAGE_SHIFT)
		return -EBADMSG;
	r->len = pages << PAGE_SHIFT;
	return 0;
}

static enum mem_kind efi_type_kind(uint32_t type)
{
	switch (type) {
	case EFI_LOADER_CODE:		return MEM_LOADER;
	case EFI_LOADER_DATA:
	case EFI_CONVENTIONAL:		return MEM_CONVENTIONAL;
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:	return MEM_BOOT_SERVICES;
	case EFI_RUNTIME_SERVICES_CODE:	return MEM_RUNTIME_CODE;
	case EFI_RUNTIME_SERVICES_DATA:	return MEM_RUNTIME_DATA;
	case EFI_UNUSABLE:		return MEM_UNUSABLE;
	case EFI_ACPI_RECLAIM:		return MEM_ACPI_RECLAIM;
	case EFI_ACPI_NVS:		return MEM_ACPI_NVS;
	case EFI_MAPPED_IO:
	case EFI_MAPPED_IO_PORT_SPACE:	return MEM_MMIO;
	case EFI_PERSISTENT:		return MEM_PERSISTENT;
	default:			return MEM_RESERVED;
	}
}

static enum mem_kind efi_kind(const struct efi_range *r)
{
	const enum mem_kind kind = efi_type_kind(r->type);

	if (!is_ram(kind))
		return kind;
	/* Nothing says why firmware wants to use this at run time; it shall have it. */
	if (r->attribute & EFI_MEMORY_RUNTIME)
		return MEM_RUNTIME_DATA;
	if (!(r->attribute & EFI_MEMORY_WB) || (r->attribute & EFI_MEMORY_SP))
		return MEM_RESERVED;
	return kind;
}

static bool efi_sizes_ok(size_t bytes, size_t desc_size)
{
	return desc_size >= EFI_DESC_MIN_SIZE && desc_size <= EFI_DESC_MAX_SIZE &&
	       bytes >= desc_size && bytes % desc_size == 0;
}

int memmap_from_efi(const void *efi, size_t bytes, size_t desc_size,
		    struct mem_range *map, size_t max, size_t *n)
{
	struct efi_range r;
	int err = 0;

	if (!efi_sizes_ok(bytes, desc_size))
		return -EINVAL;
	*n = 0;
	for (size_t i = 0; !err && i < bytes / desc_size; i++) {
		err = efi_descriptor(span_of(efi, bytes), desc_size, i, &r);
		if (!err)
			err = memmap_add(map, max, n, r.base, r.len, efi_kind(&r));
	}
	return err;
}

int memmap_overlay_runtime(const void *efi, size_t bytes, size_t desc_size,
			   struct mem_range *map, size_t max, size_t *n)
{
	struct efi_range r;
	int err = 0;

	if (!efi_sizes_ok(bytes, desc_size))
		return -EINVAL;
	for (size_t i = 0; !err && i < bytes / desc_size; i++) {
		err = efi_descriptor(span_of(efi, bytes), desc_size, i, &r);
		if (!err && (efi_kind(&r) == MEM_RUNTIME_CODE || efi_kind(&r) == MEM_RUNTIME_DATA))
			err = change(map, max, n, r.base, r.len, efi_kind(&r), RULE_RUNTIME);
	}
	return err;
}

uint32_t memmap_e820_type(enum mem_kind kind)
{
	if (is_ram(kind))
		return E820_RAM;
	switch (kind) {
	case MEM_ACPI_RECLAIM:	return E820_ACPI;
	case MEM_ACPI_NVS:	return E820_NVS;
	case MEM_UNUSABLE:	return E820_UNUSABLE;
	case MEM_PERSISTENT:	return E820_PMEM;
	default:		return E820_RESERVED;
	}
}

enum mem_kind memmap_e820_kind(uint32_t type)
{
	switch (type) {
	case E820_RAM:		return MEM_CONVENTIONAL;
	case E820_ACPI:		return MEM_ACPI_RECLAIM;
	case E820_NVS:		return MEM_ACPI_NVS;
	case E820_UNUSABLE:	return MEM_UNUSABLE;
	case E820_PMEM:		return MEM_PERSISTENT;
	default:		return MEM_RESERVED;
	}
}

bool memmap_next_e820(const struct mem_range *map, size_t n, size_t *i,
		      struct e820_entry_ser *entry)
{
	paddr_t base, end;
	uint32_t type;

	if (*i >= n)
		return false;
	base = end = map[*i].base;
	type = memmap_e820_type(map[*i].kind);
	while (*i < n && map[*i].base == end && memmap_e820_type(map[*i].kind) == type)
		end = range_end(&map[(*i)++]);
	*entry = (struct e820_entry_ser){ base, end - base, type };
	return true;
}

int memmap_to_e820(const struct mem_range *map, size_t n,
		   struct e820_entry_ser *out, size_t max, size_t *nr_out)
{
	struct e820_entry_ser entry;
	size_t used = 0, i = 0;

	while (memmap_next_e820(map, n, &i, &entry)) {
		if (used == max)
			return -ENOSPC;
		out[used++] = entry;
	}
	*nr_out = used;
	return 0;
}

const struct mem_range *memmap_at(const struct mem_range *map, size_t n, paddr_t pa)
{
	const size_t i = first_above(map, n, pa);

	return i < n && map[i].base <= pa ? &map[i] : NULL;
}

bool memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len)
{
	const paddr_t end = pa + len;

	if (!len || pa > MEMMAP_LIMIT || len > MEMMAP_LIMIT - pa)
		return false;
	for (size_t i = first_above(map, n, pa); pa < end; i++) {
		if (i == n || map[i].base > pa || !is_ram(map[i].kind))
			return false;
		pa = range_end(&map[i]);
	}
	return true;
}

/* The next run of wanted kinds from range *@i on, cut to the limits of @req; *@i moves behind
 * it.  Runs may be empty. */
static bool next_run(const struct mem_range *map, size_t n, const struct memmap_request *req,
		     size_t *i, paddr_t *base, paddr_t *end)
{
	while (*i < n && !(req->kinds & MEMMAP_KIND(map[*i].kind)))
		++*i;
	if (*i == n)
		return false;
	*base = map[*i].base;
	do
		*end = range_end(&map[(*i)++]);
	while (*i < n && map[*i].base == *end && (req->kinds & MEMMAP_KIND(map[*i].kind)));
	*base = MAX(*base, req->min);
	*end = req->max ? MIN(*end, req->max) : *end;
	return true;
}

static const struct memmap_hole *excluded(const struct memmap_request *req, paddr_t pa)
{
	for (size_t i = 0; i < req->nr_exclude; i++) {
		const struct memmap_hole *h = &req->exclude[i];

		if (range_valid(h->base, h->len) && h->base <= pa + (req->len - 1) &&
		    h->base + (h->len - 1) >= pa)
			return h;
	}
	return NULL;
}

/* Each step leaves one hole behind for good, so both searches end. */
static bool lowest_in(const struct memmap_request *req, paddr_t base, paddr_t end, paddr_t *pa)
{
	for (;;) {
		const paddr_t at = ALIGN_UP(base, req->align);
		const struct memmap_hole *h;

		if (at < base || at >= end || end - at < req->len)
			return false;
		h = excluded(req, at);
		if (!h) {
			*pa = at;
			return true;
		}
		if (h->base + (h->len - 1) >= end)
			return false;
		base = h->base + h->len;
	}
}

static bool highest_in(const struct memmap_request *req, paddr_t base, paddr_t end, paddr_t *pa)
{
	for (;;) {
		const struct memmap_hole *h;
		paddr_t at;

		if (end <= base || end - base < req->len)
			return false;
		at = ALIGN_DOWN(end - req->len, req->align);
		if (at < base)
			return false;
		h = excluded(req, at);
		if (!h) {
			*pa = at;
			return true;
		}
		end = h->base;
	}
}

int memmap_find(const struct mem_range *map, size_t n, const struct memmap_request *req,
		paddr_t *pa)
{
	paddr_t base, end, at;
	size_t i = 0;
	bool found = false;

	if (!req->len || !req->align || (req->align & (req->align - 1)))
		return -EINVAL;
	while (next_run(map, n, req, &i, &base, &end)) {
		if (base >= end)
			continue;
		if (req->highest ? highest_in(req, base, end, &at) : lowest_in(req, base, end, &at)) {
			*pa = at;
			found = true;
			if (!req->highest)
				break;
		}
	}
	return found ? 0 : -ENOMEM;
}

uint64_t memmap_total_ram(const struct mem_range *map, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (is_ram(map[i].kind))
			total += map[i].len;
	return total;
}
