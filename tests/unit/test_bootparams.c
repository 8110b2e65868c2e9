#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <asm/bootparam.h>	/* Linux's own layout, as the witness for our offsets */
#include <cmocka.h>

#include "base.h"
#include "errno.h"
#include "kernel/handover/bootparams.h"
#include "kernel/memory/memmap.h"
#include "kho/abi.h"
#include "tests/host/arena.h"
#include "platform/mem.h"

/* Where things lie in the arena. */
#define RAM_END		MIB(64)
#define ZERO_PAGE	0x10000
#define CMDLINE		0x20000
#define KHO_NODE	0x30010
#define EXT_NODE	0x31003		/* nothing promises an alignment */
#define EFI_MAP		0x40000
#define OUT_OF_RAM	(RAM_END + MIB(16))

static struct boot_params *zero_page(void)
{
	return mem_ptr(ZERO_PAGE);
}
#define BP	(zero_page())

/* As the firmware's: what was not asked for as RAM would be a fault there. */
static const void *arena_at(void *ctx, paddr_t pa, uint64_t len)
{
	unsigned *calls = ctx;

	++*calls;
	assert_true(len && pa < ARENA_BYTES && len <= ARENA_BYTES - pa);
	return mem_ptr(pa);
}
static unsigned reader_calls;
static const struct phys_reader reader = { arena_at, &reader_calls };

/* A file with the suggested values of the setup header, 4 KiB of setup and 8 KiB to load. */
#define SETUP_BYTES	4096
#define PM_BYTES	8192
static uint8_t image[SETUP_BYTES + PM_BYTES];

static void setup_data_kho(void *node, paddr_t next, paddr_t fdt, uint64_t fdt_size,
			   paddr_t scratch, uint64_t scratch_size)
{
	const struct kho_setup_node n = {
		{ next, KHO_SETUP_KEXEC_KHO, sizeof(struct kho_data) },
		{ fdt, fdt_size, scratch, scratch_size },
	};

	memcpy(node, &n, sizeof(n));
}

static void make_image(void)
{
	struct setup_header h = {
		.setup_sects = SETUP_BYTES / 512 - 1, .boot_flag = 0xaa55, .jump = 0x6aeb,
		.header = 0x53726448, .version = 0x20f, .type_of_loader = 0x77, .loadflags = 1,
		.initrd_addr_max = 0x7fffffff, .kernel_alignment = 0x200000, .relocatable_kernel = 1,
		.min_alignment = 21, .xloadflags = 0x33, .cmdline_size = 2047,
		.pref_address = 0x1000000, .init_size = 0x40001,
	};

	memset(image, 0xcc, sizeof(image));
	memcpy(image + 0x1f1, &h, 0x26c - 0x1f1);
	image[0x1ef] = 0xff;
}

static const struct mem_range small_map[] = {
	{ 0, 0x9f000, MEM_CONVENTIONAL }, { 0x9f000, 0x1000, MEM_ACPI_NVS },
	{ MIB(1), RAM_END - MIB(1), MEM_CONVENTIONAL },
	{ RAM_END, MIB(4), MEM_ACPI_RECLAIM }, { RAM_END + MIB(4), MIB(4), MEM_RUNTIME_CODE },
	{ RAM_END + MIB(8), MIB(4), MEM_RUNTIME_DATA }, { RAM_END + MIB(12), MIB(1), MEM_UNUSABLE },
	{ GIB(4), GIB(1), MEM_PERSISTENT },
};

static const struct mem_range large_map[] = {
	{ 0, 0x9f000, MEM_CONVENTIONAL }, { MIB(1), RAM_END - MIB(1), MEM_CONVENTIONAL },
	{ GIB(4), GIB(4), MEM_CONVENTIONAL },
};

static const struct boot_framebuffer screen = {
	.base = 0x8080000000, .size = 1280 * 800 * 4, .width = 1280, .height = 800,
	.stride = 5120, .red_shift = 16, .green_shift = 8, .blue_shift = 0,
};

static struct bootparams_in input(void)
{
	return (struct bootparams_in){
		.map = small_map, .nr_map = ARRAY_SIZE(small_map), .cmdline = CMDLINE,
		.rsdp = 0x7fe014, .fb = screen, .setup_data = KHO_NODE,
	};
}

static void fresh(void)
{
	arena_reset(MIB(1), RAM_END);
	make_image();
	strcpy(mem_ptr(CMDLINE), "rate=5 generation=1");
	setup_data_kho(mem_ptr(KHO_NODE), 0, 0x2000000, 4096, 0x2001000, 16);
}

static void build(const struct bootparams_in *in)
{
	assert_int_equal(bootparams_build(mem_ptr(ZERO_PAGE), span_of(image, sizeof(image)), in), 0);
}

static struct boot_info *read_into(int want)
{
	static struct boot_info bi;

	memset(&bi, 0, sizeof(bi));
	assert_int_equal(bootparams_read(mem_ptr(ZERO_PAGE), &reader, &bi), want);
	assert_int_equal(want != 0, bi.error[0] != 0);
	return &bi;
}

static void build_and_read_refused(const struct bootparams_in *in, const char *want)
{
	build(in);
	assert_string_equal(read_into(-EBADMSG)->error, want);
}

/* ---- writer, against Linux's structures -------------------------------------------------- */

