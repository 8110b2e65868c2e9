/* Loading the next kernel as `kexec -s` does, and jumping to it. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Linux include/uapi/linux/kexec.h; older headers of the C library do not have it. */
#define FILE_NO_INITRAMFS	0x4
#define FILE_DEBUG		0x8	/* the log says where everything was put */

#define LOADED_AT	"Loaded 64bit kernel at "

static char cmdline[2048] = "";

static bool read_cmdline(const char *file)
{
	long len = file ? file_read(file, cmdline, sizeof(cmdline) - 1) : 0;

	if (!demand(len >= 0, "%s: %s", file, strerror(errno)))
		return false;
	while (len && (cmdline[len - 1] == '\n' || cmdline[len - 1] == ' '))
		len--;
	cmdline[len] = 0;
	return true;
}

static bool load(const char *kernel, const char *initrd)
{
	const int kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC);
	const int initrd_fd = initrd ? open(initrd, O_RDONLY | O_CLOEXEC) : -1;
	long err;

	if (!demand(kernel_fd >= 0, "%s: %s", kernel, strerror(errno)) ||
	    !demand(!initrd || initrd_fd >= 0, "%s: %s", initrd, strerror(errno)))
		return false;
	err = syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(cmdline) + 1, cmdline,
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

/* With its own loader and libraries, which lie in the root directory. */
static bool load_by_program(const char *kernel, const char *initrd)
{
	char append[sizeof(cmdline) + 32], initrd_option[64];
	char *argv[] = { "ld.so", "--library-path", "/", "/kexec", "-s", "-l", (char *)kernel, append,
			 initrd ? initrd_option : NULL, NULL };
	int status = -1;
	char loaded = 0;
	pid_t pid;

	snprintf(append, sizeof(append), "--command-line=%s", cmdline);
	snprintf(initrd_option, sizeof(initrd_option), "--initrd=%s", initrd ?: "");
	pid = fork();
	if (!pid) {
		execv("/ld.so", argv);
		_exit(127);
	}
	if (!demand(pid > 0 && waitpid(pid, &status, 0) == pid, "kexec -s: %s", strerror(errno)))
		return false;
	file_read("/sys/kernel/kexec_loaded", &loaded, 1);
	say("kexec_s=%s status=%d loaded=%c", kernel, status, loaded);
	return demand(!status && loaded == '1', "kexec -s of %s ended with status %x", kernel, status);
}

static bool load_next(void)
{
	if (!demand(word("next"), "next= is missing") || !read_cmdline(word("next_cmdline")))
		return false;
	if (word_is("next_by", "kexec"))
		return load_by_program(word("next"), word("next_initrd"));
	if (!load(word("next"), word("next_initrd")))
		return false;
	say_address();
	return true;
}

void kexec_next(void)
{
	const struct timespec drained = { .tv_nsec = 200000000 };

	if (!load_next())
		return;
	if (word("agent_sleep"))
		pci_sleep(word("agent_sleep"));
	klog_check(false);
	say("ready=yes");
	nanosleep(&drained, NULL);
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	demand(false, "the jump: %s", strerror(errno));
}
