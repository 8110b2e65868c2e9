/* Taking over from a kernel that is no Baton. */
#include "receive.h"

#include "errno.h"
#include "kernel/handover/adoption.h"
#include "kernel/handover/claim.h"
#include "kernel/machine/apic.h"
#include "kernel/panic.h"
#include "kernel/report/verdict.h"
#include "platform/mmio.h"

void receive_machine(void)
{
	switch (apic_silence_others()) {
	case 0:
		platform_log("apic: INIT sent to all other processors; they are never started");
		return;
	case -ENODEV:
		platform_log("apic: there is none, so no other processor runs");
		return;
	case -EOPNOTSUPP:
		verdict_end(VERDICT_HANDOFF, "not started on the boot processor (IA32_APIC_BASE.BSP): INIT would reset it");
	case -ENOMEM:
		verdict_end(VERDICT_MEMORY, "the local APIC's page cannot be mapped: the other processors cannot be stopped");
	default:
		verdict_end(VERDICT_TIMEOUT, "the local APIC does not send INIT to the other processors (ICR)");
	}
}

void receive_handoff(struct run *r, struct kho_handoff *h)
{
	struct kho_refusal why;

	phase_set("reading another kernel's handoff");
	if (foreign_read(r->bi, h, &r->foreign, &why))
		adoption_refuse(&why);
}

void receive_memory(struct run *r, const struct kho_handoff *h)
{
	phase_set("claiming memory");
	if (iommu_stop_left(r->mmu))
		verdict_end(VERDICT_TIMEOUT, "a remapping unit that the kernel before us left on does not stop translating");
	handover_claim(r, h);
}
