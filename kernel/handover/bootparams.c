#include "kernel/handover/bootparams.h"

#include <stdarg.h>
#include <string.h>

#include "errno.h"
#include "kernel/console/printf.h"
#include "kernel/memory/memmap.h"
#include "kho/abi.h"

/* struct boot_params (Linux asm/bootparam.h, Documentation/arch/x86/zero-page.rst); the setup
 * header in it has the same offsets in a bzImage file. */
#define BP_VIDEO_IS_VGA		0x00f	/* u8, orig_video_isVGA of screen_info */
#define   VIDEO_TYPE_EFI	0x70	/* lfb_size is in bytes */
#define BP_LFB_WIDTH		0x012	/* u16 */
#define BP_LFB_HEIGHT		0x014	/* u16 */
#define BP_LFB_DEPTH		0x016	/* u16, bits per pixel */
#define BP_LFB_BASE		0x018	/* u32 */
#define BP_LFB_SIZE		0x01c	/* u32 */
#define BP_LFB_LINELENGTH	0x024	/* u16, bytes */
#define BP_RED_SIZE		0x026	/* u8 */
#define BP_RED_POS		0x027	/* u8 */
#define BP_GREEN_SIZE		0x028	/* u8 */
#define BP_GREEN_POS		0x029	/* u8 */
#define BP_BLUE_SIZE		0x02a	/* u8 */
#define BP_BLUE_POS		0x02b	/* u8 */
#define BP_CAPABILITIES		0x036	/* u32 */
#define   VIDEO_64BIT_BASE	BIT32(1)
#define BP_EXT_LFB_BASE		0x03a	/* u32 */
#define BP_ACPI_RSDP_ADDR	0x070	/* u64 */
#define BP_EXT_RAMDISK_IMAGE	0x0c0	/* u32, as the two after it: high 32 bits */
#define BP_EXT_RAMDISK_SIZE	0x0c4
#define BP_EXT_CMD_LINE_PTR	0x0c8
#define BP_EFI_SIGNATURE	0x1c0	/* u32 */
#define   EFI_SIGNATURE_64	0x34364c45	/* "EL64" */
#define BP_EFI_SYSTAB		0x1c4	/* u32 */
#define BP_EFI_MEMDESC_SIZE	0x1c8	/* u32 */
#define BP_EFI_MEMDESC_VERSION	0x1cc	/* u32 */
#define   EFI_MEMDESC_VERSION	1
#define BP_EFI_MEMMAP		0x1d0	/* u32 */
#define BP_EFI_MEMMAP_SIZE	0x1d4	/* u32 */
#define BP_EFI_SYSTAB_HI	0x1d8	/* u32 */
#define BP_EFI_MEMMAP_HI	0x1dc	/* u32 */
#define BP_E820_ENTRIES		0x1e8	/* u8 */
#define BP_SETUP_SECTS		0x1f1	/* u8, setup header from here on */
#define BP_SYSSIZE		0x1f4	/* u32, of the protected-mode part, in units of 16 bytes */
#define BP_BOOT_FLAG		0x1fe	/* u16 */
#define   BOOT_FLAG		0xaa55
#define BP_JUMP_LENGTH		0x201	/* u8, the setup header ends this far behind 202h */
#define BP_HEADER		0x202	/* u32 */
#define   HEADER_MAGIC		0x53726448	/* "HdrS" */
#define BP_VERSION		0x206	/* u16 */
#define   VERSION_MIN		0x020c	/* first one with xloadflags */
#define BP_TYPE_OF_LOADER	0x210	/* u8 */
#define   LOADER_UNDEFINED	0xff
#define BP_LOADFLAGS		0x211	/* u8 */
#define   LOADED_HIGH		0x01
#define BP_RAMDISK_IMAGE	0x218	/* u32 */
#define BP_RAMDISK_SIZE		0x21c	/* u32 */
#define BP_CMD_LINE_PTR		0x228	/* u32 */
#define BP_KERNEL_ALIGNMENT	0x230	/* u32 */
#define BP_RELOCATABLE		0x234	/* u8 */
#define BP_XLOADFLAGS		0x236	/* u16 */
#define BP_CMDLINE_SIZE		0x238	/* u32 */
#define BP_SETUP_DATA		0x250	/* u64 */
#define BP_PREF_ADDRESS		0x258	/* u64 */
#define BP_INIT_SIZE		0x260	/* u32 */
#define BP_HEADER_MIN_END	0x264	/* a header that ends earlier has no init_size */
#define BP_E820_TABLE		0x2d0
static_assert(BP_E820_TABLE + BOOTPARAMS_MAX_E820 * sizeof(struct e820_entry_ser) <=
	      BOOTPARAMS_SIZE, "the table lies inside the page");

