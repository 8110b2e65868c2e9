/* Second-stage page tables. */
#include "pagetable.h"

#include "errno.h"
#include "platform/mem.h"

static int set_format(struct vtd_ss *ss, const struct vtd_ss_format *fmt)
{
	const unsigned known = VTD_PG_4K | VTD_PG_2M | VTD_PG_1G;

	if (fmt->levels < 3 || fmt->levels > 5)
		return -EINVAL;
	if (fmt->addr_bits <= PAGE_SHIFT || fmt->addr_bits > PAGE_SHIFT + 9 * fmt->levels)
		return -EINVAL;
	if (fmt->haw <= PAGE_SHIFT || fmt->haw > 52)
		return -EINVAL;
	if (!(fmt->page_sizes & VTD_PG_4K) || (fmt->page_sizes & ~known))
		return -EINVAL;
	*ss = (struct vtd_ss){
		.levels = fmt->levels,
		.page_sizes = fmt->page_sizes,
		.addr_bits = fmt->addr_bits,
		.haw = fmt->haw,
		.coherent = fmt->coherent,
	};
	return 0;
}

static void flush(const struct vtd_ss *ss, const void *p, size_t len)
{
	if (!ss->coherent)
		mem_flush(p, len);
}

/* Zeroed by the allocator; the caller flushes it before anything points at it. */
static paddr_t new_table(struct vtd_ss *ss)
{
	const paddr_t table = mem_alloc_pages(0);

	if (table)
		ss->table_pages++;
	return table;
}

int vtd_ss_init(struct vtd_ss *ss, const struct vtd_ss_format *fmt)
{
	int rc = set_format(ss, fmt);

	if (rc)
		return rc;
	ss->top = new_table(ss);
	if (!ss->top)
		return -ENOMEM;
	flush(ss, mem_ptr(ss->top), PAGE_SIZE);
	return 0;
}

int vtd_ss_adopt(struct vtd_ss *ss, const struct vtd_ss_format *fmt, paddr_t top,
		 uint64_t table_pages)
{
	int rc;

	if (top == 0 || !IS_ALIGNED(top, PAGE_SIZE) || table_pages == 0)
		return -EINVAL;
	rc = set_format(ss, fmt);
	if (rc)
		return rc;
	ss->top = top;
	ss->table_pages = table_pages;
	return 0;
}

/* -EINVAL or -ERANGE unless [iova, iova + len) is whole pages inside the address width. */
static int check_range(const struct vtd_ss *ss, iova_t iova, uint64_t len)
{
	if (!IS_ALIGNED(iova | len, PAGE_SIZE) || len == 0)
		return -EINVAL;
	if (!range_valid(iova, len) || (iova + (len - 1)) >> ss->addr_bits)
		return -ERANGE;
	return 0;
}

static bool touches_interrupts(uint64_t base, uint64_t len)
{
	return ranges_overlap(base, len, VTD_INTR_BASE, VTD_INTR_BYTES);
}

/* Bytes of [iova, iova + len) that one entry of @size bytes covers. */
static uint64_t step_of(iova_t iova, uint64_t len, uint64_t size)
{
	return MIN(len, size - (iova & (size - 1)));
}

/* Kept apart so that a run of untouched entries costs two instructions each. */
static bool run_is_empty(const uint64_t *pte, size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= pte[i];
	return !vtd_ss_present(any);
}

/* -EEXIST if a leaf lies in the range.  What has no table yet costs nothing. */
static int check_unmapped(paddr_t table, unsigned level, iova_t iova, uint64_t len)
{
	const uint64_t *t = mem_ptr(table);
	const uint64_t size = vtd_ss_entry_bytes(level);

	if (level == 1)
		return run_is_empty(&t[vtd_ss_index(iova, 1)], len >> PAGE_SHIFT) ? 0 : -EEXIST;

	while (len) {
		const uint64_t step = step_of(iova, len, size);
		const uint64_t e = t[vtd_ss_index(iova, level)];
		int rc;

		if (vtd_ss_present(e)) {
			if (vtd_ss_is_leaf(e, level))
				return -EEXIST;
			rc = check_unmapped(e & VTD_SS_ADDR, level - 1, iova, step);
			if (rc)
				return rc;
		}
		iova += step;
		len -= step;
	}
	return 0;
}

