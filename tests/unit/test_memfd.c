/* memfd-v2: written and read back by a slow reader of the test, the golden file, each field wrong
 * in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/memfd.h"
#include "kho/vmalloc.h"
#include "tests/fixtures/kho_golden.h"
#include "tests/fixtures/kho_limits.h"

#define MAX_PAGES	4096
#define DATA		MIB(256)	/* where folios are, apart from the pages that are taken */

static struct kho_refusal why;
static const struct kho_scratch no_scratch;
static struct kho_radix radix;
static paddr_t page_list[MAX_PAGES];
static struct kho_pages pages;
static struct kho_range work[MAX_PAGES];
static struct kho_folios got_folios[1024];
static struct kho_map map;

static uint64_t word(paddr_t pa)
{
	uint64_t v;

	memcpy(&v, mem_ptr(pa), 8);
	return v;
}

static struct kho_reader reader(const struct kho_limits *lim)
{
	assert_int_equal(kho_radix_read(radix.root, lim, &no_scratch, &map, &why), 0);
	return (struct kho_reader){
		.lim = lim, .scratch = &no_scratch, .map = &map,
		.claims = { .range = work, .max = ARRAY_SIZE(work) },
	};
}

static int write_file(const struct kho_memfd *m, uint64_t ram_pages)
{
	arena_reset(MIB(2), MIB(2) + ram_pages * PAGE_SIZE);
	pages = (struct kho_pages){ .pa = page_list, .max = ARRAY_SIZE(page_list) };
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	return kho_memfd_write(m, &radix, &pages, &why);
}

static int read_file(struct kho_memfd *got)
{
	const struct kho_limits lim = test_limits();
	struct kho_reader r = reader(&lim);

	*got = (struct kho_memfd){ .folios = got_folios, .max_folios = ARRAY_SIZE(got_folios) };
	return kho_memfd_read(&r, page_list[0], got, &why);
}

static void assert_same(const struct kho_memfd *a, const struct kho_memfd *b)
{
	assert_int_equal(a->pos, b->pos);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->seals, b->seals);
	assert_int_equal(a->nr_folios, b->nr_folios);
	assert_memory_equal(a->folios, b->folios, a->nr_folios * sizeof(*a->folios));
}

/* --- The slow reader: offsets as in Linux 7.3's KHO --- */

static uint64_t slow_piece(paddr_t ser, uint64_t n)
{
	paddr_t chunk = word(ser + 32);

	for (; n >= 511; n -= 511)
		chunk = word(chunk);
	return word(chunk + 8 + 8 * n);
}

static void slow_check(const struct kho_memfd *m)
{
	const paddr_t ser = page_list[0];
	uint64_t nr = 0;

	assert_int_equal(word(ser), m->pos);
	assert_int_equal(word(ser + 8), m->size);
	assert_int_equal(word(ser + 16), m->seals);	/* and flags 0 */
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		for (uint64_t at = 0; at < f->len; at += PAGE_SIZE << f->order, nr++) {
			const paddr_t entry = slow_piece(ser, nr / 256) + nr % 256 * 16;

			assert_int_equal(word(entry),
					 (f->pa + at) >> 12 | (uint64_t)f->flags << 52);
			assert_int_equal(word(entry + 8), f->index + at / 4096);
		}
	}
	assert_int_equal(word(ser + 24), nr);
	assert_int_equal((uint32_t)word(ser + 40), (nr + 255) / 256);
	assert_int_equal(word(ser + 40) >> 32, nr ? 1 : 0);
	/* The list ends with the last piece, the last chunk is the last. */
	if (nr) {
		const uint64_t pieces = (nr + 255) / 256;
		paddr_t chunk = word(ser + 32);

		for (uint64_t left = pieces; left > 511; left -= 511)
			chunk = word(chunk);
		assert_int_equal(word(chunk), 0);
		if (pieces % 511)
			assert_int_equal(word(chunk + 8 + 8 * (pieces % 511)), 0);
	} else {
		assert_int_equal(word(ser + 32), 0);
	}
}

