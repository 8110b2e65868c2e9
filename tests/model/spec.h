/* Constants of the VT-d specification for the strict model: written down a second time, as plain
 * numbers, with nothing taken from vtd/.  Names end like those of vtd/regs.h and vtd/formats.h,
 * so that tests/unit/test_model_constants.c can compare the two sets name by name. */
#ifndef MODEL_SPEC_H
#define MODEL_SPEC_H

#include "base.h"

/* ---- register offsets (11.2, "Register Descriptions") --------------------------------------- */
#define SPEC_VER		0x000
#define SPEC_CAP		0x008
#define SPEC_ECAP		0x010
#define SPEC_GCMD		0x018
#define SPEC_GSTS		0x01c
#define SPEC_RTADDR		0x020
#define SPEC_CCMD		0x028
#define SPEC_FSTS		0x034
#define SPEC_FECTL		0x038
#define SPEC_FEDATA		0x03c
#define SPEC_FEADDR		0x040
#define SPEC_FEUADDR		0x044
#define SPEC_PMEN		0x064
#define SPEC_PLMBASE		0x068
#define SPEC_PLMLIMIT		0x06c
#define SPEC_PHMBASE		0x070
#define SPEC_PHMLIMIT		0x078
#define SPEC_IQH		0x080
#define SPEC_IQT		0x088
#define SPEC_IQA		0x090
#define SPEC_ICS		0x09c
#define SPEC_IECTL		0x0a0
#define SPEC_IEDATA		0x0a4
#define SPEC_IEADDR		0x0a8
#define SPEC_IEUADDR		0x0ac
#define SPEC_IQERCD		0x0b0
#define SPEC_IRTA		0x0b8
#define SPEC_PECTL		0x0e0
#define SPEC_PERFINTRCTL	0x328
#define SPEC_IVA		0x0		/* from ECAP.IRO */
#define SPEC_IOTLB		0x8
#define SPEC_IOTLB_REGS_BYTES	16
#define SPEC_FRCD_BYTES		16		/* from CAP.FRO */
#define SPEC_FRCD_DW3		12

/* ---- VER, CAP, ECAP ------------------------------------------------------------------------- */
#define SPEC_VER_MINOR		0x0fu
#define SPEC_VER_MAJOR		0xf0u
#define SPEC_VER_MAJOR_QI_ONLY	6
#define SPEC_CAP_ND		0x0000000000000007ull
#define SPEC_CAP_RWBF		0x0000000000000010ull
#define SPEC_CAP_PLMR		0x0000000000000020ull
#define SPEC_CAP_PHMR		0x0000000000000040ull
#define SPEC_CAP_CM		0x0000000000000080ull
#define SPEC_CAP_SAGAW		0x0000000000001f00ull
#define SPEC_CAP_MGAW		0x00000000003f0000ull
#define SPEC_CAP_FRO		0x00000003ff000000ull
#define SPEC_CAP_SSLPS		0x0000003c00000000ull
#define SPEC_CAP_PSI		0x0000008000000000ull
#define SPEC_CAP_NFR		0x0000ff0000000000ull
#define SPEC_CAP_MAMV		0x003f000000000000ull
#define SPEC_CAP_DWD		0x0040000000000000ull
#define SPEC_CAP_DRD		0x0080000000000000ull
#define SPEC_CAP_ESIRTPS	0x4000000000000000ull
#define SPEC_CAP_ESRTPS		0x8000000000000000ull
#define SPEC_ECAP_C		0x0000000000000001ull
#define SPEC_ECAP_QI		0x0000000000000002ull
#define SPEC_ECAP_DT		0x0000000000000004ull
#define SPEC_ECAP_IR		0x0000000000000008ull
#define SPEC_ECAP_EIM		0x0000000000000010ull
#define SPEC_ECAP_PT		0x0000000000000040ull
#define SPEC_ECAP_SC		0x0000000000000080ull
#define SPEC_ECAP_IRO		0x000000000003ff00ull
#define SPEC_ECAP_PRS		0x0000000020000000ull
#define SPEC_ECAP_SMTS		0x0000080000000000ull
#define SPEC_ECAP_SSTS		0x0000400000000000ull
#define SPEC_ECAP_SMPWCS	0x0001000000000000ull
#define SPEC_ECAP_RPS		0x0002000000000000ull
#define SPEC_ECAP_PMS		0x0008000000000000ull