static void test_written_fields_are_where_linux_reads_them(void **state)
{
	struct bootparams_in in = input();

	(void)state;
	fresh();
	in.cmdline = 0x123456000;
	in.initrd = 0x234567000;
	in.initrd_size = 0x300000001;
	in.efi_systab = 0x345678018;
	in.efi_memmap = 0x456789000;
	in.efi_memmap_size = 4800;
	in.efi_memdesc_size = 48;
	memset(BP, 0xee, sizeof(*BP));
	build(&in);
	assert_int_equal(BP->hdr.cmd_line_ptr, 0x23456000);
	assert_int_equal(BP->ext_cmd_line_ptr, 1);
	assert_int_equal(BP->hdr.ramdisk_image, 0x34567000);
	assert_int_equal(BP->ext_ramdisk_image, 2);
	assert_int_equal(BP->hdr.ramdisk_size, 1);
	assert_int_equal(BP->ext_ramdisk_size, 3);
	assert_int_equal(BP->hdr.type_of_loader, 0xff);
	assert_int_equal(BP->hdr.loadflags, 0);
	assert_int_equal(BP->hdr.setup_data, KHO_NODE);
	assert_int_equal(BP->hdr.hardware_subarch, 0);
	assert_int_equal(BP->sentinel, 0);
	assert_int_equal(BP->acpi_rsdp_addr, 0x7fe014);
	assert_memory_equal(&BP->efi_info.efi_loader_signature, "EL64", 4);
	assert_int_equal(BP->efi_info.efi_systab, 0x45678018);
	assert_int_equal(BP->efi_info.efi_systab_hi, 3);
	assert_int_equal(BP->efi_info.efi_memmap, 0x56789000);
	assert_int_equal(BP->efi_info.efi_memmap_hi, 4);
	assert_int_equal(BP->efi_info.efi_memmap_size, 4800);
	assert_int_equal(BP->efi_info.efi_memdesc_size, 48);
	assert_int_equal(BP->efi_info.efi_memdesc_version, 1);
	assert_int_equal(BP->screen_info.orig_video_isVGA, 0x70);
	assert_int_equal(BP->screen_info.lfb_width, 1280);
	assert_int_equal(BP->screen_info.lfb_height, 800);
	assert_int_equal(BP->screen_info.lfb_depth, 32);
	assert_int_equal(BP->screen_info.lfb_base, 0x80000000);
	assert_int_equal(BP->screen_info.ext_lfb_base, 0x80);
	assert_int_equal(BP->screen_info.lfb_size, 1280 * 800 * 4);
	assert_int_equal(BP->screen_info.lfb_linelength, 5120);
	assert_int_equal(BP->screen_info.red_size, 8);
	assert_int_equal(BP->screen_info.red_pos, 16);
	assert_int_equal(BP->screen_info.green_pos, 8);
	assert_int_equal(BP->screen_info.blue_pos, 0);
	assert_int_equal(BP->screen_info.capabilities, 2);
	/* Copied from the file: the kernel reads these back. */
	assert_int_equal(BP->hdr.kernel_alignment, 0x200000);
	assert_int_equal(BP->hdr.init_size, 0x40001);
	assert_int_equal(BP->hdr.xloadflags, 0x33);
	assert_int_equal(BP->hdr.pref_address, 0x1000000);
	assert_int_equal(BP->hdr.version, 0x20f);
}

/* bootparams.build.no_initrd_of_the_file: its header may say anything */
static void test_initrd_in_the_file(void **state)
{
	const struct bootparams_in in = input();

	(void)state;
	fresh();
	memcpy(image + 0x218, &(uint64_t){ 0x1234500054321000 }, 8);
	build(&in);
	assert_int_equal(BP->hdr.ramdisk_image, 0);
	assert_int_equal(BP->hdr.ramdisk_size, 0);
	assert_int_equal(read_into(0)->initrd_size, 0);
}

static void test_header_copy_ends_where_the_jump_says(void **state)
{
	const struct bootparams_in in = input();
	const uint8_t *z;

	(void)state;
	fresh();
	build(&in);
	z = (const uint8_t *)BP;
	assert_int_equal(z[0x26b], image[0x26b]);
	for (size_t off = 0x26c; off < 0x2d0; off++)
		assert_int_equal(z[off], 0);
	for (size_t off = 0x1ea; off < 0x1f1; off++)
		assert_int_equal(z[off], 0);
	image[0x201] = 0x7f;
	build(&in);
	assert_int_equal(z[0x280], 0xcc);
	assert_int_equal(z[0x281], 0);
	print_message("# bootparams.build.refuses_signed_jump\n");
	image[0x201] = 0x80;
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -EBADMSG);
	print_message("# bootparams.build.refuses_short_header\n");
	image[0x201] = 0x61;
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -EBADMSG);
	image[0x201] = 0x62;
	build(&in);
	print_message("# bootparams.build.refuses_truncated_header\n");
	assert_int_equal(bootparams_build(BP, span_of(image, 0x263), &in), -EBADMSG);
	assert_int_equal(bootparams_build(BP, span_of(image, 0x264), &in), 0);
	assert_int_equal(bootparams_build(BP, span_of(image, 0), &in), -EBADMSG);
	image[0x202] = 'h';
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -EBADMSG);
}

static void test_written_e820(void **state)
{
	static const struct boot_e820_entry want[] = {
		{ 0, 0x9f000, 1 }, { 0x9f000, 0x1000, 4 }, { MIB(1), RAM_END - MIB(1), 1 },
		{ RAM_END, MIB(4), 3 }, { RAM_END + MIB(4), MIB(8), 2 },
		{ RAM_END + MIB(12), MIB(1), 5 }, { GIB(4), GIB(1), 7 },
	};
	const struct bootparams_in in = input();

	(void)state;
	fresh();
	build(&in);
	assert_int_equal(BP->e820_entries, ARRAY_SIZE(want));
	assert_memory_equal(BP->e820_table, want, sizeof(want));
}

