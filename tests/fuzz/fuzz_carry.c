/* The foreign part of a handoff of ours: what the node says of it, the list of extents and the sessions
 * behind ours, in memory whose map is known.  Its digests are made right unless the input says otherwise.  What
 * is accepted is written again and reads the same. */
#include "sparse.h"

#include "kernel/console/console.h"
#include "kernel/handover/carry.h"
#include "kho/crc32c.h"

#define SEAL		1	/* first byte of the input */
#define MAX_SESSIONS	512
#define MAX_FILES	1024
#define MAX_AGAIN	512	/* chunks that are entered again */

static struct kho_handoff h;
static struct kho_limits lim;
static struct kho_luo luo;
static struct node n;

/* The report is made when it is received, not later. */
void kprintf(const char *fmt, ...)
{
	REQUIRE(!fmt);
}

static int read_luo(paddr_t blob, struct kho_refusal *why)
{
	static struct kho_session sessions[MAX_SESSIONS];
	static struct kho_file files[MAX_FILES];
	static struct kho_flb flbs[KHO_MAX_FLBS];
	static struct kho_key keys[MAX_FILES];
	static struct kho_range claims[4096];
	struct kho_reader r;

	lim = sparse_limits(false);
	luo = (struct kho_luo){
		.sessions = sessions, .max_sessions = MAX_SESSIONS, .files = files, .max_files = MAX_FILES,
		.flbs = flbs, .max_flbs = KHO_MAX_FLBS, .keys = keys, .max_keys = MAX_FILES,
	};
	REQUIRE(!kho_reader_init(&r, &h, &lim, claims, ARRAY_SIZE(claims), why));
	sparse_let_read(blob, sizeof(struct kho_luo_ser));
	return kho_luo_read(&r, kho_subnode_blob(&h.tree.node[0]), &luo, why);
}

static uint64_t list_bytes(void)
{
	return n.foreign.nr_extents * sizeof(struct kho_extent);
}

/* As a writer would have: the list's digest, and the one of the blocks behind the first. */
static void seal(void)
{
	struct foreign f = { 0 };
	struct node other = { 0 };
	struct kho_radix none;

	if (n.foreign.nr_extents && list_bytes() <= SPARSE_READ_MAX &&
	    kho_map_covers(&h.map, n.foreign.extents_pa, list_bytes()))
		n.foreign.extents_crc32c = kho_crc32c(0, mem_ptr(n.foreign.extents_pa), list_bytes());
	if (luo.sessions_pa)
		f.luo.sessions_pa = ((const struct kho_block_ser *)mem_ptr(luo.sessions_pa))->next_pa;
	REQUIRE(!carry_write(&f, 0, &none, &other));
	n.foreign.carried_crc32c = other.foreign.carried_crc32c;
}

static void check(const struct foreign *f)
{
	REQUIRE(f->nr_extents == n.foreign.nr_extents && f->nr_nodes <= h.tree.nr);
	REQUIRE(f->luo.nr_sessions + 1 == luo.nr_sessions && f->luo.nr_files == luo.nr_files);
	REQUIRE(f->luo.sessions == luo.sessions + 1 && f->luo.nr_flbs + !!luo.nr_flbs == luo.nr_flbs);
	for (size_t i = 0; i < f->nr_extents; i++) {
		const struct kho_extent *e = &f->extent[i];
		unsigned first, last;

		REQUIRE(e->count && kho_map_covers(&h.map, e->pa, kho_extent_len(e)));
		REQUIRE(kho_map_chunk(&h.map, e->pa, &first) && first == e->order);
		REQUIRE(kho_map_chunk(&h.map, e->pa + kho_extent_len(e) - (PAGE_SIZE << e->order), &last) &&
			last == first);
		REQUIRE(!i || e[-1].pa + kho_extent_len(&e[-1]) <= e->pa);
	}
}

static void write_again(const struct foreign *f)
{
	const unsigned order = carry_list_order(f);
	struct node other = { 0 };
	struct kho_refusal why;
	struct kho_radix radix;
	struct foreign again;
	uint64_t chunks = 0;
	paddr_t list;

	for (size_t i = 0; i < f->nr_extents; i++)
		chunks += f->extent[i].count;
	if (chunks > MAX_AGAIN)
		return;
	list = mem_alloc_pages(order);
	REQUIRE(list && !kho_radix_init(&radix, &h.scratch));
	REQUIRE(!carry_write(f, list, &radix, &other));
	REQUIRE(radix.entries == chunks + !!chunks);
	REQUIRE(other.foreign.extents_pa == (chunks ? list : 0));
	if (!chunks) {	/* then nobody reads where the list is */
		n.foreign.extents_pa = 0;
		n.foreign.extents_crc32c = 0;
	}
	other.foreign.extents_pa = n.foreign.extents_pa;
	REQUIRE(!memcmp(&other.foreign, &n.foreign, sizeof(n.foreign)));
	REQUIRE(!carry_read(&h, &other, &luo, &again, &why) && carry_same(f, &again));
	kho_radix_free(&radix);
	mem_free_pages(list, order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct kho_refusal why = { 0 };
	struct foreign f;
	paddr_t blob;
	uint8_t first;

	sparse_open(true);
	fuzz_take(&in, &first, sizeof(first));
	/* The blob is where kho_read() may have found it. */
	blob = ALIGN_DOWN(fuzz_take_u64(&in), PAGE_SIZE);
	fuzz_take(&in, &n.foreign, sizeof(n.foreign));
	sparse_handoff(&h, blob, sizeof(struct kho_luo_ser), false);
	if (blob == h.data.fdt_pa || !kho_map_covers(&h.map, blob, PAGE_SIZE))
		return 0;
	sparse_lay(in, true);
	if (!read_luo(blob, &why)) {
		sparse_let_read(n.foreign.extents_pa,
				kho_map_covers(&h.map, n.foreign.extents_pa, list_bytes()) ? list_bytes() : 0);
		if (first & SEAL)
			seal();
		if (carry_read(&h, &n, &luo, &f, &why)) {
			REQUIRE(why.what && why.fault);
		} else {
			check(&f);
			write_again(&f);
		}
	}
	sparse_wipe();
	return 0;
}
