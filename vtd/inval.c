/* Invalidation: through the queue, or through CCMD and IOTLB where there is none. */
#include "inval.h"

#include "errno.h"
#include "platform/mmio.h"
#include "regs.h"
#include "unit.h"

/* Tag of faulting entries where CAP.CM=1 (VT-d 6.2). */
#define DID_OF_FAULTS	0

/* One request, in the terms that both interfaces share. */
struct request {
	bool cc;			/* context cache too, before the IOTLB */
	enum vtd_granularity cc_g;
	uint16_t cc_did, sid;
	bool pc;			/* scalable mode: PASID cache too, after the context cache */
	enum vtd_pc_granularity pc_g;
	uint32_t pasid;
	enum vtd_granularity g;		/* of the IOTLB */
	uint16_t did;
	iova_t addr;
	unsigned am;
	bool leaf_only;
};

static int by_queue(struct vtd_unit *u, const struct request *r)
{
	struct vtd_qi_desc d[3];
	size_t n = 0;

	if (r->cc)
		d[n++] = vtd_qi_cc(r->cc_g, r->cc_did, r->sid);
	if (r->pc && u->ttm == VTD_TTM_SCALABLE)
		d[n++] = vtd_qi_pc(r->pc_g, r->did, r->pasid);
	d[n++] = vtd_qi_iotlb(r->g, r->did, r->addr, r->am, r->leaf_only);
	return vtd_qi_submit(u, d, n);
}

/* VT-d "Context Command Register": CAIG=0 on completion says that nothing was done. */
static int context_command(struct vtd_unit *u, const struct request *r)
{
	const uint64_t v = VTD_CCMD_ICC | FIELD_PREP(VTD_CCMD_CIRG, r->cc_g) |
			   FIELD_PREP(VTD_CCMD_SID, r->sid) | FIELD_PREP(VTD_CCMD_DID, r->cc_did);
	int rc;

	rc = vtd_unit_wait64(u, VTD_CCMD, "CCMD.ICC", VTD_CCMD_ICC, 0);
	if (rc)
		return rc;
	mmio_write64(u->regs + VTD_CCMD, v);
	rc = vtd_unit_wait64(u, VTD_CCMD, "CCMD.ICC", VTD_CCMD_ICC, 0);
	if (rc)
		return rc;
	return FIELD_GET(VTD_CCMD_CAIG, mmio_read64(u->regs + VTD_CCMD)) ? 0 : -EIO;
}

/* VT-d "IOTLB Registers": the address register goes first, IAIG as CAIG above. */
static int iotlb_command(struct vtd_unit *u, const struct request *r)
{
	const paddr_t iva = u->regs + u->caps.iro + VTD_IVA;
	const uint32_t reg = u->caps.iro + VTD_IOTLB;
	const uint64_t v = VTD_IOTLB_IVT | FIELD_PREP(VTD_IOTLB_IIRG, r->g) | VTD_IOTLB_DR |
			   VTD_IOTLB_DW | FIELD_PREP(VTD_IOTLB_DID, r->did);
	int rc;

	/* Not while a context command is under way, be it one that timed out. */
	rc = vtd_unit_wait64(u, VTD_CCMD, "CCMD.ICC", VTD_CCMD_ICC, 0);
	if (!rc)
		rc = vtd_unit_wait64(u, reg, "IOTLB.IVT", VTD_IOTLB_IVT, 0);
	if (rc)
		return rc;
	if (r->g == VTD_G_SELECTIVE)
		mmio_write64(iva, (r->addr & VTD_IVA_ADDR) | (r->leaf_only ? VTD_IVA_IH : 0) |
				  FIELD_PREP(VTD_IVA_AM, r->am));
	mmio_write64(u->regs + reg, (mmio_read64(u->regs + reg) & VTD_IOTLB_RSVDP) | v);
	rc = vtd_unit_wait64(u, reg, "IOTLB.IVT", VTD_IOTLB_IVT, 0);
	if (rc)
		return rc;
	return FIELD_GET(VTD_IOTLB_IAIG, mmio_read64(u->regs + reg)) ? 0 : -EIO;
}