/* ---- GCMD, GSTS ----------------------------------------------------------------------------- */
#define SPEC_GCMD_CFI		0x00800000u
#define SPEC_GCMD_SIRTP		0x01000000u
#define SPEC_GCMD_IRE		0x02000000u
#define SPEC_GCMD_QIE		0x04000000u
#define SPEC_GCMD_WBF		0x08000000u
#define SPEC_GCMD_EAFL		0x10000000u
#define SPEC_GCMD_SFL		0x20000000u
#define SPEC_GCMD_SRTP		0x40000000u
#define SPEC_GCMD_TE		0x80000000u
#define SPEC_GCMD_ONE_SHOT	0x69000000u
#define SPEC_GCMD_RSVD		0x007fffffu
#define SPEC_GSTS_IRES		0x02000000u
#define SPEC_GSTS_QIES		0x04000000u
#define SPEC_GSTS_WBFS		0x08000000u
#define SPEC_GSTS_RTPS		0x40000000u
#define SPEC_GSTS_TES		0x80000000u

/* ---- other registers ------------------------------------------------------------------------ */
#define SPEC_RTADDR_TTM		0x0000000000000c00ull
#define   SPEC_TTM_LEGACY	0
#define   SPEC_TTM_SCALABLE	1
#define SPEC_RTADDR_RTA		0xfffffffffffff000ull
#define SPEC_RTADDR_RSVD	0x00000000000003ffull
#define SPEC_CCMD_DID		0x000000000000ffffull
#define SPEC_CCMD_SID		0x00000000ffff0000ull
#define SPEC_CCMD_FM		0x0000000300000000ull
#define SPEC_CCMD_RSVD		0x07fffffc00000000ull
#define SPEC_CCMD_CAIG		0x1800000000000000ull
#define SPEC_CCMD_CIRG		0x6000000000000000ull
#define SPEC_CCMD_ICC		0x8000000000000000ull
#define SPEC_IVA_AM		0x000000000000003full
#define SPEC_IVA_IH		0x0000000000000040ull
#define SPEC_IVA_ADDR		0xfffffffffffff000ull
#define SPEC_IOTLB_RSVDP	0x00000000ffffffffull
#define SPEC_IOTLB_DID		0x0000ffff00000000ull
#define SPEC_IOTLB_DW		0x0001000000000000ull
#define SPEC_IOTLB_DR		0x0002000000000000ull
#define SPEC_IOTLB_IAIG		0x0600000000000000ull
#define SPEC_IOTLB_IIRG		0x3000000000000000ull
#define SPEC_IOTLB_IVT		0x8000000000000000ull
#define SPEC_FSTS_PFO		0x00000001u
#define SPEC_FSTS_PPF		0x00000002u
#define SPEC_FSTS_IQE		0x00000010u
#define SPEC_FSTS_ICE		0x00000020u
#define SPEC_FSTS_ITE		0x00000040u
#define SPEC_FSTS_FRI		0x0000ff00u
#define SPEC_FSTS_RW1C		0x00000071u
#define SPEC_EVENT_IM		0x80000000u
#define SPEC_EVENT_IP		0x40000000u
#define SPEC_PMEN_PRS		0x00000001u
#define SPEC_PMEN_EPM		0x80000000u
#define SPEC_IQ_OFFSET		0x000000000007fff0ull
#define SPEC_IQA_QS		0x0000000000000007ull
#define SPEC_IQA_DW		0x0000000000000800ull
#define SPEC_IQA_IQA		0xfffffffffffff000ull
#define SPEC_IQERCD_IQEI	0x000000000000000full
#define SPEC_ICS_IWC		0x00000001u
#define SPEC_IRTA_EIME		0x0000000000000800ull

/* IQERCD.IQEI */
#define SPEC_IQEI_TAIL		1		/* beyond the queue */
#define SPEC_IQEI_FETCH		2
#define SPEC_IQEI_TYPE		3
#define SPEC_IQEI_RSVD		4
#define SPEC_IQEI_WIDTH		5
#define SPEC_IQEI_ALIGN		6		/* of the tail */

/* ---- tables --------------------------------------------------------------------------------- */
#define SPEC_TABLE_ENTRIES	256
#define SPEC_SS_ENTRIES		512
#define SPEC_INTR_BASE		0xfee00000ull
#define SPEC_INTR_BYTES		0x00100000ull

/* Root entry, legacy; each half of a scalable one has the same layout. */
#define SPEC_RE_P		0x0000000000000001ull
#define SPEC_RE_CTP		0xfffffffffffff000ull
#define SPEC_RE_LO_RSVD		0x0000000000000ffeull

