/* Reading and reporting what another kernel hands over. */
#include "foreign.h"

#include <string.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/handover/carry.h"
#include "kernel/handover/node.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/iommu_records.h"
#include "kho/memblock.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "platform/mem.h"

#define MAX_CLAIMS	(PROVE_MAX_EXTENTS - PROVE_OWN_EXTENTS)
#define MAX_SHOWN	1024		/* extents of preserved memory that are listed: 5 s at 115200 baud */
#define MAX_REPLACED	4		/* root FDT, LUO blob, kexec-metadata, FLB page */

struct reading {
	struct kho_handoff *h;
	struct foreign *f;
	struct kho_reader reader;
	struct kho_range *claim;
	struct kho_folios *folio;
	struct kho_range replaced[MAX_REPLACED];
	size_t nr_replaced;
};

typedef unsigned long long ull;	/* for %llx */

/* ---- the report ------------------------------------------------------------------------------ */

/* A foreign name as one word: none can end a line or say what is ours to say. */
struct word {
	char text[64];
};

static struct word word_of(const char *name)
{
	struct word w = { "" };

	for (size_t i = 0; i + 1 < sizeof(w.text) && name[i]; i++)
		w.text[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	return w;
}

static void report_root(const struct kho_handoff *h)
{
	const struct kho_map *m = &h->map;
	const size_t shown = MIN(m->nr_extents, MAX_SHOWN);

	for (size_t i = 0; i < h->tree.nr; i++)
		kprintf("# foreign: node name=%s at=0x%llx size=%llu\n", h->tree.node[i].name,
			(ull)h->tree.node[i].pa, (ull)h->tree.node[i].size);
	for (size_t i = 0; i < h->scratch.nr; i++)
		kprintf("# foreign: scratch at=0x%llx size=%llu\n", (ull)h->scratch.entry[i].addr,
			(ull)h->scratch.entry[i].size);
	for (unsigned order = 0; order <= KHO_MAX_ORDER; order++)
		if (m->entries_of[order])
			kprintf("# foreign: preserved order=%u chunks=%llu\n", order,
				(ull)m->entries_of[order]);
	for (size_t i = 0; i < shown; i++)
		kprintf("# foreign: extent at=0x%llx chunks=%llu order=%llu\n", (ull)m->extents[i].pa,
			(ull)m->extents[i].count, (ull)m->extents[i].order);
	kprintf("# foreign: extents=%zu shown=%zu pages=%llu\n", m->nr_extents, shown, (ull)m->pages);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Bytes in the order of the file, holes as zeros, to its exact size. */
static uint32_t memfd_crc32c(const struct kho_memfd *m, uint64_t *pages)
{
	uint32_t crc = 0;
	uint64_t at = 0;

	*pages = 0;
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];
		const uint64_t from = f->index * PAGE_SIZE, len = MIN(f->len, m->size - from);

		crc = kho_crc32c_zeros(crc, from - at);
		crc = kho_crc32c(crc, mem_ptr(f->pa), len);
		at = from + len;
		*pages += f->len / PAGE_SIZE;
	}
	return kho_crc32c_zeros(crc, m->size - at);
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* Handlers of any version: the file is a device, or what it reaches. */
static bool is_device(const struct kho_file *file)
{
	return begins(file->compatible, "vfio-") || begins(file->compatible, "iommufd-");
}

static int read_file(struct reading *w, const struct kho_session *s, const struct kho_file *file,
		     struct kho_refusal *why)
{
	struct kho_memfd m = { .folios = w->folio, .max_folios = FOREIGN_MAX_FOLIOS };
	const struct word session = word_of(s->name), handler = word_of(file->compatible);
	uint64_t pages;
	uint32_t crc;
	int err;

