/* Decoding of CAP and ECAP.  Pure: register values in, plain values out. */
#include "caps.h"

#include "errno.h"
#include "formats.h"
#include "regs.h"

#define UNIT16	16	/* FRO and IRO count in 16-byte units */

static bool nothing_there(uint32_t ver, uint64_t cap, uint64_t ecap)
{
	return (cap == UINT64_MAX && ecap == UINT64_MAX) || cap == 0 || ver == UINT32_MAX ||
	       FIELD_GET(VTD_VER_MAJOR, ver) == 0;
}

static bool contradictory(unsigned major, uint64_t cap, uint64_t ecap)
{
	const unsigned sslps = (unsigned)FIELD_GET(VTD_CAP_SSLPS, cap);
	const bool qi = ecap & VTD_ECAP_QI;

	if (FIELD_GET(VTD_CAP_ND, cap) == 7)
		return true;
	if (sslps != 0 && sslps != 1 && sslps != 3)
		return true;
	if (FIELD_GET(VTD_CAP_FRO, cap) == 0 || FIELD_GET(VTD_ECAP_IRO, ecap) == 0)
		return true;	/* would lie over VER */
	if (!qi && (ecap & (VTD_ECAP_IR | VTD_ECAP_DT | VTD_ECAP_SMTS)))
		return true;
	if (!qi && major >= VTD_VER_MAJOR_QI_ONLY)
		return true;	/* no way to invalidate anything */
	return (ecap & VTD_ECAP_SMTS) && (cap & VTD_CAP_RWBF);
}

static unsigned decode_page_sizes(uint64_t cap)
{
	const unsigned sslps = (unsigned)FIELD_GET(VTD_CAP_SSLPS, cap);

	return VTD_PG_4K | (sslps & 1 ? VTD_PG_2M : 0) | (sslps & 2 ? VTD_PG_1G : 0);
}

static uint32_t decode_reg_bytes(const struct vtd_caps *c)
{
	const uint32_t faults_end = c->fro + c->nfr * VTD_FRCD_BYTES;
	const uint32_t iotlb_end = c->iro + VTD_IOTLB_REGS_BYTES;

	return (uint32_t)ALIGN_UP(MAX(faults_end, iotlb_end), PAGE_SIZE);
}

int vtd_caps_decode(uint32_t ver, uint64_t cap, uint64_t ecap, struct vtd_caps *out)
{
	const unsigned major = (unsigned)FIELD_GET(VTD_VER_MAJOR, ver);
	struct vtd_caps c;

	if (nothing_there(ver, cap, ecap))
		return -ENODEV;
	if (contradictory(major, cap, ecap))
		return -EINVAL;

	c = (struct vtd_caps){
		.ver_major = (uint8_t)major,
		.ver_minor = (uint8_t)FIELD_GET(VTD_VER_MINOR, ver),
		.cap = cap,
		.ecap = ecap,
		.ndoms = 1u << (4 + 2 * FIELD_GET(VTD_CAP_ND, cap)),
		.sagaw = (uint8_t)FIELD_GET(VTD_CAP_SAGAW, cap),
		.mgaw = (uint8_t)(FIELD_GET(VTD_CAP_MGAW, cap) + 1),
		.mamv = (uint8_t)FIELD_GET(VTD_CAP_MAMV, cap),
		.page_sizes = decode_page_sizes(cap),
		.rwbf = cap & VTD_CAP_RWBF,
		.cm = cap & VTD_CAP_CM,
		.psi = cap & VTD_CAP_PSI,
		.plmr = cap & VTD_CAP_PLMR,
		.phmr = cap & VTD_CAP_PHMR,
		.drain_read = cap & VTD_CAP_DRD,
		.drain_write = cap & VTD_CAP_DWD,
		.esrtps = cap & VTD_CAP_ESRTPS,
		.coherent = ecap & VTD_ECAP_C,
		.qi = ecap & VTD_ECAP_QI,
		.ir = ecap & VTD_ECAP_IR,
		.pt = ecap & VTD_ECAP_PT,
		.sc = ecap & VTD_ECAP_SC,
		.scalable_ss = (ecap & VTD_ECAP_SMTS) && (ecap & VTD_ECAP_SSTS),
		.smpwcs = ecap & VTD_ECAP_SMPWCS,
		.prs = ecap & VTD_ECAP_PRS,
		.pms = ecap & VTD_ECAP_PMS,
		.fro = (uint32_t)FIELD_GET(VTD_CAP_FRO, cap) * UNIT16,
		.nfr = (uint32_t)FIELD_GET(VTD_CAP_NFR, cap) + 1,
		.iro = (uint32_t)FIELD_GET(VTD_ECAP_IRO, ecap) * UNIT16,
	};
	c.reg_bytes = decode_reg_bytes(&c);
	*out = c;
	return 0;
}

bool vtd_caps_has_levels(const struct vtd_caps *caps, unsigned levels)
{
	return levels >= 3 && levels <= 5 && (caps->sagaw & BIT32(levels - 2));
}

int vtd_caps_pick_levels(const struct vtd_caps *caps, unsigned iova_bits, unsigned *levels)
{
	if (iova_bits > caps->mgaw)
		return -EOPNOTSUPP;
	for (unsigned n = 3; n <= 4; n++) {
		if (vtd_caps_has_levels(caps, n) && iova_bits <= vtd_caps_usable_bits(caps, n)) {
			*levels = n;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

unsigned vtd_caps_usable_bits(const struct vtd_caps *caps, unsigned levels)
{
	return MIN(PAGE_SHIFT + 9 * levels, (unsigned)caps->mgaw);
}