/* The tight loop of the whole engine: one store, two additions, one branch per page. */
static void store_leaves(uint64_t *pte, size_t n, uint64_t entry)
{
	for (uint64_t *const end = pte + n; pte != end; pte++, entry += PAGE_SIZE)
		mem_write64(pte, entry);
}

static int map_level(struct vtd_ss *ss, paddr_t table, unsigned level, bool fresh, iova_t iova,
		     paddr_t pa, uint64_t len, uint64_t perm);

/* A new table is filled and flushed before the parent entry points at it. */
static int map_new_table(struct vtd_ss *ss, uint64_t *parent, unsigned level, iova_t iova,
			 paddr_t pa, uint64_t len, uint64_t perm)
{
	const paddr_t table = new_table(ss);
	int rc;

	if (!table)
		return -ENOMEM;
	rc = map_level(ss, table, level, true, iova, pa, len, perm);
	flush(ss, mem_ptr(table), PAGE_SIZE);
	mem_barrier();
	mem_write64(parent, vtd_ss_table(table));
	return rc;
}

/* @fresh: nothing points at this table yet, and whoever links it flushes it whole. */
static int map_level(struct vtd_ss *ss, paddr_t table, unsigned level, bool fresh, iova_t iova,
		     paddr_t pa, uint64_t len, uint64_t perm)
{
	const uint64_t size = vtd_ss_entry_bytes(level);
	uint64_t *const first = (uint64_t *)mem_ptr(table) + vtd_ss_index(iova, level);
	uint64_t *e = first;
	int rc = 0;

	if (level == 1) {
		store_leaves(first, len >> PAGE_SHIFT, vtd_ss_leaf(pa, perm, 1));
		e += len >> PAGE_SHIFT;
		len = 0;
	}
	for (; len && !rc; e++) {
		const uint64_t step = step_of(iova, len, size);

		if (vtd_ss_present(*e))
			rc = map_level(ss, *e & VTD_SS_ADDR, level - 1, false, iova, pa, step, perm);
		else if ((ss->page_sizes & size) && step == size && IS_ALIGNED(pa, size))
			mem_write64(e, vtd_ss_leaf(pa, perm, level));
		else
			rc = map_new_table(ss, e, level - 1, iova, pa, step, perm);
		iova += step;
		pa += step;
		len -= step;
	}
	if (!fresh)
		flush(ss, first, (size_t)(e - first) * sizeof(*e));
	return rc;
}

int vtd_ss_map(struct vtd_ss *ss, iova_t iova, paddr_t pa, uint64_t len, uint64_t perm)
{
	int rc;

	if (!IS_ALIGNED(pa, PAGE_SIZE) || perm == 0 || (perm & ~VTD_SS_RW))
		return -EINVAL;
	rc = check_range(ss, iova, len);
	if (rc)
		return rc;
	if (!range_valid(pa, len) || (pa + (len - 1)) >> ss->haw)
		return -ERANGE;
	if (touches_interrupts(iova, len) || touches_interrupts(pa, len))
		return -EINVAL;
	rc = check_unmapped(ss->top, ss->levels, iova, len);
	if (rc)
		return rc;
	return map_level(ss, ss->top, ss->levels, false, iova, pa, len, perm);
}

/* 0 if the range consists of whole leaves, so that clearing it cannot fail. */
static int check_unmappable(paddr_t table, unsigned level, iova_t iova, uint64_t len)
{
	const uint64_t *t = mem_ptr(table);
	const uint64_t size = vtd_ss_entry_bytes(level);

	while (len) {
		const uint64_t step = step_of(iova, len, size);
		const uint64_t e = t[vtd_ss_index(iova, level)];
		int rc = 0;

		if (!vtd_ss_present(e))
			rc = -ENOENT;
		else if (!vtd_ss_is_leaf(e, level))
			rc = check_unmappable(e & VTD_SS_ADDR, level - 1, iova, step);
		else if (step != size)
			rc = -EINVAL;
		if (rc)
			return rc;
		iova += step;
		len -= step;
	}
	return 0;
}