#define SECTOR_SIZE		512
#define DEFAULT_SETUP_SECTS	4	/* what 0 means */
#define BZIMAGE_MIN_SIZE	1024
#define JUMP_LENGTH_MAX		0x7f	/* Linux reads it as a signed number */

/* Types of setup_data nodes (Linux asm/setup_data.h); the nodes' layout and the type of KHO's
 * own stand in kho/abi.h. */
#define SETUP_E820_EXT		1

/* Bounds of ours: real lists have at most six nodes, real EFI maps some hundred entries. */
#define SETUP_DATA_MAX_NODES	64
#define EFI_MEMMAP_MAX		KIB(256)
#define INITRD_MAX		GIB(1)

/* ---- bzImage ----------------------------------------------------------------------------- */

static uint8_t get8(struct span s, size_t off)
{
	uint8_t v = 0;

	span_u8(s, off, &v);
	return v;
}

static uint16_t get16(struct span s, size_t off)
{
	uint16_t v = 0;

	span_u16(s, off, &v);
	return v;
}

static uint32_t get32(struct span s, size_t off)
{
	uint32_t v = 0;

	span_u32(s, off, &v);
	return v;
}

static uint64_t get64(struct span s, size_t off)
{
	uint64_t v = 0;

	span_u64(s, off, &v);
	return v;
}

/* A number whose halves are apart. */
static uint64_t get_split(struct span s, size_t lo, size_t hi)
{
	return (uint64_t)get32(s, hi) << 32 | get32(s, lo);
}

static size_t header_end(struct span file)
{
	return BP_HEADER + get8(file, BP_JUMP_LENGTH);
}

/* What is wrong with the file, or NULL.  *@err is what to return for it. */
static const char *bzimage_fault(struct span f, const struct bzimage *b, int *err)
{
	const uint32_t align = get32(f, BP_KERNEL_ALIGNMENT);

	*err = -EBADMSG;
	if (f.len < BZIMAGE_MIN_SIZE)
		return "the image is truncated: no room for a setup header";
	if (get16(f, BP_BOOT_FLAG) != BOOT_FLAG)
		return "the image is no bzImage: boot flag AA55h is missing";
	if (get32(f, BP_HEADER) != HEADER_MAGIC)
		return "the image is no bzImage: \"HdrS\" is missing";
	*err = -EOPNOTSUPP;
	if (get16(f, BP_VERSION) < VERSION_MIN)
		return "the image speaks a boot protocol older than 2.12";
	if (!(get8(f, BP_LOADFLAGS) & LOADED_HIGH))
		return "the image is a zImage, to be loaded below 1 MiB";
	if (!(b->xloadflags & BZIMAGE_XLF_KERNEL_64))
		return "the image is a 32-bit kernel: it has no 64-bit entry";
	if (!(b->xloadflags & BZIMAGE_XLF_ABOVE_4G))
		return "the image cannot be given data above 4 GiB";
	if (!get8(f, BP_RELOCATABLE))
		return "the image runs at one fixed address only";
	*err = -EBADMSG;
	if (header_end(f) < BP_HEADER_MIN_END || get8(f, BP_JUMP_LENGTH) > JUMP_LENGTH_MAX)
		return "the image's setup header has a length that cannot be";
	if (b->setup_bytes >= f.len || b->pm_len < 16ULL * get32(f, BP_SYSSIZE))
		return "the image is truncated: its protected-mode part is missing or cut";
	if (b->pref >= MEMMAP_LIMIT)
		return "the image asks for an address that cannot be";
	if (align & (align - 1))
		return "the image asks for an alignment that is no power of two";
	if (b->init_size < b->pm_len)
		return "the image needs less memory than it fills";
	if (get64(f, BP_SETUP_DATA))
		return "the image brings a setup_data list of its own";
	return NULL;
}

