/* What the hardware reads and writes in memory: root and context entries, second-stage entries,
 * invalidation descriptors, fault records.  Raw words, one builder each, positions asserted. */
#ifndef VTD_FORMATS_H
#define VTD_FORMATS_H

#include "base.h"
#include "regs.h"

#define VTD_TABLE_ENTRIES	256		/* root and context table: one 4 KiB page of 16 bytes */
#define VTD_SS_ENTRIES		512		/* second-stage table: one 4 KiB page of 8 bytes */

/* Source id: bus 15:8, device 7:3, function 2:0. */
#define VTD_RID_BUS(rid)	((uint8_t)((rid) >> 8))
#define VTD_RID_DEVFN(rid)	((uint8_t)(rid))
#define VTD_RID(bus, dev, fn)	((uint16_t)((bus) << 8 | ((dev) & 31) << 3 | ((fn) & 7)))

/* Page sizes, usable as a set because each is its own bit. */
#define VTD_PG_4K		0x00001000u
#define VTD_PG_2M		0x00200000u
#define VTD_PG_1G		0x40000000u

/* Interrupt address range (VT-d 3, "Handling Requests to Interrupt Address Range"): never
 * translated, and blocked as the output of a translation. */
#define VTD_INTR_BASE		UINT64_C(0xfee00000)
#define VTD_INTR_BYTES		UINT64_C(0x00100000)

/* Root entry (VT-d 9.1, "Root Entry").  In legacy mode the upper word is all zero; in scalable mode
 * (9.2) it is laid out like the lower one, which then is for functions 00h to 7fh only. */
struct vtd_root_entry { uint64_t lo, hi; };
static_assert(sizeof(struct vtd_root_entry) * VTD_TABLE_ENTRIES == PAGE_SIZE, "root table");
#define VTD_RE_P		BIT64(0)
#define VTD_RE_CTP		GENMASK64(63, 12)
#define VTD_RE_LO_RSVD		GENMASK64(11, 1)

static inline struct vtd_root_entry vtd_root_entry(paddr_t context_table)
{
	return (struct vtd_root_entry){ .lo = (context_table & VTD_RE_CTP) | VTD_RE_P };
}

/* Context entry, legacy mode (VT-d 9.3, "Context Entry"). */
struct vtd_context_entry { uint64_t lo, hi; };
static_assert(sizeof(struct vtd_context_entry) * VTD_TABLE_ENTRIES == PAGE_SIZE, "context table");
#define VTD_CE_P		BIT64(0)
#define VTD_CE_FPD		BIT64(1)		/* honoured even with P=0 */
#define VTD_CE_TT		GENMASK64(3, 2)
#define VTD_CE_LO_RSVD		GENMASK64(11, 4)
#define VTD_CE_SSPTPTR		GENMASK64(63, 12)
#define VTD_CE_HI_AW		GENMASK64(2, 0)		/* spec bits 66:64 */
#define VTD_CE_HI_DID		GENMASK64(23, 8)	/* spec bits 87:72 */
#define VTD_CE_HI_RSVD		(BIT64(7) | GENMASK64(63, 24))
static_assert(FIELD_PREP(VTD_CE_HI_DID, 0x1234) == 0x123400, "DID position");
enum vtd_tt { VTD_TT_SS = 0, VTD_TT_SS_ATS = 1, VTD_TT_PASS_THROUGH = 2 };
enum vtd_aw { VTD_AW_39BIT = 1, VTD_AW_48BIT = 2, VTD_AW_57BIT = 3 };

static inline enum vtd_aw vtd_aw_of_levels(unsigned levels)
{
	return (enum vtd_aw)(levels - 2);
}

static inline unsigned vtd_levels_of_aw(unsigned aw)
{
	return aw + 2;
}

static inline struct vtd_context_entry
vtd_context_entry(paddr_t ssptptr, uint16_t did, enum vtd_aw aw)
{
	return (struct vtd_context_entry){
		.lo = (ssptptr & VTD_CE_SSPTPTR) | FIELD_PREP(VTD_CE_TT, VTD_TT_SS) | VTD_CE_P,
		.hi = FIELD_PREP(VTD_CE_HI_DID, did) | FIELD_PREP(VTD_CE_HI_AW, aw),
	};
}

