/* LUO, written and read. */
#include "luo.h"

#include <string.h>

#include "block.h"
#include "platform/mem.h"

static const char luo_blob[] = "LUO blob";
static const char session[] = "session";
static const char file[] = "file";
static const char flb_page[] = "FLB page";
static const char flb[] = "FLB";

static const struct kho_block_kind session_blocks = {
	.what = "session block", .entry_bytes = sizeof(struct kho_session_ser),
	.max_blocks = KHO_BLOCKS_MAX,
};
static const struct kho_block_kind file_blocks = {
	.what = "file block", .entry_bytes = sizeof(struct kho_file_ser),
	.max_blocks = KHO_BLOCKS_MAX,
};

/* --- What writer and reader demand alike --- */

/* What is wrong with a name in a field of @size bytes; NULL: nothing. */
static const char *name_fault(const char *name, size_t size)
{
	if (!name[0])
		return "has an empty name";
	if (strnlen(name, size) == size)
		return "has a name without an end";
	return NULL;
}

/* Names of sessions, own ones and then those behind. */
static const char *session_name(const struct kho_luo *l, const struct kho_luo *behind, size_t i)
{
	return i < l->nr_sessions ? l->sessions[i].name
				  : behind->sessions[i - l->nr_sessions].name;
}

/* Is a name among those with the same key met before?  Keys are checksums, so such runs are
 * short unless someone made them long: their length is bounded by the caller's arrays. */
static int sessions_unique(const struct kho_luo *l, const struct kho_luo *behind,
			   struct kho_refusal *why)
{
	const size_t n = l->nr_sessions + (behind ? behind->nr_sessions : 0);
	struct kho_key *k = l->keys;

	if (n > l->max_keys)
		return kho_refuse(why, -ENOSPC, session, "is one too many for the work memory", 0, n);
	for (size_t i = 0; i < n; i++)
		k[i] = (struct kho_key){
			kho_key_of_name(session_name(l, behind, i), sizeof(l->sessions[0].name)), i
		};
	kho_keys_sort(k, n);
	for (size_t i = 0, end; i < n; i = end) {
		end = kho_keys_run(k, n, i);
		for (size_t a = i; a < end; a++)
			for (size_t b = i; b < a; b++)
				if (!strcmp(session_name(l, behind, k[a].index),
					    session_name(l, behind, k[b].index)))
					return kho_refuse(why, -EBADMSG, session,
							  "has a name that is taken", 0,
							  MAX(k[a].index, k[b].index));
	}
	return 0;
}

static int tokens_unique(const struct kho_luo *l, const struct kho_session *s,
			 struct kho_refusal *why)
{
	struct kho_key *k = l->keys;

	if (s->nr_files > l->max_keys)
		return kho_refuse(why, -ENOSPC, file, "is one too many for the work memory", 0,
				  s->nr_files);
	for (size_t i = 0; i < s->nr_files; i++)
		k[i] = (struct kho_key){ l->files[s->first_file + i].token, i };
	kho_keys_sort(k, s->nr_files);
	for (size_t i = 1; i < s->nr_files; i++)
		if (k[i].key == k[i - 1].key)
			return kho_refuse(why, -EBADMSG, file, "has a token that is taken", 0,
					  k[i].key);
	return 0;
}

/* There are 63 at most. */
static int flbs_unique(const struct kho_luo *l, struct kho_refusal *why)
{
	for (size_t i = 0; i < l->nr_flbs; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(l->flbs[i].name, l->flbs[j].name))
				return kho_refuse(why, -EBADMSG, flb, "has a name that is taken",
						  0, i);
	return 0;
}

static int check_files(const struct kho_luo *l, const struct kho_session *s,
		       struct kho_refusal *why)
{
	for (size_t i = 0; i < s->nr_files; i++) {
		const struct kho_file *f = &l->files[s->first_file + i];
		const char *fault = name_fault(f->compatible, sizeof(f->compatible));

		if (fault)
			return kho_refuse(why, -EBADMSG, file, fault, 0, f->token);
	}
	return tokens_unique(l, s, why);
}