int bzimage_check(struct span file, struct bzimage *out, const char **why)
{
	const uint8_t sects = get8(file, BP_SETUP_SECTS);
	struct bzimage b = {
		.setup_bytes = ((sects ? sects : DEFAULT_SETUP_SECTS) + 1U) * SECTOR_SIZE,
		.init_size = ALIGN_UP(get32(file, BP_INIT_SIZE), PAGE_SIZE),
		.align = MAX(get32(file, BP_KERNEL_ALIGNMENT), PAGE_SIZE),
		.pref = MAX(get64(file, BP_PREF_ADDRESS), MIB(1)),
		.cmdline_size = get32(file, BP_CMDLINE_SIZE),
		.xloadflags = get16(file, BP_XLOADFLAGS),
	};
	const char *fault;
	int err;

	b.pm_offset = b.setup_bytes;
	b.pm_len = file.len > b.pm_offset ? file.len - b.pm_offset : 0;
	fault = bzimage_fault(file, &b, &err);
	if (fault) {
		*why = fault;
		return err;
	}
	*out = b;
	return 0;
}

/* ---- writer ------------------------------------------------------------------------------ */

static void put8(void *p, size_t off, uint8_t v)
{
	memcpy((uint8_t *)p + off, &v, sizeof(v));
}

static void put16(void *p, size_t off, uint16_t v)
{
	memcpy((uint8_t *)p + off, &v, sizeof(v));
}

static void put32(void *p, size_t off, uint32_t v)
{
	memcpy((uint8_t *)p + off, &v, sizeof(v));
}

static void put64(void *p, size_t off, uint64_t v)
{
	memcpy((uint8_t *)p + off, &v, sizeof(v));
}

static void put_split(void *p, size_t lo, size_t hi, uint64_t v)
{
	put32(p, lo, (uint32_t)v);
	put32(p, hi, (uint32_t)(v >> 32));
}

/* Exactly the header: byte 1EFh before it is FFh in files, and would make the kernel take the
 * rest of the page for garbage. */
static int copy_header(void *zero_page, struct span file)
{
	struct span header;

	if (get32(file, BP_HEADER) != HEADER_MAGIC || get8(file, BP_JUMP_LENGTH) > JUMP_LENGTH_MAX ||
	    header_end(file) < BP_HEADER_MIN_END ||
	    !span_sub(file, BP_SETUP_SECTS, header_end(file) - BP_SETUP_SECTS, &header))
		return -EBADMSG;
	memcpy((uint8_t *)zero_page + BP_SETUP_SECTS, header.p, header.len);
	return 0;
}

/* The first entries go into the page, the others into a node in front of the list. */
static int put_e820(void *zero_page, const struct bootparams_in *in)
{
	const size_t entry_size = sizeof(struct e820_entry_ser);
	struct kho_setup_header header = { .next = in->setup_data, .type = SETUP_E820_EXT };
	const size_t ext_max = in->e820_ext_size < sizeof(header) ? 0 :
			       (in->e820_ext_size - sizeof(header)) / entry_size;
	struct e820_entry_ser entry;
	size_t i = 0, used = 0, ext = 0;

	while (memmap_next_e820(in->map, in->nr_map, &i, &entry)) {
		uint8_t *to = (uint8_t *)zero_page + BP_E820_TABLE + used * entry_size;

		if (used < BOOTPARAMS_MAX_E820)
			used++;
		else if (in->e820_ext && ext < ext_max)
			to = (uint8_t *)in->e820_ext + sizeof(header) + ext++ * entry_size;
		else
			return -ENOSPC;
		memcpy(to, &entry, entry_size);
	}
	put8(zero_page, BP_E820_ENTRIES, (uint8_t)used);
	put64(zero_page, BP_SETUP_DATA, ext ? in->e820_ext_pa : in->setup_data);
	header.len = (uint32_t)(ext * entry_size);
	if (ext)
		memcpy(in->e820_ext, &header, sizeof(header));
	return 0;
}