/* Context entry, scalable mode (VT-d 9.4, "Scalable-Mode Context Entry"): 32 bytes, of which the
 * upper 16 and all of HI are zero here: requests without PASID use PASID 0, which is also what
 * hardware without ECAP.RPS does. */
#define VTD_SCE_BYTES		32
#define VTD_SCE_P		BIT64(0)
#define VTD_SCE_FPD		BIT64(1)
#define VTD_SCE_DTE		BIT64(2)		/* device-TLB */
#define VTD_SCE_PASIDE		BIT64(3)		/* requests with PASID */
#define VTD_SCE_PRE		BIT64(4)		/* page requests */
#define VTD_SCE_PDTS		GENMASK64(11, 9)	/* directory of 2^(PDTS + 7) entries */
#define VTD_SCE_LO_RSVD		GENMASK64(8, 5)		/* HPTE and EPTR included, never used here */
#define VTD_SCE_PASIDDIRPTR	GENMASK64(63, 12)
static_assert(VTD_SCE_P == VTD_CE_P && VTD_SCE_FPD == VTD_CE_FPD, "one code for both modes");

/* PASID directory entry (VT-d 9.5).  A directory here is one page. */
#define VTD_PDE_P		BIT64(0)
#define VTD_PDE_SMPTBLPTR	GENMASK64(63, 12)
#define VTD_PASID_DIR_ENTRIES	512
#define VTD_PASID_DIR_PDTS	2
static_assert(VTD_PASID_DIR_ENTRIES == 1 << (VTD_PASID_DIR_PDTS + 7), "one page of 8-byte entries");

/* PASID table entry (VT-d 9.6, "Scalable-Mode PASID Table Entry"): 64 bytes. */
struct vtd_pasid_entry { uint64_t qw[8]; };
#define VTD_PE_BYTES		64
#define VTD_PASIDS_PER_TABLE	64
static_assert(sizeof(struct vtd_pasid_entry) == VTD_PE_BYTES, "512-bit entry");
static_assert(VTD_PE_BYTES * VTD_PASIDS_PER_TABLE == PAGE_SIZE, "PASID table");
#define VTD_PE_P		BIT64(0)
#define VTD_PE_FPD		BIT64(1)
#define VTD_PE_AW		GENMASK64(4, 2)
#define VTD_PE_PGTT		GENMASK64(8, 6)
#define   VTD_PGTT_SS		2			/* second-stage only */
#define VTD_PE_SSPTPTR		GENMASK64(63, 12)
#define VTD_PE_HI_DID		GENMASK64(15, 0)	/* spec bits 79:64 */
#define VTD_PE_HI_PWSNP		BIT64(23)		/* spec bit 87: walks snoop; reserved unless SMPWCS */
#define VTD_PE_HI_PGSNP		BIT64(24)
/* PASIDs that such a directory covers. */
#define VTD_PASID_DIR_PASIDS	(VTD_PASID_DIR_ENTRIES * VTD_PASIDS_PER_TABLE)

/* A source id's entry in its context table: its length and its offset. */
static inline unsigned vtd_context_bytes(uint8_t ttm)
{
	return ttm == VTD_TTM_SCALABLE ? VTD_SCE_BYTES : sizeof(struct vtd_context_entry);
}

static inline unsigned vtd_context_offset(uint8_t ttm, uint16_t rid)
{
	return (rid & (ttm == VTD_TTM_SCALABLE ? 0x7fu : 0xffu)) * vtd_context_bytes(ttm);
}

static inline struct vtd_context_entry vtd_scalable_context_entry(paddr_t pasid_dir)
{
	return (struct vtd_context_entry){
		.lo = (pasid_dir & VTD_SCE_PASIDDIRPTR) |
		      FIELD_PREP(VTD_SCE_PDTS, VTD_PASID_DIR_PDTS) | VTD_SCE_P,
	};
}

