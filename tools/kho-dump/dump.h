/* What an image says of a handoff, plain, and everything found wrong with it. */
#ifndef KHO_DUMP_DUMP_H
#define KHO_DUMP_DUMP_H

#include "image.h"
#include "kho/iommu_records.h"
#include "kho/luo.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "kho/read.h"

/* Where to look. */
struct where {
	bool has_boot_params, has_fdt, has_scratch;
	paddr_t boot_params;
	paddr_t fdt, fdt_size;
	paddr_t scratch, scratch_size;
};

/* Which rule is violated.  The ids are those of docs/kho-dump.md. */
struct finding {
	const char *id;
	const char *what, *fault;	/* as a refusal */
	paddr_t at;
	uint64_t value;
};

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;		/* 1: RAM */
};

struct setup_node {
	paddr_t pa;
	uint32_t type, len;
};

struct radix_node {
	paddr_t pa;
	unsigned level;
};

struct dump {
	struct where where;

	/* From boot_params. */
	struct e820_entry *e820;
	size_t nr_e820, max_e820;
	struct kho_range *ram;		/* the same, type 1, sorted and joined */
	size_t nr_ram;
	struct setup_node *setup;
	size_t nr_setup, max_setup;

	/* Each part is meaningful if it is there. */
	bool has_data, has_scratch, has_tree, has_map, has_metadata, has_luo, has_iommu;
	struct kho_limits lim;
	struct kho_handoff h;
	struct radix_node *node;	/* as the tree has them */
	size_t nr_node;
	struct kho_metadata metadata;
	struct kho_luo luo;
	struct kho_memfd *memfd;	/* one for each file */
	bool *has_memfd;
	struct kho_iommu iommu;
	struct kho_iommu_verdicts verdicts;

	struct finding *finding;
	size_t nr_findings, max_findings;
};

/* Read as much as can be read. */
void dump_read(struct dump *d, const struct where *w);

/* --- For its parts --- */

/* Note a violated rule; one that is noted already is not noted again, and there is an end. */
#define DUMP_FINDINGS_MAX	1000
void dump_find(struct dump *d, const char *id, const char *what, const char *fault, paddr_t at,
	       uint64_t value);

/* The same for a refusal of a reader; what was read from outside the image takes its place. */
void dump_refused(struct dump *d, const char *id, const struct kho_refusal *why);

/* Note what was asked for and is not in the image, as part of @what; true if there was any. */
bool dump_missing(struct dump *d, const char *what);

/* boot_params: memory map, setup_data, where the handoff is. */
void dump_announcement(struct dump *d);

/* A radix tree that was refused: every finding in it, and in d->h.map what is good. */
void dump_radix_all(struct dump *d);

/* Sessions, files, FLBs, memfds, IOMMU records.  Needs tree and map. */
void dump_luo(struct dump *d);

/* The same for a LUO that was refused: every finding in it, and in d->luo what is good. */
void dump_luo_all(struct dump *d, struct kho_reader *r, struct span blob);

/* As dump_refused(), where chains of pages are read: some faults have ids of their own. */
void dump_chain_refused(struct dump *d, const char *id, const struct kho_refusal *why);

/* What findings call a record. */
#define DUMP_UNIT	"IOMMU unit record"
#define DUMP_DOMAIN	"IOMMU domain record"
#define DUMP_DEVICE	"IOMMU device record"

/* Every rule that a single IOMMU record violates: the reader stops at the first of each. */
void dump_records(struct dump *d);

/* Regions of reserve_mem=. */
void dump_memblock(struct dump *d);

/* The blob of a sub-node as an FDT, if it is one of at most so many bytes. */
#define DUMP_FDT_MAX	KHO_FDT_MAX_BYTES
bool dump_blob_fdt(const struct dump *d, const struct kho_subnode *n, struct span *fdt);

#endif