/* A screen too large for the fields is left out: serial output and the verdict do not need it. */
static void put_framebuffer(void *zero_page, const struct boot_framebuffer *fb)
{
	if (!fb->base || fb->width > UINT16_MAX || fb->height > UINT16_MAX ||
	    fb->stride > UINT16_MAX || fb->size > UINT32_MAX)
		return;
	put8(zero_page, BP_VIDEO_IS_VGA, VIDEO_TYPE_EFI);
	put16(zero_page, BP_LFB_WIDTH, (uint16_t)fb->width);
	put16(zero_page, BP_LFB_HEIGHT, (uint16_t)fb->height);
	put16(zero_page, BP_LFB_DEPTH, 32);
	put_split(zero_page, BP_LFB_BASE, BP_EXT_LFB_BASE, fb->base);
	put32(zero_page, BP_LFB_SIZE, (uint32_t)fb->size);
	put16(zero_page, BP_LFB_LINELENGTH, (uint16_t)fb->stride);
	put8(zero_page, BP_RED_SIZE, 8);
	put8(zero_page, BP_RED_POS, fb->red_shift);
	put8(zero_page, BP_GREEN_SIZE, 8);
	put8(zero_page, BP_GREEN_POS, fb->green_shift);
	put8(zero_page, BP_BLUE_SIZE, 8);
	put8(zero_page, BP_BLUE_POS, fb->blue_shift);
	put32(zero_page, BP_CAPABILITIES, fb->base >> 32 ? VIDEO_64BIT_BASE : 0);
}

static void put_efi_info(void *zero_page, const struct bootparams_in *in)
{
	if (!in->efi_systab)
		return;
	put32(zero_page, BP_EFI_SIGNATURE, EFI_SIGNATURE_64);
	put_split(zero_page, BP_EFI_SYSTAB, BP_EFI_SYSTAB_HI, in->efi_systab);
	put_split(zero_page, BP_EFI_MEMMAP, BP_EFI_MEMMAP_HI, in->efi_memmap);
	put32(zero_page, BP_EFI_MEMMAP_SIZE, in->efi_memmap_size);
	put32(zero_page, BP_EFI_MEMDESC_SIZE, in->efi_memdesc_size);
	put32(zero_page, BP_EFI_MEMDESC_VERSION, EFI_MEMDESC_VERSION);
}

int bootparams_build(void *zero_page, struct span setup_header_file,
		     const struct bootparams_in *in)
{
	int err;

	memset(zero_page, 0, BOOTPARAMS_SIZE);
	if (!IS_ALIGNED(in->initrd, PAGE_SIZE) ||
	    (in->efi_systab && (!in->efi_memmap || !in->efi_memmap_size)))
		return -EINVAL;
	err = copy_header(zero_page, setup_header_file);
	if (!err)
		err = put_e820(zero_page, in);
	if (err)
		return err;
	put_framebuffer(zero_page, &in->fb);
	put_efi_info(zero_page, in);
	put64(zero_page, BP_ACPI_RSDP_ADDR, in->rsdp);
	put8(zero_page, BP_TYPE_OF_LOADER, LOADER_UNDEFINED);	/* with 0 the initrd is ignored */
	put8(zero_page, BP_LOADFLAGS, 0);			/* as kexec does */
	put_split(zero_page, BP_CMD_LINE_PTR, BP_EXT_CMD_LINE_PTR, in->cmdline);
	/* None, too, or the file's header would say where. */
	put_split(zero_page, BP_RAMDISK_IMAGE, BP_EXT_RAMDISK_IMAGE, in->initrd_size ? in->initrd : 0);
	put_split(zero_page, BP_RAMDISK_SIZE, BP_EXT_RAMDISK_SIZE, in->initrd_size);
	return 0;
}

/* ---- reader ------------------------------------------------------------------------------ */

struct world {
	struct span zero_page;
	const struct phys_reader *rd;
	struct boot_info *bi;
	bool virtual_runtime;		/* another kernel moved the runtime services */
};