/* @snoop: ECAP.SMPWCS, else the bit is reserved. */
static inline struct vtd_pasid_entry
vtd_pasid_entry(paddr_t ssptptr, uint16_t did, enum vtd_aw aw, bool snoop)
{
	return (struct vtd_pasid_entry){ .qw = {
		(ssptptr & VTD_PE_SSPTPTR) | FIELD_PREP(VTD_PE_PGTT, VTD_PGTT_SS) |
			FIELD_PREP(VTD_PE_AW, aw) | VTD_PE_P,
		FIELD_PREP(VTD_PE_HI_DID, did) | (snoop ? VTD_PE_HI_PWSNP : 0),
	} };
}

/* Second-stage paging entries (VT-d 9.8, "Second-Stage Paging Entries").  There is no present
 * bit: R=W=0 is not present, and then no other bit is looked at. */
#define VTD_SS_R		BIT64(0)
#define VTD_SS_W		BIT64(1)
#define VTD_SS_RW		(VTD_SS_R | VTD_SS_W)
#define VTD_SS_PS		BIT64(7)		/* leaf above the lowest level */
#define VTD_SS_SNP		BIT64(11)		/* leaf only, reserved if ECAP.SC=0 */
#define VTD_SS_ADDR		GENMASK64(51, 12)
#define VTD_SS_RSVD_62		BIT64(62)		/* reserved unless RTADDR.SSIRWE */

/* Level 1 is the table of 4 KiB leaves; an entry of level n covers 2^(12 + 9(n-1)) bytes. */
static inline uint64_t vtd_ss_entry_bytes(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static inline unsigned vtd_ss_index(iova_t iova, unsigned level)
{
	return (unsigned)(iova >> (PAGE_SHIFT + 9 * (level - 1))) & (VTD_SS_ENTRIES - 1);
}

static inline bool vtd_ss_present(uint64_t entry)
{
	return (entry & VTD_SS_RW) != 0;
}

/* Of a present entry.  PS is ignored at level 1 and reserved above level 3. */
static inline bool vtd_ss_is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (entry & VTD_SS_PS);
}

static inline uint64_t vtd_ss_leaf(paddr_t pa, uint64_t perm, unsigned level)
{
	return (pa & VTD_SS_ADDR) | perm | (level > 1 ? VTD_SS_PS : 0);
}

/* Permissions are ANDed over the levels, so a table entry grants both. */
static inline uint64_t vtd_ss_table(paddr_t table)
{
	return (table & VTD_SS_ADDR) | VTD_SS_RW;
}

/* Invalidation descriptors (VT-d 6.5.2, "Queued Invalidation Interface"): 128 bits, or 256 of which
 * the upper half is zero. */
struct vtd_qi_desc { uint64_t lo, hi; };
static_assert(sizeof(struct vtd_qi_desc) == 16, "128-bit descriptor");
#define VTD_QI_TYPE		GENMASK64(3, 0)
#define   VTD_QI_CC		1			/* context-cache */
#define   VTD_QI_IOTLB		2
#define   VTD_QI_IEC		4			/* interrupt entry cache */
#define   VTD_QI_WAIT		5
#define   VTD_QI_PC		7			/* PASID-cache, 256-bit only */
#define VTD_QI_G		GENMASK64(5, 4)		/* CC and IOTLB */
#define VTD_QI_DID		GENMASK64(31, 16)
#define VTD_QI_CC_SID		GENMASK64(47, 32)
#define VTD_QI_PASID		GENMASK64(51, 32)
#define VTD_QI_IOTLB_DW		BIT64(6)
#define VTD_QI_IOTLB_DR		BIT64(7)
#define VTD_QI_IOTLB_HI_AM	GENMASK64(5, 0)
#define VTD_QI_IOTLB_HI_IH	BIT64(6)		/* only leaf entries were changed */
#define VTD_QI_IOTLB_HI_ADDR	GENMASK64(63, 12)
#define VTD_QI_WAIT_SW		BIT64(5)		/* write the status data */
#define VTD_QI_WAIT_FN		BIT64(6)		/* fence */
#define VTD_QI_WAIT_DATA	GENMASK64(63, 32)
#define VTD_QI_WAIT_HI_ADDR	GENMASK64(63, 2)

