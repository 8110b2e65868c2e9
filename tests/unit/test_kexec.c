/* Loading the next image, a Baton or a Linux: where each part is placed, that all of it is digested,
 * what does not fit.  The processor's page tables are a stand-in: paging.c reads control registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "kernel/handover/bootparams.h"
#include "kernel/handover/kexec.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/setup_data.h"
#include "platform/mem.h"

#define OWN		MIB(64)
#define NEXT		MIB(96)
#define HALF		MIB(32)
#define KERNEL_BYTES	(3 * PAGE_SIZE + 123)
#define INIT_SIZE	MIB(1)
#define TABLE_PAGES	7		/* what the stand-in takes */

/* No longer than what header.S has. */
const uint8_t header_template[0x26c] = { [0] = 'M', [0x26b] = 0x7f };
const uint32_t header_template_size = sizeof(header_template);
_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params);

static struct boot_info bi;
static struct window w;
static struct kexec_target t;
static struct kexec_image image;
static const char *why;
static uint8_t file[4096 + KERNEL_BYTES];
static const struct kho_data kho = { 0x7f000000, 4096, 0x7f001000, 16 };

/* ---- stand-ins ------------------------------------------------------------------------------- */

static paddr_t tables[TABLE_PAGES];
static uint64_t mapped_flags;

/* A table must come zeroed: what is not mapped is not present. */
static paddr_t take_table(struct page_tables *pt)
{
	static const uint8_t zero[PAGE_SIZE];
	const paddr_t pa = pt->alloc(pt->ctx);

	if (pa)
		assert_memory_equal(mem_ptr(pa), zero, sizeof(zero));
	return pa;
}

int page_tables_init(struct page_tables *pt, paddr_t (*alloc)(void *ctx), void *ctx)
{
	*pt = (struct page_tables){ .levels = 4, .alloc = alloc, .ctx = ctx };
	pt->top = tables[0] = take_table(pt);
	return pt->top ? 0 : -ENOMEM;
}

int page_tables_map_ram(struct page_tables *pt, const struct boot_info *map, uint64_t flags)
{
	assert_ptr_equal(map, &bi);
	mapped_flags = flags;
	for (unsigned i = 1; i < TABLE_PAGES; i++) {
		tables[i] = take_table(pt);
		if (!tables[i])
			return -ENOMEM;
	}
	return 0;
}

static unsigned levels;

unsigned paging_levels(void)
{
	return levels;
}

static uint64_t low_mapped;

int page_tables_map(struct page_tables *pt, paddr_t pa, uint64_t len, uint64_t flags)
{
	assert_int_equal(pt->top, tables[0]);
	assert_int_equal(pa, 0);
	assert_int_equal(flags, PT_P | PT_W);
	low_mapped = len;
	return 0;
}

static jmp_buf jumped;
static uint64_t jump_args[3];

void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params)
{
	jump_args[0] = cr3;
	jump_args[1] = entry;
	jump_args[2] = boot_params;
	longjmp(jumped, 1);
}

/* ---- a file, a machine ----------------------------------------------------------------------- */

static void put(unsigned off, unsigned size, uint64_t v)
{
	memcpy(file + off, &v, size);
}

/* A setup header by the boot protocol (Linux Documentation/arch/x86/boot.rst), and a kernel whose
 * bytes tell their place. */
static void make_file(void)
{
	memset(file, 0, sizeof(file));
	put(0x1f1, 1, 7);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x6aeb);
	memcpy(file + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x211, 1, 1);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, MIB(2));
	put(0x234, 1, 1);
	put(0x236, 2, 0x23);
	put(0x238, 4, 2047);
	put(0x258, 8, MIB(1));
	put(0x260, 4, INIT_SIZE);
	for (size_t i = 0; i < KERNEL_BYTES; i++)
		file[4096 + i] = (uint8_t)(i * 7 + (i >> 8));
}