/* Context entry, legacy. */
#define SPEC_CE_P		0x0000000000000001ull
#define SPEC_CE_FPD		0x0000000000000002ull
#define SPEC_CE_TT		0x000000000000000cull
#define   SPEC_TT_SS		0
#define   SPEC_TT_SS_ATS	1
#define   SPEC_TT_PASS_THROUGH	2
#define SPEC_CE_LO_RSVD		0x0000000000000ff0ull
#define SPEC_CE_SSPTPTR		0xfffffffffffff000ull
#define SPEC_CE_HI_AW		0x0000000000000007ull
#define   SPEC_AW_39BIT		1
#define   SPEC_AW_48BIT		2
#define   SPEC_AW_57BIT		3
#define SPEC_CE_HI_DID		0x0000000000ffff00ull
#define SPEC_CE_HI_RSVD		0xffffffffff000080ull

/* Context entry, scalable (32 bytes): qw0, qw1. */
#define SPEC_SCE_P		0x0000000000000001ull
#define SPEC_SCE_FPD		0x0000000000000002ull
#define SPEC_SCE_DTE		0x0000000000000004ull
#define SPEC_SCE_PASIDE		0x0000000000000008ull
#define SPEC_SCE_PRE		0x0000000000000010ull
#define SPEC_SCE_RSVD		0x00000000000001e0ull
#define SPEC_SCE_PDTS		0x0000000000000e00ull
#define SPEC_SCE_PASIDDIRPTR	0xfffffffffffff000ull
#define SPEC_SCE_RID_PASID	0x00000000000fffffull
#define SPEC_SCE_BYTES		32

/* PASID directory entry, 8 bytes. */
#define SPEC_PDE_P		0x0000000000000001ull
#define SPEC_PDE_FPD		0x0000000000000002ull
#define SPEC_PDE_RSVD		0x0000000000000ffcull
#define SPEC_PDE_SMPTBLPTR	0xfffffffffffff000ull

/* PASID table entry, 64 bytes: qw0, qw1. */
#define SPEC_PE_P		0x0000000000000001ull
#define SPEC_PE_FPD		0x0000000000000002ull
#define SPEC_PE_AW		0x000000000000001cull
#define SPEC_PE_PGTT		0x00000000000001c0ull
#define   SPEC_PGTT_SS		2
#define   SPEC_PGTT_PT		4
#define SPEC_PE_SSADE		0x0000000000000200ull
#define SPEC_PE_LO_RSVD		0x0000000000000c20ull
#define SPEC_PE_SSPTPTR		0xfffffffffffff000ull
#define SPEC_PE_HI_DID		0x000000000000ffffull
#define SPEC_PE_HI_PWSNP	0x0000000000800000ull
#define SPEC_PE_HI_PGSNP	0x0000000001000000ull
#define SPEC_PE_BYTES		64
#define SPEC_PASIDS_PER_TABLE	64

/* Second-stage entries. */
#define SPEC_SS_R		0x0000000000000001ull
#define SPEC_SS_W		0x0000000000000002ull
#define SPEC_SS_RW		0x0000000000000003ull
#define SPEC_SS_PS		0x0000000000000080ull
#define SPEC_SS_SNP		0x0000000000000800ull
#define SPEC_SS_ADDR		0x000ffffffffff000ull
#define SPEC_SS_RSVD_62		0x4000000000000000ull

/* ---- invalidation descriptors --------------------------------------------------------------- */
#define SPEC_QI_TYPE		0x000000000000000full
#define SPEC_QI_TYPE_HI		0x0000000000000e00ull
#define   SPEC_QI_CC		1
#define   SPEC_QI_IOTLB		2
#define   SPEC_QI_DEV_TLB	3
#define   SPEC_QI_IEC		4
#define   SPEC_QI_WAIT		5
#define   SPEC_QI_P_IOTLB	6
#define   SPEC_QI_PC		7
#define SPEC_QI_G		0x0000000000000030ull
#define SPEC_QI_DID		0x00000000ffff0000ull
#define SPEC_QI_CC_SID		0x0000ffff00000000ull
#define SPEC_QI_CC_FM		0x0003000000000000ull
#define SPEC_QI_PASID		0x000fffff00000000ull
#define SPEC_QI_IOTLB_DW	0x0000000000000040ull
#define SPEC_QI_IOTLB_DR	0x0000000000000080ull
#define SPEC_QI_IOTLB_HI_AM	0x000000000000003full
#define SPEC_QI_IOTLB_HI_IH	0x0000000000000040ull
#define SPEC_QI_IOTLB_HI_ADDR	0xfffffffffffff000ull
#define SPEC_QI_IEC_USED	0x0000fffff8000010ull
#define SPEC_QI_WAIT_IF		0x0000000000000010ull
#define SPEC_QI_WAIT_SW		0x0000000000000020ull
#define SPEC_QI_WAIT_FN		0x0000000000000040ull
#define SPEC_QI_WAIT_DATA	0xffffffff00000000ull
#define SPEC_QI_WAIT_HI_ADDR	0xfffffffffffffffcull
#define SPEC_G_GLOBAL		1
#define SPEC_G_DOMAIN		2
#define SPEC_G_SELECTIVE	3
/* pc_inv counts differently. */
#define SPEC_PC_G_DOMAIN	0
#define SPEC_PC_G_PASID		1
#define SPEC_PC_G_GLOBAL	3

