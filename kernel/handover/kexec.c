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

extern const uint8_t header_template[];
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
	memcpy(p, header_template, HEADER_BYTES);
	memcpy(p + HEADER_BYTES, bi->pristine, bi->pristine_size);
	*file = span_of(p, len);
	return true;
}

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

static int place_image(const struct window *w, struct span file, const struct bzimage *bz,
		       struct kexec_target *t, struct top *top)
{
	const paddr_t load = ALIGN_UP(MAX(w->next, bz->pref), bz->align);
	const uint64_t window = ALIGN_UP(MAX(bz->init_size, bz->pm_len), PAGE_SIZE);
	const paddr_t end = w->next + w->half;

	if (load >= end || end - load < window)
		return -ENOMEM;
	memcpy(mem_ptr(load), file.p + bz->pm_offset, bz->pm_len);
	memset(mem_ptr(load + bz->pm_len), 0, window - bz->pm_len);
	t->entry = load + BZIMAGE_ENTRY64;
	add_part(t, "image", load, bz->pm_len);
	*top = (struct top){ .floor = load + window, .next = end };
	return 0;
}

static int place_params(const struct boot_info *bi, struct span file, const char *cmdline,
			const struct kho_data *kho, struct kexec_target *t, struct top *top)
{
	struct bootparams_in in = {
		.map = bi->map, .nr_map = bi->nr_map, .rsdp = bi->rsdp, .fb = bi->fb,
	};
	const uint64_t cmdline_len = strlen(cmdline) + 1;
	struct kho_setup_node node;
	int err;

	in.cmdline = take(top, cmdline_len);
	in.setup_data = take(top, sizeof(node));
	in.e820_ext_size = PAGE_SIZE * 4;
	in.e820_ext_pa = take(top, in.e820_ext_size);
	t->boot_params = take(top, BOOTPARAMS_SIZE);
	if (!in.cmdline || !in.setup_data || !in.e820_ext_pa || !t->boot_params)
		return -ENOMEM;
	err = runtime_map(bi, top, &in);
	if (err)
		return err;
	memcpy(mem_ptr(in.cmdline), cmdline, cmdline_len);
	node = kho_setup_node(0, kho);
	memcpy(mem_ptr(in.setup_data), &node, sizeof(node));
	in.e820_ext = mem_ptr(in.e820_ext_pa);
	return bootparams_build(mem_ptr(t->boot_params), file, &in);
}

int kexec_load(const struct boot_info *bi, const struct window *w, struct span file,
	       const char *cmdline, const struct kho_data *kho, struct kexec_target *t,
	       const char **why)
{
	struct page_tables pt;
	struct bzimage bz;
	struct top top;
	int err;

	*t = (struct kexec_target){ 0 };
	*why = "the next image does not fit into half of scratch; try a larger scratch=";
	err = bzimage_check(file, &bz, why);
	if (err)
		return err;
	err = place_image(w, file, &bz, t, &top);
	if (!err)
		err = place_params(bi, file, cmdline, kho, t, &top);
	if (!err)
		err = page_tables_init(&pt, take_page, &top);
	if (!err)
		err = page_tables_map_ram(&pt, bi, PT_P | PT_W);
	if (err)
		return err;
	t->tables = pt.top;
	/* One piece: everything was taken downwards from the top of the half. */
	add_part(t, "boot_params, setup_data, command line or page tables", top.next,
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