static int setup(void **state)
{
	static const struct mem_range map[] = {
		{ 0, KIB(640), MEM_CONVENTIONAL },
		{ MIB(1), MIB(1023), MEM_CONVENTIONAL },
		{ GIB(1), MIB(1), MEM_RUNTIME_CODE },
		{ GIB(1) + MIB(1), MIB(2), MEM_RUNTIME_DATA },
		{ GIB(1) + MIB(3), MIB(1), MEM_ACPI_RECLAIM },
	};

	(void)state;
	arena_reset(GIB(2), GIB(2) + MIB(1));
	memset(mem_ptr(OWN), 0xa5, 2 * HALF);	/* what earlier generations left */
	memset(&bi, 0, sizeof(bi));
	memcpy(bi.map, map, sizeof(map));
	bi.nr_map = ARRAY_SIZE(map);
	bi.rsdp = 0xe0000;
	w = (struct window){ .own = OWN, .next = NEXT, .half = HALF };
	mapped_flags = low_mapped = 0;
	levels = 4;
	image = (struct kexec_image){ 0 };
	make_file();
	return 0;
}

static int load(const char *cmdline)
{
	why = NULL;
	image.file = span_of(file, sizeof(file));
	image.cmdline = cmdline;
	return kexec_load(&bi, &w, &image, &kho, &t, &why);
}

static const struct kexec_part *part(const char *name)
{
	for (unsigned i = 0; i < t.nr_parts; i++)
		if (!strcmp(t.part[i].name, name))
			return &t.part[i];
	fail_msg("no part \"%s\"", name);
	return NULL;
}

static bool inside(const struct kexec_part *p, paddr_t pa, uint64_t len)
{
	return pa >= p->pa && pa + len <= p->pa + p->len;
}

/* kexec.image_placed: at the bottom of the other half, aligned, zeroed up to init_size */
static void test_image(void **state)
{
	const struct kexec_part *loaded;
	const uint8_t *p;

	(void)state;
	w.next = NEXT - MIB(1);		/* not a multiple of the kernel's alignment */
	assert_int_equal(load("generation=1"), 0);
	loaded = part("image");
	assert_int_equal(loaded->pa, NEXT);
	assert_int_equal(loaded->len, KERNEL_BYTES);
	assert_int_equal(t.entry, NEXT + 0x200);
	p = mem_ptr(loaded->pa);
	assert_memory_equal(p, file + 4096, KERNEL_BYTES);
	for (size_t i = KERNEL_BYTES; i < INIT_SIZE; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(p[INIT_SIZE], 0xa5);
	assert_int_equal(p[-1], 0xa5);
}

/* kexec.load_address: what the kernel prefers, if it lies above the half's start */
static void test_preferred(void **state)
{
	(void)state;
	put(0x258, 8, NEXT + MIB(3));
	assert_int_equal(load(""), 0);
	assert_int_equal(part("image")->pa, NEXT + MIB(4));
	put(0x258, 8, NEXT + HALF);
	assert_int_equal(load(""), -ENOMEM);
	put(0x258, 8, GIB(4));
	assert_int_equal(load(""), -ENOMEM);
}

/* kexec.own_half_untouched, and nothing outside the other one */
static void test_inside(void **state)
{
	const uint8_t *own = mem_ptr(OWN), *behind = mem_ptr(NEXT + HALF);

	(void)state;
	memset(mem_ptr(NEXT + HALF), 0xa5, MIB(1));
	assert_int_equal(load("generation=1"), 0);
	for (size_t i = 0; i < HALF; i++)
		if (own[i] != 0xa5)
			fail_msg("byte %zx of our own half was written", i);
	for (size_t i = 0; i < MIB(1); i++)
		if (behind[i] != 0xa5)
			fail_msg("byte %zx behind the half was written", i);
}

/* kexec.parts_apart: the image's window at the bottom, all else in one piece at the top */
static void test_apart(void **state)
{
	const struct kexec_part *loaded = &t.part[0], *rest = &t.part[1];

	(void)state;
	assert_int_equal(load("generation=1"), 0);
	assert_int_equal(t.nr_parts, 2);
	assert_ptr_equal(loaded, part("image"));
	assert_int_equal(rest->pa + rest->len, NEXT + HALF);
	assert_true(rest->pa >= loaded->pa + INIT_SIZE);
	assert_true(inside(rest, t.boot_params, BOOTPARAMS_SIZE));
	for (unsigned i = 0; i < TABLE_PAGES; i++) {
		assert_true(inside(rest, tables[i], PAGE_SIZE));
		assert_false(ranges_overlap(tables[i], PAGE_SIZE, t.boot_params, BOOTPARAMS_SIZE));
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(tables[i], tables[j]);
	}
	assert_true(IS_ALIGNED(t.boot_params, PAGE_SIZE));
	assert_int_equal(t.tables, tables[0]);
	assert_int_equal(mapped_flags, PT_P | PT_W);	/* executable: the next kernel runs on it */
}

static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	(void)len;
	return mem_ptr(pa);
}

