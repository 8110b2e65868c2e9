/* Proofs that both sides of a hand-over make over the same evidence: tables in memory against
 * the picture, pages against the preserved map, bytes against digests.  They write nothing. */
#ifndef BATON_PROVE_H
#define BATON_PROVE_H

#include "boot_info.h"
#include "kernel/handover/node.h"
#include "kernel/handover/picture.h"
#include "kernel/report/ktap.h"
#include "kho/read.h"
#include "vtd/verify.h"

/* Which check each kind of violation belongs to; the two sides report under their own ids. */
struct prove_ids {
	enum check_id mode, preserved, tables, root, context, pasid, entry, did;
};

/* Whose DMA can no longer be trusted: a broken table or record stops its device, a broken root
 * or context table stops all.  A device without a usable record is in the node, not in the picture. */
struct blame {
	bool all;
	bool device[NODE_MAX_DEVICES];	/* by index into node.device */
};
void blame_rid(struct blame *b, const struct node *n, uint16_t segment, uint16_t rid);
void blame_domain(struct blame *b, const struct node *n, const struct picture *p, uint32_t domain);

struct proof {
	const struct iommu *mmu;
	const struct kho_map *map;
	const struct picture *picture;
	const struct node *node;
	struct prove_ids ids;
	struct blame *blame;	/* NULL: only the checks are observed */
	struct vtd_verify_result *walked;	/* added up over all units; NULL: not asked for */
};

/* Walk every unit's tables and compare; each page must be preserved before it is read. */
void prove_tables(const struct proof *p);

/* First digest of that kind that does not fit, or NULL.  Owners of all that do not are blamed, by
 * the picture; both may be NULL. */
const struct node_digest_ser *prove_digests(const struct node *n, enum node_digest_kind kind,
					    const struct picture *p, struct blame *blame);

/* Append the digest of every page the hardware reaches from the live units.
 * Return: 0; -ENOSPC. */
int prove_record_tables(const struct iommu *mmu, struct node *n);
int prove_record_page(struct node *n, paddr_t pa, enum node_digest_kind kind, uint16_t owner);

/* CRC32C over all radix nodes of a handoff, by address. */
uint32_t prove_radix_crc32c(const struct kho_map *map);

/* Upper bound of table pages of one unit, for all walks. */
#define PROVE_MAX_TABLES	NODE_MAX_DIGESTS

/* What a handoff may consist of: chunks next to each other count once. */
#define PROVE_MAX_EXTENTS	32768
#define PROVE_OWN_EXTENTS	2048	/* of these, for what is ours beside another kernel's */
#define PROVE_MAX_NODES		16384

/* Memory for reading a handoff; from scratch.  Return: false if there is none left. */
bool prove_limits(struct kho_limits *lim, const struct boot_info *bi);

#endif
