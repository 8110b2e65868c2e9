/* The `baton` node: what one Baton tells the next beside Linux's own records, and does not say a
 * second time.  An FDT with compatible "baton-v1" whose properties are fixed-width little-endian
 * structs; Linux ignores it.  The stream's position is not here but in the control page, which is
 * data. */
#ifndef BATON_NODE_H
#define BATON_NODE_H

#include "base.h"
#include "kernel/handover/payload.h"
#include "kernel/machine/pci.h"
#include "kho/refusal.h"
#include "span.h"

#define NODE_NAME		"baton"
#define NODE_COMPATIBLE		"baton-v1"
#define NODE_BYTES		KIB(64)		/* room for the blob */
#define NODE_ORDER		4

#define NODE_MAX_UNITS		64
#define NODE_MAX_DOMAINS	64
#define NODE_MAX_DEVICES	256
#define NODE_MAX_PORTS		4
#define NODE_MAX_DIGESTS	2048

/* Registers of a unit as they were left; its record is the one with that register base. */
struct node_unit_ser {
	uint64_t regs_pa;
	uint64_t cap, ecap;
	uint64_t rtaddr, iqa, irta;
	uint32_t index;
	uint32_t ver, gsts;
	uint16_t segment;
	uint16_t reserved;
};
static_assert(sizeof(struct node_unit_ser) == 64, "layout");

/* The domain whose record has that top table. */
struct node_domain_ser {
	uint64_t top_pa;
	uint64_t table_pages;
	uint32_t id;		/* stays the same in every generation */
	uint32_t page_sizes;	/* VTD_PG_* */
	uint32_t is_rmrr;
	uint32_t reserved;
};
static_assert(sizeof(struct node_domain_ser) == 32, "layout");

/* Who is handed over, and what it is: a record carries no identity, and one that is missing could
 * not be named.  Everything else of a device is its record's. */
struct node_device_ser {
	uint16_t segment, rid;
	uint16_t vendor, device;	/* 0: an alias that no function has */
};
static_assert(sizeof(struct node_device_ser) == 8, "layout");

struct node_port_ser {
	uint64_t control_pa;
	struct pci_config_snapshot config;
	uint32_t reserved;
};
static_assert(sizeof(struct node_port_ser) == 112, "layout");

struct node_digest_ser {
	uint64_t pa;		/* of the page */
	uint32_t crc32c;
	uint16_t kind;		/* enum node_digest_kind */
	uint16_t owner;		/* node_domain_ser.id whose table it is, or NODE_NO_OWNER; of
				 * records their length in bytes */
};
static_assert(sizeof(struct node_digest_ser) == 16, "layout");
#define NODE_NO_OWNER	UINT16_MAX	/* root or context table, or no table */

enum node_digest_kind {
	NODE_DIGEST_TABLE = 1,		/* root, context, page table: the hardware reaches it */
	NODE_DIGEST_METADATA = 2,	/* root FDT, scratch array, other blobs */
	NODE_DIGEST_RECORD = 3,		/* one IOMMU record; @owner is its length */
	NODE_DIGEST_HEADER = 4,		/* header of a block of records; likewise */
	NODE_DIGEST_PASID = 5,		/* PASID directory or table; @owner is its device's index */
};

/* What a kernel that is no Baton once handed over, and is carried on: zero if there is nothing.  Its
 * sessions are those behind ours, its FLBs and sub-nodes those that are not ours. */
struct node_foreign_ser {
	uint64_t liveupdate_num;	/* as received by generation 0 */
	uint64_t extents_pa;		/* struct kho_extent[nr_extents]: its preserved memory */
	uint32_t nr_extents, extents_crc32c;
	uint32_t carried_crc32c;	/* blocks of its sessions and files, blobs of its sub-nodes */
	uint32_t kexec_count;		/* as received by generation 0 */
};
static_assert(sizeof(struct node_foreign_ser) == 32, "layout");

/* Everything the node says, in plain form. */
struct node {
	uint32_t generation;		/* of the kernel that wrote it */
	uint64_t tsc_khz;
	uint64_t image_bytes;
	uint32_t image_crc32c;
	uint64_t results_pa;		/* struct results_ser, a page */
	uint32_t hostile;		/* 1: a device was left with bus master on */
	uint16_t hostile_segment, hostile_rid;
	uint32_t next_domain_id;
	uint32_t radix_crc32c;		/* of all radix nodes, by address: a Linux may have left thousands */
	struct payload payload;		/* all zero: no Linux follows */
	struct node_foreign_ser foreign;

	uint32_t nr_units, nr_domains, nr_devices, nr_ports, nr_digests;
	struct node_unit_ser unit[NODE_MAX_UNITS];
	struct node_domain_ser domain[NODE_MAX_DOMAINS];
	struct node_device_ser device[NODE_MAX_DEVICES];
	struct node_port_ser port[NODE_MAX_PORTS];
	struct node_digest_ser digest[NODE_MAX_DIGESTS];
};

/* Index into node.device, or NODE_NO_DEVICE. */
#define NODE_NO_DEVICE	SIZE_MAX
size_t node_find_device(const struct node *n, uint16_t segment, uint16_t rid);

bool node_names_unit(const struct node *n, paddr_t regs);

/* Write @n into @buf (NODE_BYTES, page aligned).  Return: 0; -ENOSPC. */
int node_write(const struct node *n, void *buf, size_t *used);

/**
 * node_read() - check a foreign node against itself
 * @blob: its bytes
 * @n:    what it says; meaningful on success only
 *
 * Digest, version, counts, nothing twice, every port of a device that is named.  That
 * its addresses are preserved RAM is for the caller, who knows the map.
 * Return: 0; -EBADMSG with @why.
 */
int node_read(struct span blob, struct node *n, struct kho_refusal *why);

#endif
