/* Loading the next image and jumping to it. */
#include "kexec.h"

#include <string.h>

#include "errno.h"
#include "kernel/handover/bootparams.h"
#include "kernel/machine/paging.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/setup_data.h"
#include "platform/mem.h"

#define HEADER_BYTES	4096

/* header.S: the page as far as it is used; the rest is zero. */
extern const uint8_t header_template[];
extern const uint32_t header_template_size;
_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params);

/* Pages from the top of the next half downwards. */
struct top {
	paddr_t floor;		/* end of the image's window */
	paddr_t next;
};

static paddr_t take(struct top *top, uint64_t len)
{
	const uint64_t bytes = ALIGN_UP(len, PAGE_SIZE);

	if (top->next - top->floor < bytes)
		return 0;
	top->next -= bytes;
	memset(mem_ptr(top->next), 0, bytes);
	return top->next;
}

static paddr_t take_page(void *ctx)
{
	return take(ctx, PAGE_SIZE);
}

static void add_part(struct kexec_target *t, const char *name, paddr_t pa, uint64_t len)
{
	t->part[t->nr_parts++] = (struct kexec_part){
		.name = name, .pa = pa, .len = len, .crc32c = kho_crc32c(0, mem_ptr(pa), len),
	};
}

bool kexec_own_file(const struct boot_info *bi, struct span *file)
{
	const uint64_t len = HEADER_BYTES + bi->pristine_size;
	uint8_t *p = scratch_new(len);

	if (!p)
		return false;
	memcpy(p, header_template, header_template_size);
	memcpy(p + HEADER_BYTES, bi->pristine, bi->pristine_size);
	*file = span_of(p, len);
	return true;
}

/* ---- EFI information ------------------------------------------------------------------------- */

/* UEFI runtime regions, so that every later kernel can still call ResetSystem.  One descriptor
 * is type, padding, physical, virtual, pages, attribute (UEFI, EFI_MEMORY_DESCRIPTOR). */
#define EFI_DESC_BYTES		40
#define EFI_RUNTIME_CODE	5
#define EFI_RUNTIME_DATA	6
#define EFI_MEMORY_RUNTIME_WB	(BIT64(63) | BIT64(3))

static int runtime_map(const struct boot_info *bi, struct top *top, struct bootparams_in *in)
{
	size_t n = 0;
	uint64_t *d;

	for (size_t i = 0; i < bi->nr_map; i++)
		n += bi->map[i].kind == MEM_RUNTIME_CODE || bi->map[i].kind == MEM_RUNTIME_DATA;
	if (!n || !bi->efi_systab)
		return 0;
	in->efi_memmap = take(top, n * EFI_DESC_BYTES);
	if (!in->efi_memmap)
		return -ENOMEM;
	d = mem_ptr(in->efi_memmap);
	for (size_t i = 0; i < bi->nr_map; i++) {
		const struct mem_range *r = &bi->map[i];

		if (r->kind != MEM_RUNTIME_CODE && r->kind != MEM_RUNTIME_DATA)
			continue;
		d[0] = r->kind == MEM_RUNTIME_CODE ? EFI_RUNTIME_CODE : EFI_RUNTIME_DATA;
		d[1] = d[2] = r->base;
		d[3] = r->len / PAGE_SIZE;
		d[4] = EFI_MEMORY_RUNTIME_WB;
		d += EFI_DESC_BYTES / sizeof(*d);
	}
	in->efi_systab = bi->efi_systab;
	in->efi_memmap_size = (uint32_t)(n * EFI_DESC_BYTES);
	in->efi_memdesc_size = EFI_DESC_BYTES;
	return 0;
}

/* One node in front of @list; the payload is at the address returned, 0: no room. */
static paddr_t take_node(struct top *top, uint32_t type, uint64_t len, paddr_t *list)
{
	const struct kho_setup_header header = { .next = *list, .type = type, .len = (uint32_t)len };
	const paddr_t node = take(top, sizeof(header) + len);

	if (!node)
		return 0;
	memcpy(mem_ptr(node), &header, sizeof(header));
	*list = node;
	return node + sizeof(header);
}

/* @map becomes the EFI memory map of the next kernel.  In a node of a type that nobody reads: what moves
 * kernels about for KASLR stays clear of the list. */
