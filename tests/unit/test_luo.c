/* LUO: written in every size around its limits and read back by a slow reader that shares nothing
 * with the library; the golden blob; each field of it wrong in turn; random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/luo.h"
#include "tests/fixtures/kho_golden.h"
#include "tests/fixtures/kho_limits.h"

#define MAX_SESSIONS	4096
#define MAX_FILES	4096
#define MAX_PAGES	4096

static struct kho_refusal why;
static const struct kho_scratch no_scratch;

/* --- The slow reader: offsets and limits as in Linux 7.3's KHO --- */

static uint64_t word(paddr_t pa)
{
	uint64_t v;

	memcpy(&v, mem_ptr(pa), 8);
	return v;
}

/* A Linux receiver accepts the name: it ends inside its field. */
static const char *slow_name(paddr_t pa, size_t size)
{
	assert_non_null(memchr(mem_ptr(pa), 0, size));
	return mem_ptr(pa);
}

/* The page is preserved as order 0: the bit of its key is set, found by walking the levels. */
static void slow_preserved(paddr_t root, paddr_t pa)
{
	const uint64_t key = 1ULL << 52 | pa >> 12;
	paddr_t node = root;

	assert_int_equal(pa % 4096, 0);
	for (int shift = 51; shift >= 15; shift -= 9) {
		node = word(node + 8 * (key >> shift & 511));
		assert_true(node != 0);
	}
	assert_true(word(node + 8 * (key % 32768 / 64)) >> key % 64 & 1);
}

/* Entry @i of a chain with entries of @size bytes, or 0; checks every block it passes. */
static paddr_t slow_entry(paddr_t root, paddr_t block, uint64_t i, uint64_t size)
{
	unsigned blocks = 0;

	while (block) {
		const uint64_t count = word(block + 8);

		assert_true(++blocks <= 10000);
		slow_preserved(root, block);
		assert_true(count >= 1 && count <= (4096 - 16) / size);
		if (i < count)
			return block + 16 + i * size;
		i -= count;
		block = word(block);
	}
	return 0;
}

static void slow_check_files(paddr_t root, const struct kho_luo *l, const struct kho_session *s,
			     paddr_t files)
{
	assert_int_equal(!files, !s->nr_files);
	for (size_t i = 0; i < s->nr_files; i++) {
		const struct kho_file *f = &l->files[s->first_file + i];
		const paddr_t at = slow_entry(root, files, i, 64);

		assert_true(at != 0);
		assert_string_equal(slow_name(at, 48), f->compatible);
		assert_int_equal(word(at + 48), f->data);
		assert_int_equal(word(at + 56), f->token);
	}
	assert_int_equal(slow_entry(root, files, s->nr_files, 64), 0);
}

static void slow_check(paddr_t root, paddr_t luo, const struct kho_luo *l)
{
	const paddr_t sessions = word(luo + 16), flbs = word(luo + 24);

	assert_memory_equal(mem_ptr(luo), "luo-v5\0", 8);
	assert_int_equal(word(luo + 8), l->liveupdate_num);
	assert_int_equal(!sessions, !l->nr_sessions);
	for (size_t i = 0; i < l->nr_sessions; i++) {
		const paddr_t at = slow_entry(root, sessions, i, 80);

		assert_true(at != 0);
		assert_string_equal(slow_name(at, 64), l->sessions[i].name);
		assert_int_equal(word(at + 72), l->sessions[i].nr_files);
		slow_check_files(root, l, &l->sessions[i], word(at + 64));
	}
	assert_int_equal(slow_entry(root, sessions, l->nr_sessions, 80), 0);
	assert_int_equal(!flbs, !l->nr_flbs);
	if (!flbs)
		return;
	slow_preserved(root, flbs);
	assert_int_equal(word(flbs), 1);
	assert_int_equal(word(flbs + 8), l->nr_flbs);
	for (size_t i = 0; i < l->nr_flbs; i++) {
		const paddr_t at = flbs + 16 + 64 * i;

		assert_string_equal(slow_name(at, 48), l->flbs[i].name);
		assert_int_equal(word(at + 48), l->flbs[i].data);
		assert_int_equal(word(at + 56), l->flbs[i].count);
	}
}

/* --- Plans --- */

static struct kho_session sessions[MAX_SESSIONS], got_sessions[MAX_SESSIONS];
static struct kho_file files[MAX_FILES], got_files[MAX_FILES];
static struct kho_flb flbs[KHO_MAX_FLBS + 1], got_flbs[KHO_MAX_FLBS];
static struct kho_key keys[MAX_SESSIONS], got_keys[MAX_SESSIONS];
static paddr_t page_list[MAX_PAGES];