#define UP	(KHO_FOLIO_DIRTY | KHO_FOLIO_UPTODATE)

/* memfd.every_count_reads_back: folios around the size of an array page and of a chunk */
static void test_counts(void **state)
{
	static const uint64_t counts[] = {
		0, 1, 2, 255, 256, 257, 511, 512, 513, 511 * 256 - 1, 511 * 256, 511 * 256 + 1,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct kho_folios f = { DATA, counts[i] * PAGE_SIZE, 0, 0, UP };
		const struct kho_memfd m = {
			.pos = 3, .size = counts[i] * PAGE_SIZE, .seals = 7, .folios = &f,
			.nr_folios = !!counts[i],
		};
		struct kho_memfd got;

		print_message("# %llu folios\n", (unsigned long long)counts[i]);
		assert_int_equal(write_file(&m, 1024), 0);
		slow_check(&m);
		assert_int_equal(radix.entries, pages.nr + counts[i]);
		assert_int_equal(read_file(&got), 0);
		assert_same(&got, &m);
	}
}

/* memfd.a_full_chunk_before_an_empty_one: as Linux allocates them */
static void test_empty_chunk(void **state)
{
	struct kho_folios f = { DATA, 511 * 256 * PAGE_SIZE, 0, 0, UP };
	const struct kho_memfd m = { .size = f.len, .folios = &f, .nr_folios = 1 };
	struct kho_memfd got;
	paddr_t extra;

	(void)state;
	assert_int_equal(write_file(&m, 1024), 0);
	extra = mem_alloc_pages(0);
	assert_int_equal(kho_preserve(&radix, extra, 0), 0);
	*(uint64_t *)mem_ptr(word(page_list[0] + 32)) = extra;
	assert_int_equal(read_file(&got), 0);
	assert_same(&got, &m);
	*(uint64_t *)mem_ptr(extra) = page_list[0];
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "is not the last one");
	*(uint64_t *)mem_ptr(extra) = 0;
	*(uint64_t *)mem_ptr(extra + 8) = DATA;
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "lists more pages than there are");
	*(uint64_t *)mem_ptr(word(page_list[0] + 32)) = MIB(32);
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "does not begin a preserved chunk");
}

/* memfd.runs: holes, orders, flags, a last folio that reaches beyond the end */
static void test_runs(void **state)
{
	struct kho_folios f[] = {
		{ DATA, 3 * PAGE_SIZE, 0, 0, UP },
		{ DATA + 3 * PAGE_SIZE, PAGE_SIZE, 8, 0, UP },
		{ DATA + MIB(1), 2 * KIB(64), 16, 4, UP },
		{ DATA + MIB(1) + 2 * KIB(64), KIB(64), 48, 4, KHO_FOLIO_UPTODATE },
		{ DATA + MIB(4), MIB(2), 512, 9, UP },
		{ DATA + MIB(6), PAGE_SIZE, 1024, 0, UP },
		{ DATA + MIB(10), MIB(2), 1536, 9, 0 },
	};
	const struct kho_memfd m = {
		.pos = INT64_MAX, .size = 1537 * PAGE_SIZE - 1, .seals = 0x3f, .folios = f,
		.nr_folios = ARRAY_SIZE(f),
	};
	struct kho_memfd got;

	(void)state;
	assert_int_equal(write_file(&m, 64), 0);
	slow_check(&m);
	assert_int_equal(read_file(&got), 0);
	assert_same(&got, &m);
	assert_true(kho_map_covers(&map, DATA + MIB(10), MIB(2)));
	got.max_folios = ARRAY_SIZE(f) - 1;
	{
		const struct kho_limits lim = test_limits();
		struct kho_reader r = reader(&lim);

		assert_int_equal(kho_memfd_read(&r, page_list[0], &got, &why), -ENOSPC);
	}
}

