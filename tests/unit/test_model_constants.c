/* Two sets of constants written from the same specification, the driver's and the strict model's,
 * agree name by name; and none that both have is left out of the comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/model/spec.h"
#include "vtd/fault.h"
#include "vtd/formats.h"
#include "vtd/regs.h"

#define SAME(name)	{ #name, VTD_##name, SPEC_##name }

static const struct {
	const char *name;
	uint64_t driver, model;
} constants[] = {
	SAME(CAP), SAME(CAP_CM), SAME(CAP_DRD), SAME(CAP_DWD), SAME(CAP_ESIRTPS),
	SAME(CAP_ESRTPS), SAME(CAP_FRO), SAME(CAP_MAMV), SAME(CAP_MGAW), SAME(CAP_ND),
	SAME(CAP_NFR), SAME(CAP_PHMR), SAME(CAP_PLMR), SAME(CAP_PSI), SAME(CAP_RWBF),
	SAME(CAP_SAGAW), SAME(CAP_SSLPS), SAME(CCMD), SAME(CCMD_CAIG), SAME(CCMD_CIRG),
	SAME(CCMD_DID), SAME(CCMD_ICC), SAME(CCMD_SID), SAME(CE_FPD), SAME(CE_HI_AW),
	SAME(CE_HI_DID), SAME(CE_HI_RSVD), SAME(CE_LO_RSVD), SAME(CE_P), SAME(CE_SSPTPTR),
	SAME(CE_TT), SAME(ECAP), SAME(ECAP_C), SAME(ECAP_DT), SAME(ECAP_EIM), SAME(ECAP_IR),
	SAME(ECAP_IRO), SAME(ECAP_PMS), SAME(ECAP_PRS), SAME(ECAP_PT), SAME(ECAP_QI),
	SAME(ECAP_SC), SAME(ECAP_SMPWCS), SAME(ECAP_SMTS), SAME(ECAP_SSTS), SAME(EVENT_IM),
	SAME(FECTL), SAME(FRCD_BYTES), SAME(FRCD_DW3), SAME(FRCD_DW3_F), SAME(FR_FI),
	SAME(FR_HI_AT), SAME(FR_HI_EXE), SAME(FR_HI_F), SAME(FR_HI_FR), SAME(FR_HI_PP),
	SAME(FR_HI_PRIV), SAME(FR_HI_PV), SAME(FR_HI_SID), SAME(FR_HI_T1), SAME(FR_HI_T2),
	SAME(FSTS), SAME(FSTS_FRI), SAME(FSTS_ICE), SAME(FSTS_IQE), SAME(FSTS_ITE),
	SAME(FSTS_PFO), SAME(FSTS_PPF), SAME(FSTS_RW1C), SAME(GCMD), SAME(GCMD_CFI),
	SAME(GCMD_IRE), SAME(GCMD_ONE_SHOT), SAME(GCMD_QIE), SAME(GCMD_SFL), SAME(GCMD_SIRTP),
	SAME(GCMD_SRTP), SAME(GCMD_TE), SAME(GCMD_WBF), SAME(GSTS), SAME(GSTS_IRES),
	SAME(GSTS_QIES), SAME(GSTS_RTPS), SAME(GSTS_TES), SAME(GSTS_WBFS), SAME(IECTL),
	SAME(INTR_BASE), SAME(INTR_BYTES), SAME(IOTLB), SAME(IOTLB_DID), SAME(IOTLB_DR),
	SAME(IOTLB_DW), SAME(IOTLB_IAIG), SAME(IOTLB_IIRG), SAME(IOTLB_IVT),
	SAME(IOTLB_REGS_BYTES), SAME(IOTLB_RSVDP), SAME(IQA), SAME(IQA_DW), SAME(IQA_IQA),
	SAME(IQA_QS), SAME(IQERCD), SAME(IQERCD_IQEI), SAME(IQH), SAME(IQT), SAME(IQ_OFFSET),
	SAME(IRTA), SAME(IVA), SAME(IVA_ADDR), SAME(IVA_AM), SAME(IVA_IH),
	SAME(PASIDS_PER_TABLE), SAME(PDE_P), SAME(PDE_SMPTBLPTR), SAME(PECTL), SAME(PERFINTRCTL),
	SAME(PE_AW), SAME(PE_BYTES), SAME(PE_FPD), SAME(PE_HI_DID), SAME(PE_HI_PGSNP),
	SAME(PE_HI_PWSNP), SAME(PE_P), SAME(PE_PGTT), SAME(PE_SSPTPTR), SAME(PGTT_SS),
	SAME(PMEN), SAME(PMEN_EPM), SAME(PMEN_PRS), SAME(QI_CC), SAME(QI_CC_SID), SAME(QI_DID),
	SAME(QI_G), SAME(QI_IEC), SAME(QI_IOTLB), SAME(QI_IOTLB_DR), SAME(QI_IOTLB_DW),
	SAME(QI_IOTLB_HI_ADDR), SAME(QI_IOTLB_HI_AM), SAME(QI_IOTLB_HI_IH), SAME(QI_PASID),
	SAME(QI_PC), SAME(QI_TYPE), SAME(QI_WAIT), SAME(QI_WAIT_DATA), SAME(QI_WAIT_FN),
	SAME(QI_WAIT_HI_ADDR), SAME(QI_WAIT_SW), SAME(RE_CTP), SAME(RE_LO_RSVD), SAME(RE_P),
	SAME(RTADDR), SAME(RTADDR_RTA), SAME(RTADDR_TTM), SAME(SCE_BYTES), SAME(SCE_DTE),
	SAME(SCE_FPD), SAME(SCE_P), SAME(SCE_PASIDDIRPTR), SAME(SCE_PASIDE), SAME(SCE_PDTS),
	SAME(SCE_PRE), SAME(SS_ADDR), SAME(SS_ENTRIES), SAME(SS_PS), SAME(SS_R),
	SAME(SS_RSVD_62), SAME(SS_RW), SAME(SS_SNP), SAME(SS_W), SAME(TABLE_ENTRIES),
	SAME(TTM_LEGACY), SAME(TTM_SCALABLE), SAME(VER), SAME(VER_MAJOR),
	SAME(VER_MAJOR_QI_ONLY), SAME(VER_MINOR),
	/* Enumerations. */
	SAME(TT_SS), SAME(TT_SS_ATS), SAME(TT_PASS_THROUGH), SAME(AW_39BIT), SAME(AW_48BIT),
	SAME(AW_57BIT), SAME(G_GLOBAL), SAME(G_DOMAIN), SAME(G_SELECTIVE), SAME(PC_G_DOMAIN),
	SAME(PC_G_PASID), SAME(PC_G_GLOBAL),
};