/* @nr_sessions sessions; the first has @nr_files, the last too if there are several. */
static struct kho_luo plan(size_t nr_sessions, size_t nr_files, size_t nr_flbs)
{
	struct kho_luo l = {
		.liveupdate_num = 7, .sessions = sessions, .nr_sessions = nr_sessions,
		.files = files, .flbs = flbs, .nr_flbs = nr_flbs,
		.keys = keys, .max_keys = ARRAY_SIZE(keys),
	};

	memset(sessions, 0, sizeof(sessions));
	memset(files, 0, sizeof(files));
	memset(flbs, 0, sizeof(flbs));
	for (size_t i = 0; i < nr_sessions; i++) {
		struct kho_session *s = &sessions[i];

		snprintf(s->name, sizeof(s->name), "session %zu", i);
		s->first_file = l.nr_files;
		s->nr_files = i == 0 || i == nr_sessions - 1 ? nr_files : 0;
		for (size_t f = 0; f < s->nr_files; f++, l.nr_files++) {
			strcpy(files[l.nr_files].compatible, "memfd-v2");
			files[l.nr_files].data = MIB(1) * (1 + l.nr_files);
			files[l.nr_files].token = f * 0x9e3779b97f4a7c15;
		}
	}
	for (size_t i = 0; i < nr_flbs; i++) {
		snprintf(flbs[i].name, sizeof(flbs[i].name), "flb-%zu", i);
		flbs[i].data = ~i;
		flbs[i].count = i + 1;
	}
	return l;
}

static struct kho_radix radix;
static struct kho_pages pages;

static int write_plan(const struct kho_luo *l, const struct kho_luo *behind)
{
	pages = (struct kho_pages){ .pa = page_list, .max = ARRAY_SIZE(page_list) };
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	return kho_luo_write(l, behind, &radix, &pages, &why);
}

static struct kho_luo got_arrays(void)
{
	return (struct kho_luo){
		.sessions = got_sessions, .max_sessions = ARRAY_SIZE(got_sessions),
		.files = got_files, .max_files = ARRAY_SIZE(got_files),
		.flbs = got_flbs, .max_flbs = ARRAY_SIZE(got_flbs),
		.keys = got_keys, .max_keys = ARRAY_SIZE(got_keys),
	};
}

static struct kho_range work[MAX_PAGES];
static struct kho_map map;

/* A reader of what is preserved by @root, without a root FDT. */
static struct kho_reader reader(const struct kho_limits *lim, paddr_t root)
{
	assert_int_equal(kho_radix_read(root, lim, &no_scratch, &map, &why), 0);
	return (struct kho_reader){
		.lim = lim, .scratch = &no_scratch, .map = &map,
		.claims = { .range = work, .max = ARRAY_SIZE(work) },
	};
}

static int read_back(struct kho_luo *got)
{
	const struct kho_limits lim = test_limits();
	struct kho_reader r = reader(&lim, radix.root);

	*got = got_arrays();
	return kho_luo_read(&r, span_of(mem_ptr(page_list[0]), 32), got, &why);
}

static void assert_same(const struct kho_luo *a, const struct kho_luo *b)
{
	assert_int_equal(a->liveupdate_num, b->liveupdate_num);
	assert_int_equal(a->nr_sessions, b->nr_sessions);
	assert_memory_equal(a->sessions, b->sessions, a->nr_sessions * sizeof(*a->sessions));
	assert_int_equal(a->nr_files, b->nr_files);
	assert_memory_equal(a->files, b->files, a->nr_files * sizeof(*a->files));
	assert_int_equal(a->nr_flbs, b->nr_flbs);
	assert_memory_equal(a->flbs, b->flbs, a->nr_flbs * sizeof(*a->flbs));
}

/* --- The writer cannot make a malformed blob --- */

static const size_t counts[] = { 0, 1, 50, 51, 52, 62, 63, 64, 102, 103, 126, 127, 511, 512 };
static const size_t flb_counts[] = { 0, 1, 2, 62, 63 };

/* luo.every_count_reads_back: sessions, files in them, FLBs, around the size of a block */
static void test_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(counts); j++) {
			const size_t nr_flbs = flb_counts[(i + j) % ARRAY_SIZE(flb_counts)];
			const struct kho_luo l = plan(counts[i], counts[j], nr_flbs);
			struct kho_luo got;

			arena_reset(MIB(2), MIB(64));
			assert_int_equal(write_plan(&l, NULL), 0);
			slow_check(radix.root, page_list[0], &l);
			assert_int_equal(read_back(&got), 0);
			assert_same(&got, &l);
			/* Every page but the blob, and nothing else, is preserved. */
			assert_int_equal(radix.entries, pages.nr - 1);
		}
}