/* kexec.next_kernel_reads_it: our own reader finds command line, map, RSDP and the handoff */
static void test_read_back(void **state)
{
	static struct boot_info next;
	const struct phys_reader rd = { .at = at };

	(void)state;
	assert_int_equal(load("generation=1 rate=4000"), 0);
	memset(&next, 0, sizeof(next));
	assert_int_equal(bootparams_read(mem_ptr(t.boot_params), &rd, &next), 0);
	assert_string_equal(next.error, "");
	assert_string_equal(next.cmdline, "generation=1 rate=4000");
	assert_int_equal(next.rsdp, bi.rsdp);
	assert_true(next.has_kho);
	assert_int_equal(next.kho_fdt, kho.fdt_pa);
	assert_int_equal(next.kho_fdt_size, kho.fdt_size);
	assert_int_equal(next.kho_scratch, kho.scratch_pa);
	assert_int_equal(next.kho_scratch_size, kho.scratch_size);
	assert_int_equal(memmap_total_ram(next.map, next.nr_map),
			 memmap_total_ram(bi.map, bi.nr_map));
	assert_int_equal(next.efi_systab, 0);
}

/* kexec.runtime_regions: told only with an EFI system table, one descriptor each */
static void test_runtime(void **state)
{
	static struct boot_info next;
	const struct phys_reader rd = { .at = at };

	(void)state;
	bi.efi_systab = GIB(1) + MIB(1) + 0x18;
	assert_int_equal(load("generation=1"), 0);
	memset(&next, 0, sizeof(next));
	assert_int_equal(bootparams_read(mem_ptr(t.boot_params), &rd, &next), 0);
	assert_int_equal(next.efi_systab, bi.efi_systab);
	assert_int_equal(memmap_at(next.map, next.nr_map, GIB(1))->kind, MEM_RUNTIME_CODE);
	assert_int_equal(memmap_at(next.map, next.nr_map, GIB(1))->len, MIB(1));
	assert_int_equal(memmap_at(next.map, next.nr_map, GIB(1) + MIB(1))->kind, MEM_RUNTIME_DATA);
	assert_int_equal(memmap_at(next.map, next.nr_map, GIB(1) + MIB(1))->len, MIB(2));
}

/* kexec.changed_part_named: one bit anywhere in what was loaded, tables for the jump included */
static void test_changed(void **state)
{
	(void)state;
	assert_int_equal(load("generation=1"), 0);
	assert_null(kexec_changed_part(&t));
	for (unsigned i = 0; i < t.nr_parts; i++) {
		const struct kexec_part *p = &t.part[i];
		uint8_t *bytes = mem_ptr(p->pa);

		assert_int_equal(p->crc32c, kho_crc32c(0, bytes, p->len));
		for (uint64_t off = 0; off < p->len; off += 509) {
			bytes[off] ^= 0x10;
			assert_ptr_equal(kexec_changed_part(&t), p->name);
			bytes[off] ^= 0x10;
		}
		bytes[p->len - 1] ^= 1;
		assert_ptr_equal(kexec_changed_part(&t), p->name);
		bytes[p->len - 1] ^= 1;
	}
	for (unsigned i = 0; i < TABLE_PAGES; i++) {
		*(uint64_t *)mem_ptr(tables[i]) ^= PT_P;
		assert_ptr_equal(kexec_changed_part(&t), t.part[1].name);
		*(uint64_t *)mem_ptr(tables[i]) ^= PT_P;
	}
	assert_null(kexec_changed_part(&t));
}

