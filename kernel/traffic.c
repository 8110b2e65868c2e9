/* Driving the stream. */
#include "traffic.h"

#include "kernel/console/console.h"
#include "kernel/report/ktap.h"
#include "platform/mmio.h"
#include "vtd/regs.h"

#define PROGRESS_US	1000000

uint64_t traffic_share_end(const struct run *r)
{
	return (uint64_t)r->cfg.frames * (r->cfg.generation + 1) / r->cfg.generations;
}

static void progress(const struct run *r)
{
	const struct stream_account_ser *a = &r->port.control->account;

	if (!a->next) {
		kprintf("# generation %u: waiting for the first frame (start the sender; heartbeats are going out)\n",
			r->cfg.generation);
		return;
	}
	kprintf("# generation %u: %llu of %u frames, %llu lost\n", r->cfg.generation,
		(unsigned long long)a->next, r->cfg.frames, (unsigned long long)a->lost);
}

enum traffic_end traffic_run(struct run *r, uint64_t until)
{
	const struct stream_account_ser *a = &r->port.control->account;
	uint64_t heard = platform_us(), next_progress = heard + PROGRESS_US;
	uint64_t next = a->next;

	while (a->next < until) {
		const unsigned n = port_poll(&r->port);
		const uint64_t now = platform_us();

		if (a->next != next) {	/* other stations' frames are no sign of life */
			next = a->next;
			heard = now;
		}
		if (account_ended(a))
			return TRAFFIC_ENDED;
		if (now - heard > (a->next ? TRAFFIC_STALL_US : TRAFFIC_FIRST_US))
			return TRAFFIC_STALLED;
		if (now >= next_progress) {
			progress(r);
			next_progress = now + PROGRESS_US;
		}
		port_heartbeat(&r->port, false);
		if (!n)
			platform_relax();
	}
	return account_ended(a) ? TRAFFIC_ENDED : TRAFFIC_REACHED;
}

static void check_faults(const struct run *r)
{
	for (size_t i = 0; i < r->mmu->nr_units; i++) {
		const struct iommu_unit *u = &r->mmu->unit[i];
		struct vtd_fault f;
		uint32_t fsts;
		size_t n;

		if (!u->used)
			continue;
		vtd_fault_read_all(&u->vtd, &f, 1, &n, &fsts);
		check_ok(CHECK_STREAM_NO_FAULT, !n && !(fsts & VTD_FSTS_PFO),
			 "vtd%zu: %02x:%02x.%x reason %x (%s) address %llx, FSTS %08x", i,
			 PCI_BUS(f.rid), PCI_DEV(f.rid), PCI_FN(f.rid), f.reason,
			 vtd_fault_reason_name(f.reason), (unsigned long long)f.addr, fsts);
	}
}

void traffic_check(struct run *r)
{
	if (r->have_port) {
		const struct stream_account_ser *a = &r->port.control->account;

		check_ok(CHECK_STREAM_NO_LOSS, !a->lost, "%llu frames are missing",
			 (unsigned long long)a->lost);
		check_ok(CHECK_STREAM_NO_DUPLICATE, !a->duplicate, "%llu frames came twice",
			 (unsigned long long)a->duplicate);
		check_ok(CHECK_STREAM_NO_CORRUPTION, !a->corrupt, "%llu frames are corrupt",
			 (unsigned long long)a->corrupt);
		check_ok(CHECK_STREAM_NO_MISPLACEMENT, !a->misplaced, "%llu frames are out of place",
			 (unsigned long long)a->misplaced);
		port_check_guards(&r->port);
		check_ok(CHECK_STREAM_GUARDS_INTACT, !r->port.bad_guard, "guard at %llx was written",
			 (unsigned long long)r->port.bad_guard);
	}
	check_faults(r);
	ktap_print(CHECK_PHASE_STREAM);
}
