/* Invalidation queue. */
#include "qi.h"

#include <string.h>

#include "errno.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "regs.h"
#include "unit.h"

#define QUEUE_ERRORS	(VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

/* A ring as IQA describes it: ours, or one found running. */
struct ring {
	paddr_t base;
	uint64_t bytes;
	uint64_t step;		/* bytes per descriptor, 16 or 32 */
};

static struct ring ring_of(uint64_t iqa)
{
	return (struct ring){
		.base = iqa & VTD_IQA_IQA,
		.bytes = vtd_qi_ring_bytes(iqa),
		.step = vtd_qi_desc_bytes(iqa),
	};
}

uint64_t vtd_qi_ring_bytes(uint64_t iqa)
{
	return PAGE_SIZE << FIELD_GET(VTD_IQA_QS, iqa);
}

uint64_t vtd_qi_desc_bytes(uint64_t iqa)
{
	return iqa & VTD_IQA_DW ? VTD_QI_WIDE_BYTES : sizeof(struct vtd_qi_desc);
}

static struct ring own_ring(const struct vtd_unit *u)
{
	return ring_of(u->qi.iqa);
}

static void put(const struct ring *r, uint64_t off, struct vtd_qi_desc d)
{
	struct vtd_qi_desc *slot = mem_ptr(r->base + off);

	if (r->step == VTD_QI_WIDE_BYTES)
		memset(slot + 1, 0, sizeof(*slot));
	*slot = d;
}

static void clear_queue_errors(struct vtd_unit *u)
{
	const uint32_t errors = mmio_read32(u->regs + VTD_FSTS) & QUEUE_ERRORS;

	if (errors)
		mmio_write32(u->regs + VTD_FSTS, errors);
}

static void log_queue_error(const struct vtd_unit *u, uint32_t fsts)
{
	platform_log("vtd%u: invalidation queue error: FSTS 0x%x IQH 0x%llx IQERCD 0x%llx", u->index,
		     fsts, (unsigned long long)mmio_read64(u->regs + VTD_IQH),
		     (unsigned long long)mmio_read64(u->regs + VTD_IQERCD));
}

/* VT-d 6.5.2.10, 6.5.2.11: a refused descriptor is overwritten with a harmless one, because the
 * hardware fetches the same slot again once IQE is cleared.  After ITE it goes on by itself. */
static void recover(struct vtd_unit *u, const struct ring *r, uint32_t fsts)
{
	const uint64_t head = mmio_read64(u->regs + VTD_IQH) & VTD_IQ_OFFSET;

	if ((fsts & VTD_FSTS_IQE) && head + r->step <= r->bytes)
		put(r, ALIGN_DOWN(head, r->step), vtd_qi_fence());
	mmio_write32(u->regs + VTD_FSTS, fsts & QUEUE_ERRORS);
}

/* Until the status word carries @data.  ITE aborts pending waits, so after it the word is not
 * waited for; IQE holds them back until the bad descriptor is out of the way. */
static int await_status(struct vtd_unit *u, const struct ring *r, uint32_t data)
{
	const uint32_t *status = mem_ptr(u->qi.status);
	const uint64_t start = platform_us();
	int rc = 0;

	while (mem_read32(status) != data) {
		const uint32_t fsts = mmio_read32(u->regs + VTD_FSTS);

		if (mem_read32(status) == data)
			break;
		if (fsts & (VTD_FSTS_IQE | VTD_FSTS_ITE)) {
			if (!rc)	/* a unit may refuse whatever it is given, poll after poll */
				log_queue_error(u, fsts);
			recover(u, r, fsts);
			rc = -EIO;
			if (fsts & VTD_FSTS_ITE)
				return rc;
		}
		if (platform_us() - start > VTD_WAIT_US)
			return vtd_unit_timed_out(u, "wait descriptor status", UINT32_MAX, data,
						  mem_read32(status));
		platform_relax();
	}
	return rc;
}

/* Append a wait at *@tail, ring the bell, wait for it. */
static int append_wait(struct vtd_unit *u, const struct ring *r, uint64_t *tail)
{
	u->qi.data++;
	put(r, *tail, vtd_qi_wait(u->qi.status, u->qi.data));
	*tail = (*tail + r->step) % r->bytes;
	u->qi.submitted++;
	mmio_write64(u->regs + VTD_IQT, *tail);
	return await_status(u, r, u->qi.data);
}

int vtd_qi_submit(struct vtd_unit *u, const struct vtd_qi_desc *desc, size_t n)
{
	const struct ring r = own_ring(u);
	uint64_t tail = u->qi.tail * r.step;
	int rc;

	if (!u->qi.on || n > VTD_QI_MAX_SUBMIT(r.step))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		put(&r, tail, desc[i]);
		tail = (tail + r.step) % r.bytes;
	}
	u->qi.submitted += n;
	rc = append_wait(u, &r, &tail);
	u->qi.tail = (uint32_t)(tail / r.step);
	return rc;
}

/* No command of the register interface may be under way when the queue is enabled. */
static int await_register_interface(struct vtd_unit *u)
{
	int rc;

	if (u->caps.ver_major >= VTD_VER_MAJOR_QI_ONLY)
		return 0;
	rc = vtd_unit_wait64(u, VTD_CCMD, "CCMD.ICC", VTD_CCMD_ICC, 0);
	if (rc)
		return rc;
	return vtd_unit_wait64(u, u->caps.iro + VTD_IOTLB, "IOTLB.IVT", VTD_IOTLB_IVT, 0);
}