/* Every name and token, whoever made them. */
static int check_contents(const struct kho_luo *l, const struct kho_luo *behind,
			  struct kho_refusal *why)
{
	const char *fault = NULL;
	int err;

	for (size_t i = 0; i < l->nr_sessions; i++) {
		fault = name_fault(l->sessions[i].name, sizeof(l->sessions[i].name));
		if (fault)
			return kho_refuse(why, -EBADMSG, session, fault, 0, i);
		err = check_files(l, &l->sessions[i], why);
		if (err)
			return err;
	}
	for (size_t i = 0; i < l->nr_flbs; i++) {
		fault = name_fault(l->flbs[i].name, sizeof(l->flbs[i].name));
		if (fault)
			return kho_refuse(why, -EBADMSG, flb, fault, 0, i);
	}
	err = sessions_unique(l, behind, why);
	return err ? err : flbs_unique(l, why);
}

/* --- Writing --- */

/* The format's limits, and slices of files that exist. */
static int check_plan(const struct kho_luo *l, const struct kho_luo *behind,
		      struct kho_refusal *why)
{
	const size_t blocks = behind ? behind->nr_session_blocks : 0;

	if (kho_blocks_for(&session_blocks, l->nr_sessions) + blocks > KHO_BLOCKS_MAX)
		return kho_refuse(why, -ENOSPC, session, "is beyond 10000 blocks", 0,
				  l->nr_sessions);
	if (l->nr_flbs > KHO_MAX_FLBS)
		return kho_refuse(why, -ENOSPC, flb, "does not fit on the page of FLBs", 0,
				  l->nr_flbs);
	for (size_t i = 0; i < l->nr_sessions; i++) {
		const struct kho_session *s = &l->sessions[i];

		if (s->nr_files > l->nr_files || s->first_file > l->nr_files - s->nr_files)
			return kho_refuse(why, -EINVAL, session, "has files that are not given", 0, i);
		if (kho_blocks_for(&file_blocks, s->nr_files) > KHO_BLOCKS_MAX)
			return kho_refuse(why, -ENOSPC, file, "is beyond 10000 blocks", 0,
					  s->nr_files);
	}
	for (size_t i = 0; i < l->nr_flbs; i++)
		if (!l->flbs[i].count)
			return kho_refuse(why, -EINVAL, flb, "has no file that depends on it", 0, i);
	return 0;
}

/* Bytes behind a name's NUL stay zero, whatever the caller has there. */
static void put_name(char *field, const char *name)
{
	memcpy(field, name, strlen(name));
}

/* The pages of one chain that was allocated in one piece. */
struct blocks {
	const paddr_t *pa;
	size_t nr;
};

static int take_blocks(struct kho_pages *p, const struct kho_block_kind *k, size_t n,
		       struct blocks *out)
{
	const size_t first = p->nr, nr = kho_blocks_for(k, n);
	const int err = kho_pages_alloc(p, nr);

	*out = (struct blocks){ &p->pa[first], nr };
	return err;
}

static paddr_t first_block(const struct blocks *b)
{
	return b->nr ? b->pa[0] : 0;
}

static int write_files(const struct kho_luo *l, const struct kho_session *s, struct kho_pages *p,
		       paddr_t *first)
{
	struct blocks b;
	const int err = take_blocks(p, &file_blocks, s->nr_files, &b);

	if (err)
		return err;
	kho_chain_write(&file_blocks, b.pa, b.nr, s->nr_files, 0);
	for (size_t i = 0; i < s->nr_files; i++) {
		const struct kho_file *f = &l->files[s->first_file + i];
		struct kho_file_ser *ser = mem_ptr(kho_entry_pa(&file_blocks, b.pa, i));

		put_name(ser->compatible, f->compatible);
		ser->data = f->data;
		ser->token = f->token;
	}
	*first = first_block(&b);
	return 0;
}

