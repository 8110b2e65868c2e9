/* What the agent says: lines that can be told from damaged ones. */
#include "agent.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "kho/crc32c.h"

#define LINE_MAX_BYTES	512

static char first_problem[LINE_MAX_BYTES];

static void vsay(const char *fmt, va_list args)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 32];
	int len = vsnprintf(text, sizeof(text), fmt, args);

	len = len < 0 ? 0 : MIN(len, (int)sizeof(text) - 1);
	len = snprintf(line, sizeof(line), "agent: %08x %s\n", kho_crc32c(0, text, (size_t)len), text);
	for (unsigned copy = 0; copy < 2; copy++) {
		/* One call each, so that the kernel's own lines come between ours at most. */
		if (write(STDOUT_FILENO, line, (size_t)len) < 0)
			return;
		tcdrain(STDOUT_FILENO);
	}
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
}

const char *as_value(const char *text)
{
	static char kept[4][LINE_MAX_BYTES / 2];
	static unsigned next;
	char *out = kept[next++ % ARRAY_SIZE(kept)];
	size_t n = 0;

	for (; *text && *text != '\n' && n < sizeof(kept[0]) - 1; text++)
		out[n++] = *text == '=' ? ':' : isgraph((unsigned char)*text) ? *text : '_';
	out[n] = 0;
	return n ? out : "-";
}

bool demand(bool ok, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES / 2];
	va_list args;

	if (ok)
		return true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say("problem=%s", as_value(text));
	if (!first_problem[0])
		snprintf(first_problem, sizeof(first_problem), "%s", as_value(text));
	return false;
}

void say_verdict(void)
{
	if (first_problem[0])
		say("verdict=FAIL reason=%s", first_problem);
	else
		say("verdict=PASS");
}