static void clear_leaves(struct vtd_ss *ss, paddr_t table, unsigned level, iova_t iova,
			 uint64_t len)
{
	const uint64_t size = vtd_ss_entry_bytes(level);
	uint64_t *const first = (uint64_t *)mem_ptr(table) + vtd_ss_index(iova, level);
	uint64_t *e = first;
	bool changed = false;

	for (; len; e++) {
		const uint64_t step = step_of(iova, len, size);

		if (vtd_ss_is_leaf(*e, level)) {
			mem_write64(e, 0);
			changed = true;
		} else {
			clear_leaves(ss, *e & VTD_SS_ADDR, level - 1, iova, step);
		}
		iova += step;
		len -= step;
	}
	if (changed)
		flush(ss, first, (size_t)(e - first) * sizeof(*e));
}

int vtd_ss_unmap(struct vtd_ss *ss, iova_t iova, uint64_t len)
{
	int rc = check_range(ss, iova, len);

	if (rc)
		return rc;
	rc = check_unmappable(ss->top, ss->levels, iova, len);
	if (rc)
		return rc;
	clear_leaves(ss, ss->top, ss->levels, iova, len);
	return 0;
}

/* The chain runs through entry 0 of each table: a page address has R=W=0, so a walk that still
 * arrives here finds nothing present. */
static void chain_unlinked(struct vtd_ss *ss, paddr_t table)
{
	mem_write64(mem_ptr(table), ss->unlinked);
	ss->unlinked = table;
}

static uint64_t unlink_level(struct vtd_ss *ss, paddr_t table, unsigned level, iova_t iova,
			     uint64_t len)
{
	const uint64_t size = vtd_ss_entry_bytes(level);
	uint64_t *t = mem_ptr(table);
	uint64_t n = 0;

	while (len) {
		const uint64_t step = step_of(iova, len, size);
		uint64_t *e = &t[vtd_ss_index(iova, level)];
		const paddr_t child = *e & VTD_SS_ADDR;

		if (vtd_ss_present(*e) && !vtd_ss_is_leaf(*e, level)) {
			if (level > 2)
				n += unlink_level(ss, child, level - 1, iova, step);
			if (run_is_empty(mem_ptr(child), VTD_SS_ENTRIES)) {
				mem_write64(e, 0);
				flush(ss, e, sizeof(*e));
				chain_unlinked(ss, child);
				n++;
			}
		}
		iova += step;
		len -= step;
	}
	return n;
}

uint64_t vtd_ss_unlink_tables(struct vtd_ss *ss, iova_t iova, uint64_t len)
{
	if (check_range(ss, iova, len))
		return 0;
	return unlink_level(ss, ss->top, ss->levels, iova, len);
}

static void free_table(struct vtd_ss *ss, paddr_t table)
{
	mem_free_pages(table, 0);
	ss->table_pages--;
}

void vtd_ss_free_tables(struct vtd_ss *ss)
{
	while (ss->unlinked) {
		const paddr_t table = ss->unlinked;

		ss->unlinked = mem_read64(mem_ptr(table));
		free_table(ss, table);
	}
}

int vtd_ss_lookup(const struct vtd_ss *ss, iova_t iova, paddr_t *pa, uint64_t *perm, uint64_t *size)
{
	paddr_t table = ss->top;
	uint64_t both = VTD_SS_RW;

	if (iova >> ss->addr_bits)
		return -ERANGE;
	for (unsigned level = ss->levels; level >= 1; level--) {
		const uint64_t *t = mem_ptr(table);
		const uint64_t e = mem_read64(&t[vtd_ss_index(iova, level)]);
		const uint64_t bytes = vtd_ss_entry_bytes(level);

		both &= e;
		if (!vtd_ss_present(both))
			return -ENOENT;
		if (vtd_ss_is_leaf(e, level)) {
			*pa = ALIGN_DOWN(e & VTD_SS_ADDR, bytes) | (iova & (bytes - 1));
			*perm = both;
			*size = bytes;
			return 0;
		}
		table = e & VTD_SS_ADDR;
	}
	return -ENOENT;		/* not reached: level 1 entries are leaves */
}

