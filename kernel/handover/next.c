/* The next kernel. */
#include "next.h"

#include "errno.h"
#include "platform/mmio.h"

static int linux_image(const struct run *r, char cmdline[BOOT_CMDLINE_MAX],
		       struct kexec_image *image, const char **why)
{
	*image = (struct kexec_image){
		.file = payload_bytes(&r->payload, BOOT_FILE_KERNEL),
		.initrd = payload_bytes(&r->payload, BOOT_FILE_INITRD),
		.cmdline = cmdline, .is_linux = true, .efi = r->cfg.efi,
	};
	return payload_cmdline(&r->payload, cmdline, BOOT_CMDLINE_MAX, why);
}

static int own_file(const struct run *r, struct span *file, const char **why)
{
	if (kexec_own_file(r->bi, file))
		return 0;
	*why = "scratch does not hold our own image once more; try a larger scratch= (started by a Linux: its kho_scratch=)";
	return -ENOMEM;
}

/* ---- loading ----------------------------------------------------------------------------------- */

static int load_baton(const struct run *r, const struct kho_data *kho, struct kexec_target *t,
		      const char **why)
{
	char cmdline[BOOT_CMDLINE_MAX];
	struct kexec_image image = { .cmdline = cmdline };
	const int len = config_format(&r->cfg, r->cfg.generation + 1, cmdline, sizeof(cmdline));
	const int err = len < 0 ? len : own_file(r, &image.file, why);

	return err ? err : kexec_load(r->bi, &r->window, &image, kho, t, why);
}

static int load_linux(const struct run *r, const struct kho_data *kho, struct kexec_target *t,
		      const char **why)
{
	const char *const changed = payload_changed(&r->payload);
	char cmdline[BOOT_CMDLINE_MAX];
	struct kexec_image image;
	int err;

	if (changed) {
		platform_log("save: %s for Linux is not what was read in generation 0", changed);
		return -EBADMSG;
	}
	err = linux_image(r, cmdline, &image, why);
	return err ? err : kexec_load(r->bi, &r->window, &image, kho, t, why);
}

int next_load(const struct run *r, const struct kho_data *kho, struct kexec_target *t)
{
	const char *why = "the next image cannot be loaded";
	const int err = run_next_is_linux(r) ? load_linux(r, kho, t, &why) : load_baton(r, kho, t, &why);

	if (err)
		platform_log("save: %s", why);
	return err;
}

/* ---- looking ahead ------------------------------------------------------------------------------ */

/* The window of the generation that starts Linux.  They take turns after the first few. */
#define TURNS		4

static int last_window(const struct run *r, struct window *w, const char **why)
{
	unsigned hops = r->cfg.generations - 2;
	struct span file;
	int err;

	*w = r->window;
	err = own_file(r, &file, why);
	for (hops = MIN(hops, TURNS + hops % 2); !err && hops; hops--) {
		const struct window before = *w;
		paddr_t load;

		err = kexec_where(&before, file, &load, why);
		if (err || !window_after(&before, load, r->bi->image_size, w))
			continue;
		*why = "the scratch areas that were handed over do not hold every generation";
		err = -ENOMEM;
	}
	return err;
}

int next_check_linux(const struct run *r, const char **why)
{
	char cmdline[BOOT_CMDLINE_MAX];
	struct kexec_image image;
	struct window w;
	int err;

	err = linux_image(r, cmdline, &image, why);
	if (!err)
		err = last_window(r, &w, why);
	if (!err)
		err = kexec_check(r->bi, &w, &image, why);
	if (!err)
		platform_log("linux: bzImage %llu KiB, initrd %llu KiB, command line \"%s\"",
			     (unsigned long long)image.file.len >> 10,
			     (unsigned long long)image.initrd.len >> 10, cmdline);
	return err;
}