/* --- What is not written --- */

static const struct {
	const char *name;
	struct kho_memfd file;
	struct kho_folios folios[2];
	const char *what, *fault;
} refused[] = {
	{ "memfd.write.negative_position", { .pos = BIT64(63), .size = PAGE_SIZE }, { { 0 } },
	  "memfd", "has a negative position" },
	{ "memfd.write.negative_size", { .size = BIT64(63) }, { { 0 } }, "memfd",
	  "has a negative size" },
	{ "memfd.write.seal_40h", { .size = PAGE_SIZE, .seals = 0x40 }, { { 0 } }, "memfd",
	  "has unknown seals" },
	{ "memfd.write.folio_at_0", { .size = PAGE_SIZE }, { { 0, PAGE_SIZE, 0, 0, UP } }, "folio",
	  "is at an address it cannot have" },
	{ "memfd.write.not_aligned", { .size = PAGE_SIZE }, { { DATA + 8, PAGE_SIZE, 0, 0, UP } },
	  "folio", "is at an address it cannot have" },
	{ "memfd.write.not_aligned_to_order", { .size = MIB(1) },
	  { { DATA + PAGE_SIZE, 2 * PAGE_SIZE, 0, 1, UP } }, "folio",
	  "is at an address it cannot have" },
	{ "memfd.write.above_52_bits", { .size = MIB(1) },
	  { { BIT64(52) - PAGE_SIZE, 2 * PAGE_SIZE, 0, 0, UP } }, "folio",
	  "is at an address it cannot have" },
	{ "memfd.write.order_41", { .size = MIB(1) }, { { DATA, PAGE_SIZE, 0, 41, UP } }, "folio",
	  "is larger than any memory" },
	{ "memfd.write.no_length", { .size = MIB(1) }, { { DATA, 0, 0, 0, UP } }, "folio",
	  "is not whole" },
	{ "memfd.write.half_a_page", { .size = MIB(1) }, { { DATA, 2048, 0, 0, UP } }, "folio",
	  "is not whole" },
	{ "memfd.write.half_a_folio", { .size = MIB(1) }, { { DATA, 3 * PAGE_SIZE, 0, 1, UP } },
	  "folio", "is not whole" },
	{ "memfd.write.index_not_aligned", { .size = MIB(1) },
	  { { DATA, 2 * PAGE_SIZE, 1, 1, UP } }, "folio", "is not aligned in the file" },
	{ "memfd.write.behind_the_end", { .size = PAGE_SIZE + 1 },
	  { { DATA, PAGE_SIZE, 2, 0, UP } }, "folio", "lies behind the end of the file" },
	{ "memfd.write.runs_over_the_end", { .size = 2 * PAGE_SIZE },
	  { { DATA, 3 * PAGE_SIZE, 0, 0, UP } }, "folio", "lies behind the end of the file" },
	{ "memfd.write.folio_in_an_empty_file", { .size = 0 }, { { DATA, PAGE_SIZE, 0, 0, UP } },
	  "folio", "lies behind the end of the file" },
	{ "memfd.write.index_of_64_bits", { .size = INT64_MAX },
	  { { DATA, PAGE_SIZE, UINT64_MAX, 0, UP } }, "folio", "lies behind the end of the file" },
	{ "memfd.write.index_twice", { .size = MIB(1) },
	  { { DATA, 2 * PAGE_SIZE, 0, 0, UP }, { DATA + MIB(1), PAGE_SIZE, 1, 0, UP } }, "folio",
	  "lies before the one before it" },
	{ "memfd.write.unknown_flag", { .size = MIB(1) }, { { DATA, PAGE_SIZE, 0, 0, 4 } }, "folio",
	  "has unknown flags" },
	{ "memfd.write.memory_twice", { .size = MIB(1) },
	  { { DATA, 2 * PAGE_SIZE, 0, 0, UP }, { DATA + PAGE_SIZE, PAGE_SIZE, 2, 0, UP } }, "folio",
	  "cannot be preserved" },
	{ "memfd.write.below_1m", { .size = MIB(1) }, { { KIB(64), PAGE_SIZE, 0, 0, UP } }, "folio",
	  "cannot be preserved" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct kho_folios f[2];
		struct kho_memfd m = refused[i].file;
		const bool plain = !strcmp(refused[i].what, "memfd");

		print_message("# %s\n", refused[i].name);
		memcpy(f, refused[i].folios, sizeof(f));
		m.folios = f;
		m.nr_folios = plain ? 0 : f[1].len ? 2 : 1;
		assert_true(write_file(&m, 64) < 0);
		assert_string_equal(why.what, refused[i].what);
		assert_string_equal(why.fault, refused[i].fault);
		assert_int_equal(pages.nr, 0);
		assert_int_equal(radix.entries, 0);
		assert_int_equal(arena_pages_in_use, radix.nodes);
	}
}

