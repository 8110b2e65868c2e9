#include "payload.h"

#include <string.h>

#include "errno.h"
#include "kernel/handover/cpio.h"
#include "kernel/memory/keep.h"
#include "kho/crc32c.h"
#include "platform/mem.h"

static const char *const names[BOOT_FILES] = {
	[BOOT_FILE_KERNEL] = "bzImage", [BOOT_FILE_INITRD] = "initrd", [BOOT_FILE_CMDLINE] = "cmdline",
};

void payload_take(const struct boot_file file[BOOT_FILES], struct payload *p)
{
	for (unsigned i = 0; i < BOOT_FILES; i++) {
		p->file[i] = (struct payload_file_ser){ .pa = file[i].pa, .len = file[i].len };
		p->file[i].crc32c = kho_crc32c(0, payload_bytes(p, i).p, file[i].len);
	}
}

int payload_unpack(struct span archive, struct payload *p, const char **why)
{
	static const char path[BOOT_FILES][16] = {
		[BOOT_FILE_KERNEL] = "baton/bzImage", [BOOT_FILE_INITRD] = "baton/initrd",
		[BOOT_FILE_CMDLINE] = "baton/cmdline",
	};
	struct boot_file file[BOOT_FILES] = { 0 };

	*why = "there is no baton/bzImage in the initrd that we were started with";
	for (unsigned i = 0; i < BOOT_FILES; i++) {
		struct span found = { 0 };
		const int err = archive.len ? cpio_find(archive, path[i], &found, why) : -ENOENT;

		if (err && (err != -ENOENT || i == BOOT_FILE_KERNEL))
			return err;
		if (found.len)
			file[i] = (struct boot_file){ mem_pa(found.p), found.len };
	}
	payload_take(file, p);
	return 0;
}

int payload_keep(struct payload *p)
{
	for (unsigned i = 0; i < BOOT_FILES; i++) {
		struct payload_file_ser *f = &p->file[i];
		paddr_t pa;

		if (!f->len)
			continue;
		pa = keep_alloc_guarded(ALIGN_UP(f->len, PAGE_SIZE), PAGE_SIZE);
		if (!pa)
			return -ENOMEM;
		memcpy(mem_ptr(pa), mem_ptr(f->pa), f->len);
		f->pa = pa;
	}
	return 0;
}

int payload_preserve(const struct payload *p, struct kho_radix *radix)
{
	int err = 0;

	for (unsigned i = 0; i < BOOT_FILES && !err; i++)
		if (p->file[i].len)
			err = kho_preserve_range(radix, p->file[i].pa,
						 ALIGN_UP(p->file[i].len, PAGE_SIZE));
	return err;
}

const struct payload_file_ser *payload_unpreserved(const struct payload *p,
						   const struct kho_map *map)
{
	for (unsigned i = 0; i < BOOT_FILES; i++)
		if (p->file[i].len && !kho_map_covers(map, p->file[i].pa, p->file[i].len))
			return &p->file[i];
	return NULL;
}

struct span payload_bytes(const struct payload *p, unsigned file)
{
	const struct payload_file_ser *f = &p->file[file];

	return span_of(f->len ? mem_ptr(f->pa) : NULL, f->len);
}

const char *payload_changed(const struct payload *p)
{
	for (unsigned i = 0; i < BOOT_FILES; i++)
		if (kho_crc32c(0, payload_bytes(p, i).p, p->file[i].len) != p->file[i].crc32c)
			return names[i];
	return NULL;
}

int payload_cmdline(const struct payload *p, char *out, size_t size, const char **why)
{
	const struct span s = payload_bytes(p, BOOT_FILE_CMDLINE);
	size_t len = s.len;

	while (len && (s.p[len - 1] == '\n' || s.p[len - 1] == '\r' || s.p[len - 1] == ' '))
		len--;
	if (len >= size) {
		*why = "the command line for Linux is longer than it can be";
		return -ENOSPC;
	}
	for (size_t i = 0; i < len; i++) {
		const char c = (char)s.p[i];

		if (c != '\n' && c != '\r' && c != '\t' && (c < 0x20 || c > 0x7e)) {
			*why = "the command line for Linux has bytes that are not text";
			return -EINVAL;
		}
		out[i] = c < 0x20 ? ' ' : c;
	}
	out[len] = 0;
	return 0;
}