static int copy_efi_map(const void *map, uint64_t len, uint32_t desc_size, paddr_t systab,
			struct top *top, struct bootparams_in *in)
{
	in->efi_memmap = take_node(top, BOOTPARAMS_SETUP_NONE, len, &in->setup_data);
	if (!in->efi_memmap)
		return -ENOMEM;
	memcpy(mem_ptr(in->efi_memmap), map, len);
	in->efi_systab = systab;
	in->efi_memmap_size = (uint32_t)len;
	in->efi_memdesc_size = desc_size;
	return 0;
}

/* What a Linux before us had passed, byte for byte. */
static int relay_efi(const struct boot_efi_relay *relay, struct top *top, struct bootparams_in *in)
{
	const paddr_t setup = take_node(top, BOOTPARAMS_SETUP_EFI, relay->setup_len, &in->setup_data);

	if (!setup)
		return -ENOMEM;
	memcpy(mem_ptr(setup), relay->setup, relay->setup_len);
	return copy_efi_map(relay->map, relay->map_len, relay->desc_size, relay->systab, top, in);
}

static int place_efi(const struct boot_info *bi, const struct kexec_image *image, struct top *top,
		     struct bootparams_in *in)
{
	if (!image->is_linux && bi->efi_relay.systab)
		return relay_efi(&bi->efi_relay, top, in);
	if (!image->is_linux)
		return runtime_map(bi, top, in);
	switch (image->efi) {
	case EFI_INFO_NONE:
		return 0;
	case EFI_INFO_FIRST:
		return copy_efi_map(mem_ptr(bi->efi_map.pa), bi->efi_map.len, bi->efi_map_desc_size,
				    bi->efi_systab, top, in);
	case EFI_INFO_RELAY:
		return relay_efi(&bi->efi_relay, top, in);
	}
	return -EINVAL;
}

/* ---- placing ------------------------------------------------------------------------------------ */

static int check_efi(const struct boot_info *bi, const struct kexec_image *image, const char **why)
{
	if (image->is_linux && image->efi == EFI_INFO_FIRST && (!bi->efi_map.len || !bi->efi_systab)) {
		*why = "efi=first: only a generation 0 started by UEFI has firmware's memory map";
		return -ENOENT;
	}
	if (image->is_linux && image->efi == EFI_INFO_RELAY && !bi->efi_relay.systab) {
		*why = bi->efi_relay.too_large ?
		       "efi=relay: the EFI information of the Linux before us is larger than is kept" :
		       "efi=relay: no Linux before us passed EFI information";
		return -ENOENT;
	}
	return 0;
}

/* Where the kernel comes to lie; it needs all of its window, the file is only a part of that. */
static int place(const struct window *w, const struct bzimage *bz, uint64_t initrd, paddr_t *load,
		 struct top *top, const char **why)
{
	const uint64_t window = ALIGN_UP(MAX(bz->init_size, bz->pm_len), PAGE_SIZE);
	const paddr_t end = w->next + w->half;

	*load = ALIGN_UP(MAX(w->next, bz->pref), bz->align);
	if (*load >= end || end - *load < window) {
		*why = "the next image does not fit into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)";
		return -ENOMEM;
	}
	*top = (struct top){ .floor = *load + window, .next = end };
	if (end - top->floor < initrd) {
		*why = "the initrd does not fit beside the kernel into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)";
		return -ENOMEM;
	}
	*why = "page tables and boot_params do not fit beside the next image into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)";
	return 0;
}

static int plan(const struct boot_info *bi, const struct window *w, const struct kexec_image *image,
		struct bzimage *bz, paddr_t *load, struct top *top, const char **why)
{
	int err = bzimage_check(image->file, bz, why);

	if (!err && paging_levels() == 5 && !(bz->xloadflags & BZIMAGE_XLF_5LEVEL)) {
		*why = "the image cannot be entered with 5-level paging, which is on";
		err = -EOPNOTSUPP;
	}
	if (!err && strlen(image->cmdline) > bz->cmdline_size) {
		*why = "the command line is longer than this kernel takes";
		err = -ENOSPC;
	}
	if (!err)
		err = check_efi(bi, image, why);
	return err ? err : place(w, bz, image->initrd.len, load, top, why);
}

/* A guess at what the small parts take; page tables of a terabyte in 2 MiB pages are twice that, and
 * refused when they are made. */
#define REST_BYTES	MIB(2)

int kexec_check(const struct boot_info *bi, const struct window *w,
		const struct kexec_image *image, const char **why)
{
	struct bzimage bz;
	struct top top;
	paddr_t load;
	const int err = plan(bi, w, image, &bz, &load, &top, why);

	if (!err && top.next - top.floor - image->initrd.len < REST_BYTES)
		return -ENOMEM;
	return err;
}