/* memfd.write.no_half_state: fails for lack of a page at every point, and leaves nothing behind */
static void test_no_half_state(void **state)
{
	struct kho_folios f[] = {
		{ DATA, 600 * PAGE_SIZE, 0, 0, UP }, { DATA + MIB(8), MIB(2), 1024, 9, UP },
	};
	const struct kho_memfd m = { .size = MIB(8), .folios = f, .nr_folios = 2 };
	unsigned failed = 0;

	(void)state;
	for (uint64_t n = 1; n < 64; n++) {
		if (!write_file(&m, n))
			break;
		failed++;
		assert_int_equal(pages.nr, 0);
		assert_int_equal(radix.entries, 0);
		assert_int_equal(radix.pages, 0);
		assert_int_equal(arena_pages_in_use, radix.nodes);
	}
	assert_true(failed > 12 && failed < 62);
}

/* vmalloc.more_than_32_bits_count */
static void test_vmalloc_range(void **state)
{
	struct kho_vmalloc_ser v;
	struct kho_pages p = { 0 };

	(void)state;
	assert_int_equal(kho_vmalloc_write(&p, 0, BIT64(32), &v), -ERANGE);
	assert_int_equal(kho_vmalloc_write(&p, 0, 1, &v), -ENOSPC);
	assert_int_equal(kho_vmalloc_write(&p, 0, 0, &v), 0);
	assert_int_equal(v.first_pa | v.total_pages | v.flags | v.order, 0);
}

/* --- Reading --- */

#define SER		0x08026000ULL
#define CHUNK		0x08027000ULL
#define FOLIOS		0x08028000ULL
#define PAGE		0x08029000ULL

static int read_golden(struct kho_memfd *got)
{
	static struct kho_handoff handoff;
	const struct kho_limits lim = test_limits();
	const struct kho_data data = { GOLDEN_FDT, PAGE_SIZE, GOLDEN_ARRAY, 16 };
	struct kho_reader r;

	why = (struct kho_refusal){ .what = "", .fault = "" };
	assert_int_equal(kho_read(&data, &lim, &handoff, &why), 0);
	assert_int_equal(kho_reader_init(&r, &handoff, &lim, work, ARRAY_SIZE(work), &why), 0);
	*got = (struct kho_memfd){ .folios = got_folios, .max_folios = ARRAY_SIZE(got_folios) };
	return kho_memfd_read(&r, SER, got, &why);
}