/* luo.nothing_is_a_null_pointer */
static void test_nothing(void **state)
{
	const struct kho_luo l = plan(0, 0, 0);

	(void)state;
	arena_reset(MIB(2), MIB(4));
	assert_int_equal(write_plan(&l, NULL), 0);
	assert_int_equal(pages.nr, 1);
	assert_int_equal(word(page_list[0] + 16), 0);
	assert_int_equal(word(page_list[0] + 24), 0);
}

/* luo.full_length_names: 63 and 47 characters and the NUL */
static void test_full_names(void **state)
{
	struct kho_luo l = plan(52, 64, 63), got;

	(void)state;
	for (size_t i = 0; i < l.nr_sessions; i++)
		memset(sessions[i].name + strlen(sessions[i].name), 's',
		       63 - strlen(sessions[i].name));
	for (size_t i = 0; i < l.nr_files; i++)
		memset(files[i].compatible, 'c', 47);
	for (size_t i = 0; i < l.nr_flbs; i++)
		memset(flbs[i].name + strlen(flbs[i].name), 'f', 47 - strlen(flbs[i].name));
	arena_reset(MIB(2), MIB(64));
	assert_int_equal(write_plan(&l, NULL), 0);
	slow_check(radix.root, page_list[0], &l);
	assert_int_equal(read_back(&got), 0);
	assert_same(&got, &l);
	assert_int_equal(strlen(got.sessions[0].name), 63);
}

/* luo.bytes_behind_a_name_are_zero, whatever the caller has there */
static void test_name_tail(void **state)
{
	const struct kho_luo l = plan(1, 1, 1);
	uint8_t zero[64] = { 0 };

	(void)state;
	memcpy(sessions[0].name, "a\0secret", 9);
	memcpy(files[0].compatible, "b\0secret", 9);
	memcpy(flbs[0].name, "c\0secret", 9);
	arena_reset(MIB(2), MIB(4));
	assert_int_equal(write_plan(&l, NULL), 0);
	assert_memory_equal((uint8_t *)mem_ptr(word(page_list[0] + 16)) + 16 + 1, zero, 63);
	assert_memory_equal((uint8_t *)mem_ptr(word(word(page_list[0] + 16) + 80)) + 16 + 1, zero, 47);
	assert_memory_equal((uint8_t *)mem_ptr(word(page_list[0] + 24)) + 16 + 1, zero, 47);
}

/* luo.limits: the last that fits, and the first that does not */
static void test_limits_of_format(void **state)
{
	struct kho_luo l = plan(1, 0, 63);
	static struct kho_session many;

	(void)state;
	arena_reset(MIB(2), MIB(64));
	l.nr_flbs = 64;
	assert_int_equal(write_plan(&l, NULL), -ENOSPC);
	assert_string_equal(why.fault, "does not fit on the page of FLBs");
	l.nr_flbs = 0;
	l.nr_sessions = 51 * 10000 + 1;
	assert_int_equal(write_plan(&l, NULL), -ENOSPC);
	assert_string_equal(why.fault, "is beyond 10000 blocks");
	strcpy(many.name, "many");
	many.nr_files = 63 * 10000 + 1;
	l.sessions = &many;
	l.nr_sessions = 1;
	l.nr_files = many.nr_files;
	assert_int_equal(write_plan(&l, NULL), -ENOSPC);
	assert_string_equal(why.fault, "is beyond 10000 blocks");
	assert_int_equal(pages.nr, 0);
}

/* luo.ten_thousand_blocks_of_files: the most a session can hold, written and read */
static void test_most_files(void **state)
{
	const size_t n = 63 * 10000, max_pages = 10003;
	struct kho_session s = { .name = "most", .nr_files = n };
	struct kho_luo l = { .sessions = &s, .nr_sessions = 1, .nr_files = n, .max_keys = n }, got;
	const struct kho_limits lim = test_limits();
	struct kho_reader r;

	(void)state;
	l.files = calloc(n, sizeof(*l.files));
	l.keys = calloc(n, sizeof(*l.keys));
	for (size_t i = 0; i < n; i++) {
		strcpy(l.files[i].compatible, "memfd-v2");
		l.files[i].token = n - i;
	}
	pages = (struct kho_pages){ .pa = calloc(max_pages, sizeof(paddr_t)), .max = max_pages };
	arena_reset(MIB(2), MIB(128));
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	assert_int_equal(kho_luo_write(&l, NULL, &radix, &pages, &why), 0);
	assert_int_equal(pages.nr, 2 + 10000);
	r = reader(&lim, radix.root);
	got = l;
	got.sessions = got_sessions;
	got.max_sessions = 1;
	got.files = calloc(n, sizeof(*got.files));
	got.max_files = n;
	assert_int_equal(kho_luo_read(&r, span_of(mem_ptr(pages.pa[0]), 32), &got, &why), 0);
	assert_same(&got, &l);
	/* One block more, and the chain is too long. */
	*(uint64_t *)mem_ptr(pages.pa[pages.nr - 1]) = pages.pa[1];
	r = reader(&lim, radix.root);
	assert_int_equal(kho_luo_read(&r, span_of(mem_ptr(pages.pa[0]), 32), &got, &why), -EBADMSG);
	assert_string_equal(why.fault, "follows too many others");
	free(got.files);
	free(l.files);
	free(l.keys);
	free(pages.pa);
}