/* kexec.does_not_fit: every size of the half up to the first that holds it */
static void test_does_not_fit(void **state)
{
	/* The image's window; command line, setup_data, boot_params; four pages of E820; tables. */
	const uint64_t needed = INIT_SIZE + (3 + 4 + TABLE_PAGES) * PAGE_SIZE;

	(void)state;
	for (w.half = PAGE_SIZE; w.half < needed; w.half += PAGE_SIZE) {
		const uint8_t *behind = mem_ptr(w.next + w.half);

		assert_int_equal(load("generation=1"), -ENOMEM);
		assert_string_equal(why, w.half < INIT_SIZE ?
				    "the next image does not fit into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)" :
				    "page tables and boot_params do not fit beside the next image into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)");
		assert_int_equal(*behind, 0xa5);
	}
	assert_int_equal(load("generation=1"), 0);
}

/* ---- a Linux ----------------------------------------------------------------------------------- */

static uint8_t initrd[2 * PAGE_SIZE + 77];

static void make_linux(enum config_efi efi)
{
	for (size_t i = 0; i < sizeof(initrd); i++)
		initrd[i] = (uint8_t)(i * 13 + 5);
	image = (struct kexec_image){ .initrd = span_of(initrd, sizeof(initrd)), .is_linux = true,
				      .efi = efi };
}

static uint32_t field32(unsigned off)
{
	uint32_t v;

	memcpy(&v, (uint8_t *)mem_ptr(t.boot_params) + off, sizeof(v));
	return v;
}

/* kexec.linux_initrd: page aligned, whole, announced; the first MiB mapped; no EFI information */
static void test_linux(void **state)
{
	paddr_t pa;

	(void)state;
	make_linux(EFI_INFO_NONE);
	bi.efi_systab = GIB(1) + MIB(1);
	assert_int_equal(load("console=ttyS0"), 0);
	pa = field32(0x218) | (uint64_t)field32(0xc0) << 32;
	assert_int_equal(field32(0x21c), sizeof(initrd));
	assert_true(IS_ALIGNED(pa, PAGE_SIZE));
	assert_true(inside(&t.part[1], pa, sizeof(initrd)));
	assert_memory_equal(mem_ptr(pa), initrd, sizeof(initrd));
	assert_int_equal(((uint8_t *)mem_ptr(t.boot_params))[0x210], 0xff);
	assert_int_equal(((uint8_t *)mem_ptr(t.boot_params))[0x1ef], 0);
	for (unsigned off = 0x1c0; off < 0x1e0; off += 4)
		assert_int_equal(field32(off), 0);
	assert_int_equal(low_mapped, MIB(1));
	image.is_linux = false;
	low_mapped = 0;
	assert_int_equal(load("generation=1"), 0);
	assert_int_equal(low_mapped, 0);	/* a Baton finds its null page unmapped */
}

static paddr_t node_pa;

/* Type of the n-th node of setup_data, -1 behind the last. */
static int setup_node(unsigned n)
{
	struct kho_setup_header h = { .next = field32(0x250) | (uint64_t)field32(0x254) << 32 };

	for (unsigned i = 0; i <= n; i++) {
		node_pa = h.next;
		if (!node_pa)
			return -1;
		memcpy(&h, mem_ptr(node_pa), sizeof(h));
	}
	return (int)h.type;
}