/* ---- fault records, upper 64 bits ----------------------------------------------------------- */
#define SPEC_FR_FI		0xfffffffffffff000ull
#define SPEC_FR_HI_SID		0x000000000000ffffull
#define SPEC_FR_HI_T2		0x0000000010000000ull
#define SPEC_FR_HI_EXE		0x0000000020000000ull
#define SPEC_FR_HI_PRIV		0x0000000040000000ull
#define SPEC_FR_HI_PP		0x0000000080000000ull
#define SPEC_FR_HI_FR		0x000000ff00000000ull
#define SPEC_FR_HI_PV		0x0fffff0000000000ull
#define SPEC_FR_HI_AT		0x3000000000000000ull
#define SPEC_FR_HI_T1		0x4000000000000000ull
#define SPEC_FR_HI_F		0x8000000000000000ull
#define SPEC_FRCD_DW3_F		0x80000000u

/* Reasons (7.1.3).  Legacy mode: */
#define SPEC_FAULT_ROOT_P		0x01
#define SPEC_FAULT_CONTEXT_P		0x02
#define SPEC_FAULT_CONTEXT_INVALID	0x03
#define SPEC_FAULT_ADDRESS		0x04
#define SPEC_FAULT_WRITE		0x05
#define SPEC_FAULT_READ			0x06
#define SPEC_FAULT_TABLE_ACCESS		0x07
#define SPEC_FAULT_ROOT_ACCESS		0x08
#define SPEC_FAULT_CONTEXT_ACCESS	0x09
#define SPEC_FAULT_ROOT_RSVD		0x0a
#define SPEC_FAULT_CONTEXT_RSVD		0x0b
#define SPEC_FAULT_SS_RSVD		0x0c
#define SPEC_FAULT_INTR_OUTPUT		0x0e
/* Scalable mode: */
#define SPEC_FAULT_RTADDR		0x30
#define SPEC_FAULT_S_ROOT_ACCESS	0x38
#define SPEC_FAULT_S_ROOT_P		0x39
#define SPEC_FAULT_S_ROOT_RSVD		0x3a
#define SPEC_FAULT_S_CONTEXT_ACCESS	0x40
#define SPEC_FAULT_S_CONTEXT_P		0x41
#define SPEC_FAULT_S_CONTEXT_RSVD	0x42
#define SPEC_FAULT_S_CONTEXT_INVALID	0x43
#define SPEC_FAULT_DIR_ACCESS		0x50
#define SPEC_FAULT_DIR_P		0x51
#define SPEC_FAULT_DIR_RSVD		0x52
#define SPEC_FAULT_PASID_ACCESS		0x58
#define SPEC_FAULT_PASID_P		0x59
#define SPEC_FAULT_PASID_RSVD		0x5a
#define SPEC_FAULT_PASID_INVALID	0x5b
#define SPEC_FAULT_S_SS_ACCESS		0x78
#define SPEC_FAULT_S_SS_P		0x79
#define SPEC_FAULT_S_SS_RSVD		0x7a
#define SPEC_FAULT_S_SSPTPTR		0x7b
#define SPEC_FAULT_S_HAW		0x83
#define SPEC_FAULT_S_ADDRESS		0x84
#define SPEC_FAULT_S_WRITE		0x85
#define SPEC_FAULT_S_READ		0x86
#define SPEC_FAULT_S_INTR_OUTPUT	0x87

/* The field that @mask describes, out of @v. */
static inline uint64_t spec_get(uint64_t mask, uint64_t v)
{
	return (v & mask) >> __builtin_ctzll(mask);
}

static inline uint64_t spec_put(uint64_t mask, uint64_t v)
{
	return (v << __builtin_ctzll(mask)) & mask;
}

#endif