static void test_what_cannot_be_expressed(void **state)
{
	struct bootparams_in in;

	(void)state;
	fresh();
#define LEFT_OUT(what, change) do {							\
	print_message("# bootparams.build.leaves_out_%s\n", what);			\
	in = input();									\
	change;										\
	build(&in);									\
	assert_int_equal(BP->screen_info.orig_video_isVGA, 0);				\
} while (0)
#define REFUSED(what, change) do {							\
	print_message("# bootparams.build.refuses_%s\n", what);				\
	in = input();									\
	change;										\
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -EINVAL);	\
} while (0)
	LEFT_OUT("wide_screen", in.fb.width = 65536);
	LEFT_OUT("high_screen", in.fb.height = 65536);
	LEFT_OUT("long_lines", in.fb.stride = 65536);
	LEFT_OUT("large_screen", in.fb.size = GIB(4));
#undef LEFT_OUT
	REFUSED("unaligned_initrd", in.initrd = 0x1001);
	REFUSED("efi_without_map", in.efi_systab = 0x1000);
#undef REFUSED
	print_message("# bootparams.build.largest_screen\n");
	in = input();
	in.fb.width = in.fb.height = in.fb.stride = UINT16_MAX;
	in.fb.size = UINT32_MAX;
	build(&in);
	assert_int_equal(BP->screen_info.lfb_height, UINT16_MAX);
	in = input();
	in.fb.base = 0;
	build(&in);
	assert_int_equal(BP->screen_info.orig_video_isVGA, 0);
}

/* ---- round trip -------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
	const struct bootparams_in in = input();
	const struct boot_info *bi;

	(void)state;
	fresh();
	build(&in);
	bi = read_into(0);
	assert_string_equal(bi->cmdline, "rate=5 generation=1");
	assert_int_equal(bi->rsdp, 0x7fe014);
	assert_memory_equal(&bi->fb, &screen, offsetof(struct boot_framebuffer, red_shift));
	assert_int_equal(bi->fb.red_shift, 16);
	assert_int_equal(bi->fb.green_shift, 8);
	assert_int_equal(bi->fb.blue_shift, 0);
	assert_true(bi->has_kho);
	assert_int_equal(bi->kho_fdt, 0x2000000);
	assert_int_equal(bi->kho_fdt_size, 4096);
	assert_int_equal(bi->kho_scratch, 0x2001000);
	assert_int_equal(bi->kho_scratch_size, 16);
	assert_int_equal(bi->efi_systab, 0);
	/* Runtime code and data come back as one reserved range: E820 has no word for them. */
	assert_int_equal(bi->nr_map, ARRAY_SIZE(small_map) - 1);
	assert_int_equal(bi->map[4].kind, MEM_RESERVED);
	assert_int_equal(bi->map[4].len, MIB(8));
	for (size_t i = 0; i < bi->nr_map; i++)
		assert_int_equal(memmap_e820_type(bi->map[i].kind),
				 memmap_e820_type(small_map[i < 5 ? i : i + 1].kind));
}

static void test_no_kho_no_cmdline_no_screen(void **state)
{
	struct bootparams_in in = input();
	const struct boot_info *bi;

	(void)state;
	fresh();
	in.setup_data = 0;
	in.cmdline = 0;
	in.fb.base = 0;
	build(&in);
	bi = read_into(0);
	assert_false(bi->has_kho);
	assert_string_equal(bi->cmdline, "");
	assert_int_equal(bi->fb.base, 0);
}

static void test_more_than_128_entries(void **state)
{
	static uint8_t ext[16 + 20 * BOOT_MAX_RANGES];
	struct bootparams_in in = input();
	struct mem_range map[300];
	const struct boot_info *bi;

	(void)state;
	fresh();
	map[0] = (struct mem_range){ 0, RAM_END, MEM_CONVENTIONAL };
	for (size_t i = 1; i < ARRAY_SIZE(map); i++)
		map[i] = (struct mem_range){ GIB(1) + i * MIB(2), MIB(1), MEM_CONVENTIONAL };
	in.map = map;
	in.nr_map = ARRAY_SIZE(map);
	print_message("# bootparams.build.says_that_they_do_not_fit\n");
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -ENOSPC);
	in.e820_ext = ext;
	in.e820_ext_size = 16 + 20 * (ARRAY_SIZE(map) - 128) - 1;
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -ENOSPC);
	in.e820_ext_size = 15;
	assert_int_equal(bootparams_build(BP, span_of(image, sizeof(image)), &in), -ENOSPC);
	print_message("# bootparams.build.links_ext_in_front\n");
	in.e820_ext = mem_ptr(EXT_NODE);
	in.e820_ext_size = 16 + 20 * (ARRAY_SIZE(map) - 128);
	in.e820_ext_pa = EXT_NODE;
	build(&in);
	assert_int_equal(BP->e820_entries, 128);
	assert_int_equal(BP->hdr.setup_data, EXT_NODE);
	bi = read_into(0);
	assert_true(bi->has_kho);
	assert_int_equal(bi->nr_map, ARRAY_SIZE(map));
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		assert_int_equal(bi->map[i].base, map[i].base);
		assert_int_equal(bi->map[i].len, map[i].len);
	}
	print_message("# bootparams.build.exactly_128_need_no_ext\n");
	in.nr_map = 128;
	build(&in);
	assert_int_equal(BP->hdr.setup_data, KHO_NODE);
	assert_int_equal(read_into(0)->nr_map, 128);
}

