/* boot_params and what they lead to, in sparse memory.  Only what the E820 map of the input
 * calls RAM is asked for; what is accepted is written again and reads the same. */
#include "sparse.h"

#include "errno.h"
#include "kernel/handover/bootparams.h"
#include "kernel/memory/memmap.h"
#include "kho/abi.h"

#define OWN_CMDLINE	SPARSE_OWN
#define OWN_EXT		(SPARSE_OWN + PAGE_SIZE)
#define OWN_EXT_BYTES	(16 + 20 * BOOT_MAX_RANGES)
#define OWN_EFI_MAP	(SPARSE_OWN + MIB(1))
#define OWN_SETUP_EFI	(SPARSE_OWN + MIB(2))

static struct boot_info bi, again;

static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *in = ctx;

	REQUIRE(len && memmap_is_ram(in->map, in->nr_map, pa, len));
	return !ranges_overlap(pa, len, SPARSE_USED, SPARSE_USED_BYTES) &&
	       len <= SPARSE_READ_MAX && sparse_is_ram(NULL, pa, len) ? mem_ptr(pa) : NULL;
}

/* Ours lie outside that RAM. */
static const void *at_own(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	REQUIRE(sparse_within(true, pa, len));
	return mem_ptr(pa);
}

/* Lengths lie inside their arrays; all of it is there or nothing. */
static void check_relay(void)
{
	const struct boot_efi_relay *r = &bi.efi_relay;

	REQUIRE(r->setup_len <= sizeof(r->setup));
	if (!r->systab)
		return;
	REQUIRE(r->setup_len && r->map_len && r->map_len <= sizeof(r->map));
	REQUIRE(r->desc_size >= 40 && r->map_len % r->desc_size == 0);
	REQUIRE(!bi.efi_systab);
}

static void check(void)
{
	REQUIRE(!bi.error[0] && bi.nr_map <= BOOT_MAX_RANGES);
	for (size_t i = 0; i < bi.nr_map; i++) {
		const struct mem_range *r = &bi.map[i];

		REQUIRE(r->len && r->base < MEMMAP_LIMIT && r->len <= MEMMAP_LIMIT - r->base);
		REQUIRE(!i || r[-1].base + r[-1].len < r->base ||
			(r[-1].base + r[-1].len == r->base && r[-1].kind != r->kind));
	}
	REQUIRE(memchr(bi.cmdline, 0, sizeof(bi.cmdline)));
	REQUIRE(bi.initrd_size <= GIB(1));
	if (bi.initrd_size)
		REQUIRE(memmap_is_ram(bi.map, bi.nr_map, bi.initrd, bi.initrd_size));
	check_relay();
	if (bi.fb.base)
		REQUIRE(bi.fb.width && bi.fb.height && bi.fb.stride >= bi.fb.width * 4ULL &&
			bi.fb.size >= (uint64_t)bi.fb.stride * bi.fb.height &&
			!memmap_is_ram(bi.map, bi.nr_map, bi.fb.base, 1));
}

/* A setup header as our own image has it; only the copy of it into the page matters here. */
static struct span header_file(void)
{
	static uint8_t file[0x270];

	file[0x201] = 0x6a;
	memcpy(file + 0x202, "HdrS", 4);
	return span_of(file, sizeof(file));
}

/* Where the first reading had a hole, which stays one, whatever the EFI map calls it. */
static bool calls_ours_runtime(const struct boot_efi_relay *r)
{
	static struct mem_range map[BOOT_MAX_RANGES];
	size_t n = 1;

	map[0] = (struct mem_range){ SPARSE_OWN, SPARSE_OWN_BYTES, MEM_CONVENTIONAL };
	return memmap_overlay_runtime(r->map, r->map_len, r->desc_size, map, BOOT_MAX_RANGES, &n) ||
	       n != 1 || map[0].kind != MEM_CONVENTIONAL;
}