/* kexec.linux_efi_first: firmware's map, byte for byte, and its system table */
static void test_linux_efi_first(void **state)
{
	uint8_t *map = mem_ptr(MIB(700));
	paddr_t pa;

	(void)state;
	make_linux(EFI_INFO_FIRST);
	bi.efi_systab = GIB(1) + MIB(1) + 0x18;
	assert_int_equal(load(""), -ENOENT);
	assert_string_equal(why, "efi=first: only a generation 0 started by UEFI has firmware's memory map");
	for (unsigned i = 0; i < 480; i++)
		map[i] = (uint8_t)(i + 9);
	bi.efi_map = (struct boot_file){ MIB(700), 480 };
	bi.efi_map_desc_size = 48;
	bi.efi_systab = 0;
	assert_int_equal(load(""), -ENOENT);
	bi.efi_systab = GIB(1) + MIB(1) + 0x18;
	assert_int_equal(load(""), 0);
	assert_memory_equal((uint8_t *)mem_ptr(t.boot_params) + 0x1c0, "EL64", 4);
	assert_int_equal(field32(0x1c4), bi.efi_systab);
	assert_int_equal(field32(0x1c8), 48);
	assert_int_equal(field32(0x1d4), 480);
	pa = field32(0x1d0) | (uint64_t)field32(0x1dc) << 32;
	assert_true(inside(&t.part[1], pa, 480));
	assert_memory_equal(mem_ptr(pa), map, 480);
	/* In a node of the list, behind KHO's: KASLR stays clear of those. */
	assert_int_equal(setup_node(0), 10);
	assert_int_equal(setup_node(2), -1);
	assert_int_equal(setup_node(1), 0);
	assert_int_equal(node_pa + 16, pa);
}

/* kexec.efi_relay: what an earlier Linux passed goes on to Linux and to every Baton in between */
static void test_efi_relay(void **state)
{
	static struct boot_info next;
	const struct phys_reader rd = { .at = at };
	struct boot_efi_relay *relay = &bi.efi_relay;

	(void)state;
	make_linux(EFI_INFO_RELAY);
	assert_int_equal(load(""), -ENOENT);
	assert_string_equal(why, "efi=relay: no Linux before us passed EFI information");
	relay->too_large = true;
	assert_int_equal(load(""), -ENOENT);
	assert_string_equal(why, "efi=relay: the EFI information of the Linux before us is larger than is kept");
	*relay = (struct boot_efi_relay){ .systab = GIB(1) + 0x18, .desc_size = 48, .map_len = 96,
					  .setup_len = 96 };
	for (unsigned i = 0; i < 2; i++)
		memcpy(&relay->map[i * 48], (uint64_t[]){ 5 + i, GIB(1) + i * MIB(1), ~0ULL << 32, 1, 8, 0 }, 48);
	for (unsigned i = 0; i < 96; i++)
		relay->setup[i] = (uint8_t)(i + 1);
	for (unsigned i = 0; i < 2; i++) {
		image.is_linux = i;
		image.efi = EFI_INFO_RELAY;
		assert_int_equal(load(""), 0);
		memset(&next, 0, sizeof(next));
		assert_int_equal(bootparams_read(mem_ptr(t.boot_params), &rd, &next), 0);
		assert_true(next.has_kho);
		assert_memory_equal(&next.efi_relay, relay, sizeof(*relay));
		assert_int_equal(next.efi_systab, 0);
	}
	image.efi = EFI_INFO_NONE;
	assert_int_equal(load(""), 0);
	memset(&next, 0, sizeof(next));
	assert_int_equal(bootparams_read(mem_ptr(t.boot_params), &rd, &next), 0);
	assert_int_equal(next.efi_relay.systab, 0);
}