static void make_dup_session(struct kho_luo *l) { strcpy(l->sessions[2].name, l->sessions[0].name); }
static void make_dup_token(struct kho_luo *l) { l->files[2].token = l->files[0].token; }
static void make_dup_flb(struct kho_luo *l) { strcpy(l->flbs[2].name, l->flbs[0].name); }
static void make_unnamed_session(struct kho_luo *l) { l->sessions[1].name[0] = 0; }
static void make_unnamed_file(struct kho_luo *l) { l->files[1].compatible[0] = 0; }
static void make_unnamed_flb(struct kho_luo *l) { l->flbs[1].name[0] = 0; }
static void make_endless_session(struct kho_luo *l) { memset(l->sessions[1].name, 'x', 64); }
static void make_endless_file(struct kho_luo *l) { memset(l->files[1].compatible, 'x', 48); }
static void make_endless_flb(struct kho_luo *l) { memset(l->flbs[1].name, 'x', 48); }
static void make_flb_without_files(struct kho_luo *l) { l->flbs[1].count = 0; }
static void make_files_not_given(struct kho_luo *l) { l->nr_files--; }
static void make_first_file_wrap(struct kho_luo *l) { l->sessions[0].first_file = SIZE_MAX; }
static void make_few_keys(struct kho_luo *l) { l->max_keys = 2; }
static void make_no_keys_for_files(struct kho_luo *l) { l->max_keys = 3; }

static const struct {
	const char *name;
	void (*spoil)(struct kho_luo *l);
	int err;
	const char *what, *fault;
} refused[] = {
	{ "luo.write.session_twice", make_dup_session, -EINVAL, "session", "has a name that is taken" },
	{ "luo.write.token_twice", make_dup_token, -EINVAL, "file", "has a token that is taken" },
	{ "luo.write.flb_twice", make_dup_flb, -EINVAL, "FLB", "has a name that is taken" },
	{ "luo.write.session_unnamed", make_unnamed_session, -EINVAL, "session", "has an empty name" },
	{ "luo.write.file_unnamed", make_unnamed_file, -EINVAL, "file", "has an empty name" },
	{ "luo.write.flb_unnamed", make_unnamed_flb, -EINVAL, "FLB", "has an empty name" },
	{ "luo.write.session_name_64", make_endless_session, -EINVAL, "session",
	  "has a name without an end" },
	{ "luo.write.file_name_48", make_endless_file, -EINVAL, "file", "has a name without an end" },
	{ "luo.write.flb_name_48", make_endless_flb, -EINVAL, "FLB", "has a name without an end" },
	{ "luo.write.flb_without_files", make_flb_without_files, -EINVAL, "FLB",
	  "has no file that depends on it" },
	{ "luo.write.files_not_given", make_files_not_given, -EINVAL, "session",
	  "has files that are not given" },
	{ "luo.write.first_file_wraps", make_first_file_wrap, -EINVAL, "session",
	  "has files that are not given" },
	{ "luo.write.few_keys", make_few_keys, -ENOSPC, "file", "is one too many for the work memory" },
	{ "luo.write.no_keys_for_files", make_no_keys_for_files, -ENOSPC, "file",
	  "is one too many for the work memory" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct kho_luo l = plan(3, 4, 3);
		uint64_t before;

		print_message("# %s\n", refused[i].name);
		refused[i].spoil(&l);
		arena_reset(MIB(2), MIB(4));
		assert_int_equal(write_plan(&l, NULL), refused[i].err);
		assert_string_equal(why.what, refused[i].what);
		assert_string_equal(why.fault, refused[i].fault);
		before = arena_pages_in_use;
		assert_int_equal(before, radix.nodes);
		assert_int_equal(pages.nr, 0);
	}
}

