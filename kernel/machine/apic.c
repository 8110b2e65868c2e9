/* The local APIC: kept quiet (Intel SDM 3A, "Local Vector Table", "Extended XAPIC"). */
#include "apic.h"

#include "cpu.h"
#include "errno.h"
#include "paging.h"
#include "platform/mmio.h"

#define APIC_BASE_ENABLE	BIT64(11)
#define APIC_BASE_X2APIC	BIT64(10)
#define APIC_BASE_BSP		BIT64(8)
#define APIC_BASE_ADDRESS	GENMASK64(51, 12)
#define X2APIC_MSR(reg)		(0x800 + ((reg) >> 4))
#define APIC_LVT_MASK		BIT32(16)
#define APIC_VERSION		0x30	/* 23:16 largest LVT entry */

/* Interrupt Command Register (Intel SDM 3A, 11.6.1): INIT, edge, to all excluding self. */
#define APIC_ICR	0x300
#define   ICR_INIT_OTHERS	(UINT32_C(5) << 8 | BIT32(14) | UINT32_C(3) << 18)
#define   ICR_PENDING		BIT32(12)	/* not in x2APIC mode, whose write is enough */
#define ICR_POLLS	1000000

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

int apic_silence_others(void)
{
	const uint64_t base = cpu_rdmsr(MSR_APIC_BASE);
	const paddr_t icr = (base & APIC_BASE_ADDRESS) + APIC_ICR;

	if (!(base & APIC_BASE_ENABLE))
		return -ENODEV;
	if (!(base & APIC_BASE_BSP))
		return -EOPNOTSUPP;
	if (base & APIC_BASE_X2APIC) {
		cpu_wrmsr(X2APIC_MSR(APIC_ICR), ICR_INIT_OTHERS);
		return 0;
	}
	if (!paging_map_mmio(base & APIC_BASE_ADDRESS, PAGE_SIZE))
		return -ENOMEM;
	mmio_write32(icr, ICR_INIT_OTHERS);
	for (unsigned i = 0; i < ICR_POLLS; i++) {
		if (!(mmio_read32(icr) & ICR_PENDING))
			return 0;
		platform_relax();
	}
	return -ETIMEDOUT;
}