static int check_pages(paddr_t ring, paddr_t status)
{
	if (ring == 0 || !IS_ALIGNED(ring, PAGE_SIZE) || status == 0 || !IS_ALIGNED(status, 4))
		return -EINVAL;
	return 0;
}

/* IQT=0 before QIE=1: hardware forgets its head while the queue is off, not its tail, and would
 * execute whatever the ring holds up to there. */
static int enable(struct vtd_unit *u, paddr_t ring)
{
	struct vtd_qi_takeover *seen = &u->qi.takeover;
	int rc;

	memset(mem_ptr(ring), 0, PAGE_SIZE);
	u->qi.ring = ring;
	u->qi.iqa = ring | (u->ttm == VTD_TTM_SCALABLE ? VTD_IQA_DW : 0);
	u->qi.tail = 0;
	seen->gsts_before_iqt = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQT, 0);
	seen->gsts_before_iqa = mmio_read32(u->regs + VTD_GSTS);
	mmio_write64(u->regs + VTD_IQA, u->qi.iqa);
	rc = vtd_unit_command(u, VTD_GCMD_QIE, true, "GSTS.QIES");
	if (rc)
		return rc;
	if (mmio_read64(u->regs + VTD_IQH) & VTD_IQ_OFFSET)
		return -EIO;
	u->qi.on = true;
	/* Also because a queue that never executed a wait may refuse to be disabled. */
	rc = vtd_qi_submit(u, NULL, 0);
	if (rc)
		u->qi.on = false;
	return rc;
}

int vtd_qi_start(struct vtd_unit *u, paddr_t ring, paddr_t status)
{
	int rc;

	if (!u->caps.qi)
		return -EOPNOTSUPP;
	rc = check_pages(ring, status);
	if (rc)
		return rc;
	if (mmio_read32(u->regs + VTD_GSTS) & VTD_GSTS_QIES)
		return -EBUSY;
	rc = await_register_interface(u);
	if (rc)
		return rc;
	u->qi.status = status;
	clear_queue_errors(u);
	return enable(u, ring);
}

/* IQH == IQT.  If the queue is stuck on an error of its past, clear that once and look again. */
static int drain(struct vtd_unit *u)
{
	const uint64_t tail = mmio_read64(u->regs + VTD_IQT) & VTD_IQ_OFFSET;

	if (vtd_unit_wait64(u, VTD_IQH, "IQH", VTD_IQ_OFFSET, tail) == 0)
		return 0;
	clear_queue_errors(u);
	return vtd_unit_wait64(u, VTD_IQH, "IQH", VTD_IQ_OFFSET, tail);
}

int vtd_qi_stop(struct vtd_unit *u)
{
	int rc;

	rc = vtd_qi_submit(u, NULL, 0);
	if (!rc)
		rc = drain(u);
	if (!rc)
		rc = vtd_unit_command(u, VTD_GCMD_QIE, false, "GSTS.QIES");
	if (!rc)
		u->qi.on = false;
	return rc;
}

/* A wait at the old ring's tail, through our status word. */
static int close_old_ring(struct vtd_unit *u)
{
	const struct ring old = ring_of(u->qi.takeover.old_iqa);
	uint64_t tail = u->qi.takeover.old_iqt & VTD_IQ_OFFSET;
	int rc;

	if (tail >= old.bytes || tail % old.step)
		return -EIO;
	rc = append_wait(u, &old, &tail);
	u->qi.takeover.wait_appended = rc == 0;
	return rc;
}

/* IQA as the ring is in use.  Scalable mode has wide descriptors only, and emulated units do not
 * read IQA.DW back. */
static uint64_t iqa_in_use(const struct vtd_unit *u)
{
	const uint64_t iqa = mmio_read64(u->regs + VTD_IQA);
	const uint64_t ttm = FIELD_GET(VTD_RTADDR_TTM, mmio_read64(u->regs + VTD_RTADDR));

	return ttm == VTD_TTM_SCALABLE ? iqa | VTD_IQA_DW : iqa;
}

int vtd_qi_stop_foreign(struct vtd_unit *u, bool old_ring_ok, paddr_t status)
{
	struct vtd_qi_takeover *seen = &u->qi.takeover;
	int rc;

	if (!u->caps.qi)
		return -EOPNOTSUPP;
	if (status == 0 || !IS_ALIGNED(status, 4))
		return -EINVAL;
	*seen = (struct vtd_qi_takeover){
		.was_on = mmio_read32(u->regs + VTD_GSTS) & VTD_GSTS_QIES,
		.old_iqa = iqa_in_use(u),
		.old_iqt = mmio_read64(u->regs + VTD_IQT),
	};
	u->qi.on = false;
	if (!seen->was_on)
		return 0;
	u->qi.status = status;
	clear_queue_errors(u);
	rc = drain(u);
	if (!rc && old_ring_ok)
		rc = close_old_ring(u);
	return rc ? rc : vtd_unit_command(u, VTD_GCMD_QIE, false, "GSTS.QIES");
}

int vtd_qi_take_over(struct vtd_unit *u, bool old_ring_ok, paddr_t ring, paddr_t status)
{
	int rc = check_pages(ring, status);

	if (!rc)
		rc = vtd_qi_stop_foreign(u, old_ring_ok, status);
	return rc ? rc : vtd_qi_start(u, ring, status);
}
