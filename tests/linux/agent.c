/* Modes and their order.  See agent.h. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CONSOLE_LEVEL	8	/* syslog(2): what the kernel prints while we do */
#define LEVEL_ERRORS	4

/* 5-level paging is on: Linux drops the flag where it is not. */
static bool has_la57(void)
{
	static char text[8192];
	const long len = file_read("/proc/cpuinfo", text, sizeof(text) - 1);

	text[MAX(len, 0)] = 0;
	return strstr(text, " la57");
}

/* Where the running kernel lies, by /proc/iomem. */
static unsigned long long kernel_address(void)
{
	static char text[65536];
	const long len = file_read("/proc/iomem", text, sizeof(text) - 1);
	char *code;

	text[MAX(len, 0)] = 0;
	code = strstr(text, "Kernel code");
	while (code && code > text && code[-1] != '\n')
		code--;
	return code ? strtoull(code, NULL, 16) : 0;
}

/* The framebuffer as boot_params tell it (Linux include/uapi/linux/screen_info.h). */
static void say_screen(void)
{
	static uint8_t page[4096];
	uint16_t width, height;
	uint32_t base;

	if (!demand(file_read("/sys/kernel/boot_params/data", page, sizeof(page)) == sizeof(page),
		    "boot_params cannot be read"))
		return;
	memcpy(&width, page + 0x12, sizeof(width));
	memcpy(&height, page + 0x14, sizeof(height));
	memcpy(&base, page + 0x18, sizeof(base));
	say("screen=%02x width=%u height=%u base=%x", page[0x0f], width, height, base);
}

static void introduce(void)
{
	struct timespec up = { 0 };
	struct utsname u;

	clock_gettime(CLOCK_BOOTTIME, &up);
	if (demand(!uname(&u), "uname: %s", strerror(errno)))
		say("mode=%s release=%s cpus=%ld memory_mib=%ld la57=%s kernel_at=%llx up_ms=%lld", word("agent") ?: "none",
		    u.release, sysconf(_SC_NPROCESSORS_ONLN),
		    sysconf(_SC_PHYS_PAGES) / (long)(MIB(1) / PAGE_SIZE), has_la57() ? "yes" : "no", kernel_address(),
		    (long long)up.tv_sec * 1000 + up.tv_nsec / 1000000);
}

static void say_liveupdate_number(void)
{
	static const char said[] = "liveupdate number: ";
	const char *line = klog_find(said);

	if (demand(line, "the log has no liveupdate number"))
		say("liveupdate_number=%lld", strtoll(line + strlen(said), NULL, 10));
}

static bool has_session(const char *name)
{
	char list[256];

	snprintf(list, sizeof(list), "%s", word("agent_sessions") ?: "");
	for (char *rest = list, *one; (one = strsep(&rest, ",")); )
		if (!strcmp(one, name))
			return true;
	return false;
}

static void receive_sessions(bool off)
{
	const int device = luo_open();

	if (off) {
		say("liveupdate_device=%s", device < 0 ? strerrorname_np(errno) : "there");
		demand(device < 0 && errno == ENOENT, "/dev/liveupdate is there");
		stream_preserved();
		return;
	}
	if (!demand(device >= 0, "/dev/liveupdate: %s", strerror(errno)))
		return;
	say_liveupdate_number();
	if (has_session("baton"))	/* first: its ring has room for seconds only */
		stream_receive(device);
	workload_receive(device);
}

static void receive(void)
{
	const bool none = word_is("agent_kho", "none"), off = word_is("agent_kho", "off");
	const bool found = klog_find("KHO: found kexec handover data");

	say_screen();
	say("found_handover_data=%s", found ? "yes" : "no");
	demand(found != none, "the kernel says that it found%s handover data", found ? "" : " no");
	handoff_look();
	if (!none) {
		digests_check("begin");
		receive_sessions(off);
	}
	if (word_is("nic", "stopped") && (off || !has_session("baton"))) {
		if (demand(word("agent_nic"), "agent_nic= is missing"))
			stream_stopped(word("agent_nic"));
	}
	if (!none) {
		regions_receive();
		digests_check("end");
	}
	klog_check(off);
}

static void send(void)
{
	workload_send();
	regions_send();
	if (!word_is("kho", "off"))
		handoff_announce();
	kexec_next();
}

int main(void)
{
	if (words_read()) {
		klog_read();
		klogctl(CONSOLE_LEVEL, NULL, LEVEL_ERRORS);
		introduce();
		if (word_is("agent", "send"))
			send();
		else if (demand(word_is("agent", "receive"), "agent= is neither send nor receive"))
			receive();
	}
	say_verdict();
	/* Sessions and memfds are still open. QEMU ends at a reset. */
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