/* memfd.golden, and the writer makes the same pages at the same addresses */
static void test_golden(void **state)
{
	static uint8_t want[3][PAGE_SIZE];
	static const paddr_t at[] = { SER, FOLIOS, CHUNK };
	struct kho_memfd got;

	(void)state;
	golden_lay();
	assert_int_equal(read_golden(&got), 0);
	assert_int_equal(got.size, 4096);
	assert_int_equal(got.nr_folios, 1);
	assert_int_equal(got.folios[0].pa, PAGE);
	assert_int_equal(got.folios[0].len, PAGE_SIZE);
	assert_int_equal(got.folios[0].flags, UP);
	assert_string_equal(mem_ptr(got.folios[0].pa), "hello kexec world");
	for (size_t i = 0; i < 3; i++)
		memcpy(want[i], mem_ptr(at[i]), PAGE_SIZE);

	arena_reset(MIB(2), MIB(4));
	pages = (struct kho_pages){ .pa = page_list, .max = ARRAY_SIZE(page_list) };
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	/* The tree takes its five nodes when the folio is entered, before the file's pages. */
	assert_int_equal(kho_preserve(&radix, PAGE + PAGE_SIZE, 0), 0);
	for (size_t i = 3; i-- > 0;)
		mem_free_pages(at[i], 0);
	assert_int_equal(kho_memfd_write(&got, &radix, &pages, &why), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(page_list[i], at[i]);
		assert_memory_equal(mem_ptr(at[i]), want[i], PAGE_SIZE);
	}
}

static const struct {
	const char *name;
	paddr_t at;
	uint64_t v;
	int err;
	const char *what, *fault;
} cases[] = {
	{ "memfd.position_negative", SER, BIT64(63), -EBADMSG, "memfd", "has a negative position" },
	{ "memfd.size_negative", SER + 8, UINT64_MAX, -EBADMSG, "memfd", "has a negative size" },
	{ "memfd.size_0", SER + 8, 0, -EBADMSG, "folio", "lies behind the end of the file" },
	{ "memfd.size_1", SER + 8, 1, 0, "", "" },
	{ "memfd.size_sparse", SER + 8, INT64_MAX, 0, "", "" },
	{ "memfd.seals_3f", SER + 16, 0x3f, 0, "", "" },
	{ "memfd.seal_40", SER + 16, 0x40, -EBADMSG, "memfd", "has unknown seals" },
	{ "memfd.flags_1", SER + 16, BIT64(32), -EBADMSG, "memfd", "has unknown flags" },
	{ "memfd.folios_0_of_1", SER + 24, 0, -EBADMSG, "memfd",
	  "has a folio array of another size than it states" },
	{ "memfd.folios_256", SER + 24, 256, 0, "", "" },
	{ "memfd.folios_257", SER + 24, 257, -EBADMSG, "memfd",
	  "has a folio array of another size than it states" },
	{ "memfd.folios_max", SER + 24, UINT64_MAX, -EBADMSG, "memfd",
	  "has a folio array of another size than it states" },
	{ "memfd.array_missing", SER + 32, 0, -EBADMSG, "memfd",
	  "has folios but no array of them, or the reverse" },
	{ "memfd.chunk_is_the_file", SER + 32, SER, -ELOOP, "vmalloc chunk", "is named twice" },
	{ "memfd.chunk_not_preserved", SER + 32, MIB(32), -EBADMSG, "vmalloc chunk",
	  "does not begin a preserved chunk" },
	{ "memfd.chunk_not_aligned", SER + 32, CHUNK + 8, -EBADMSG, "vmalloc chunk",
	  "is not page aligned" },
	{ "memfd.pages_0", SER + 40, BIT64(32), -EBADMSG, "memfd",
	  "has a folio array of another size than it states" },
	{ "memfd.pages_2", SER + 40, BIT64(32) | 2, -EBADMSG, "memfd",
	  "has a folio array of another size than it states" },
	{ "memfd.vmalloc_huge", SER + 40, 3 * BIT64(32) | 1, 0, "", "" },
	{ "memfd.vmalloc_flag_4", SER + 40, 4 * BIT64(32) | 1, -EBADMSG, "vmalloc array",
	  "has unknown flags" },
	{ "memfd.vmalloc_order_1", SER + 40, BIT64(48) | BIT64(32) | 1, -EBADMSG, "vmalloc array",
	  "has pieces of several pages" },
	{ "memfd.second_chunk", CHUNK, FOLIOS, -EBADMSG, "vmalloc chunk", "is not the last one" },
	{ "memfd.no_piece", CHUNK + 8, 0, -EBADMSG, "vmalloc chunk",
	  "ends before all pages are listed" },
	{ "memfd.second_piece", CHUNK + 16, PAGE, -EBADMSG, "vmalloc chunk",
	  "lists more pages than there are" },
	{ "memfd.piece_is_the_chunk", CHUNK + 8, CHUNK, -ELOOP, "page of a vmalloc array",
	  "is named twice" },
	{ "memfd.piece_in_scratch", CHUNK + 8, GOLDEN_SCRATCH, -EBADMSG, "page of a vmalloc array",
	  "lies in scratch" },
	{ "memfd.folio_skipped", FOLIOS, 0, 0, "", "" },
	{ "memfd.folio_skipped_with_flags", FOLIOS, UP * BIT64(52), 0, "", "" },
	{ "memfd.folio_flag_4", FOLIOS, PAGE >> 12 | BIT64(54), -EBADMSG, "folio",
	  "has unknown flags" },
	{ "memfd.folio_not_preserved", FOLIOS, 0x2000, -EBADMSG, "folio",
	  "does not begin a preserved chunk" },
	{ "memfd.folio_is_the_array", FOLIOS, FOLIOS >> 12, -ELOOP, "folio", "is named twice" },
	{ "memfd.folio_is_the_root_fdt", FOLIOS, GOLDEN_FDT >> 12, -ELOOP, "folio", "is named twice" },
	{ "memfd.folio_above_52_bits", FOLIOS, BIT64(40), -EBADMSG, "folio",
	  "exceeds 52 address bits" },
	{ "memfd.folio_of_2m", FOLIOS, GOLDEN_REGION >> 12, 0, "", "" },
	{ "memfd.folio_inside_2m", FOLIOS, GOLDEN_REGION / PAGE_SIZE + 1, -EBADMSG, "folio",
	  "does not begin a preserved chunk" },
	{ "memfd.folio_index_1", FOLIOS + 8, 1, -EBADMSG, "folio",
	  "lies behind the end of the file" },
	{ "memfd.folio_index_max", FOLIOS + 8, UINT64_MAX, -EBADMSG, "folio",
	  "lies behind the end of the file" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kho_memfd got;

		print_message("# %s\n", cases[i].name);
		golden_lay();
		memcpy(mem_ptr(cases[i].at), &cases[i].v, 8);
		assert_int_equal(read_golden(&got), cases[i].err);
		assert_string_equal(why.what, cases[i].what);
		assert_string_equal(why.fault, cases[i].fault);
	}
}