static int visit_table(const struct vtd_ss_visitor *v, paddr_t table, unsigned level, iova_t iova,
		       uint64_t *left)
{
	const uint64_t *t;
	int rc;

	if (*left == 0)
		return -ELOOP;
	--*left;
	rc = v->table(v->ctx, table, level);
	if (rc)
		return rc == VTD_VISIT_SKIP ? 0 : rc;
	if (level == 1 && !v->entry)
		return 0;
	t = mem_ptr(table);
	for (unsigned i = 0; i < VTD_SS_ENTRIES; i++, iova += vtd_ss_entry_bytes(level)) {
		const uint64_t e = mem_read64(&t[i]);

		if (!vtd_ss_present(e))
			continue;
		rc = v->entry ? v->entry(v->ctx, iova, e, level) : 0;
		if (rc == 0 && !vtd_ss_is_leaf(e, level))
			rc = visit_table(v, e & VTD_SS_ADDR, level - 1, iova, left);
		if (rc && rc != VTD_VISIT_SKIP)
			return rc;
	}
	return 0;
}

int vtd_ss_visit(paddr_t top, unsigned levels, const struct vtd_ss_visitor *v)
{
	uint64_t left = v->max_tables;

	return visit_table(v, top, levels, 0, &left);
}

int vtd_ss_for_each_table(const struct vtd_ss *ss,
			  int (*fn)(void *ctx, paddr_t table, unsigned level), void *ctx)
{
	const struct vtd_ss_visitor v = {
		.table = fn,
		.ctx = ctx,
		.max_tables = ss->table_pages,
	};

	return vtd_ss_visit(ss->top, ss->levels, &v);
}

struct leaf_visit {
	int (*fn)(void *ctx, const struct vtd_ss_leaf_info *leaf);
	void *ctx;
};

static int any_table(void *ctx, paddr_t table, unsigned level)
{
	(void)ctx;
	(void)table;
	(void)level;
	return 0;
}

static int visit_leaf(void *ctx, iova_t iova, uint64_t entry, unsigned level)
{
	const struct leaf_visit *lv = ctx;
	const uint64_t size = vtd_ss_entry_bytes(level);
	const struct vtd_ss_leaf_info leaf = {
		.iova = iova,
		.pa = ALIGN_DOWN(entry & VTD_SS_ADDR, size),
		.size = size,
		.perm = entry & VTD_SS_RW,
	};

	return vtd_ss_is_leaf(entry, level) ? lv->fn(lv->ctx, &leaf) : 0;
}

int vtd_ss_for_each_leaf(const struct vtd_ss *ss,
			 int (*fn)(void *ctx, const struct vtd_ss_leaf_info *leaf), void *ctx)
{
	struct leaf_visit lv = { .fn = fn, .ctx = ctx };
	const struct vtd_ss_visitor v = {
		.table = any_table,
		.entry = visit_leaf,
		.ctx = &lv,
		.max_tables = ss->table_pages,
	};

	return vtd_ss_visit(ss->top, ss->levels, &v);
}

static void free_level(struct vtd_ss *ss, paddr_t table, unsigned level)
{
	const uint64_t *t = mem_ptr(table);

	for (unsigned i = 0; level > 1 && i < VTD_SS_ENTRIES; i++)
		if (vtd_ss_present(t[i]) && !vtd_ss_is_leaf(t[i], level))
			free_level(ss, t[i] & VTD_SS_ADDR, level - 1);
	free_table(ss, table);
}

void vtd_ss_free(struct vtd_ss *ss)
{
	vtd_ss_free_tables(ss);
	if (ss->top)
		free_level(ss, ss->top, ss->levels);
	ss->top = 0;
}

uint64_t vtd_ss_reserved(uint64_t entry, unsigned level, unsigned haw, unsigned page_sizes,
			 bool sc)
{
	const uint64_t size = vtd_ss_entry_bytes(level);
	uint64_t mask = VTD_SS_RSVD_62;

	if (haw < 52)
		mask |= GENMASK64(51, haw);
	if (!vtd_ss_is_leaf(entry, level))
		return mask | VTD_SS_SNP;
	if (!sc)
		mask |= VTD_SS_SNP;
	if (level > 1)
		mask |= (size - 1) & VTD_SS_ADDR;
	if (level > 1 && !(page_sizes & size))
		mask |= VTD_SS_PS;
	return mask;
}