__attribute__((format(printf, 2, 3)))
static int broken(const struct world *w, const char *fmt, ...)
{
	char what[sizeof(w->bi->error) - 16];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(what, sizeof(what), fmt, ap);
	va_end(ap);
	str_format(w->bi->error, sizeof(w->bi->error), "boot_params: %s", what);
	return -EBADMSG;
}

static bool in_ram(const struct world *w, paddr_t pa, uint64_t len)
{
	return memmap_is_ram(w->bi->map, w->bi->nr_map, pa, len);
}

/* The bytes at @pa, an empty span if they are not all RAM. */
static struct span ram_at(const struct world *w, paddr_t pa, uint64_t len)
{
	const void *p = in_ram(w, pa, len) ? w->rd->at(w->rd->ctx, pa, len) : NULL;

	return span_of(p, p ? len : 0);
}

/* @table holds whole entries. */
static int read_e820(const struct world *w, struct span table, const char *where)
{
	struct boot_info *bi = w->bi;

	for (size_t off = 0; off < table.len; off += sizeof(struct e820_entry_ser)) {
		struct e820_entry_ser e;
		int err;

		memcpy(&e, table.p + off, sizeof(e));
		err = memmap_add(bi->map, ARRAY_SIZE(bi->map), &bi->nr_map, e.base_pa, e.len,
				 memmap_e820_kind(e.type));
		if (err == -ENOSPC)
			return broken(w, "E820 gives more than %u ranges", BOOT_MAX_RANGES);
		if (err)
			return broken(w, "%s entry %zu goes beyond 52 address bits (0x%llx, 0x%llx bytes)",
				      where, off / sizeof(e), (unsigned long long)e.base_pa,
				      (unsigned long long)e.len);
	}
	return 0;
}

static int read_e820_table(const struct world *w)
{
	const uint8_t n = get8(w->zero_page, BP_E820_ENTRIES);
	struct span table;

	if (!n)
		return broken(w, "no E820 memory map");
	if (n > BOOTPARAMS_MAX_E820)
		return broken(w, "%u E820 entries, only %u fit", n, BOOTPARAMS_MAX_E820);
	span_sub(w->zero_page, BP_E820_TABLE, n * sizeof(struct e820_entry_ser), &table);
	return read_e820(w, table, "E820");
}

static int read_e820_ext(const struct world *w, struct span payload)
{
	if (payload.len % sizeof(struct e820_entry_ser))
		return broken(w, "SETUP_E820_EXT of %zu bytes, entries have %zu", payload.len,
			      sizeof(struct e820_entry_ser));
	return read_e820(w, payload, "SETUP_E820_EXT");
}

static int read_kho(const struct world *w, struct span payload)
{
	struct boot_info *bi = w->bi;
	struct kho_data data;

	if (payload.len < sizeof(data))
		return broken(w, "SETUP_KEXEC_KHO of %zu bytes, %zu are needed", payload.len,
			      sizeof(data));
	if (bi->has_kho)
		return broken(w, "two SETUP_KEXEC_KHO nodes");
	memcpy(&data, payload.p, sizeof(data));
	bi->has_kho = true;
	bi->kho_fdt = data.fdt_pa;
	bi->kho_fdt_size = data.fdt_size;
	bi->kho_scratch = data.scratch_pa;
	bi->kho_scratch_size = data.scratch_size;
	return 0;
}

/* Their addresses are virtual; a later Linux can still use them (efi=relay). */
static void read_setup_efi(struct world *w, struct span payload)
{
	struct boot_efi_relay *relay = &w->bi->efi_relay;

	w->virtual_runtime = true;
	relay->too_large = payload.len > sizeof(relay->setup);
	relay->setup_len = relay->too_large ? 0 : (uint32_t)payload.len;
	memcpy(relay->setup, payload.p, relay->setup_len);
}

