/* Register layout of one remapping unit: every register and field this library uses, once.
 * Section titles are those of the VT-d specification, chapter "Register Descriptions".
 * 32-bit registers are accessed with 32 bits only: their upper neighbours are other registers. */
#ifndef VTD_REGS_H
#define VTD_REGS_H

#include "base.h"

/* Version Register. */
#define VTD_VER			0x000		/* 32-bit RO */
#define   VTD_VER_MINOR		GENMASK32(3, 0)
#define   VTD_VER_MAJOR		GENMASK32(7, 4)
/* From this major version on the register-based invalidation interface is gone. */
#define VTD_VER_MAJOR_QI_ONLY	6

/* Capability Register. */
#define VTD_CAP			0x008		/* 64-bit RO */
#define   VTD_CAP_ND		GENMASK64(2, 0)		/* DID width is 4 + 2 * ND bits; 7 reserved */
#define   VTD_CAP_RWBF		BIT64(4)
#define   VTD_CAP_PLMR		BIT64(5)
#define   VTD_CAP_PHMR		BIT64(6)
#define   VTD_CAP_CM		BIT64(7)
#define   VTD_CAP_SAGAW		GENMASK64(12, 8)	/* bit 1: 3 levels, 2: 4 levels, 3: 5 levels */
#define   VTD_CAP_MGAW		GENMASK64(21, 16)	/* bits minus one */
#define   VTD_CAP_FRO		GENMASK64(33, 24)	/* in 16-byte units */
#define   VTD_CAP_SSLPS		GENMASK64(37, 34)	/* bit 0: 2 MiB, 1: 1 GiB; legal are 0, 1, 3 */
#define   VTD_CAP_PSI		BIT64(39)
#define   VTD_CAP_NFR		GENMASK64(47, 40)	/* records minus one */
#define   VTD_CAP_MAMV		GENMASK64(53, 48)
#define   VTD_CAP_DWD		BIT64(54)
#define   VTD_CAP_DRD		BIT64(55)
#define   VTD_CAP_ESIRTPS	BIT64(62)
#define   VTD_CAP_ESRTPS	BIT64(63)

/* Extended Capability Register. */
#define VTD_ECAP		0x010		/* 64-bit RO */
#define   VTD_ECAP_C		BIT64(0)
#define   VTD_ECAP_QI		BIT64(1)
#define   VTD_ECAP_DT		BIT64(2)
#define   VTD_ECAP_IR		BIT64(3)
#define   VTD_ECAP_EIM		BIT64(4)
#define   VTD_ECAP_PT		BIT64(6)
#define   VTD_ECAP_SC		BIT64(7)
#define   VTD_ECAP_IRO		GENMASK64(17, 8)	/* in 16-byte units */
#define   VTD_ECAP_PRS		BIT64(29)
#define   VTD_ECAP_SMTS		BIT64(43)
#define   VTD_ECAP_SSTS		BIT64(46)
#define   VTD_ECAP_SMPWCS	BIT64(48)
#define   VTD_ECAP_PMS		BIT64(51)

/* Global Command Register, Global Status Register.
 * GCMD is write-only; its state is read from GSTS, same bit positions.  One bit per write. */
#define VTD_GCMD		0x018		/* 32-bit WO */
#define VTD_GSTS		0x01c		/* 32-bit RO */
#define   VTD_GCMD_CFI		BIT32(23)	/* Compatibility Format Interrupt */
#define   VTD_GCMD_SIRTP	BIT32(24)	/* Set Interrupt Remap Table Pointer */
#define   VTD_GCMD_IRE		BIT32(25)	/* Interrupt Remapping Enable */
#define   VTD_GCMD_QIE		BIT32(26)	/* Queued Invalidation Enable */
#define   VTD_GCMD_WBF		BIT32(27)	/* Write Buffer Flush */
#define   VTD_GCMD_SFL		BIT32(29)	/* Set Fault Log */
#define   VTD_GCMD_SRTP		BIT32(30)	/* Set Root Table Pointer */
#define   VTD_GCMD_TE		BIT32(31)	/* Translation Enable */
/* Act once when written: their status bits are never written back. */
#define   VTD_GCMD_ONE_SHOT	(VTD_GCMD_SIRTP | VTD_GCMD_WBF | VTD_GCMD_SFL | VTD_GCMD_SRTP)
static_assert(~VTD_GCMD_ONE_SHOT == 0x96ffffff, "mask given in the GCMD description");
#define   VTD_GSTS_IRES		VTD_GCMD_IRE
#define   VTD_GSTS_QIES		VTD_GCMD_QIE
#define   VTD_GSTS_WBFS		VTD_GCMD_WBF
#define   VTD_GSTS_RTPS		VTD_GCMD_SRTP
#define   VTD_GSTS_TES		VTD_GCMD_TE