/* kexec.linux_refused: each by its name, found by the check as well, which places nothing */
static void test_linux_refused(void **state)
{
	static char cmdline[2049];

	(void)state;
	make_linux(EFI_INFO_NONE);
	image.file = span_of(file, sizeof(file));
	image.cmdline = cmdline;
	memset(cmdline, 'x', 2048);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -ENOSPC);
	assert_string_equal(why, "the command line is longer than this kernel takes");
	assert_int_equal(load(cmdline), -ENOSPC);
	cmdline[2047] = 0;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), 0);
	assert_int_equal(*(uint8_t *)mem_ptr(NEXT), 0xa5);
	assert_int_equal(load(cmdline), 0);

	w.half = INIT_SIZE + sizeof(initrd) + MIB(2);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), 0);
	w.half--;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -ENOMEM);
	assert_string_equal(why, "page tables and boot_params do not fit beside the next image into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)");
	w.half = INIT_SIZE + sizeof(initrd) - 1;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -ENOMEM);
	assert_string_equal(why, "the initrd does not fit beside the kernel into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)");
	w.half = INIT_SIZE - 1;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -ENOMEM);
	assert_string_equal(why, "the next image does not fit into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)");
	put(0x236, 2, 0x22);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -EOPNOTSUPP);
	assert_string_equal(why, "the image is a 32-bit kernel: it has no 64-bit entry");
	put(0x236, 2, 0x03);
	w.half = HALF;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), 0);
	levels = 5;
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -EOPNOTSUPP);
	assert_string_equal(why, "the image cannot be entered with 5-level paging, which is on");
	put(0x236, 2, 0x23);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), 0);
	put(0x258, 8, ~5ULL);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -EBADMSG);
	assert_string_equal(why, "the image asks for an address that cannot be");
	put(0x258, 8, BIT64(52) - MIB(1));
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -ENOMEM);
	put(0x258, 8, MIB(1));
	put(0x1f4, 4, KERNEL_BYTES / 16 + 1);
	assert_int_equal(kexec_check(&bi, &w, &image, &why), -EBADMSG);
	assert_string_equal(why, "the image is truncated: its protected-mode part is missing or cut");
}

/* kexec.bad_file: refused by name, nothing placed */
static void test_bad_file(void **state)
{
	(void)state;
	put(0x202, 4, 0);
	assert_int_equal(load("generation=1"), -EBADMSG);
	assert_non_null(why);
	assert_int_equal(t.nr_parts, 0);
	assert_int_equal(*(uint8_t *)mem_ptr(NEXT), 0xa5);
	make_file();
	put(0x236, 2, 0);
	assert_int_equal(load("generation=1"), -EOPNOTSUPP);
}

/* kexec.own_file: the header page, then the image as it was before relocation */
static void test_own_file(void **state)
{
	struct span own = { 0 };

	(void)state;
	scratch_init(MIB(600), MIB(1));
	bi.pristine = file + 4096;
	bi.pristine_size = KERNEL_BYTES;
	assert_true(kexec_own_file(&bi, &own));
	assert_int_equal(own.len, 4096 + KERNEL_BYTES);
	assert_memory_equal(own.p, header_template, sizeof(header_template));
	for (size_t i = sizeof(header_template); i < 4096; i++)
		assert_int_equal(own.p[i], 0);
	assert_memory_equal(own.p + 4096, file + 4096, KERNEL_BYTES);
	scratch_init(MIB(600), 4096 + KERNEL_BYTES - 1);
	assert_false(kexec_own_file(&bi, &own));
}

/* kexec.jumps_to_what_was_loaded */
static void test_jump(void **state)
{
	(void)state;
	assert_int_equal(load("generation=1"), 0);
	if (!setjmp(jumped))
		kexec_jump(&t);
	assert_int_equal(jump_args[0], tables[0]);
	assert_int_equal(jump_args[1], part("image")->pa + 0x200);
	assert_int_equal(jump_args[2], t.boot_params);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_image, setup),
		cmocka_unit_test_setup(test_preferred, setup),
		cmocka_unit_test_setup(test_inside, setup),
		cmocka_unit_test_setup(test_apart, setup),
		cmocka_unit_test_setup(test_read_back, setup),
		cmocka_unit_test_setup(test_runtime, setup),
		cmocka_unit_test_setup(test_changed, setup),
		cmocka_unit_test_setup(test_does_not_fit, setup),
		cmocka_unit_test_setup(test_linux, setup),
		cmocka_unit_test_setup(test_linux_efi_first, setup),
		cmocka_unit_test_setup(test_efi_relay, setup),
		cmocka_unit_test_setup(test_linux_refused, setup),
		cmocka_unit_test_setup(test_bad_file, setup),
		cmocka_unit_test_setup(test_own_file, setup),
		cmocka_unit_test_setup(test_jump, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