/* As it was loaded; none where its size is 0, wherever that is said to be. */
static void test_initrd(void **state)
{
	struct bootparams_in in = input();
	const struct boot_info *bi;

	(void)state;
	fresh();
	in.initrd = MIB(2);
	in.initrd_size = RAM_END - MIB(2);
	build(&in);
	bi = read_into(0);
	assert_int_equal(bi->initrd, MIB(2));
	assert_int_equal(bi->initrd_size, RAM_END - MIB(2));
	in.initrd_size++;
	build_and_read_refused(&in, "boot_params: the initrd at 0x200000 (0x3e00001 bytes) is not in RAM, or larger than 1 GiB");
	in.initrd = BIT64(63);
	in.initrd_size = BIT64(63);
	build_and_read_refused(&in, "boot_params: the initrd at 0x8000000000000000 (0x8000000000000000 bytes) is not in RAM, or larger than 1 GiB");
	in.initrd_size = 0;
	build(&in);
	BP->hdr.ramdisk_image = 0x1001;
	bi = read_into(0);
	assert_int_equal(bi->initrd | bi->initrd_size, 0);

	/* More than RAM could refuse. */
	in = input();
	in.map = large_map;
	in.nr_map = ARRAY_SIZE(large_map);
	in.initrd = GIB(4);
	in.initrd_size = GIB(1);
	build(&in);
	assert_int_equal(read_into(0)->initrd_size, GIB(1));
	in.initrd_size++;
	build_and_read_refused(&in, "boot_params: the initrd at 0x100000000 (0x40000001 bytes) is not in RAM, or larger than 1 GiB");
}

/* ---- reader, hostile --------------------------------------------------------------------- */

static void test_broken_e820(void **state)
{
	const struct bootparams_in in = input();
	const struct boot_info *bi;

	(void)state;
	fresh();
	build(&in);
	print_message("# bootparams.read.refuses_no_e820\n");
	BP->e820_entries = 0;
	assert_string_equal(read_into(-EBADMSG)->error, "boot_params: no E820 memory map");
	print_message("# bootparams.read.refuses_129_entries\n");
	BP->e820_entries = 129;
	assert_string_equal(read_into(-EBADMSG)->error, "boot_params: 129 E820 entries, only 128 fit");
	print_message("# bootparams.read.refuses_wrapping_entry\n");
	build(&in);
	BP->e820_table[2].size = UINT64_MAX;
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: E820 entry 2 goes beyond 52 address bits (0x100000, 0xffffffffffffffff bytes)");
	print_message("# bootparams.read.sorts_and_prefers_the_less_usable\n");
	build(&in);
	BP->e820_table[0] = (struct boot_e820_entry){ MIB(2), MIB(1), 2 };
	BP->e820_table[1].size = 0;
	bi = read_into(-EBADMSG);	/* what lay below 9F000h is gone, the command line with it */
	assert_string_equal(bi->error, "boot_params: the command line at 0x20000 is not in RAM");
	assert_int_equal(bi->map[0].len, MIB(1));
	assert_int_equal(bi->map[1].base, MIB(2));
	assert_int_equal(bi->map[1].kind, MEM_RESERVED);
	assert_int_equal(bi->map[2].base, MIB(3));
}

static void test_too_many_ranges(void **state)
{
	static const char want[] = "boot_params: E820 gives more than 512 ranges";
	const struct bootparams_in in = input();
	struct boot_e820_entry e;

	(void)state;
	fresh();
	build(&in);
	for (unsigned i = 0; i < 600; i++) {
		e = (struct boot_e820_entry){ GIB(8) + i * 0x2000ULL, 0x1000, 2 };
		memcpy((uint8_t *)mem_ptr(EXT_NODE) + 16 + i * sizeof(e), &e, sizeof(e));
	}
	memcpy(mem_ptr(EXT_NODE), &(struct setup_data){ 0, 1, 600 * sizeof(e) }, 16);
	BP->hdr.setup_data = EXT_NODE;
	assert_string_equal(read_into(-EBADMSG)->error, want);
	print_message("# bootparams.read.refuses_part_of_an_ext_entry\n");
	memcpy(mem_ptr(EXT_NODE), &(struct setup_data){ 0, 1, 39 }, 16);
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: SETUP_E820_EXT of 39 bytes, entries have 20");
	print_message("# bootparams.read.refuses_wild_ext_entry\n");
	memcpy(mem_ptr(EXT_NODE), &(struct setup_data){ 0, 1, 40 }, 16);
	memset((uint8_t *)mem_ptr(EXT_NODE) + 16 + 20, 0xff, 20);
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: SETUP_E820_EXT entry 1 goes beyond 52 address bits (0xffffffffffffffff, 0xffffffffffffffff bytes)");
}

static void put_node(paddr_t pa, uint64_t next, uint32_t type, uint32_t len)
{
	const struct setup_data d = { .next = next, .type = type, .len = len };

	memcpy(mem_ptr(pa), &d, sizeof(d));
}

static void test_setup_data_list(void **state)
{
	struct bootparams_in in = input();

	(void)state;
	fresh();
	build(&in);
	print_message("# bootparams.read.skips_foreign_and_indirect\n");
	in.setup_data = EXT_NODE;
	put_node(EXT_NODE, 0x50000, 9, 32);
	put_node(0x50000, 0x51000, 1U << 31, 24);
	put_node(0x51000, 0x52000, 1U << 31 | 10, 7);
	put_node(0x52000, KHO_NODE, 2, 0);
	build(&in);
	assert_true(read_into(0)->has_kho);
	print_message("# bootparams.read.refuses_circle\n");
	put_node(0x52000, EXT_NODE, 2, 0);
	build_and_read_refused(&in, "boot_params: setup_data has more than 64 nodes, or goes in a circle");
	print_message("# bootparams.read.64_nodes_are_allowed\n");
	for (unsigned i = 0; i < 64; i++)
		put_node(0x60000 + i * 16, i == 63 ? 0 : 0x60000 + (i + 1) * 16, 9, 0);
	in.setup_data = 0x60000;
	build(&in);
	read_into(0);
	put_node(0x60000 + 63 * 16, KHO_NODE, 9, 0);
	build_and_read_refused(&in, "boot_params: setup_data has more than 64 nodes, or goes in a circle");
	print_message("# bootparams.read.refuses_node_outside_ram\n");
	in.setup_data = OUT_OF_RAM;
	build_and_read_refused(&in, "boot_params: setup_data node 0 at 0x5000000 is not in RAM");
	in.setup_data = UINT64_MAX - 7;
	build_and_read_refused(&in, "boot_params: setup_data node 0 at 0xfffffffffffffff8 is not in RAM");
	print_message("# bootparams.read.refuses_node_header_across_ram_end\n");
	in.setup_data = RAM_END - 15;
	build_and_read_refused(&in, "boot_params: setup_data node 0 at 0x3fffff1 is not in RAM");
	print_message("# bootparams.read.refuses_payload_across_ram_end\n");
	in.setup_data = RAM_END - 32;
	put_node(RAM_END - 32, KHO_NODE, 9, 17);
	build_and_read_refused(&in, "boot_params: setup_data node 0 at 0x3ffffe0 is not in RAM");
	put_node(RAM_END - 32, KHO_NODE, 9, 16);
	build(&in);
	read_into(0);
	put_node(RAM_END - 32, KHO_NODE, 9, UINT32_MAX);
	build_and_read_refused(&in, "boot_params: setup_data node 0 at 0x3ffffe0 is not in RAM");
	print_message("# bootparams.read.refuses_next_outside_ram\n");
	put_node(RAM_END - 32, OUT_OF_RAM, 9, 16);
	build_and_read_refused(&in, "boot_params: setup_data node 1 at 0x5000000 is not in RAM");
}