/* luo.write.no_half_state: fails for lack of a page at every point, and leaves nothing behind */
static void test_no_half_state(void **state)
{
	const struct kho_luo l = plan(52, 64, 3);
	size_t failed = 0;

	(void)state;
	for (size_t n = 1; n < 64; n++) {
		arena_reset(MIB(2), MIB(2) + n * PAGE_SIZE);
		if (!write_plan(&l, NULL))
			break;
		failed++;
		assert_string_equal(why.what, "LUO blob");
		assert_int_equal(pages.nr, 0);
		assert_int_equal(radix.entries, 0);
		assert_int_equal(arena_pages_in_use, radix.nodes);
	}
	assert_true(failed > 12 && failed < 62);
}

/* luo.write.page_list_full */
static void test_page_list(void **state)
{
	const struct kho_luo l = plan(1, 1, 1);

	(void)state;
	for (size_t max = 0; max <= 4; max++) {
		arena_reset(MIB(2), MIB(4));
		pages = (struct kho_pages){ .pa = page_list, .max = max };
		assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
		assert_int_equal(kho_luo_write(&l, NULL, &radix, &pages, &why),
				 max < 4 ? -ENOSPC : 0);
		assert_int_equal(pages.nr, max < 4 ? 0 : 4);
	}
}

/* luo.write.pages_that_may_not_be_preserved: those in scratch */
static void test_scratch(void **state)
{
	static const struct kho_scratch scratch = { { { MIB(2), MIB(2) } }, 1 };
	const struct kho_luo l = plan(1, 1, 1);

	(void)state;
	arena_reset(MIB(2), MIB(4));
	pages = (struct kho_pages){ .pa = page_list, .max = ARRAY_SIZE(page_list) };
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	assert_int_equal(kho_luo_write(&l, NULL, &radix, &pages, &why), -EINVAL);
	assert_int_equal(pages.nr, 0);
}

/* luo.behind: a foreign session's blocks are linked behind ours, unchanged */
static void test_behind(void **state)
{
	const struct kho_limits lim = test_limits();
	struct kho_luo l = plan(52, 1, 1), foreign, got;
	paddr_t foreign_blob;
	uint8_t before[PAGE_SIZE];

	(void)state;
	arena_reset(MIB(2), MIB(64));
	for (size_t i = 0; i < l.nr_sessions; i++)
		sessions[i].name[0] = 'f';
	assert_int_equal(write_plan(&l, NULL), 0);
	assert_int_equal(read_back(&foreign), 0);
	assert_int_equal(foreign.nr_session_blocks, 2);
	foreign_blob = foreign.sessions_pa;
	memcpy(before, mem_ptr(foreign_blob), PAGE_SIZE);

	l = plan(1, 2, 0);
	pages.nr = 0;
	assert_int_equal(kho_luo_write(&l, &foreign, &radix, &pages, &why), 0);
	assert_memory_equal(before, mem_ptr(foreign_blob), PAGE_SIZE);
	{
		static struct kho_session all[64];
		struct kho_reader r = reader(&lim, radix.root);

		got = got_arrays();
		got.sessions = all;
		got.max_sessions = ARRAY_SIZE(all);
		assert_int_equal(kho_luo_read(&r, span_of(mem_ptr(page_list[0]), 32), &got, &why), 0);
		assert_int_equal(got.nr_sessions, 53);
		assert_string_equal(all[0].name, "session 0");
		assert_string_equal(all[52].name, "fession 51");
	}
	/* With none of ours, theirs come first. */
	l = plan(0, 0, 0);
	pages.nr = 0;
	assert_int_equal(kho_luo_write(&l, &foreign, &radix, &pages, &why), 0);
	assert_int_equal(word(page_list[0] + 16), foreign_blob);
	/* A name of theirs is taken; their blocks count. */
	l = plan(1, 0, 0);
	foreign.sessions = got_sessions;
	strcpy(got_sessions[7].name, sessions[0].name);
	assert_int_equal(kho_luo_write(&l, &foreign, &radix, &pages, &why), -EINVAL);
	assert_string_equal(why.fault, "has a name that is taken");
	foreign.nr_session_blocks = 10000;
	assert_int_equal(kho_luo_write(&l, &foreign, &radix, &pages, &why), -ENOSPC);
}

/* --- Reading --- */

#define SESSION_BLOCK	0x08024000ULL
#define FILE_BLOCK	0x08025000ULL
#define FLB_PAGE	0x0802a000ULL

static struct kho_handoff handoff;

