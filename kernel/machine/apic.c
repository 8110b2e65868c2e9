/* The local APIC: kept quiet (Intel SDM 3A, "Local Vector Table", "Extended XAPIC"). */
#include "apic.h"

#include "cpu.h"
#include "paging.h"
#include "platform/mmio.h"

#define APIC_BASE_ENABLE	BIT64(11)
#define APIC_BASE_X2APIC	BIT64(10)
#define APIC_BASE_ADDRESS	GENMASK64(51, 12)
#define X2APIC_MSR(reg)		(0x800 + ((reg) >> 4))
#define APIC_LVT_MASK		BIT32(16)
#define APIC_VERSION		0x30	/* 23:16 largest LVT entry */

/* Offsets in the order in which the version register counts them. */
static const uint16_t lvt[] = { 0x320, 0x350, 0x360, 0x370, 0x340, 0x330, 0x2f0 };

void apic_mask(void)
{
	const uint64_t base = cpu_rdmsr(MSR_APIC_BASE);
	const paddr_t local_apic = base & APIC_BASE_ADDRESS;
	const bool x2 = base & APIC_BASE_X2APIC;
	unsigned entries;

	if (!(base & APIC_BASE_ENABLE))
		return;
	if (!x2 && !paging_map_mmio(local_apic, PAGE_SIZE))
		return;
	entries = (x2 ? (uint32_t)cpu_rdmsr(X2APIC_MSR(APIC_VERSION))
		      : mmio_read32(local_apic + APIC_VERSION)) >> 16 & 0xff;
	for (unsigned i = 0; i <= entries && i < ARRAY_SIZE(lvt); i++) {
		if (x2)
			cpu_wrmsr(X2APIC_MSR(lvt[i]), cpu_rdmsr(X2APIC_MSR(lvt[i])) | APIC_LVT_MASK);
		else
			mmio_write32(local_apic + lvt[i], mmio_read32(local_apic + lvt[i]) | APIC_LVT_MASK);
	}
}