int kexec_where(const struct window *w, struct span file, paddr_t *load, const char **why)
{
	struct bzimage bz;
	struct top top;
	const int err = bzimage_check(file, &bz, why);

	return err ? err : place(w, &bz, 0, load, &top, why);
}

static void load_image(const struct kexec_image *image, const struct bzimage *bz, paddr_t load,
		       const struct top *top, struct kexec_target *t)
{
	memcpy(mem_ptr(load), image->file.p + bz->pm_offset, bz->pm_len);
	memset(mem_ptr(load + bz->pm_len), 0, top->floor - load - bz->pm_len);
	t->entry = load + BZIMAGE_ENTRY64;
	add_part(t, "image", load, bz->pm_len);
}

static int load_initrd(const struct kexec_image *image, struct top *top, struct bootparams_in *in)
{
	if (!image->initrd.len)
		return 0;
	in->initrd = take(top, image->initrd.len);
	if (!in->initrd)
		return -ENOMEM;
	in->initrd_size = image->initrd.len;
	memcpy(mem_ptr(in->initrd), image->initrd.p, image->initrd.len);
	return 0;
}

static int load_params(const struct boot_info *bi, const struct kexec_image *image,
		       const struct kho_data *kho, struct kexec_target *t, struct top *top,
		       const char **why)
{
	struct bootparams_in in = {
		.map = bi->map, .nr_map = bi->nr_map, .rsdp = bi->rsdp, .fb = bi->fb,
	};
	const uint64_t cmdline_len = strlen(image->cmdline) + 1;
	const paddr_t handoff = take(top, sizeof(struct kho_setup_node));
	struct kho_setup_node node;
	int err;

	in.cmdline = take(top, cmdline_len);
	in.e820_ext_size = PAGE_SIZE * 4;
	in.e820_ext_pa = take(top, in.e820_ext_size);
	t->boot_params = take(top, BOOTPARAMS_SIZE);
	if (!in.cmdline || !handoff || !in.e820_ext_pa || !t->boot_params)
		return -ENOMEM;
	err = load_initrd(image, top, &in);
	if (!err)
		err = place_efi(bi, image, top, &in);
	if (err)
		return err;
	memcpy(mem_ptr(in.cmdline), image->cmdline, cmdline_len);
	node = kho_setup_node(in.setup_data, kho);
	memcpy(mem_ptr(handoff), &node, sizeof(node));
	in.setup_data = handoff;
	in.e820_ext = mem_ptr(in.e820_ext_pa);
	err = bootparams_build(mem_ptr(t->boot_params), image->file, &in);
	if (err)
		*why = "the memory map has more ranges than boot_params and its extension hold";
	return err;
}

/* Linux reads the BIOS data area, and moves through low memory where it changes paging levels, before
 * it has page-fault handlers. */
static int map_for(struct page_tables *pt, const struct boot_info *bi, const struct kexec_image *image)
{
	const int err = page_tables_map_ram(pt, bi, PT_P | PT_W);

	return err || !image->is_linux ? err : page_tables_map(pt, 0, MIB(1), PT_P | PT_W);
}

int kexec_load(const struct boot_info *bi, const struct window *w,
	       const struct kexec_image *image, const struct kho_data *kho, struct kexec_target *t,
	       const char **why)
{
	struct page_tables pt;
	struct bzimage bz;
	struct top top;
	paddr_t load;
	int err;

	*t = (struct kexec_target){ 0 };
	err = plan(bi, w, image, &bz, &load, &top, why);
	if (err)
		return err;
	load_image(image, &bz, load, &top, t);
	err = load_params(bi, image, kho, t, &top, why);
	if (!err)
		err = page_tables_init(&pt, take_page, &top);
	if (!err)
		err = map_for(&pt, bi, image);
	if (err)
		return err;
	t->tables = pt.top;
	/* One piece: everything was taken downwards from the top of the half. */
	add_part(t, "initrd, boot_params, setup_data, command line or page tables", top.next,
		 w->next + w->half - top.next);
	return 0;
}

const char *kexec_changed_part(const struct kexec_target *t)
{
	for (unsigned i = 0; i < t->nr_parts; i++)
		if (kho_crc32c(0, mem_ptr(t->part[i].pa), t->part[i].len) != t->part[i].crc32c)
			return t->part[i].name;
	return NULL;
}

_Noreturn void kexec_jump(const struct kexec_target *t)
{
	kexec_jump_to(t->tables, t->entry, t->boot_params);
}