static int read_golden(struct kho_luo *got)
{
	const struct kho_limits lim = test_limits();
	const struct kho_data data = { GOLDEN_FDT, PAGE_SIZE, GOLDEN_ARRAY, 16 };
	struct kho_reader r;

	why = (struct kho_refusal){ .what = "", .fault = "" };
	assert_int_equal(kho_read(&data, &lim, &handoff, &why), 0);
	assert_int_equal(kho_reader_init(&r, &handoff, &lim, work, ARRAY_SIZE(work), &why), 0);
	*got = got_arrays();
	return kho_luo_read(&r, kho_subnode_blob(kho_tree_find(&handoff.tree, KHO_NODE_LUO)), got,
			    &why);
}

/* luo.golden: Linux 7.3's KHO */
static void test_golden(void **state)
{
	struct kho_luo got;

	(void)state;
	golden_lay();
	assert_int_equal(read_golden(&got), 0);
	assert_int_equal(got.liveupdate_num, 1);
	assert_int_equal(got.nr_sessions, 1);
	assert_string_equal(got.sessions[0].name, "golden");
	assert_int_equal(got.nr_files, 1);
	assert_string_equal(got.files[0].compatible, "memfd-v2");
	assert_int_equal(got.files[0].token, 0x1a);
	assert_int_equal(got.files[0].data, 0x08026000);
	assert_int_equal(got.nr_flbs, 3);
	for (size_t i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "liveupdate-test-flb-v%zu", i);
		assert_ptr_equal(kho_luo_flb(&got, name), &got.flbs[i]);
		assert_int_equal(got.flbs[i].data, 0xfeedf00dcafebee0 + i);
		assert_int_equal(got.flbs[i].count, 1);
	}
	assert_null(kho_luo_flb(&got, "iommu-liveupdate"));
}

/* luo.golden_written: the same plan at the same addresses makes the same pages */
static void test_golden_written(void **state)
{
	static uint8_t want[3][PAGE_SIZE];
	static const paddr_t at[] = { SESSION_BLOCK, FILE_BLOCK, FLB_PAGE };
	struct kho_luo l;

	(void)state;
	golden_lay();
	assert_int_equal(read_golden(&l), 0);
	for (size_t i = 0; i < 3; i++)
		memcpy(want[i], mem_ptr(at[i]), PAGE_SIZE);
	arena_reset(MIB(2), MIB(4));
	mem_free_pages(FLB_PAGE, 0);
	mem_free_pages(FILE_BLOCK, 0);
	mem_free_pages(SESSION_BLOCK, 0);
	mem_free_pages(GOLDEN_LUO, 0);
	mem_free_pages(GOLDEN_NODES, 0);	/* the root of the tree is taken first */
	assert_int_equal(write_plan(&l, NULL), 0);
	assert_int_equal(page_list[0], GOLDEN_LUO);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(mem_ptr(at[i]), want[i], PAGE_SIZE);
}