static void test_kho_node(void **state)
{
	struct bootparams_in in = input();

	(void)state;
	fresh();
	print_message("# bootparams.read.refuses_short_kho\n");
	put_node(KHO_NODE, 0, 10, 31);
	build_and_read_refused(&in, "boot_params: SETUP_KEXEC_KHO of 31 bytes, 32 are needed");
	print_message("# bootparams.read.takes_longer_kho\n");
	put_node(KHO_NODE, 0, 10, 40);
	build(&in);
	assert_true(read_into(0)->has_kho);
	print_message("# bootparams.read.refuses_second_kho\n");
	setup_data_kho(mem_ptr(KHO_NODE), 0x50000, 1, 2, 3, 4);
	setup_data_kho(mem_ptr(0x50000), 0, 1, 2, 3, 4);
	build_and_read_refused(&in, "boot_params: two SETUP_KEXEC_KHO nodes");
}

static void test_cmdline(void **state)
{
	struct bootparams_in in = input();
	char *text;

	(void)state;
	fresh();
	print_message("# bootparams.read.longest_cmdline\n");
	in.cmdline = CMDLINE + 0xabc;
	text = mem_ptr(in.cmdline);
	memset(text, 'x', 2047);
	text[2047] = 0;
	build(&in);
	assert_int_equal(strlen(read_into(0)->cmdline), 2047);
	print_message("# bootparams.read.refuses_longer_cmdline\n");
	text[2047] = 'x';
	build(&in);
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: the command line has more than 2047 characters");
	assert_string_equal(read_into(-EBADMSG)->cmdline, "");
	print_message("# bootparams.read.cmdline_may_end_with_ram\n");
	in.cmdline = RAM_END - 4;
	memcpy(mem_ptr(in.cmdline), "a=b", 4);
	build(&in);
	assert_string_equal(read_into(0)->cmdline, "a=b");
	print_message("# bootparams.read.refuses_cmdline_across_ram_end\n");
	memcpy(mem_ptr(in.cmdline), "a=bc", 4);
	build_and_read_refused(&in, "boot_params: the command line at 0x3fffffc is not in RAM");
	print_message("# bootparams.read.refuses_cmdline_outside_ram\n");
	in.cmdline = OUT_OF_RAM;
	build_and_read_refused(&in, "boot_params: the command line at 0x5000000 is not in RAM");
	in.cmdline = UINT64_MAX - 3;
	build_and_read_refused(&in, "boot_params: the command line at 0xfffffffffffffffc is not in RAM");
}

static void test_framebuffer_is_left_out(void **state)
{
	const struct bootparams_in in = input();

	(void)state;
	fresh();
	build(&in);
	assert_int_equal(read_into(0)->fb.base, screen.base);
	BP->screen_info.red_pos = BP->screen_info.green_pos = BP->screen_info.blue_pos = 24;
	assert_int_equal(read_into(0)->fb.base, screen.base);
#define LEFT_OUT(what, change) do {					\
	print_message("# bootparams.read.leaves_out_screen_%s\n", what);	\
	build(&in);							\
	change;								\
	assert_int_equal(read_into(0)->fb.base, 0);			\
	assert_int_equal(read_into(0)->fb.size, 0);			\
} while (0)
	LEFT_OUT("vga_text", BP->screen_info.orig_video_isVGA = 1);
	LEFT_OUT("vesa", BP->screen_info.orig_video_isVGA = 0x23);
	LEFT_OUT("24_bits", BP->screen_info.lfb_depth = 24);
	LEFT_OUT("no_base", BP->screen_info.lfb_base = BP->screen_info.ext_lfb_base = 0);
	LEFT_OUT("no_width", BP->screen_info.lfb_width = 0);
	LEFT_OUT("no_height", BP->screen_info.lfb_height = 0);
	LEFT_OUT("short_lines", BP->screen_info.lfb_linelength = 5119);
	LEFT_OUT("too_small", BP->screen_info.lfb_size--);
	LEFT_OUT("red_beyond_32_bits", BP->screen_info.red_pos = 25);
	LEFT_OUT("green_beyond_32_bits", BP->screen_info.green_pos = 25);
	LEFT_OUT("blue_beyond_32_bits", BP->screen_info.blue_pos = 25);
	LEFT_OUT("beyond_52_bits", BP->screen_info.ext_lfb_base = 0x80000000);
	LEFT_OUT("in_ram", (BP->screen_info.ext_lfb_base = 0, BP->screen_info.lfb_base = 0x200000));
	LEFT_OUT("ends_in_pmem", (BP->screen_info.ext_lfb_base = 0,
				  BP->screen_info.lfb_base = 0xffffffff));
