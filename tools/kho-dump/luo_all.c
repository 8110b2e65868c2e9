/* A LUO that its reader refuses, once more: every broken session, file and FLB, not the first alone.  What is
 * good is kept, so that what hangs off it can be read. */
#include "dump.h"

#include <string.h>

#include "kho/block.h"
#include "platform/mem.h"

static const char rule[] = "L1";
static const char session[] = "session";
static const char file[] = "file";
static const char flb[] = "FLB";

static const struct kho_block_kind session_blocks = {
	.what = "session block", .entry_bytes = sizeof(struct kho_session_ser),
	.max_blocks = KHO_BLOCKS_MAX,
};
static const struct kho_block_kind file_blocks = {
	.what = "file block", .entry_bytes = sizeof(struct kho_file_ser),
	.max_blocks = KHO_BLOCKS_MAX,
};

/* Copy a name if it is one. */
static bool take_name(struct dump *d, const char *what, const char *field, size_t size, char *out,
		      paddr_t at)
{
	if (!field[0])
		dump_find(d, rule, what, "has an empty name", at, 0);
	else if (strnlen(field, size) == size)
		dump_find(d, rule, what, "has a name without an end", at, 0);
	else {
		memset(out, 0, size);
		memcpy(out, field, strlen(field));
		return true;
	}
	return false;
}

/* True if another block was opened. */
static bool next_block(struct dump *d, struct kho_chain *c, struct kho_reader *r)
{
	struct kho_refusal why;

	if (!c->next)
		return false;
	if (!kho_chain_open(c, r, &why))
		return true;
	dump_chain_refused(d, rule, &why);
	c->next = 0;
	return false;
}

static void take_file(struct dump *d, paddr_t at)
{
	struct kho_luo *l = &d->luo;
	const struct kho_file_ser *ser = mem_ptr(at);
	struct kho_file *f = &l->files[l->nr_files];

	if (l->nr_files == l->max_files)
		return;
	f->data = ser->data;
	f->token = ser->token;
	l->nr_files += take_name(d, file, ser->compatible, sizeof(f->compatible), f->compatible, at);
}

static void check_tokens(struct dump *d, const struct kho_session *s)
{
	struct kho_key *k = d->luo.keys;

	for (size_t i = 0; i < s->nr_files; i++)
		k[i] = (struct kho_key){ d->luo.files[s->first_file + i].token, i };
	kho_keys_sort(k, s->nr_files);
	for (size_t i = 1; i < s->nr_files; i++)
		if (k[i].key == k[i - 1].key)
			dump_find(d, rule, file, "has a token that is taken", 0, k[i].key);
}

static void take_files(struct dump *d, struct kho_reader *r, const struct kho_session_ser *ser,
		       struct kho_session *s, paddr_t at)
{
	struct kho_chain c = kho_chain_of(&file_blocks, ser->files_pa);
	const size_t findings = d->nr_findings;
	uint64_t nr = 0;

	s->first_file = d->luo.nr_files;
	while (next_block(d, &c, r)) {
		for (size_t i = 0; i < c.count; i++)
			take_file(d, kho_chain_entry(&c, i));
		nr += c.count;
	}
	s->nr_files = d->luo.nr_files - s->first_file;
	/* A chain that broke off has another number for that reason. */
	if (nr != ser->count && d->nr_findings == findings)
		dump_find(d, rule, session, "has not the number of files it states", at, ser->count);
	check_tokens(d, s);
}

static void check_session_names(struct dump *d)
{
	const struct kho_luo *l = &d->luo;
	struct kho_key *k = l->keys;

	for (size_t i = 0; i < l->nr_sessions; i++)
		k[i] = (struct kho_key){
			kho_key_of_name(l->sessions[i].name, sizeof(l->sessions[i].name)), i
		};
	kho_keys_sort(k, l->nr_sessions);
	for (size_t i = 0, end; i < l->nr_sessions; i = end) {
		end = kho_keys_run(k, l->nr_sessions, i);
		for (size_t a = i + 1; a < end; a++)
			if (!strcmp(l->sessions[k[a].index].name, l->sessions[k[i].index].name))
				dump_find(d, rule, session, "has a name that is taken", 0,
					  MAX(k[a].index, k[i].index));
	}
}

static void take_sessions(struct dump *d, struct kho_reader *r, paddr_t first)
{
	struct kho_chain c = kho_chain_of(&session_blocks, first);
	struct kho_luo *l = &d->luo;

	while (next_block(d, &c, r))
		for (size_t i = 0; i < c.count && l->nr_sessions < l->max_sessions; i++) {
			const paddr_t at = kho_chain_entry(&c, i);
			const struct kho_session_ser *ser = mem_ptr(at);
			struct kho_session *s = &l->sessions[l->nr_sessions];
			const bool named = take_name(d, session, ser->name, sizeof(s->name), s->name,
						     at);

			take_files(d, r, ser, s, at);
			l->nr_sessions += named;
		}
	check_session_names(d);
}

static void take_flbs(struct dump *d, struct kho_reader *r, paddr_t page)
{
	const struct kho_flbs_ser *header;
	const struct kho_flb_ser *ser;
	struct kho_luo *l = &d->luo;
	struct kho_refusal why;

	if (!page)
		return;
	if (kho_claim_page(r, "FLB page", page, &why)) {
		dump_chain_refused(d, rule, &why);
		return;
	}
	header = mem_ptr(page);
	ser = (const struct kho_flb_ser *)(header + 1);
	if (header->pgcnt != 1)
		dump_find(d, rule, "FLB page", "is not one page", page, header->pgcnt);
	if (header->count > KHO_MAX_FLBS) {
		dump_find(d, "V2", "FLB page", "claims more entries than fit", page, header->count);
		return;
	}
	for (size_t i = 0; i < header->count; i++) {
		struct kho_flb *f = &l->flbs[l->nr_flbs];
		const paddr_t at = page + sizeof(*header) + i * sizeof(*ser);

		f->data = ser[i].data;
		f->count = ser[i].count;
		if (!take_name(d, flb, ser[i].name, sizeof(f->name), f->name, at))
			continue;
		if (kho_luo_flb(l, f->name))
			dump_find(d, rule, flb, "has a name that is taken", 0, i);
		else
			l->nr_flbs++;
	}
}

void dump_luo_all(struct dump *d, struct kho_reader *r, struct span blob)
{
	struct kho_luo *l = &d->luo;
	struct kho_luo_ser ser;

	l->nr_sessions = l->nr_files = l->nr_flbs = 0;
	if (blob.len < sizeof(ser))
		return;
	memcpy(&ser, blob.p, sizeof(ser));
	if (strncmp(ser.compatible, KHO_LUO_COMPATIBLE, sizeof(ser.compatible)))
		return;
	take_sessions(d, r, ser.sessions_pa);
	take_flbs(d, r, ser.flbs_pa);
}