/* As it is relayed to a Linux, and would be to us. */
static void relay_again(struct bootparams_in *in)
{
	const struct boot_efi_relay *r = &bi.efi_relay;
	const struct kho_setup_header header = { .type = BOOTPARAMS_SETUP_EFI, .len = r->setup_len };

	if (!r->systab || calls_ours_runtime(r))
		return;
	memcpy(mem_ptr(OWN_SETUP_EFI), &header, sizeof(header));
	memcpy(mem_ptr(OWN_SETUP_EFI + sizeof(header)), r->setup, r->setup_len);
	memcpy(mem_ptr(OWN_EFI_MAP), r->map, r->map_len);
	in->setup_data = OWN_SETUP_EFI;
	in->efi_systab = r->systab;
	in->efi_memmap = OWN_EFI_MAP;
	in->efi_memmap_size = r->map_len;
	in->efi_memdesc_size = r->desc_size;
}

static void check_relayed(void)
{
	const struct boot_efi_relay *a = &bi.efi_relay, *b = &again.efi_relay;

	REQUIRE(a->systab == b->systab && a->desc_size == b->desc_size && a->map_len == b->map_len &&
		a->setup_len == b->setup_len);
	REQUIRE(!memcmp(a->map, b->map, a->map_len) && !memcmp(a->setup, b->setup, a->setup_len));
}

static void build_again(void)
{
	static uint8_t zero_page[BOOTPARAMS_SIZE];
	static const struct phys_reader rd = { .at = at_own };
	static const struct mem_range own = { SPARSE_OWN, SPARSE_OWN_BYTES, MEM_CONVENTIONAL };
	struct bootparams_in in = {
		.map = bi.map, .nr_map = bi.nr_map, .cmdline = OWN_CMDLINE, .rsdp = bi.rsdp, .fb = bi.fb,
		.e820_ext = mem_ptr(OWN_EXT), .e820_ext_size = OWN_EXT_BYTES, .e820_ext_pa = OWN_EXT,
	};
	const struct mem_range *r = memmap_at(bi.map, bi.nr_map, own.base);

	/* Pages of ours must be RAM of that map as well. */
	if (r && (r->kind >= MEM_RAM_KINDS || r->base + r->len < own.base + own.len))
		return;
	if (!r && (bi.nr_map == BOOT_MAX_RANGES ||
		   memmap_add(bi.map, BOOT_MAX_RANGES, &bi.nr_map, own.base, own.len, own.kind) ||
		   !memmap_is_ram(bi.map, bi.nr_map, own.base, own.len)))
		return;
	in.nr_map = bi.nr_map;
	memcpy(mem_ptr(OWN_CMDLINE), bi.cmdline, sizeof(bi.cmdline));
	if (IS_ALIGNED(bi.initrd, PAGE_SIZE)) {
		in.initrd = bi.initrd;
		in.initrd_size = bi.initrd_size;
	}
	relay_again(&in);
	REQUIRE(!bootparams_build(zero_page, header_file(), &in));
	memset(&again, 0, sizeof(again));
	REQUIRE(!bootparams_read(zero_page, &rd, &again));
	REQUIRE(!strcmp(again.cmdline, bi.cmdline) && again.rsdp == bi.rsdp);
	REQUIRE(again.initrd == in.initrd && again.initrd_size == in.initrd_size);
	if (in.efi_systab)
		check_relayed();
	for (size_t i = 0; i < bi.nr_map; i++) {
		const struct mem_range *is = memmap_at(again.map, again.nr_map, bi.map[i].base);

		REQUIRE(is && memmap_e820_type(is->kind) == memmap_e820_type(bi.map[i].kind) &&
			is->base + is->len >= bi.map[i].base + bi.map[i].len);
	}
	if (bi.fb.base && again.fb.base)
		REQUIRE(again.fb.base == bi.fb.base && again.fb.size == bi.fb.size &&
			again.fb.width == bi.fb.width && again.fb.height == bi.fb.height &&
			again.fb.stride == bi.fb.stride);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t zero_page[BOOTPARAMS_SIZE];
	const struct phys_reader rd = { .at = at, .ctx = &bi };
	struct span in = span_of(data, size);

	sparse_open(false);
	fuzz_take(&in, zero_page, sizeof(zero_page));
	sparse_lay(in, false);
	memset(&bi, 0, sizeof(bi));
	if (bootparams_read(zero_page, &rd, &bi)) {
		REQUIRE(memchr(bi.error, 0, sizeof(bi.error)) && bi.error[0]);
	} else {
		check();
		build_again();
	}
	sparse_wipe();
	return 0;
}