/* Foreign types, and those with SETUP_INDIRECT's bit, are not for us. */
static int read_payload(struct world *w, uint32_t type, struct span payload)
{
	switch (type) {
	case SETUP_E820_EXT:
		return read_e820_ext(w, payload);
	case KHO_SETUP_KEXEC_KHO:
		return read_kho(w, payload);
	case BOOTPARAMS_SETUP_EFI:
		read_setup_efi(w, payload);
		return 0;
	}
	return 0;
}

static int read_setup_data(struct world *w)
{
	paddr_t pa = get64(w->zero_page, BP_SETUP_DATA);
	int err = 0;

	for (unsigned n = 0; pa && !err; n++) {
		const struct span start = ram_at(w, pa, sizeof(struct kho_setup_header));
		struct kho_setup_header header = { 0 };
		struct span node, payload;

		if (n == SETUP_DATA_MAX_NODES)
			return broken(w, "setup_data has more than %u nodes, or goes in a circle",
				      SETUP_DATA_MAX_NODES);
		if (start.len)
			memcpy(&header, start.p, sizeof(header));
		node = ram_at(w, pa, sizeof(header) + (uint64_t)header.len);
		if (!start.len || !span_sub(node, sizeof(header), header.len, &payload))
			return broken(w, "setup_data node %u at 0x%llx is not in RAM", n,
				      (unsigned long long)pa);
		err = read_payload(w, header.type, payload);
		pa = header.next;
	}
	return err;
}

/* Page by page, since nothing says how much of what follows the end is RAM. */
static int read_cmdline(const struct world *w)
{
	const paddr_t pa = get_split(w->zero_page, BP_CMD_LINE_PTR, BP_EXT_CMD_LINE_PTR);
	char *const to = w->bi->cmdline;
	size_t done = 0;

	to[0] = 0;
	while (pa && done < BOOT_CMDLINE_MAX) {
		const size_t part = MIN(PAGE_SIZE - (pa + done) % PAGE_SIZE, BOOT_CMDLINE_MAX - done);
		const struct span s = ram_at(w, pa + done, part);

		if (!s.len)
			return broken(w, "the command line at 0x%llx is not in RAM",
				      (unsigned long long)pa);
		memcpy(&to[done], s.p, part);
		if (memchr(&to[done], 0, part))
			return 0;
		done += part;
	}
	if (!pa)
		return 0;
	to[0] = 0;
	return broken(w, "the command line has more than %u characters", BOOT_CMDLINE_MAX - 1);
}

static int read_initrd(const struct world *w)
{
	const uint64_t bytes = get_split(w->zero_page, BP_RAMDISK_SIZE, BP_EXT_RAMDISK_SIZE);
	const paddr_t pa = get_split(w->zero_page, BP_RAMDISK_IMAGE, BP_EXT_RAMDISK_IMAGE);

	w->bi->initrd = w->bi->initrd_size = 0;
	if (!bytes)
		return 0;
	if (bytes > INITRD_MAX || !in_ram(w, pa, bytes))
		return broken(w, "the initrd at 0x%llx (0x%llx bytes) is not in RAM, or larger than 1 GiB",
			      (unsigned long long)pa, (unsigned long long)bytes);
	w->bi->initrd = pa;
	w->bi->initrd_size = bytes;
	return 0;
}

/* Left out if it is not one we can draw on, or would have us draw into RAM. */
static void read_framebuffer(const struct world *w)
{
	const struct span z = w->zero_page;
	struct boot_framebuffer fb = {
		.base = get_split(z, BP_LFB_BASE, BP_EXT_LFB_BASE),
		.size = get32(z, BP_LFB_SIZE),
		.width = get16(z, BP_LFB_WIDTH),
		.height = get16(z, BP_LFB_HEIGHT),
		.stride = get16(z, BP_LFB_LINELENGTH),
		.red_shift = get8(z, BP_RED_POS),
		.green_shift = get8(z, BP_GREEN_POS),
		.blue_shift = get8(z, BP_BLUE_POS),
	};

	memset(&w->bi->fb, 0, sizeof(w->bi->fb));
	if (get8(z, BP_VIDEO_IS_VGA) != VIDEO_TYPE_EFI || get16(z, BP_LFB_DEPTH) != 32 ||
	    !fb.base || fb.base > MEMMAP_LIMIT || fb.stride < fb.width * 4ULL || !fb.height ||
	    !fb.width || fb.size < (uint64_t)fb.stride * fb.height ||
	    fb.red_shift > 24 || fb.green_shift > 24 || fb.blue_shift > 24)
		return;
	for (size_t i = 0; i < w->bi->nr_map; i++) {
		const struct mem_range *r = &w->bi->map[i];

		if (r->kind != MEM_RESERVED && r->kind != MEM_MMIO &&
		    ranges_overlap(r->base, r->len, fb.base, fb.size))
			return;
	}
	w->bi->fb = fb;
}