/* The reasons the driver knows by name. */
static const struct {
	const char *name;
	uint64_t driver, model;
} reasons[] = {
	{ "context_not_present", VTD_REASON_CONTEXT_NOT_PRESENT, SPEC_FAULT_CONTEXT_P },
	{ "write", VTD_REASON_WRITE, SPEC_FAULT_WRITE },
	{ "read", VTD_REASON_READ, SPEC_FAULT_READ },
};

static void test_values_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++)
		if (constants[i].driver != constants[i].model)
			fail_msg("%s: driver 0x%llx, model 0x%llx", constants[i].name,
				 (unsigned long long)constants[i].driver,
				 (unsigned long long)constants[i].model);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		assert_int_equal(reasons[i].driver, reasons[i].model);
}

/* The next `#define <prefix>NAME` of a header, without the prefix. */
static bool next_name(FILE *f, const char *prefix, char *name, size_t size)
{
	char line[256], word[128];

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " # define %127[A-Za-z0-9_]", word) == 1 &&
		    !strncmp(word, prefix, strlen(prefix))) {
			snprintf(name, size, "%s", word + strlen(prefix));
			return true;
		}
	return false;
}

static bool defines(const char *path, const char *prefix, const char *wanted)
{
	FILE *f = fopen(path, "r");
	char name[128];
	bool found = false;

	assert_non_null(f);
	while (!found && next_name(f, prefix, name, sizeof(name)))
		found = !strcmp(name, wanted);
	fclose(f);
	return found;
}

static bool compared(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++)
		if (!strcmp(constants[i].name, name))
			return true;
	return false;
}

/* Run from the top of the tree, like every test program. */
static void test_no_common_name_is_left_out(void **state)
{
	static const char *const headers[] = { "vtd/regs.h", "vtd/formats.h" };
	char name[128];
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		FILE *f = fopen(headers[i], "r");

		assert_non_null(f);
		while (next_name(f, "VTD_", name, sizeof(name))) {
			n++;
			if (!compared(name) && defines("tests/model/spec.h", "SPEC_", name))
				fail_msg("%s: VTD_%s has a SPEC_%s: add it to the comparison", headers[i],
					 name, name);
		}
		fclose(f);
	}
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_agree),
		cmocka_unit_test(test_no_common_name_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