static int by_registers(struct vtd_unit *u, const struct request *r)
{
	int rc = 0;

	/* There is no register for the PASID cache. */
	if (u->caps.ver_major >= VTD_VER_MAJOR_QI_ONLY || u->ttm == VTD_TTM_SCALABLE)
		return -EOPNOTSUPP;
	if (mmio_read32(u->regs + VTD_GSTS) & VTD_GSTS_QIES)
		return -EBUSY;
	if (r->cc)
		rc = context_command(u, r);
	return rc ? rc : iotlb_command(u, r);
}

static int invalidate(struct vtd_unit *u, const struct request *r)
{
	int rc;

	if (r->did >= u->caps.ndoms || r->cc_did >= u->caps.ndoms)
		return -ERANGE;
	rc = u->qi.on ? by_queue(u, r) : by_registers(u, r);
	if (rc)
		platform_log("vtd%u: invalidation failed (%d), domain %u", u->index, rc, r->did);
	return rc;
}

int vtd_inval_global(struct vtd_unit *u)
{
	const struct request r = {
		.cc = true, .cc_g = VTD_G_GLOBAL, .pc = true, .pc_g = VTD_PC_G_GLOBAL, .g = VTD_G_GLOBAL,
	};

	return invalidate(u, &r);
}

static int inval_function(struct vtd_unit *u, uint16_t rid, uint16_t cc_did, uint16_t did)
{
	const struct request r = {
		.cc = true, .cc_g = VTD_G_SELECTIVE, .cc_did = cc_did, .sid = rid,
		.pc = true, .pc_g = VTD_PC_G_DOMAIN, .g = VTD_G_DOMAIN, .did = did,
	};

	return invalidate(u, &r);
}

int vtd_inval_context(struct vtd_unit *u, uint16_t rid, uint16_t old_did)
{
	return inval_function(u, rid, old_did, old_did);
}

int vtd_inval_pasid(struct vtd_unit *u, uint32_t pasid, uint16_t old_did)
{
	const struct request r = {
		.pc = true, .pc_g = VTD_PC_G_PASID, .pasid = pasid, .g = VTD_G_DOMAIN, .did = old_did,
	};

	return invalidate(u, &r);
}

int vtd_inval_domain(struct vtd_unit *u, uint16_t did)
{
	const struct request r = { .g = VTD_G_DOMAIN, .did = did };

	return invalidate(u, &r);
}

/* Smallest address mask whose aligned block holds the whole range; 64 if there is none. */
static unsigned cover(uint64_t iova, uint64_t len)
{
	const uint64_t differ = (iova ^ (iova + (len - 1))) >> PAGE_SHIFT;

	return differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;
}

int vtd_inval_pages(struct vtd_unit *u, uint16_t did, uint64_t iova, uint64_t len, bool leaf_only)
{
	struct request r = { .g = VTD_G_SELECTIVE, .did = did, .leaf_only = leaf_only };

	if (!range_valid(iova, len))
		return -EINVAL;
	r.am = cover(iova, len);
	if (!u->caps.psi || r.am > u->caps.mamv)
		return vtd_inval_domain(u, did);
	r.addr = ALIGN_DOWN(iova, PAGE_SIZE << r.am);
	return invalidate(u, &r);
}

int vtd_inval_context_added(struct vtd_unit *u, uint16_t rid, uint16_t did)
{
	int rc = u->caps.cm ? inval_function(u, rid, DID_OF_FAULTS, did) : 0;

	return rc ? rc : vtd_unit_write_buffer_flush(u);
}

int vtd_inval_pages_added(struct vtd_unit *u, uint16_t did, uint64_t iova, uint64_t len)
{
	/* A new table page may have been linked in, so not leaf-only. */
	int rc = u->caps.cm ? vtd_inval_pages(u, did, iova, len, false) : 0;

	return rc ? rc : vtd_unit_write_buffer_flush(u);
}