/* The map lies where our own memory will be, so it is copied at once. */
static void keep_for_relay(struct boot_efi_relay *relay, paddr_t systab, struct span map,
			   uint32_t desc_size)
{
	relay->too_large |= map.len > sizeof(relay->map);
	if (relay->too_large || !relay->setup_len)
		return;
	memcpy(relay->map, map.p, map.len);
	relay->map_len = (uint32_t)map.len;
	relay->desc_size = desc_size;
	relay->systab = systab;
}

static int read_efi_info(const struct world *w)
{
	const struct span z = w->zero_page;
	const paddr_t systab = get_split(z, BP_EFI_SYSTAB, BP_EFI_SYSTAB_HI);
	const paddr_t pa = get_split(z, BP_EFI_MEMMAP, BP_EFI_MEMMAP_HI);
	const uint32_t bytes = get32(z, BP_EFI_MEMMAP_SIZE);
	struct boot_info *bi = w->bi;
	struct span memmap;
	int err;

	bi->efi_systab = bi->efi_relay.systab = 0;
	/* A Linux that keeps no map for others signs an empty one. */
	if (get32(z, BP_EFI_SIGNATURE) != EFI_SIGNATURE_64 || !bytes)
		return 0;
	if (!systab || get32(z, BP_EFI_MEMDESC_VERSION) != EFI_MEMDESC_VERSION ||
	    bytes > EFI_MEMMAP_MAX)
		return broken(w, "efi_info is not one (system table 0x%llx, map of %u bytes)",
			      (unsigned long long)systab, bytes);
	memmap = ram_at(w, pa, bytes);
	if (!memmap.len)
		return broken(w, "the EFI memory map at 0x%llx is not in RAM",
			      (unsigned long long)pa);
	err = memmap_overlay_runtime(memmap.p, memmap.len, get32(z, BP_EFI_MEMDESC_SIZE),
				     bi->map, ARRAY_SIZE(bi->map), &bi->nr_map);
	if (err == -ENOSPC)
		return broken(w, "E820 and the EFI memory map give more than %u ranges",
			      BOOT_MAX_RANGES);
	if (err)
		return broken(w, "the EFI memory map cannot be one (descriptors of %u bytes)",
			      get32(z, BP_EFI_MEMDESC_SIZE));
	/* Their pointers are virtual once a kernel has called SetVirtualAddressMap(). */
	if (!w->virtual_runtime)
		bi->efi_systab = systab;
	else
		keep_for_relay(&bi->efi_relay, systab, memmap, get32(z, BP_EFI_MEMDESC_SIZE));
	return 0;
}

int bootparams_read(const void *zero_page, const struct phys_reader *rd, struct boot_info *bi)
{
	struct world w = {
		.zero_page = span_of(zero_page, BOOTPARAMS_SIZE), .rd = rd, .bi = bi,
	};
	int err;

	bi->nr_map = 0;
	bi->has_kho = false;
	bi->efi_relay.setup_len = 0;
	bi->efi_relay.too_large = false;
	bi->rsdp = get64(w.zero_page, BP_ACPI_RSDP_ADDR);
	err = read_e820_table(&w);
	if (!err)
		err = read_cmdline(&w);	/* early: it says how a refusal is to end */
	if (!err)
		err = read_setup_data(&w);
	if (!err)
		err = read_efi_info(&w);
	if (!err)
		err = read_initrd(&w);	/* by the map that all had their say in */
	if (!err)
		read_framebuffer(&w);
	return err;
}
