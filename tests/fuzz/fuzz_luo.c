/* LUO, its sessions, files and FLBs, and the memfds in them, in memory whose map is known.  What
 * is accepted is written again and reads the same. */
#include "sparse.h"

#include "kho/luo.h"
#include "kho/memfd.h"

#define MAX_SESSIONS	512
#define MAX_FILES	1024
#define MAX_FOLIOS	1024
#define MAX_PAGES	4096

struct luo_room {
	struct kho_session sessions[MAX_SESSIONS];
	struct kho_file files[MAX_FILES];
	struct kho_flb flbs[KHO_MAX_FLBS];
	struct kho_key keys[MAX_FILES];
	struct kho_range claims[4096];
	struct kho_reader r;
	struct kho_handoff h;
	struct kho_limits lim;
	struct kho_luo l;
};

static struct luo_room first, second;
static const struct kho_scratch no_scratch;

static int read_luo(struct luo_room *room, paddr_t blob, bool own, struct kho_refusal *why)
{
	sparse_handoff(&room->h, blob, sizeof(struct kho_luo_ser), own);
	room->lim = sparse_limits(own);
	room->l = (struct kho_luo){
		.sessions = room->sessions, .max_sessions = MAX_SESSIONS,
		.files = room->files, .max_files = MAX_FILES,
		.flbs = room->flbs, .max_flbs = KHO_MAX_FLBS,
		.keys = room->keys, .max_keys = MAX_FILES,
	};
	REQUIRE(!kho_reader_init(&room->r, &room->h, &room->lim, room->claims,
				 ARRAY_SIZE(room->claims), why));
	if (!own)
		sparse_let_read(blob, sizeof(struct kho_luo_ser));
	return kho_luo_read(&room->r, kho_subnode_blob(&room->h.tree.node[0]), &room->l, why);
}

static void check_luo(const struct kho_luo *l)
{
	size_t files = 0;

	for (size_t i = 0; i < l->nr_sessions; i++) {
		const struct kho_session *s = &l->sessions[i];

		REQUIRE(s->name[0] && strnlen(s->name, sizeof(s->name)) < sizeof(s->name));
		REQUIRE(s->first_file == files);
		files += s->nr_files;
		for (size_t k = 0; k < i; k++)
			REQUIRE(strcmp(s->name, l->sessions[k].name));
		for (size_t k = s->first_file; k < files; k++)
			for (size_t m = s->first_file; m < k; m++)
				REQUIRE(l->files[k].token != l->files[m].token);
	}
	REQUIRE(files == l->nr_files);
	for (size_t i = 0; i < l->nr_flbs; i++)
		REQUIRE(kho_luo_flb(l, l->flbs[i].name) == &l->flbs[i]);
}

/* An FLB that nothing depends on is read, but not written: the writer's rule, not the format's. */
static bool writable(const struct kho_luo *l)
{
	for (size_t i = 0; i < l->nr_flbs; i++)
		if (!l->flbs[i].count)
			return false;
	return true;
}

static void luo_again(void)
{
	static paddr_t list[MAX_PAGES];
	struct kho_pages pages = { .pa = list, .max = MAX_PAGES };
	const struct kho_luo *a = &first.l, *b = &second.l;
	struct kho_refusal why = { 0 };
	struct kho_radix radix;

	if (!writable(a))
		return;
	REQUIRE(!kho_radix_init(&radix, &no_scratch));
	REQUIRE(!kho_luo_write(a, NULL, &radix, &pages, &why));
	REQUIRE(!read_luo(&second, list[0], true, &why));
	REQUIRE(a->liveupdate_num == b->liveupdate_num && a->nr_sessions == b->nr_sessions &&
		a->nr_files == b->nr_files && a->nr_flbs == b->nr_flbs);
	REQUIRE(!memcmp(first.sessions, second.sessions, a->nr_sessions * sizeof(*a->sessions)));
	REQUIRE(!memcmp(first.files, second.files, a->nr_files * sizeof(*a->files)));
	REQUIRE(!memcmp(first.flbs, second.flbs, a->nr_flbs * sizeof(*a->flbs)));
	kho_pages_free(&pages, 0);
	kho_radix_free(&radix);
}

static struct kho_folios folios[2][MAX_FOLIOS];

static void memfd_again(const struct kho_memfd *m)
{
	static paddr_t list[MAX_PAGES];
	struct kho_pages pages = { .pa = list, .max = MAX_PAGES };
	struct kho_memfd again = { .folios = folios[1], .max_folios = MAX_FOLIOS };
	struct kho_refusal why = { 0 };
	struct kho_radix radix;
	struct kho_reader r;

	REQUIRE(!kho_radix_init(&radix, &no_scratch));
	REQUIRE(!kho_memfd_write(m, &radix, &pages, &why));
	sparse_handoff(&second.h, list[0], 0, true);
	second.h.tree.nr = 0;
	second.lim = sparse_limits(true);
	REQUIRE(!kho_reader_init(&r, &second.h, &second.lim, second.claims,
				 ARRAY_SIZE(second.claims), &why));
	REQUIRE(!kho_memfd_read(&r, list[0], &again, &why));
	REQUIRE(again.pos == m->pos && again.size == m->size && again.seals == m->seals &&
		again.nr_folios == m->nr_folios);
	REQUIRE(!memcmp(again.folios, m->folios, m->nr_folios * sizeof(*m->folios)));
	kho_pages_free(&pages, 0);
	kho_radix_free(&radix);
}

static void read_memfds(void)
{
	for (size_t i = 0; i < first.l.nr_files; i++) {
		struct kho_memfd m = { .folios = folios[0], .max_folios = MAX_FOLIOS };
		struct kho_refusal why = { 0 };

		if (strcmp(first.files[i].compatible, KHO_MEMFD_COMPATIBLE))
			continue;
		if (kho_memfd_read(&first.r, first.files[i].data, &m, &why)) {
			REQUIRE(why.what && why.fault);
			continue;
		}
		for (size_t k = 0; k < m.nr_folios; k++)
			REQUIRE(kho_map_covers(&first.h.map, folios[0][k].pa, folios[0][k].len));
		memfd_again(&m);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct kho_refusal why = { 0 };
	paddr_t blob;

	sparse_open(true);
	/* The blob is where kho_read() may have found it. */
	blob = ALIGN_DOWN(fuzz_take_u64(&in), PAGE_SIZE);
	sparse_handoff(&first.h, blob, sizeof(struct kho_luo_ser), false);
	if (blob == first.h.data.fdt_pa || !kho_map_covers(&first.h.map, blob, PAGE_SIZE))
		return 0;
	sparse_lay(in, true);
	if (read_luo(&first, blob, false, &why)) {
		REQUIRE(why.what && why.fault);
	} else {
		check_luo(&first.l);
		luo_again();
		read_memfds();
	}
	sparse_wipe();
	return 0;
}
