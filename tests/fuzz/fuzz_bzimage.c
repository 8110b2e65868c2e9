/* The setup header of a bzImage: what is accepted can be given a zero page, which reads back. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/handover/bootparams.h"

static const struct mem_range map[] = {
	{ MIB(1), MIB(63), MEM_CONVENTIONAL }, { MIB(64), MIB(1), MEM_RESERVED },
};

/* Nothing is named that would have to be read. */
static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	REQUIRE(!"nothing to be read" && pa && len);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct phys_reader rd = { .at = at };
	static uint8_t zero_page[BOOTPARAMS_SIZE];
	static struct boot_info bi;
	const struct bootparams_in in = { .map = map, .nr_map = ARRAY_SIZE(map), .rsdp = 0x7e014 };
	struct bzimage bz = { 0 };
	const char *why = NULL;
	struct span file;
	int err;

	if (size > FUZZ_GUARDED_MAX)
		return 0;
	file = fuzz_guarded(data, size);
	err = bzimage_check(file, &bz, &why);
	if (err) {
		REQUIRE(why && !bz.setup_bytes && (err == -EBADMSG || err == -EOPNOTSUPP));
		return 0;
	}
	REQUIRE(bz.pm_offset == bz.setup_bytes && bz.pm_len && bz.pm_offset + bz.pm_len == size);
	REQUIRE(bz.align >= PAGE_SIZE && !(bz.align & (bz.align - 1)));
	REQUIRE(bz.pref >= MIB(1) && bz.init_size >= bz.pm_len);
	REQUIRE(!bootparams_build(zero_page, file, &in));
	memset(&bi, 0, sizeof(bi));
	REQUIRE(!bootparams_read(zero_page, &rd, &bi));
	REQUIRE(bi.nr_map == ARRAY_SIZE(map));
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		REQUIRE(bi.map[i].base == map[i].base && bi.map[i].len == map[i].len &&
			bi.map[i].kind == map[i].kind);
	REQUIRE(bi.rsdp == in.rsdp && !bi.has_kho);
	return 0;
}