#undef LEFT_OUT
}

/* EFI_MEMORY_DESCRIPTOR with the stride Linux hands on. */
struct descriptor {
	uint32_t type, pad;
	uint64_t start, virtual_start, pages, attribute, later;
};

static void test_efi_info(void **state)
{
	const struct descriptor efi[] = {
		{ 5, 0, RAM_END + MIB(4), 0, 1024, BIT64(63) | BIT64(3), 0 },
		{ 6, 0, RAM_END + MIB(8), 0, 512, BIT64(63) | BIT64(3), 0 },
	};
	struct bootparams_in in = input();
	const struct boot_info *bi;

	(void)state;
	fresh();
	memcpy(mem_ptr(EFI_MAP), efi, sizeof(efi));
	in.efi_systab = RAM_END + MIB(8) + 24;
	in.efi_memmap = EFI_MAP;
	in.efi_memmap_size = sizeof(efi);
	in.efi_memdesc_size = sizeof(efi[0]);
	build(&in);
	bi = read_into(0);
	assert_int_equal(bi->efi_systab, in.efi_systab);
	assert_int_equal(memmap_at(bi->map, bi->nr_map, RAM_END + MIB(4))->kind, MEM_RUNTIME_CODE);
	assert_int_equal(memmap_at(bi->map, bi->nr_map, RAM_END + MIB(8))->kind, MEM_RUNTIME_DATA);
	assert_int_equal(memmap_at(bi->map, bi->nr_map, RAM_END + MIB(10))->kind, MEM_RESERVED);

	print_message("# bootparams.read.virtual_runtime_is_none\n");
	in.setup_data = 0x50000;
	put_node(0x50000, 0, 4, 96);
	build(&in);
	bi = read_into(0);
	assert_int_equal(bi->efi_systab, 0);
	assert_int_equal(memmap_at(bi->map, bi->nr_map, RAM_END + MIB(4))->kind, MEM_RUNTIME_CODE);

	print_message("# bootparams.read.foreign_signature_is_none\n");
	build(&in);
	memcpy(&BP->efi_info, "EL32", 4);
	bi = read_into(0);
	assert_int_equal(bi->efi_systab, 0);
	assert_int_equal(memmap_at(bi->map, bi->nr_map, RAM_END + MIB(4))->kind, MEM_RESERVED);

	print_message("# bootparams.read.refuses_efi_map_version\n");
	build(&in);
	BP->efi_info.efi_memdesc_version = 2;
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: efi_info is not one (system table 0x4800018, map of 96 bytes)");
	print_message("# bootparams.read.refuses_efi_without_table\n");
	build(&in);
	BP->efi_info.efi_systab = 0;
	assert_string_equal(read_into(-EBADMSG)->error,
			    "boot_params: efi_info is not one (system table 0x0, map of 96 bytes)");
	print_message("# bootparams.read.refuses_huge_efi_map\n");
	in.efi_memmap_size = 0x40001;
	build_and_read_refused(&in, "boot_params: efi_info is not one (system table 0x4800018, map of 262145 bytes)");
	print_message("# bootparams.read.refuses_efi_map_outside_ram\n");
	in.efi_memmap_size = sizeof(efi);
	in.efi_memmap = OUT_OF_RAM;
	build_and_read_refused(&in, "boot_params: the EFI memory map at 0x5000000 is not in RAM");
	print_message("# bootparams.read.refuses_efi_descriptor_size\n");
	in.efi_memmap = EFI_MAP;
	in.efi_memdesc_size = 39;
	build_and_read_refused(&in, "boot_params: the EFI memory map cannot be one (descriptors of 39 bytes)");
}

/* What a Linux before us passed is kept for another Linux, and never used by us. */
static void test_efi_relay(void **state)
{
	static const struct descriptor efi[2] = {
		{ 5, 0, RAM_END + MIB(4), 0xffffffef00000000, 1, BIT64(63) | 8, 0 },
		{ 6, 0, RAM_END + MIB(8), 0xffffffef00400000, 1, BIT64(63) | 8, 0 },
	};
	struct bootparams_in in = input();
	uint8_t *payload;
	struct boot_info *bi;

	(void)state;
	fresh();
	memcpy(mem_ptr(EFI_MAP), efi, sizeof(efi));
	in.efi_systab = RAM_END + MIB(8) + 24;
	in.efi_memmap = EFI_MAP;
	in.efi_memmap_size = sizeof(efi);
	in.efi_memdesc_size = sizeof(efi[0]);
	in.setup_data = 0x50000;
	put_node(0x50000, KHO_NODE, 4, 96);
	payload = mem_ptr(0x50010);
	for (unsigned i = 0; i < 96; i++)
		payload[i] = (uint8_t)(i * 3 + 1);
	build(&in);
	bi = read_into(0);
	assert_true(bi->has_kho);
	assert_int_equal(bi->efi_systab, 0);
	assert_int_equal(bi->efi_relay.systab, in.efi_systab);
	assert_int_equal(bi->efi_relay.desc_size, sizeof(efi[0]));
	assert_int_equal(bi->efi_relay.map_len, sizeof(efi));
	assert_memory_equal(bi->efi_relay.map, efi, sizeof(efi));
	assert_int_equal(bi->efi_relay.setup_len, 96);
	assert_memory_equal(bi->efi_relay.setup, payload, 96);

	print_message("# bootparams.read.no_relay_of_a_longer_setup_efi\n");
	put_node(0x50000, KHO_NODE, 4, BOOT_EFI_SETUP_MAX + 1);
	bi = read_into(0);
	assert_int_equal(bi->efi_systab, 0);
	assert_int_equal(bi->efi_relay.systab, 0);
	assert_true(bi->efi_relay.too_large);

	print_message("# bootparams.read.no_relay_of_a_longer_map\n");
	put_node(0x50000, KHO_NODE, 4, 96);
	memset(mem_ptr(EFI_MAP), 0, BOOT_EFI_MAP_MAX + 48);
	for (unsigned i = 0; i <= BOOT_EFI_MAP_MAX / 48; i++)
		memcpy(mem_ptr(EFI_MAP + i * 48), &efi[1], 48);
	in.efi_memmap_size = (BOOT_EFI_MAP_MAX / 48 + 1) * 48;
	build(&in);
	bi = read_into(0);
	assert_int_equal(bi->efi_relay.systab, 0);
	assert_int_equal(bi->efi_systab, 0);
	assert_true(bi->efi_relay.too_large);

	print_message("# bootparams.read.efi_without_a_map\n");
	BP->efi_info.efi_memmap_size = 0;
	BP->efi_info.efi_memmap = 0;
	bi = read_into(0);
	assert_int_equal(bi->efi_systab, 0);
	assert_false(bi->efi_relay.too_large);
}