static const struct {
	const char *name;
	paddr_t at;
	uint64_t v;
	int err;
	const char *what, *fault;
} cases[] = {
	{ "luo.version", GOLDEN_LUO, 0x000034762d6f756c, -EBADMSG, "LUO blob",
	  "is not compatible with luo-v5" },
	{ "luo.version_with_a_tail", GOLDEN_LUO, 0x010035762d6f756c, -EBADMSG, "LUO blob",
	  "is not compatible with luo-v5" },
	{ "luo.no_sessions", GOLDEN_LUO + 16, 0, 0, "", "" },
	{ "luo.no_flbs", GOLDEN_LUO + 24, 0, 0, "", "" },
	{ "luo.sessions_not_aligned", GOLDEN_LUO + 16, SESSION_BLOCK + 8, -EBADMSG, "session block",
	  "is not page aligned" },
	{ "luo.sessions_not_preserved", GOLDEN_LUO + 16, GOLDEN_NODES, -EBADMSG, "session block",
	  "does not begin a preserved chunk" },
	{ "luo.sessions_in_scratch", GOLDEN_LUO + 16, GOLDEN_SCRATCH, -EBADMSG, "session block",
	  "lies in scratch" },
	{ "luo.sessions_not_ram", GOLDEN_LUO + 16, GIB(3), -EBADMSG, "session block", "is not RAM" },
	{ "luo.sessions_at_the_top", GOLDEN_LUO + 16, -PAGE_SIZE, -EBADMSG, "session block",
	  "exceeds 52 address bits" },
	{ "luo.sessions_below_1m", GOLDEN_LUO + 16, PAGE_SIZE, -EBADMSG, "session block",
	  "lies below 1 MiB" },
	{ "luo.sessions_in_a_large_chunk", GOLDEN_LUO + 16, GOLDEN_REGION, -EBADMSG, "session block",
	  "is not preserved as a page of its own" },
	{ "luo.sessions_inside_a_large_chunk", GOLDEN_LUO + 16, GOLDEN_REGION + PAGE_SIZE, -EBADMSG,
	  "session block", "does not begin a preserved chunk" },
	{ "luo.sessions_are_the_root_fdt", GOLDEN_LUO + 16, GOLDEN_FDT, -ELOOP, "session block",
	  "is named twice" },
	{ "luo.sessions_are_the_blob", GOLDEN_LUO + 16, GOLDEN_LUO, -ELOOP, "session block",
	  "is named twice" },
	{ "luo.block_names_itself", SESSION_BLOCK, SESSION_BLOCK, -ELOOP, "session block",
	  "is named twice" },
	{ "luo.block_names_the_file_block", SESSION_BLOCK, FILE_BLOCK, -ELOOP, "session block",
	  "is named twice" },
	{ "luo.block_names_an_empty_page", SESSION_BLOCK, 0x08029000, -EBADMSG, "session block",
	  "claims more entries than fit" },
	{ "luo.session_count_0", SESSION_BLOCK + 8, 0, -EBADMSG, "session block", "is empty" },
	{ "luo.session_count_52", SESSION_BLOCK + 8, 52, -EBADMSG, "session block",
	  "claims more entries than fit" },
	{ "luo.session_count_2_32", SESSION_BLOCK + 8, BIT64(32), -EBADMSG, "session block",
	  "claims more entries than fit" },
	{ "luo.session_count_max", SESSION_BLOCK + 8, UINT64_MAX, -EBADMSG, "session block",
	  "claims more entries than fit" },
	{ "luo.session_count_too_high", SESSION_BLOCK + 8, 2, -EBADMSG, "session",
	  "has an empty name" },
	{ "luo.session_unnamed", SESSION_BLOCK + 16, 0, -EBADMSG, "session", "has an empty name" },
	{ "luo.files_missing", SESSION_BLOCK + 80, 0, -EBADMSG, "session",
	  "has not the number of files it states" },
	{ "luo.files_are_sessions", SESSION_BLOCK + 80, SESSION_BLOCK, -ELOOP, "file block",
	  "is named twice" },
	{ "luo.files_not_stated", SESSION_BLOCK + 88, 0, -EBADMSG, "session",
	  "has not the number of files it states" },
	{ "luo.files_2_stated", SESSION_BLOCK + 88, 2, -EBADMSG, "session",
	  "has not the number of files it states" },
	{ "luo.file_count_0", FILE_BLOCK + 8, 0, -EBADMSG, "file block", "is empty" },
	{ "luo.file_count_64", FILE_BLOCK + 8, 64, -EBADMSG, "file block",
	  "claims more entries than fit" },
	{ "luo.file_unnamed", FILE_BLOCK + 16, 0, -EBADMSG, "file", "has an empty name" },
	{ "luo.file_block_names_itself", FILE_BLOCK, FILE_BLOCK, -ELOOP, "file block",
	  "is named twice" },
	{ "luo.flbs_are_sessions", GOLDEN_LUO + 24, SESSION_BLOCK, -ELOOP, "FLB page",
	  "is named twice" },
	{ "luo.flbs_not_aligned", GOLDEN_LUO + 24, FLB_PAGE + 64, -EBADMSG, "FLB page",
	  "is not page aligned" },
	{ "luo.flb_pages_2", FLB_PAGE, 2, -EBADMSG, "FLB page", "is not one page" },
	{ "luo.flb_count_0", FLB_PAGE + 8, 0, 0, "", "" },
	{ "luo.flb_count_64", FLB_PAGE + 8, 64, -EBADMSG, "FLB page",
	  "claims more entries than fit" },
	{ "luo.flb_count_max", FLB_PAGE + 8, UINT64_MAX, -EBADMSG, "FLB page",
	  "claims more entries than fit" },
	{ "luo.flb_count_too_high", FLB_PAGE + 8, 4, -EBADMSG, "FLB", "has an empty name" },
	{ "luo.flb_twice", FLB_PAGE + 80 + 16, 0x000030762d626c66, -EBADMSG, "FLB",
	  "has a name that is taken" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kho_luo got;

		print_message("# %s\n", cases[i].name);
		golden_lay();
		memcpy(mem_ptr(cases[i].at), &cases[i].v, 8);
		assert_int_equal(read_golden(&got), cases[i].err);
		assert_string_equal(why.what, cases[i].what);
		assert_string_equal(why.fault, cases[i].fault);
	}
}