/* Root Table Address Register.  Takes effect through SRTP only; reads what was last written. */
#define VTD_RTADDR		0x020		/* 64-bit RW */
#define   VTD_RTADDR_TTM	GENMASK64(11, 10)	/* translation table mode */
#define     VTD_TTM_LEGACY	0
#define     VTD_TTM_SCALABLE	1
#define   VTD_RTADDR_RTA	GENMASK64(63, 12)

/* Context Command Register: register-based context-cache invalidation. */
#define VTD_CCMD		0x028		/* 64-bit RW */
#define   VTD_CCMD_DID		GENMASK64(15, 0)
#define   VTD_CCMD_SID		GENMASK64(31, 16)
#define   VTD_CCMD_CAIG		GENMASK64(60, 59)	/* granularity done; 0: refused */
#define   VTD_CCMD_CIRG		GENMASK64(62, 61)	/* granularity asked for */
#define   VTD_CCMD_ICC		BIT64(63)
static_assert((VTD_CCMD_ICC | FIELD_PREP(VTD_CCMD_CIRG, 1)) == 0xa000000000000000, "global");

/* Fault Status Register: PFO, IQE, ICE, ITE are RW1C; PPF follows the F bits of the records. */
#define VTD_FSTS		0x034		/* 32-bit */
#define   VTD_FSTS_PFO		BIT32(0)
#define   VTD_FSTS_PPF		BIT32(1)
#define   VTD_FSTS_IQE		BIT32(4)
#define   VTD_FSTS_ICE		BIT32(5)
#define   VTD_FSTS_ITE		BIT32(6)
#define   VTD_FSTS_FRI		GENMASK32(15, 8)	/* valid while PPF=1 */
#define   VTD_FSTS_RW1C		(VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

/* Event control registers: fault, invalidation completion, page request, performance. */
#define VTD_FECTL		0x038		/* 32-bit */
#define VTD_IECTL		0x0a0		/* 32-bit */
#define VTD_PECTL		0x0e0		/* 32-bit */
#define VTD_PERFINTRCTL		0x328		/* 32-bit */
#define   VTD_EVENT_IM		BIT32(31)	/* interrupt mask; the rest is RsvdP */

/* Protected Memory Enable Register. */
#define VTD_PMEN		0x064		/* 32-bit */
#define   VTD_PMEN_PRS		BIT32(0)
#define   VTD_PMEN_EPM		BIT32(31)

/* Invalidation Queue Head, Tail and Address Registers.  Head and tail are byte offsets. */
#define VTD_IQH			0x080		/* 64-bit RO */
#define VTD_IQT			0x088		/* 64-bit RW */
#define   VTD_IQ_OFFSET		GENMASK64(18, 4)
#define VTD_IQA			0x090		/* 64-bit RW */
#define   VTD_IQA_QS		GENMASK64(2, 0)		/* 2^QS pages */
#define   VTD_IQA_DW		BIT64(11)		/* 256-bit descriptors */
#define   VTD_IQA_IQA		GENMASK64(63, 12)

/* Invalidation Queue Error Record Register. */
#define VTD_IQERCD		0x0b0		/* 64-bit RO */
#define   VTD_IQERCD_IQEI	GENMASK64(3, 0)

/* Interrupt Remapping Table Address Register. */
#define VTD_IRTA		0x0b8		/* 64-bit RW */
#define   VTD_IRTA_S		GENMASK64(3, 0)		/* 2^(S+1) entries */
#define   VTD_IRTA_IRTA		GENMASK64(63, 12)

/* IOTLB registers, at ECAP.IRO: Invalidate Address Register, IOTLB Invalidate Register. */
#define VTD_IVA			0x0		/* 64-bit WO, from IRO */
#define   VTD_IVA_AM		GENMASK64(5, 0)
#define   VTD_IVA_IH		BIT64(6)
#define   VTD_IVA_ADDR		GENMASK64(63, 12)
#define VTD_IOTLB		0x8		/* 64-bit RW, from IRO */
#define   VTD_IOTLB_RSVDP	GENMASK64(31, 0)
#define   VTD_IOTLB_DID		GENMASK64(47, 32)
#define   VTD_IOTLB_DW		BIT64(48)
#define   VTD_IOTLB_DR		BIT64(49)
#define   VTD_IOTLB_IAIG	GENMASK64(58, 57)	/* granularity done; 0: refused */
#define   VTD_IOTLB_IIRG	GENMASK64(61, 60)	/* granularity asked for */
#define   VTD_IOTLB_IVT		BIT64(63)
#define VTD_IOTLB_REGS_BYTES	16
static_assert((VTD_IOTLB_IVT | FIELD_PREP(VTD_IOTLB_IIRG, 1) | VTD_IOTLB_DW | VTD_IOTLB_DR) ==
	      0x9003000000000000, "global with drains");

/* Fault Recording Registers, at CAP.FRO, 16 bytes each.  F is set last by hardware. */
#define VTD_FRCD_BYTES		16
#define VTD_FRCD_DW3		12		/* the dword that holds F, for the RW1C write */
#define   VTD_FRCD_DW3_F	BIT32(31)

#endif
