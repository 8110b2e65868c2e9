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

/* --- Sub-node "LUO", a raw struct (kho/abi/luo.h) --- */

#define KHO_NODE_LUO		"LUO"
#define KHO_LUO_COMPATIBLE	"luo-v5"	/* NUL-padded to the field */

struct kho_luo_ser {
	char compatible[8];
	uint64_t liveupdate_num;	/* the one the receiver shows: 1 after a cold boot */
	uint64_t sessions_pa;		/* first session block, 0 = no sessions */
	uint64_t flbs_pa;		/* FLB page, 0 = none */
};
static_assert(sizeof(struct kho_luo_ser) == 32, "luo_ser");
static_assert(sizeof(KHO_LUO_COMPATIBLE) <= 8, "fits its field with the NUL");

/* Serialization block (kho/abi/block.h): one page, this header, then entries without gaps.
 * The record arrays of the IOMMU series have the same header. */
struct kho_block_ser {
	uint64_t next_pa;		/* 0 ends the chain */
	uint64_t count;			/* entries in this block */
};
static_assert(sizeof(struct kho_block_ser) == 16, "block header");
#define KHO_BLOCK_CAPACITY(entry_bytes) \
	((PAGE_SIZE - sizeof(struct kho_block_ser)) / (entry_bytes))
#define KHO_BLOCKS_MAX		10000	/* of a LUO chain; Linux refuses more */

struct kho_session_ser {
	char name[64];			/* NUL-terminated */
	uint64_t files_pa;		/* first file block, 0 = no files */
	uint64_t count;			/* files in all its blocks */
};
static_assert(sizeof(struct kho_session_ser) == 80, "session entry");
#define KHO_SESSIONS_PER_BLOCK	KHO_BLOCK_CAPACITY(sizeof(struct kho_session_ser))
static_assert(KHO_SESSIONS_PER_BLOCK == 51, "sessions per block");

struct kho_file_ser {
	char compatible[48];		/* NUL-terminated name of the handler */
	uint64_t data;			/* the handler's */
	uint64_t token;			/* chosen by the user, unique in the session */
};
static_assert(sizeof(struct kho_file_ser) == 64, "file entry");
#define KHO_FILES_PER_BLOCK	KHO_BLOCK_CAPACITY(sizeof(struct kho_file_ser))
static_assert(KHO_FILES_PER_BLOCK == 63, "files per block");

/* FLBs (file-lifecycle-bound data): one page, this header, then entries. */
struct kho_flbs_ser {
	uint64_t pgcnt;			/* 1 */
	uint64_t count;
};
static_assert(sizeof(struct kho_flbs_ser) == 16, "FLB header");

struct kho_flb_ser {
	char name[48];			/* NUL-terminated */
	uint64_t data;			/* its owner's */
	uint64_t count;			/* preserved files that depend on it */
};
static_assert(sizeof(struct kho_flb_ser) == 64, "FLB entry");
#define KHO_MAX_FLBS	((PAGE_SIZE - sizeof(struct kho_flbs_ser)) / sizeof(struct kho_flb_ser))
static_assert(KHO_MAX_FLBS == 63, "FLBs on their page");

/* --- Virtually contiguous memory, page by page (kho/abi/kexec_handover.h) --- */

struct kho_vmalloc_ser {
	uint64_t first_pa;		/* first chunk page */
	uint32_t total_pages;
	uint16_t flags;
	uint16_t order;			/* of each piece */
};
static_assert(sizeof(struct kho_vmalloc_ser) == 16, "vmalloc descriptor");
#define KHO_VMALLOC_ALLOC	0x1	/* made by vmalloc() */
#define KHO_VMALLOC_HUGE	0x2	/* huge mappings were allowed */

#define KHO_VMALLOC_SLOTS	511
struct kho_vmalloc_chunk_ser {
	uint64_t next_pa;		/* 0 ends the chain */
	uint64_t piece_pa[KHO_VMALLOC_SLOTS];	/* ends early with 0 */
};
static_assert(sizeof(struct kho_vmalloc_chunk_ser) == PAGE_SIZE, "chunk is a page");

/* --- File handler "memfd-v2" (kho/abi/memfd.h) --- */

#define KHO_MEMFD_COMPATIBLE	"memfd-v2"

struct kho_memfd_ser {
	uint64_t pos;			/* file position */
	uint64_t size;			/* bytes */
	uint32_t seals;
	uint32_t flags;			/* 0 */
	uint64_t nr_folios;
	struct kho_vmalloc_ser folios;	/* kho_folio_ser[nr_folios]; zero when there are none */
};
static_assert(sizeof(struct kho_memfd_ser) == 48, "memfd_luo_ser");
static_assert(offsetof(struct kho_memfd_ser, folios) == 32, "folio array");

/* Seals, as fcntl(F_ADD_SEALS) names them. */
#define KHO_SEAL_SEAL		0x01
#define KHO_SEAL_SHRINK		0x02
#define KHO_SEAL_GROW		0x04
#define KHO_SEALS_KNOWN		0x3f

struct kho_folio_ser {
	uint64_t head;			/* pfn and flags; pfn 0: skip */
	uint64_t index;			/* page offset in the file */
};
static_assert(sizeof(struct kho_folio_ser) == 16, "folio entry");
#define KHO_FOLIO_PFN		GENMASK64(51, 0)
#define KHO_FOLIO_FLAGS		GENMASK64(63, 52)
#define   KHO_FOLIO_DIRTY	0x1
#define   KHO_FOLIO_UPTODATE	0x2
#define KHO_FOLIOS_PER_PAGE	(PAGE_SIZE / sizeof(struct kho_folio_ser))

#endif