/* luo.read.names: without an end; taken by another */
static void test_names(void **state)
{
	struct kho_luo l = plan(3, 2, 2), got;
	const struct { paddr_t off; size_t bytes; const char *what; } names[] = {
		{ 16, 64, "session" }, { 24, 48, "FLB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		arena_reset(MIB(2), MIB(4));
		assert_int_equal(write_plan(&l, NULL), 0);
		memset((uint8_t *)mem_ptr(word(page_list[0] + names[i].off)) + 16, 'x',
		       names[i].bytes);
		assert_int_equal(read_back(&got), -EBADMSG);
		assert_string_equal(why.what, names[i].what);
		assert_string_equal(why.fault, "has a name without an end");
	}
	arena_reset(MIB(2), MIB(4));
	assert_int_equal(write_plan(&l, NULL), 0);
	strcpy((char *)mem_ptr(word(page_list[0] + 16)) + 16 + 2 * 80, "session 0");
	assert_int_equal(read_back(&got), -EBADMSG);
	assert_string_equal(why.fault, "has a name that is taken");
	/* The same token in one session; in two it is fine, and was so in the plan. */
	arena_reset(MIB(2), MIB(4));
	assert_int_equal(write_plan(&l, NULL), 0);
	*(uint64_t *)mem_ptr(word(word(page_list[0] + 16) + 80) + 16 + 64 + 56) = 0;
	assert_int_equal(read_back(&got), -EBADMSG);
	assert_string_equal(why.fault, "has a token that is taken");
}

/* luo.read.arrays: each one entry too small */
static void test_arrays(void **state)
{
	const struct kho_luo l = plan(3, 2, 2);
	const struct kho_limits lim = test_limits();

	(void)state;
	arena_reset(MIB(2), MIB(4));
	assert_int_equal(write_plan(&l, NULL), 0);
	for (unsigned i = 0; i < 6; i++) {
		struct kho_reader r = reader(&lim, radix.root);
		struct kho_luo got = got_arrays();

		got.max_sessions = 3 - (i == 0);
		got.max_files = 4 - (i == 1);
		got.max_flbs = 2 - (i == 2);
		got.max_keys = 3 - (i == 3);
		r.claims.max = i == 4 ? 0 : r.claims.max;
		assert_int_equal(kho_luo_read(&r, span_of(mem_ptr(page_list[0]), 32), &got, &why),
				 i == 5 ? 0 : -ENOSPC);
	}
}

/* luo.read.short_blob */
static void test_short(void **state)
{
	struct kho_reader r = { 0 };
	struct kho_luo got = got_arrays();
	uint8_t blob[31] = "luo-v5";

	(void)state;
	assert_int_equal(kho_luo_read(&r, span_of(blob, sizeof(blob)), &got, &why), -EBADMSG);
	assert_string_equal(why.fault, "is too short");
}

/* luo.read.random_damage: refused with a reason, or what was read can be written again */
static void test_random(void **state)
{
	static const paddr_t parts[] = { GOLDEN_LUO, SESSION_BLOCK, FILE_BLOCK, FLB_PAGE };
	unsigned accepted = 0, refusals = 0;
	uint64_t seed = 5;

	(void)state;
	golden_lay();
	for (int round = 0; round < 20000; round++) {
		struct { uint8_t *p, was; } undo[3];
		const unsigned n = 1 + round % 3;
		struct kho_luo got;

		for (unsigned i = 0; i < n; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			undo[i].p = (uint8_t *)mem_ptr(parts[(seed >> 32) % 4]) + (seed >> 40) % 224;
			undo[i].was = *undo[i].p;
			*undo[i].p = seed >> 33 & 1 ? 0 : seed >> 56;
		}
		if (read_golden(&got)) {
			refusals++;
			assert_true(why.fault[0]);
		} else {
			accepted++;
			assert_true(got.nr_sessions <= 51 && got.nr_files <= 63 && got.nr_flbs <= 63);
			for (size_t i = 0; i < got.nr_sessions; i++)
				assert_true(got.sessions[i].first_file + got.sessions[i].nr_files <=
					    got.nr_files);
		}
		for (unsigned i = n; i-- > 0;)
			*undo[i].p = undo[i].was;
	}
	print_message("# %u accepted, %u refused\n", accepted, refusals);
	assert_true(accepted && refusals);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_full_names),
		cmocka_unit_test(test_name_tail),
		cmocka_unit_test(test_limits_of_format),
		cmocka_unit_test(test_most_files),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_half_state),
		cmocka_unit_test(test_page_list),
		cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_written),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