	if (strcmp(file->compatible, KHO_MEMFD_COMPATIBLE)) {
		kprintf("# foreign: file session=%s token=0x%llx handler=%s data=0x%llx unread\n",
			session.text, (ull)file->token, handler.text, (ull)file->data);
		return !is_device(file) ? 0 :
		       kho_refuse(why, -EOPNOTSUPP, "file of vfio or iommufd",
				  "keeps another kernel's devices running: not implemented", file->data,
				  file->token);
	}
	err = kho_memfd_read(&w->reader, file->data, &m, why);
	if (err)
		return err;
	crc = memfd_crc32c(&m, &pages);
	kprintf("# foreign: file session=%s token=0x%llx handler=%s size=%llu pages=%llu pos=%llu seals=0x%x crc32c=%08x\n",
		session.text, (ull)file->token, handler.text, (ull)m.size, (ull)pages, (ull)m.pos, m.seals,
		crc);
	return 0;
}

/* ---- LUO ------------------------------------------------------------------------------------- */

static int read_session(struct reading *w, const struct kho_session *s, struct kho_refusal *why)
{
	int err = 0;

	if (!strcmp(s->name, RECORDS_SESSION))
		return kho_refuse(why, -EEXIST, "session", "has the name of ours: baton", 0, 0);
	kprintf("# foreign: session name=%s files=%zu\n", word_of(s->name).text, s->nr_files);
	for (size_t i = 0; i < s->nr_files && !err; i++)
		err = read_file(w, s, &w->f->luo.files[s->first_file + i], why);
	return err;
}

static int read_flb(const struct kho_flb *flb, struct kho_refusal *why)
{
	kprintf("# foreign: flb name=%s data=0x%llx count=%llu\n", word_of(flb->name).text,
		(ull)flb->data, (ull)flb->count);
	if (!flb->count)
		return kho_refuse(why, -EBADMSG, "FLB", "has no file that depends on it", flb->data, 0);
	return 0;
}

/* Under whatever name. */
static int refuse_iommu(const struct kho_luo *l, struct kho_refusal *why)
{
	struct kho_iommu_place at = { 0 };

	if (kho_iommu_find(l, &at, why) == -ENOENT)
		return 0;
	return kho_refuse(why, -EOPNOTSUPP, "FLB of IOMMU records",
			  "keeps another kernel's devices running: not implemented", at.top_pa, 0);
}

static void replace(struct reading *w, paddr_t pa, uint64_t len)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	w->replaced[w->nr_replaced++] = (struct kho_range){ base, ALIGN_UP(pa + len, PAGE_SIZE) - base };
}

static int read_luo(struct reading *w, struct kho_refusal *why)
{
	const struct kho_subnode *n = kho_tree_find(&w->h->tree, KHO_NODE_LUO);
	struct kho_luo *l = &w->f->luo;
	int err;

	if (!n)
		return 0;
	err = kho_luo_read(&w->reader, kho_subnode_blob(n), l, why);
	for (size_t i = 0; i < l->nr_flbs && !err; i++)
		err = read_flb(&l->flbs[i], why);
	if (!err)
		err = refuse_iommu(l, why);
	for (size_t i = 0; i < l->nr_sessions && !err; i++)
		err = read_session(w, &l->sessions[i], why);
	if (err)
		return err;
	replace(w, n->pa, n->size);
	if (l->flbs_pa)
		replace(w, l->flbs_pa, PAGE_SIZE);
	w->f->liveupdate_num = l->liveupdate_num;
	return 0;
}

/* ---- the other sub-nodes --------------------------------------------------------------------- */

static int read_metadata(struct reading *w, struct kho_refusal *why)
{
	const struct kho_subnode *n = kho_tree_find(&w->h->tree, KHO_NODE_METADATA);
	struct kho_metadata m = { .previous_release = "unknown" };
	int err = 0;

	if (n) {
		err = kho_metadata_read(kho_subnode_blob(n), &m, why);
		replace(w, n->pa, n->size);
	}
	if (err)
		return err;
	w->f->kexec_count = m.kexec_count;
	kprintf("# foreign: release=%s kexec_count=%u liveupdate_num=%llu\n",
		word_of(m.previous_release).text, m.kexec_count, (ull)w->f->liveupdate_num);
	return 0;
}

