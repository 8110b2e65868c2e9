/* DMA to an unmapped address must be blocked, recorded, and land nowhere. */
#include "selftest.h"

#include "errno.h"
#include "kernel/machine/aer.h"
#include "kernel/report/ktap.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/formats.h"
#include "vtd/inval.h"

#define FAULT_WAIT_US	3000000
#define SLOTS_AHEAD	4		/* descriptors that may still be filled while we unmap */

static void fill(paddr_t page, uint64_t seed)
{
	for (unsigned i = 0; i < PAGE_SIZE; i += 8)
		*(uint64_t *)mem_ptr(page + i) = seed ^ i;
}

static bool untouched(paddr_t page, uint64_t seed)
{
	for (unsigned i = 0; i < PAGE_SIZE; i += 8)
		if (mem_read64(mem_ptr(page + i)) != (seed ^ i))
			return false;
	return true;
}

/* Frames that still have a place go on to be polled meanwhile; other devices' faults are not
 * what is looked for. */
static bool wait_for_fault(struct run *r, uint16_t rid, const struct vtd_unit *u,
			   struct vtd_fault *f)
{
	const uint64_t until = platform_us() + FAULT_WAIT_US;
	struct vtd_fault all[IOMMU_MAX_FAULTS];
	uint32_t fsts;
	size_t n;

	do {
		for (size_t i = 0; i < r->nr_ports; i++)
			port_poll(&r->port[i]);
		vtd_fault_read_all(u, all, IOMMU_MAX_FAULTS, &n, &fsts);
		for (size_t i = 0; i < n && i < IOMMU_MAX_FAULTS; i++)
			if (all[i].rid == rid) {
				*f = all[i];
				return true;
			}
		for (size_t i = 0; i < r->nr_ports; i++)
			port_heartbeat(&r->port[i], false);
	} while (platform_us() < until);
	return false;
}

static void provoke(struct run *r, struct port *p)
{
	const struct iommu_device *dev = iommu_device_of(r->mmu, p->nic.segment, p->nic.rid);
	const struct stream_ring_ser *rx = &p->control->rx;
	struct vtd_unit *u = &r->mmu->unit[dev->unit].vtd;
	struct vtd_ss *ss = &r->mmu->domain[dev->domain].ss;
	const uint64_t seed = 0x5ca1ab1e00000000u;
	struct vtd_fault f;
	uint64_t off;
	int err;

	port_poll(p);
	off = ALIGN_DOWN((uint64_t)((p->nic.rx.next + SLOTS_AHEAD) % rx->entries) * rx->stride,
			 PAGE_SIZE);
	vtd_fault_clear(u);
	err = vtd_ss_unmap(ss, rx->buffers_iova + off, PAGE_SIZE);
	if (!err)
		err = vtd_inval_pages(u, dev->did, rx->buffers_iova + off, PAGE_SIZE, true);
	if (err) {
		check_ok(CHECK_FAULT_UNMAPPED_BLOCKED, false, "a buffer cannot be unmapped (error %d)",
			 -err);
		return;
	}
	fill(rx->buffers_pa + off, seed);
	if (!wait_for_fault(r, dev->rid, u, &f)) {
		check_ok(CHECK_FAULT_UNMAPPED_BLOCKED, false,
			 "no fault in %u s: does the sender keep sending (--linger)?",
			 FAULT_WAIT_US / 1000000);
		return;
	}
	check_eq(CHECK_FAULT_UNMAPPED_BLOCKED, "source id", f.rid, dev->rid);
	check_eq(CHECK_FAULT_UNMAPPED_BLOCKED, "faulting page", f.addr, rx->buffers_iova + off);
	check_ok(CHECK_FAULT_UNMAPPED_BLOCKED, vtd_fault_of_permission(u->ttm, f.reason, false),
		 "fault reason is %x (%s)", f.reason, vtd_fault_reason_name(f.reason));
	check_ok(CHECK_FAULT_UNMAPPED_BLOCKED, !f.is_read, "the record says it was a read");
	check_ok(CHECK_FAULT_MEMORY_UNTOUCHED, untouched(rx->buffers_pa + off, seed),
		 "page %llx was written", (unsigned long long)(rx->buffers_pa + off));
	err = vtd_ss_map(ss, rx->buffers_iova + off, rx->buffers_pa + off, PAGE_SIZE, VTD_SS_W);
	if (!err)
		err = vtd_inval_pages_added(u, dev->did, rx->buffers_iova + off, PAGE_SIZE);
	check_ok(CHECK_FAULT_UNMAPPED_BLOCKED, !err && !vtd_fault_clear(u),
		 "the buffer cannot be mapped again (error %d)", -err);
	platform_log("fault: %02x:%02x.%x write to %llx blocked, reason %x (%s)", PCI_BUS(f.rid),
		     PCI_DEV(f.rid), PCI_FN(f.rid), (unsigned long long)f.addr, f.reason,
		     vtd_fault_reason_name(f.reason));
}

void selftest_unmapped(struct run *r, struct port *p)
{
	struct aer_path path;

	aer_quiet(r->mmu->fns, p->fn, &path);
	aer_log(&path, "before the fault");
	provoke(r, p);
	aer_log(&path, "after the fault");
	aer_restore(&path);
}
