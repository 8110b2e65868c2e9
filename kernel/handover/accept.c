/* The incoming side, first part: is this handoff to be believed, and what memory is left? */
#include "adoption.h"

#include <string.h>

#include "errno.h"
#include "kernel/handover/prove.h"
#include "kernel/handover/records.h"
#include "kernel/machine/time.h"
#include "kernel/memory/scratch.h"
#include "kernel/report/ktap.h"
#include "kernel/report/verdict.h"
#include "kho/metadata.h"
#include "platform/mem.h"

/* ---- validate: reads only, scratch only ------------------------------------------------------ */

_Noreturn void adoption_refuse(const struct kho_refusal *why)
{
	verdict_end(VERDICT_HANDOFF, "handoff refused: %s %s (at %llx, value %llx); all devices were stopped",
		    why->what, why->fault, (unsigned long long)why->at,
		    (unsigned long long)why->value);
}

static void need_preserved(const struct adoption *a, const char *what, paddr_t pa)
{
	struct kho_refusal why;

	if (IS_ALIGNED(pa, PAGE_SIZE) && kho_map_covers(&a->kho.map, pa, PAGE_SIZE))
		return;
	kho_refuse(&why, -EBADMSG, what, "is not a preserved page", pa, 0);
	adoption_refuse(&why);
}

/* A digested page is preserved, or one of those that hold the map itself. */
static bool may_digest(const struct adoption *a, const struct node_digest_ser *d)
{
	const paddr_t pa = ALIGN_DOWN(d->pa, PAGE_SIZE);

	if (d->kind == NODE_DIGEST_RECORD || d->kind == NODE_DIGEST_HEADER)
		return kho_map_covers(&a->kho.map, pa, PAGE_SIZE);
	if (pa != d->pa)
		return false;
	return kho_map_covers(&a->kho.map, pa, PAGE_SIZE) || pa == a->kho.data.scratch_pa;
}

static void check_addresses(const struct adoption *a)
{
	const struct payload_file_ser *file = payload_unpreserved(&a->n->payload, &a->kho.map);
	struct kho_refusal why;

	if (file) {
		kho_refuse(&why, -EBADMSG, "payload", "is not preserved", file->pa, file->len);
		adoption_refuse(&why);
	}
	need_preserved(a, "results page", a->n->results_pa);
	for (uint32_t i = 0; i < a->n->nr_ports; i++)
		need_preserved(a, "control page", a->n->port[i].control_pa);
	for (uint32_t i = 0; i < a->n->nr_digests; i++)
		if (!may_digest(a, &a->n->digest[i])) {
			kho_refuse(&why, -EBADMSG, "digested page", "is not part of the handoff",
				   a->n->digest[i].pa, a->n->digest[i].kind);
			adoption_refuse(&why);
		}
}

static void need_digest(const struct adoption *a, const char *what, paddr_t pa)
{
	struct kho_refusal why;

	for (uint32_t i = 0; i < a->n->nr_digests; i++)
		if (a->n->digest[i].pa == pa && a->n->digest[i].kind == NODE_DIGEST_METADATA)
			return;
	kho_refuse(&why, -EBADMSG, what, "has no digest", pa, 0);
	adoption_refuse(&why);
}

/* What has no digest is not proved by those that are right. */
static void check_digests_complete(const struct adoption *a)
{
	const struct kho_subnode *meta = kho_tree_find(&a->kho.tree, KHO_NODE_METADATA);

	need_digest(a, "root FDT", a->kho.data.fdt_pa);
	need_digest(a, "scratch array", a->kho.data.scratch_pa);
	need_digest(a, "results page", a->n->results_pa);
	if (meta)
		need_digest(a, "kexec-metadata", meta->pa);
}

static void check_metadata(const struct adoption *a)
{
	const struct kho_subnode *meta = kho_tree_find(&a->kho.tree, KHO_NODE_METADATA);
	const struct node_digest_ser *bad = prove_digests(a->n, NODE_DIGEST_METADATA, NULL, NULL);
	struct kho_metadata m;
	struct kho_refusal why;

	if (prove_radix_crc32c(&a->kho.map) != a->n->radix_crc32c) {
		kho_refuse(&why, -EBADMSG, "radix tree", "changed since it was written",
			   a->kho.tree.radix_root, a->n->radix_crc32c);
		adoption_refuse(&why);
	}
	if (!bad)
		bad = prove_digests(a->n, NODE_DIGEST_HEADER, NULL, NULL);
	if (bad) {
		kho_refuse(&why, -EBADMSG, "metadata page", "changed since it was written", bad->pa,
			   bad->crc32c);
		adoption_refuse(&why);
	}
	if (!meta) {
		kho_refuse(&why, -EBADMSG, "kexec-metadata", "is missing", 0, 0);
		adoption_refuse(&why);
	}
	if (kho_metadata_read(kho_subnode_blob(meta), &m, &why))
		adoption_refuse(&why);
	if (m.kexec_count != a->n->foreign.kexec_count + a->r->cfg.generation ||
	    a->n->generation + 1 != a->r->cfg.generation) {
		kho_refuse(&why, -EBADMSG, "generation", "does not follow the one that handed over", 0,
			   a->n->generation);
		adoption_refuse(&why);
	}
}

/* LUO and chains whole; a broken record is its device's alone. */
static void check_records(struct adoption *a, const struct kho_limits *lim)
{
	const struct kho_refusal *first = &a->restore.first;
	const struct records_plain *rec;
	struct kho_refusal why;

	if (records_read(&a->kho, lim, a->n, false, &rec, &a->r->foreign, &why))
		adoption_refuse(&why);
	restore_match(&a->restore, a->r->mmu, &a->kho.map, a->n, rec);
	restore_blame(&a->restore, &a->blame);
	check_ok(CHECK_RESTORE_RECORDS, !a->restore.bad, "%s %s at %llx (%llx), %zu in all",
		 first->what, first->fault, (unsigned long long)first->at,
		 (unsigned long long)first->value, a->restore.bad);
}

void adoption_accept(struct adoption *a)
{
	const struct boot_info *bi = a->r->bi;
	const struct kho_data data = {
		.fdt_pa = bi->kho_fdt, .fdt_size = bi->kho_fdt_size,
		.scratch_pa = bi->kho_scratch, .scratch_size = bi->kho_scratch_size,
	};
	const struct kho_subnode *node;
	struct kho_limits lim;
	struct kho_refusal why;

	a->n = scratch_new(sizeof(*a->n));
	a->picture = scratch_new(sizeof(*a->picture));
	if (!a->n || !a->picture || !prove_limits(&lim, bi))
		verdict_end(VERDICT_MEMORY, "scratch is too small to read the handoff; try a larger scratch=");
	if (kho_read(&data, &lim, &a->kho, &why))
		adoption_refuse(&why);
	node = kho_tree_find(&a->kho.tree, NODE_NAME);
	if (!node) {
		kho_refuse(&why, -EBADMSG, "baton node", "is missing: the kernel before us was no Baton",
			   data.fdt_pa, a->kho.tree.nr);
		adoption_refuse(&why);
	}
	if (node_read(kho_subnode_blob(node), a->n, &why))
		adoption_refuse(&why);
	check_addresses(a);
	check_digests_complete(a);
	check_metadata(a);
	check_records(a, &lim);
	if (results_adopt(mem_ptr(a->n->results_pa))) {
		kho_refuse(&why, -EBADMSG, "results page", "is not of this program", a->n->results_pa, 0);
		adoption_refuse(&why);
	}
	time_set_tsc_khz(a->n->tsc_khz);
	restore_picture(&a->restore, a->picture);
}