/* Nothing is read that E820 does not call RAM, and nothing crashes. */
static const void *strict_at(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *bi = ctx;

	assert_true(memmap_is_ram(bi->map, bi->nr_map, pa, len));
	if (pa >= RAM_END || len > RAM_END - pa)
		return NULL;
	return mem_ptr(pa);
}

/* bootparams.read.initrd_in_runtime_memory: what the EFI map takes away is no RAM for the initrd either */
static void test_initrd_of_firmware(void **state)
{
	const struct descriptor efi = { 6, 0, MIB(3), 0, 1, BIT64(63) | BIT64(3), 0 };
	struct bootparams_in in = input();

	(void)state;
	fresh();
	memcpy(mem_ptr(EFI_MAP), &efi, sizeof(efi));
	in.efi_systab = MIB(3) + 24;
	in.efi_memmap = EFI_MAP;
	in.efi_memmap_size = in.efi_memdesc_size = sizeof(efi);
	in.initrd = MIB(2);
	in.initrd_size = MIB(1);
	build(&in);
	assert_int_equal(read_into(0)->initrd_size, MIB(1));
	in.initrd_size++;
	build_and_read_refused(&in, "boot_params: the initrd at 0x200000 (0x100001 bytes) is not in RAM, or larger than 1 GiB");
}

static void test_random_damage(void **state)
{
	static struct boot_info bi;
	const struct phys_reader strict = { strict_at, &bi };
	struct bootparams_in in = input();
	unsigned accepted = 0, refused = 0;

	(void)state;
	fresh();
	in.efi_systab = RAM_END + MIB(8);
	in.efi_memmap = EFI_MAP;
	in.efi_memmap_size = sizeof(struct descriptor);
	in.efi_memdesc_size = sizeof(struct descriptor);
	in.setup_data = 0x50000;
	srand(5);
	for (int i = 0; i < 20000; i++) {
		static const uint16_t hot[] = { 0x1c0, 0x1e8, 0x228, 0x250, 0x2d0, 0x2e4, 0x2f8, 0x00f };

		put_node(0x50000, KHO_NODE, 1, 40);
		memset(mem_ptr(0x50010), 0, 40);
		setup_data_kho(mem_ptr(KHO_NODE), 0, 1, 2, 3, 4);
		memcpy(mem_ptr(EFI_MAP), &(struct descriptor){ 6, 0, RAM_END + MIB(8), 0, 1, 8, 0 }, 48);
		build(&in);
		for (int n = rand() % 4; n >= 0; n--) {
			static const paddr_t places[] = { ZERO_PAGE, 0x50000, KHO_NODE, EFI_MAP };
			const paddr_t at = places[(size_t)rand() % 4];
			const size_t off = at == ZERO_PAGE ?
				hot[(size_t)rand() % ARRAY_SIZE(hot)] + (size_t)rand() % 48 :
				(size_t)rand() % 48;

			*(uint8_t *)mem_ptr(at + off) = (uint8_t)(rand() % 2 ? rand() : 0xff);
		}
		memset(&bi, 0, sizeof(bi));
		if (bootparams_read(mem_ptr(ZERO_PAGE), &strict, &bi))
			refused++;
		else
			accepted++;
		assert_true(bi.nr_map <= BOOT_MAX_RANGES);
		assert_non_null(memchr(bi.cmdline, 0, sizeof(bi.cmdline)));
		for (size_t j = 1; j < bi.nr_map; j++)
			assert_true(bi.map[j - 1].base + bi.map[j - 1].len <= bi.map[j].base);
	}
	assert_true(accepted > 1000 && refused > 1000);
}

/* ---- bzImage ----------------------------------------------------------------------------- */