/* Memory of its own, or it would go with what is written anew, or be read more than once. */
static int read_region(struct reading *w, const struct kho_region *r, struct kho_refusal *why)
{
	const int err = kho_claim_range(&w->reader, "reserve_mem region", r->start, r->size, why);

	if (err)
		return err;
	kprintf("# foreign: reserve_mem name=%s at=0x%llx size=%llu crc32c=%08x\n", word_of(r->name).text,
		(ull)r->start, (ull)r->size, kho_crc32c(0, mem_ptr(r->start), r->size));
	return 0;
}

static int read_memblock(struct reading *w, struct kho_refusal *why)
{
	const struct kho_subnode *n = kho_tree_find(&w->h->tree, KHO_NODE_MEMBLOCK);
	struct kho_region r;
	struct span fdt;
	int node = -1, err;

	if (!n)
		return 0;
	err = kho_memblock_open(kho_subnode_blob(n), &fdt, why);
	while (!err) {
		err = kho_memblock_next(fdt, &w->h->map, &node, &r, why);
		if (!err)
			err = read_region(w, &r, why);
	}
	return err == -ENOENT ? 0 : err;
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static bool take_arrays(struct reading *w)
{
	struct kho_luo *l = &w->f->luo;

	w->claim = scratch_new(MAX_CLAIMS * sizeof(*w->claim));
	w->folio = scratch_new(FOREIGN_MAX_FOLIOS * sizeof(*w->folio));
	return foreign_arrays(l, FOREIGN_MAX_SESSIONS, FOREIGN_MAX_FILES) && w->claim && w->folio;
}

bool foreign_arrays(struct kho_luo *l, size_t sessions, size_t files)
{
	*l = (struct kho_luo){
		.sessions = scratch_new(sessions * sizeof(*l->sessions)), .max_sessions = sessions,
		.files = scratch_new(files * sizeof(*l->files)), .max_files = files,
		.flbs = scratch_new(KHO_MAX_FLBS * sizeof(*l->flbs)), .max_flbs = KHO_MAX_FLBS,
		.keys = scratch_new(MAX(files, KHO_MAX_FLBS) * sizeof(*l->keys)),
		.max_keys = MAX(files, KHO_MAX_FLBS),
	};
	return l->sessions && l->files && l->flbs && l->keys;
}

int foreign_read(const struct boot_info *bi, struct kho_handoff *h, struct foreign *f,
		 struct kho_refusal *why)
{
	const struct kho_data data = {
		.fdt_pa = bi->kho_fdt, .fdt_size = bi->kho_fdt_size,
		.scratch_pa = bi->kho_scratch, .scratch_size = bi->kho_scratch_size,
	};
	struct reading w = { .h = h, .f = f };
	struct kho_limits lim;
	int err;

	*f = (struct foreign){ 0 };
	if (!take_arrays(&w) || !prove_limits(&lim, bi))
		return kho_refuse(why, -ENOMEM, "scratch", "is too small to read the handoff", 0, 0);
	err = kho_read(&data, &lim, h, why);
	if (!err && kho_tree_find(&h->tree, NODE_NAME))
		err = kho_refuse(why, -EBADMSG, "baton node", "is there, but generation= was not given", 0, 0);
	if (err)
		return err;
	report_root(h);
	replace(&w, h->data.fdt_pa, h->tree.fdt_bytes);
	err = kho_reader_init(&w.reader, h, &lim, w.claim, MAX_CLAIMS, why);
	if (!err)
		err = read_luo(&w, why);
	if (!err)
		err = read_metadata(&w, why);
	if (!err)
		err = read_memblock(&w, why);
	if (!err)
		err = carry_take(h, w.replaced, w.nr_replaced, f, why);
	return err;
}