/* memfd.read.order_of_folios: descending, twice the same index, a large folio at an odd index */
static void test_folio_order(void **state)
{
	struct kho_folios f = { DATA, 3 * PAGE_SIZE, 0, 0, UP };
	const struct kho_memfd m = { .size = MIB(4), .folios = &f, .nr_folios = 1 };
	struct kho_memfd got;
	uint64_t *entry;

	(void)state;
	assert_int_equal(write_file(&m, 64), 0);
	entry = mem_ptr(slow_piece(page_list[0], 0));
	entry[3] = 0;
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "lies before the one before it");
	entry[3] = 2;
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "lies before the one before it");
	entry[3] = 1;
	entry[2] = entry[0];
	assert_int_equal(read_file(&got), -ELOOP);
	assert_string_equal(why.fault, "is named twice");
	assert_int_equal(kho_preserve(&radix, DATA + MIB(1), 1), 0);
	entry[2] = (DATA + MIB(1)) >> 12 | UP * BIT64(52);
	assert_int_equal(read_file(&got), -EBADMSG);
	assert_string_equal(why.fault, "is not aligned in the file");
}

/* --- Pages of a writer --- */

/* pages.undone: when one of several cannot be had, or cannot be preserved */
static void test_pages_undone(void **state)
{
	struct kho_pages p = { .pa = page_list, .max = 4 };

	(void)state;
	arena_reset(MIB(2), MIB(2) + 3 * PAGE_SIZE);
	assert_int_equal(kho_pages_alloc(&p, 5), -ENOSPC);
	assert_int_equal(kho_pages_alloc(&p, 1), 0);
	assert_int_equal(kho_pages_alloc(&p, 3), -ENOMEM);
	assert_int_equal(p.nr, 1);
	assert_int_equal(arena_pages_in_use, 1);

	arena_reset(MIB(2), MIB(4));
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	p.nr = 3;
	p.pa[0] = MIB(8);
	p.pa[1] = MIB(9);
	p.pa[2] = MIB(9);
	assert_int_equal(kho_pages_preserve(&p, 0, &radix), -EEXIST);
	assert_int_equal(radix.entries, 0);
	assert_int_equal(kho_pages_preserve(&p, 2, &radix), 0);
	assert_int_equal(radix.entries, 1);
}

