/* Driving the stream. */
#include "traffic.h"

#include "kernel/console/console.h"
#include "kernel/panic.h"
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
	for (size_t i = 0; i < r->nr_ports; i++) {
		const struct stream_account_ser *a = &r->port[i].control->account;

		if (!a->next)
			kprintf("# generation %u, stream %u: waiting for the first frame (start the sender; heartbeats are going out)\n",
				r->cfg.generation, r->port[i].control->stream);
		else
			kprintf("# generation %u, stream %u: %llu of %u frames, %llu lost\n",
				r->cfg.generation, r->port[i].control->stream,
				(unsigned long long)a->next, r->cfg.frames, (unsigned long long)a->lost);
	}
}

static bool reached(const struct run *r, uint64_t until)
{
	for (size_t i = 0; i < r->nr_ports; i++) {
		const struct stream_account_ser *a = &r->port[i].control->account;

		if (a->next < until && !account_ended(a))
			return false;
	}
	return true;
}

/* Sum of all positions: it moves as long as any stream does. */
static uint64_t position(const struct run *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->nr_ports; i++)
		sum += r->port[i].control->account.next;
	return sum;
}

bool traffic_run(struct run *r, uint64_t until)
{
	uint64_t heard = platform_us(), next_progress = heard + PROGRESS_US;
	uint64_t at = position(r);

	while (!reached(r, until)) {
		const uint64_t now = platform_us();

		for (size_t i = 0; i < r->nr_ports; i++) {
			port_poll(&r->port[i]);
			port_heartbeat(&r->port[i], false);
		}
		if (position(r) != at) {	/* other stations' frames are no sign of life */
			at = position(r);
			heard = now;
		}
		if (now - heard > (at ? TRAFFIC_STALL_US : TRAFFIC_FIRST_US))
			return false;
		if (now >= next_progress) {
			progress(r);
			next_progress = now + PROGRESS_US;
		}
	}
	return true;
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

static void check_stream(struct port *p)
{
	const struct stream_account_ser *a = &p->control->account;
	const unsigned stream = p->control->stream;

	check_ok(CHECK_STREAM_NO_LOSS, !a->lost, "stream %u: %llu frames are missing", stream,
		 (unsigned long long)a->lost);
	check_ok(CHECK_STREAM_NO_DUPLICATE, !a->duplicate, "stream %u: %llu frames came twice", stream,
		 (unsigned long long)a->duplicate);
	check_ok(CHECK_STREAM_NO_CORRUPTION, !a->corrupt, "stream %u: %llu frames are corrupt", stream,
		 (unsigned long long)a->corrupt);
	check_ok(CHECK_STREAM_NO_MISPLACEMENT, !a->misplaced, "stream %u: %llu frames are out of place",
		 stream, (unsigned long long)a->misplaced);
	port_check_guards(p);
	check_ok(CHECK_STREAM_GUARDS_INTACT, !p->bad_guard, "stream %u: guard at %llx was written",
		 stream, (unsigned long long)p->bad_guard);
}

void traffic_check(struct run *r)
{
	phase_set("checking the stream");
	for (size_t i = 0; i < r->nr_ports; i++)
		check_stream(&r->port[i]);
	check_faults(r);
	ktap_print(CHECK_PHASE_STREAM);
}
