/* Loading the next kernel as `kexec -s` does, and jumping to it. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Linux include/uapi/linux/kexec.h; older headers of the C library do not have it. */
#define FILE_NO_INITRAMFS	0x4
#define FILE_DEBUG		0x8	/* the log says where everything was put */

#define LOADED_AT	"Loaded 64bit kernel at "

static bool load(const char *kernel, const char *initrd, const char *cmdline_file)
{
	static char cmdline[2048] = "";
	const int kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC);
	const int initrd_fd = initrd ? open(initrd, O_RDONLY | O_CLOEXEC) : -1;
	long len = cmdline_file ? file_read(cmdline_file, cmdline, sizeof(cmdline) - 1) : 0;
	long err;

	if (!demand(kernel_fd >= 0, "%s: %s", kernel, strerror(errno)) ||
	    !demand(!initrd || initrd_fd >= 0, "%s: %s", initrd, strerror(errno)) ||
	    !demand(len >= 0, "%s: %s", cmdline_file, strerror(errno)))
		return false;
	while (len && (cmdline[len - 1] == '\n' || cmdline[len - 1] == ' '))
		len--;
	cmdline[len] = 0;
	err = syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, (unsigned long)len + 1, cmdline,
		      FILE_DEBUG | (initrd ? 0 : FILE_NO_INITRAMFS));
	say("kexec_file_load=%s errno=%s", kernel, err ? strerrorname_np(errno) : "0");
	return demand(!err, "kexec_file_load of %s: %s", kernel, strerror(errno));
}

static void say_address(void)
{
	const char *line;

	klog_read();
	line = klog_find_last(LOADED_AT);
	if (demand(line, "the log does not say where the kernel was loaded"))
		say("loaded_at=%.*s", (int)strcspn(line + strlen(LOADED_AT), " \n"), line + strlen(LOADED_AT));
}

void kexec_next(void)
{
	const struct timespec drained = { .tv_nsec = 200000000 };

	if (!demand(word("next"), "next= is missing") ||
	    !load(word("next"), word("next_initrd"), word("next_cmdline")))
		return;
	say_address();
	klog_check(false);
	say("ready=yes");
	nanosleep(&drained, NULL);
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	demand(false, "the jump: %s", strerror(errno));
}
