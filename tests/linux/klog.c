/* The kernel's log, from its start (Linux Documentation/ABI/testing/dev-kmsg). */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVEL_WARNING	4	/* syslog(2); smaller is worse */

static char text[MIB(1)];	/* lines, each as "<level>text" */
static size_t used;

static void take(char *record)
{
	char *message = strchr(record, ';');
	size_t len;

	if (!message)
		return;
	message++;
	len = strcspn(message, "\n");	/* lines of properties follow */
	if (!demand(used + len + 8 < sizeof(text), "the kernel's log is longer than the agent can hold"))
		return;
	used += (size_t)snprintf(text + used, sizeof(text) - used, "<%lu>%.*s\n",
				 strtoul(record, NULL, 10) & 7, (int)len, message);
}

void klog_read(void)
{
	static int fd = -1;
	char record[8192];
	ssize_t n;

	if (fd < 0)
		fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!demand(fd >= 0, "/dev/kmsg: %s", strerror(errno)))
		return;
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (!demand(n > 0, "lines of the kernel's log were overwritten before they were read"))
			continue;
		record[n] = 0;
		take(record);
	}
}

const char *klog_find(const char *needle)
{
	return strstr(text, needle);
}

const char *klog_find_last(const char *needle)
{
	const char *found = NULL;

	for (const char *p = text; (p = strstr(p, needle)); p++)
		found = p;
	return found;
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static bool is_bad(const char *line, bool disabled)
{
	static const char *const anywhere[] = {
		"WARNING:", "BUG:", "Oops", "Kernel panic", "Call Trace", "cut here", "disabling KHO revival",
		"Unable to restore folio", "general protection", "Bad page", "DMAR hardware is malfunctioning",
	};
	static const char *const speakers[] = { "KHO:", "kho", "luo:", "memfd_luo:", "FDT 'memblock'" };
	const int level = line[1] - '0';
	const char *message = line + 3;

	for (size_t i = 0; i < ARRAY_SIZE(anywhere); i++)
		if (strstr(message, anywhere[i]))
			return true;
	if (disabled && strstr(message, "Disabling liveupdate because KHO is disabled"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(speakers); i++)
		if (level <= LEVEL_WARNING && starts(message, speakers[i]))
			return true;
	return false;
}

void klog_check(bool disabled)
{
	unsigned lines = 0, bad = 0;
	char line[512], worst[512] = "";

	klog_read();
	for (const char *p = text; *p; p = strchr(p, '\n') + 1, lines++) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		if (is_bad(line, disabled) && !bad++)
			memcpy(worst, line, sizeof(worst));
	}
	say("log lines=%u bad=%u", lines, bad);
	demand(!bad, "kernel's log: %.200s", worst + (bad ? 3 : 0));
}
