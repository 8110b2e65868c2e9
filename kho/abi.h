/* Names, numbers and structs of KHO on x86-64, as Linux 7.3 writes and reads them.  Sources:
 * Linux include/linux/kho/abi/kexec_handover.h, include/linux/kho/abi/kexec_metadata.h,
 * include/asm-generic/kexec_handover.h, arch/x86/include/uapi/asm/setup_data.h.
 * Everything is little-endian except the FDT's own structure, which libfdt handles. */
#ifndef BATON_KHO_ABI_H
#define BATON_KHO_ABI_H

#include "base.h"

/* --- setup_data: how the handoff is announced (asm/setup_data.h) --- */

#define KHO_SETUP_KEXEC_KHO	10	/* SETUP_KEXEC_KHO, the node's type */

struct kho_setup_header {
	uint64_t next;			/* physical address of the next node, 0 ends the list */
	uint32_t type;
	uint32_t len;			/* payload bytes after this header */
};
static_assert(sizeof(struct kho_setup_header) == 16, "setup_data header");

struct kho_data {
	uint64_t fdt_pa;		/* root FDT */
	uint64_t fdt_size;		/* bytes of its buffer, not fdt_totalsize() */
	uint64_t scratch_pa;		/* scratch array */
	uint64_t scratch_size;		/* bytes of the array */
};
static_assert(sizeof(struct kho_data) == 32, "SETUP_KEXEC_KHO payload");

struct kho_setup_node {
	struct kho_setup_header header;
	struct kho_data data;
};
static_assert(sizeof(struct kho_setup_node) == 48, "header and payload");

/* --- Root FDT (kho/abi/kexec_handover.h) --- */

#define KHO_COMPATIBLE		"kho-v4"
#define KHO_PROP_MAP		"preserved-memory-map"	/* u64, root of the radix tree */
#define KHO_PROP_DATA		"preserved-data"	/* u64, the sub-node's blob */
#define KHO_PROP_BLOB_SIZE	"blob-size"		/* u64, its bytes */

#define KHO_FDT_BYTES		PAGE_SIZE	/* what a sender gives the root FDT */
#define KHO_FDT_MAX_BYTES	KIB(256)	/* what a receiver maps early: 64 pages */
#define KHO_FDT_ALIGN		8		/* libfdt refuses less */

/* --- Scratch array (asm-generic/kexec_handover.h) --- */

struct kho_scratch_entry {
	uint64_t addr;
	uint64_t size;			/* bytes; 0 is normal: the entry is skipped */
};
static_assert(sizeof(struct kho_scratch_entry) == 16, "scratch array entry");

/* --- Radix tree of preserved memory (kho/abi/kexec_handover.h) --- */

/* A key is 2^(52 - order) | pa >> (12 + order): 53 bits for 4 KiB pages. */
#define KHO_KEY_ORDER_BIT	52
#define KHO_KEY_BITS		53

/* Leaf: one page of bits, key bits 14:0.  Interior: 512 addresses, nine key bits per level. */
#define KHO_RADIX_LEVELS	6		/* 5 is the root, 0 the leaves */
#define KHO_RADIX_LEAF_BITS	15
#define KHO_RADIX_INDEX_BITS	9
#define KHO_RADIX_SLOTS		512		/* u64 words of a node, at every level */
#define KHO_RADIX_ROOT_SLOTS	3		/* 53 bits leave the root only slots 0, 1, 2 */
static_assert(KHO_RADIX_SLOTS * sizeof(uint64_t) == PAGE_SIZE, "interior node is a page");
static_assert(BIT64(KHO_RADIX_LEAF_BITS) == 8 * PAGE_SIZE, "leaf is a page of bits");
static_assert(KHO_RADIX_LEAF_BITS + KHO_RADIX_INDEX_BITS * (KHO_RADIX_LEVELS - 1) >= KHO_KEY_BITS,
	      "the levels hold a whole key");

/* x86-64 physical addresses have at most 52 bits (Intel SDM 3A 4.1.4, MAXPHYADDR), so larger
 * chunks can be written as a key but cannot exist. */
#define KHO_ADDR_BITS		52
#define KHO_ADDR_LIMIT		BIT64(KHO_ADDR_BITS)
#define KHO_MAX_ORDER		(KHO_ADDR_BITS - PAGE_SHIFT)

/* Linux reserves the first MiB for itself (arch/x86/realmode/init.c): nothing may be there. */
#define KHO_LOW_LIMIT		MIB(1)

/* --- Sub-node "kexec-metadata", a raw struct (kho/abi/kexec_metadata.h) --- */

/* Packed, so it is given by offsets: kexec_count is not aligned. */
#define KHO_NODE_METADATA	"kexec-metadata"
#define KHO_METADATA_VERSION	1
#define KHO_METADATA_OFF_VERSION	0	/* u32 */
#define KHO_METADATA_OFF_RELEASE	4	/* char[65], NUL-terminated */
#define KHO_METADATA_RELEASE_BYTES	65
#define KHO_METADATA_OFF_COUNT		69	/* u32 */
#define KHO_METADATA_BYTES		73
static_assert(KHO_METADATA_OFF_RELEASE + KHO_METADATA_RELEASE_BYTES == KHO_METADATA_OFF_COUNT,
	      "no padding before kexec_count");
static_assert(KHO_METADATA_OFF_COUNT + sizeof(uint32_t) == KHO_METADATA_BYTES, "73, not 76");

#endif