/* Granularity; the invalidation registers encode it the same way. */
enum vtd_granularity { VTD_G_GLOBAL = 1, VTD_G_DOMAIN = 2, VTD_G_SELECTIVE = 3 };

static inline struct vtd_qi_desc
vtd_qi_cc(enum vtd_granularity g, uint16_t did, uint16_t sid)
{
	return (struct vtd_qi_desc){
		.lo = FIELD_PREP(VTD_QI_CC_SID, sid) | FIELD_PREP(VTD_QI_DID, did) |
		      FIELD_PREP(VTD_QI_G, g) | VTD_QI_CC,
	};
}

/* @am, @addr and @leaf_only count for VTD_G_SELECTIVE only.  In-flight requests are drained. */
static inline struct vtd_qi_desc
vtd_qi_iotlb(enum vtd_granularity g, uint16_t did, iova_t addr, unsigned am, bool leaf_only)
{
	return (struct vtd_qi_desc){
		.lo = FIELD_PREP(VTD_QI_DID, did) | VTD_QI_IOTLB_DR | VTD_QI_IOTLB_DW |
		      FIELD_PREP(VTD_QI_G, g) | VTD_QI_IOTLB,
		.hi = g != VTD_G_SELECTIVE ? 0 :
		      (addr & VTD_QI_IOTLB_HI_ADDR) | (leaf_only ? VTD_QI_IOTLB_HI_IH : 0) |
		      FIELD_PREP(VTD_QI_IOTLB_HI_AM, am),
	};
}

/* PASID-cache granularity counts differently. */
enum vtd_pc_granularity { VTD_PC_G_DOMAIN = 0, VTD_PC_G_PASID = 1, VTD_PC_G_GLOBAL = 3 };

static inline struct vtd_qi_desc
vtd_qi_pc(enum vtd_pc_granularity g, uint16_t did, uint32_t pasid)
{
	return (struct vtd_qi_desc){
		.lo = FIELD_PREP(VTD_QI_PASID, pasid) | FIELD_PREP(VTD_QI_DID, did) |
		      FIELD_PREP(VTD_QI_G, g) | VTD_QI_PC,
	};
}

static inline struct vtd_qi_desc vtd_qi_iec_global(void)
{
	return (struct vtd_qi_desc){ .lo = VTD_QI_IEC };
}

/* Status write of @data to the dword at @status.  Never together with IF (one of them suffices,
 * and emulated units before QEMU 10.2 abort on both). */
static inline struct vtd_qi_desc vtd_qi_wait(paddr_t status, uint32_t data)
{
	return (struct vtd_qi_desc){
		.lo = FIELD_PREP(VTD_QI_WAIT_DATA, data) | VTD_QI_WAIT_SW | VTD_QI_WAIT,
		.hi = status & VTD_QI_WAIT_HI_ADDR,
	};
}

/* A valid descriptor that does nothing: what a refused one is overwritten with. */
static inline struct vtd_qi_desc vtd_qi_fence(void)
{
	return (struct vtd_qi_desc){ .lo = VTD_QI_WAIT_FN | VTD_QI_WAIT };
}

/* Fault record (VT-d, "Fault Recording Registers"). */
#define VTD_FR_FI		GENMASK64(63, 12)	/* of the lower 64 */
#define VTD_FR_HI_SID		GENMASK64(15, 0)	/* spec bits 79:64 */
#define VTD_FR_HI_T2		BIT64(28)
#define VTD_FR_HI_EXE		BIT64(29)
#define VTD_FR_HI_PRIV		BIT64(30)
#define VTD_FR_HI_PP		BIT64(31)
#define VTD_FR_HI_FR		GENMASK64(39, 32)	/* spec bits 103:96 */
#define VTD_FR_HI_PV		GENMASK64(59, 40)	/* valid if PP */
#define VTD_FR_HI_AT		GENMASK64(61, 60)
#define VTD_FR_HI_T1		BIT64(62)
#define VTD_FR_HI_F		BIT64(63)
static_assert(FIELD_PREP(VTD_FR_HI_FR, 0x06) == 0x0000000600000000, "fault reason position");

#endif