static int write_sessions(const struct kho_luo *l, paddr_t behind, struct kho_pages *p,
			  uint64_t *first)
{
	struct blocks b;
	int err = take_blocks(p, &session_blocks, l->nr_sessions, &b);

	if (err)
		return err;
	kho_chain_write(&session_blocks, b.pa, b.nr, l->nr_sessions, behind);
	for (size_t i = 0; i < l->nr_sessions && !err; i++) {
		const struct kho_session *s = &l->sessions[i];
		struct kho_session_ser *ser = mem_ptr(kho_entry_pa(&session_blocks, b.pa, i));

		put_name(ser->name, s->name);
		ser->count = s->nr_files;
		err = write_files(l, s, p, &ser->files_pa);
	}
	*first = b.nr ? b.pa[0] : behind;
	return err;
}

static int write_flbs(const struct kho_luo *l, struct kho_pages *p, uint64_t *page)
{
	struct kho_flbs_ser *header;
	struct kho_flb_ser *ser;
	int err;

	if (!l->nr_flbs)
		return 0;
	err = kho_pages_alloc(p, 1);
	if (err)
		return err;
	*page = p->pa[p->nr - 1];
	header = mem_ptr(*page);
	header->pgcnt = 1;
	header->count = l->nr_flbs;
	ser = (struct kho_flb_ser *)(header + 1);
	for (size_t i = 0; i < l->nr_flbs; i++) {
		put_name(ser[i].name, l->flbs[i].name);
		ser[i].data = l->flbs[i].data;
		ser[i].count = l->flbs[i].count;
	}
	return 0;
}

static int write_blob(const struct kho_luo *l, paddr_t behind, struct kho_pages *p)
{
	struct kho_luo_ser *ser;
	int err = kho_pages_alloc(p, 1);

	if (err)
		return err;
	ser = mem_ptr(p->pa[p->nr - 1]);
	put_name(ser->compatible, KHO_LUO_COMPATIBLE);
	ser->liveupdate_num = l->liveupdate_num;
	err = write_sessions(l, behind, p, &ser->sessions_pa);
	return err ? err : write_flbs(l, p, &ser->flbs_pa);
}

int kho_luo_write(const struct kho_luo *l, const struct kho_luo *behind, struct kho_radix *radix,
		  struct kho_pages *pages, struct kho_refusal *why)
{
	const size_t first = pages->nr;
	int err = check_plan(l, behind, why);

	if (!err)
		err = check_contents(l, behind, why);
	if (err)
		return err == -EBADMSG ? -EINVAL : err;
	err = write_blob(l, behind ? behind->sessions_pa : 0, pages);
	if (!err)
		err = kho_pages_preserve(pages, first + 1, radix);
	if (err) {
		kho_pages_free(pages, first);
		return kho_refuse(why, err, luo_blob, "finds no pages, or they cannot be preserved",
				  0, 0);
	}
	return 0;
}

/* --- Reading --- */

/* Bytes behind the NUL mean nothing and are not kept. */
static int get_name(char *out, const char *field, size_t size, const char *what, paddr_t at,
		    struct kho_refusal *why)
{
	const char *fault = name_fault(field, size);

	if (fault)
		return kho_refuse(why, -EBADMSG, what, fault, at, 0);
	memset(out, 0, size);
	put_name(out, field);
	return 0;
}

static int read_file(struct kho_luo *l, paddr_t at, struct kho_refusal *why)
{
	const struct kho_file_ser *ser = mem_ptr(at);
	struct kho_file *f = &l->files[l->nr_files];

	if (l->nr_files == l->max_files)
		return kho_refuse(why, -ENOSPC, file, "is one too many for the work memory", at,
				  l->max_files);
	f->data = ser->data;
	f->token = ser->token;
	l->nr_files++;
	return get_name(f->compatible, ser->compatible, sizeof(f->compatible), file, at, why);
}

static int read_files(struct kho_reader *r, struct kho_luo *l, const struct kho_session_ser *ser,
		      paddr_t at, struct kho_refusal *why)
{
	struct kho_chain c = kho_chain_of(&file_blocks, ser->files_pa);
	const size_t first = l->nr_files;
	int err = 0;

	while (c.next && !err) {
		err = kho_chain_open(&c, r, why);
		for (size_t i = 0; !err && i < c.count; i++)
			err = read_file(l, kho_chain_entry(&c, i), why);
	}
	if (!err && l->nr_files - first != ser->count)
		return kho_refuse(why, -EBADMSG, session, "has not the number of files it states", at,
				  ser->count);
	return err;
}