/* --- Claims --- */

/* claim.neighbours_become_one_range */
static void test_claims(void **state)
{
	struct kho_range r[3];
	struct kho_claims c = { .range = r, .max = 3 };
	static const struct { paddr_t pa; uint64_t len; int err; size_t nr; } steps[] = {
		{ 0x5000, 0x1000, 0, 1 }, { 0x5000, 0x1000, -EEXIST, 1 }, { 0x4000, 0x2000, -EEXIST, 1 },
		{ 0x5800, 0x100, -EEXIST, 1 }, { 0x6000, 0x1000, 0, 1 }, { 0x4000, 0x1000, 0, 1 },
		{ 0x9000, 0x1000, 0, 2 }, { 0x1000, 0x1000, 0, 3 }, { 0xc000, 0x1000, -ENOSPC, 3 },
		{ 0x8000, 0x1000, 0, 3 }, { 0x7000, 0x1000, 0, 2 }, { 0x1000, 0x9000, -EEXIST, 2 },
		{ 0x2000, 0x2000, 0, 1 }, { 0, 0x1000, 0, 1 }, { 0xa000, BIT64(40), 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(kho_claim(&c, steps[i].pa, steps[i].len), steps[i].err);
		assert_int_equal(c.nr, steps[i].nr);
		for (size_t j = 1; j < c.nr; j++)
			assert_true(r[j - 1].base + r[j - 1].len < r[j].base);
	}
	assert_int_equal(r[0].base, 0);
	assert_int_equal(r[0].len, 0xa000 + BIT64(40));
}

/* claim.against_a_slow_one: random claims, page by page */
static void test_claims_random(void **state)
{
	static struct kho_range r[512];
	struct kho_claims c = { .range = r, .max = ARRAY_SIZE(r) };
	static bool taken[512];
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t at, n, ranges = 0;
		bool any = false;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		at = (seed >> 33) % 512;
		n = 1 + (seed >> 50) % MIN((size_t)4, 512 - at);
		for (size_t j = at; j < at + n; j++)
			any |= taken[j];
		assert_int_equal(kho_claim(&c, at * PAGE_SIZE, n * PAGE_SIZE), any ? -EEXIST : 0);
		for (size_t j = at; j < at + n && !any; j++)
			taken[j] = true;
		for (size_t j = 0; j < 512; j++)
			ranges += taken[j] && (!j || !taken[j - 1]);
		assert_int_equal(c.nr, ranges);
		if (i % 1000 == 999) {
			memset(taken, 0, sizeof(taken));
			c.nr = 0;
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_empty_chunk),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_half_state),
		cmocka_unit_test(test_vmalloc_range),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_folio_order),
		cmocka_unit_test(test_pages_undone),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_claims_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