static void test_bzimage_good(void **state)
{
	const char *why = NULL;
	struct bzimage b;

	(void)state;
	make_image();
	assert_int_equal(bzimage_check(span_of(image, sizeof(image)), &b, &why), 0);
	assert_int_equal(b.setup_bytes, SETUP_BYTES);
	assert_int_equal(b.pm_offset, SETUP_BYTES);
	assert_int_equal(b.pm_len, PM_BYTES);
	assert_int_equal(b.init_size, 0x41000);
	assert_int_equal(b.align, 0x200000);
	assert_int_equal(b.pref, 0x1000000);
	assert_int_equal(b.cmdline_size, 2047);
	assert_int_equal(b.xloadflags, 0x33);
	print_message("# bzimage.oldest_protocol_shortest_header\n");
	image[0x206] = 0x0c;
	image[0x201] = 0x62;
	assert_int_equal(bzimage_check(span_of(image, sizeof(image)), &b, &why), 0);
	print_message("# bzimage.shortest_file\n");
	image[0x1f1] = 0;
	assert_int_equal(bzimage_check(span_of(image, 1024), &b, &why), -EBADMSG);
	assert_string_equal(why, "the image is truncated: its protected-mode part is missing or cut");
	make_image();
	print_message("# bzimage.init_size_of_exactly_the_file\n");
	memcpy(image + 0x260, &(uint32_t){ PM_BYTES }, 4);
	assert_int_equal(bzimage_check(span_of(image, sizeof(image)), &b, &why), 0);
	assert_int_equal(b.init_size, PM_BYTES);
	print_message("# bzimage.no_setup_sects_means_4\n");
	memcpy(image + 0x260, &(uint32_t){ 0x40001 }, 4);
	image[0x1f1] = 0;
	assert_int_equal(bzimage_check(span_of(image, sizeof(image)), &b, &why), 0);
	assert_int_equal(b.pm_offset, 2560);
	print_message("# bzimage.small_alignment_and_low_address_are_raised\n");
	memset(image + 0x230, 0, 4);
	memset(image + 0x258, 0, 8);
	assert_int_equal(bzimage_check(span_of(image, sizeof(image)), &b, &why), 0);
	assert_int_equal(b.align, 4096);
	assert_int_equal(b.pref, MIB(1));
}

static void test_bzimage_refusals(void **state)
{
	static const struct {
		const char *name;
		size_t len, off;
		uint32_t value;
		size_t bytes;
		int err;
		const char *why;
	} cases[] = {
		{ "truncated_header", 1023, 0, 0, 0, -EBADMSG,
		  "the image is truncated: no room for a setup header" },
		{ "empty", 0, 0, 0, 0, -EBADMSG, "the image is truncated: no room for a setup header" },
		{ "boot_flag", sizeof(image), 0x1fe, 0xaa54, 2, -EBADMSG,
		  "the image is no bzImage: boot flag AA55h is missing" },
		{ "magic", sizeof(image), 0x202, 0x53726449, 4, -EBADMSG,
		  "the image is no bzImage: \"HdrS\" is missing" },
		{ "version", sizeof(image), 0x206, 0x20b, 2, -EOPNOTSUPP,
		  "the image speaks a boot protocol older than 2.12" },
		{ "zimage", sizeof(image), 0x211, 0, 1, -EOPNOTSUPP,
		  "the image is a zImage, to be loaded below 1 MiB" },
		{ "32_bit", sizeof(image), 0x236, 0x32, 2, -EOPNOTSUPP,
		  "the image is a 32-bit kernel: it has no 64-bit entry" },
		{ "below_4g", sizeof(image), 0x236, 0x31, 2, -EOPNOTSUPP,
		  "the image cannot be given data above 4 GiB" },
		{ "not_relocatable", sizeof(image), 0x234, 0, 1, -EOPNOTSUPP,
		  "the image runs at one fixed address only" },
		{ "jump_too_short", sizeof(image), 0x201, 0x61, 1, -EBADMSG,
		  "the image's setup header has a length that cannot be" },
		{ "jump_is_signed", sizeof(image), 0x201, 0x80, 1, -EBADMSG,
		  "the image's setup header has a length that cannot be" },
		{ "no_protected_mode_part", SETUP_BYTES, 0, 0, 0, -EBADMSG,
		  "the image is truncated: its protected-mode part is missing or cut" },
		{ "cut_short", sizeof(image), 0x1f4, PM_BYTES / 16 + 1, 4, -EBADMSG,
		  "the image is truncated: its protected-mode part is missing or cut" },
		{ "setup_longer_than_file", sizeof(image), 0x1f1, 0xff, 1, -EBADMSG,
		  "the image is truncated: its protected-mode part is missing or cut" },
		{ "alignment", sizeof(image), 0x230, 0x300000, 4, -EBADMSG,
		  "the image asks for an alignment that is no power of two" },
		{ "init_size", sizeof(image), 0x260, PM_BYTES - 4096, 4, -EBADMSG,
		  "the image needs less memory than it fills" },
		{ "setup_data", sizeof(image), 0x254, 1, 4, -EBADMSG,
		  "the image brings a setup_data list of its own" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *exact = malloc(cases[i].len ? cases[i].len : 1);
		const char *why = NULL;
		struct bzimage b;

		print_message("# bzimage.refuses.%s\n", cases[i].name);
		make_image();
		memcpy(image + cases[i].off, &cases[i].value, cases[i].bytes);
		memcpy(exact, image, cases[i].len);
		assert_int_equal(bzimage_check(span_of(exact, cases[i].len), &b, &why), cases[i].err);
		assert_string_equal(why, cases[i].why);
		free(exact);
	}
	print_message("# bzimage.one_byte_of_protected_mode_part_will_do\n");
	make_image();
	assert_int_equal(bzimage_check(span_of(image, SETUP_BYTES + 1), &(struct bzimage){ 0 },
				       &(const char *){ NULL }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_fields_are_where_linux_reads_them),
		cmocka_unit_test(test_initrd_in_the_file),
		cmocka_unit_test(test_header_copy_ends_where_the_jump_says),
		cmocka_unit_test(test_written_e820),
		cmocka_unit_test(test_what_cannot_be_expressed),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_kho_no_cmdline_no_screen),
		cmocka_unit_test(test_more_than_128_entries),
		cmocka_unit_test(test_initrd),
		cmocka_unit_test(test_initrd_of_firmware),
		cmocka_unit_test(test_broken_e820),
		cmocka_unit_test(test_too_many_ranges),
		cmocka_unit_test(test_setup_data_list),
		cmocka_unit_test(test_kho_node),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_framebuffer_is_left_out),
		cmocka_unit_test(test_efi_info),
		cmocka_unit_test(test_efi_relay),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_bzimage_good),
		cmocka_unit_test(test_bzimage_refusals),
	};

	return cmocka_run_group_tests_name("bootparams", tests, NULL, NULL);
}