static int read_session(struct kho_reader *r, struct kho_luo *l, paddr_t at,
			struct kho_refusal *why)
{
	const struct kho_session_ser *ser = mem_ptr(at);
	struct kho_session *s = &l->sessions[l->nr_sessions];
	int err;

	if (l->nr_sessions == l->max_sessions)
		return kho_refuse(why, -ENOSPC, session, "is one too many for the work memory", at,
				  l->max_sessions);
	err = get_name(s->name, ser->name, sizeof(s->name), session, at, why);
	if (err)
		return err;
	s->first_file = l->nr_files;
	err = read_files(r, l, ser, at, why);
	s->nr_files = l->nr_files - s->first_file;
	l->nr_sessions++;
	return err;
}

static int read_sessions(struct kho_reader *r, struct kho_luo *l, paddr_t first,
			 struct kho_refusal *why)
{
	struct kho_chain c = kho_chain_of(&session_blocks, first);
	int err = 0;

	while (c.next && !err) {
		err = kho_chain_open(&c, r, why);
		for (size_t i = 0; !err && i < c.count; i++)
			err = read_session(r, l, kho_chain_entry(&c, i), why);
	}
	l->sessions_pa = first;
	l->nr_session_blocks = c.nr_blocks;
	return err;
}

static int read_flbs(struct kho_reader *r, struct kho_luo *l, paddr_t page,
		     struct kho_refusal *why)
{
	const struct kho_flbs_ser *header;
	const struct kho_flb_ser *ser;
	int err;

	if (!page)
		return 0;
	err = kho_claim_page(r, flb_page, page, why);
	if (err)
		return err;
	header = mem_ptr(page);
	ser = (const struct kho_flb_ser *)(header + 1);
	if (header->pgcnt != 1)
		return kho_refuse(why, -EBADMSG, flb_page, "is not one page", page, header->pgcnt);
	if (header->count > KHO_MAX_FLBS)
		return kho_refuse(why, -EBADMSG, flb_page, "claims more entries than fit", page,
				  header->count);
	if (header->count > l->max_flbs)
		return kho_refuse(why, -ENOSPC, flb_page, "has too many entries for the work memory",
				  page, header->count);
	for (size_t i = 0; i < header->count && !err; i++) {
		struct kho_flb *f = &l->flbs[i];

		f->data = ser[i].data;
		f->count = ser[i].count;
		err = get_name(f->name, ser[i].name, sizeof(f->name), flb, mem_pa(&ser[i]), why);
	}
	l->nr_flbs = header->count;
	return err;
}

int kho_luo_read(struct kho_reader *r, struct span blob, struct kho_luo *l,
		 struct kho_refusal *why)
{
	static const char compatible[sizeof(((struct kho_luo_ser *)0)->compatible)] =
		KHO_LUO_COMPATIBLE;
	struct kho_luo_ser ser;
	int err;

	if (blob.len < sizeof(ser))
		return kho_refuse(why, -EBADMSG, luo_blob, "is too short", 0, blob.len);
	memcpy(&ser, blob.p, sizeof(ser));
	if (memcmp(ser.compatible, compatible, sizeof(compatible)))
		return kho_refuse(why, -EBADMSG, luo_blob, "is not compatible with luo-v5", 0, 0);
	l->liveupdate_num = ser.liveupdate_num;
	l->flbs_pa = ser.flbs_pa;
	l->nr_sessions = l->nr_files = l->nr_flbs = 0;
	err = read_sessions(r, l, ser.sessions_pa, why);
	if (!err)
		err = read_flbs(r, l, ser.flbs_pa, why);
	return err ? err : check_contents(l, NULL, why);
}

const struct kho_flb *kho_luo_flb(const struct kho_luo *l, const char *name)
{
	for (size_t i = 0; i < l->nr_flbs; i++)
		if (!strcmp(l->flbs[i].name, name))
			return &l->flbs[i];
	return NULL;
}
