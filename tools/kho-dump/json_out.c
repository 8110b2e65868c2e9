/* Writing JSON. */
#include "json_out.h"

#include <stdio.h>
#include <string.h>

static unsigned depth;
static bool first = true;	/* nothing was written behind the last bracket */

static void put_string(const char *s, size_t max)
{
	putchar('"');
	for (size_t i = 0; i < max && s[i]; i++) {
		const uint8_t c = s[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void new_line(void)
{
	putchar('\n');
	for (unsigned i = 0; i < depth; i++)
		putchar(' ');
}

static void start(const char *key)
{
	if (!first)
		putchar(',');
	if (depth)
		new_line();
	first = false;
	if (key) {
		put_string(key, SIZE_MAX);
		fputs(": ", stdout);
	}
}

void json_open(const char *key, char bracket)
{
	start(key);
	putchar(bracket);
	depth++;
	first = true;
}

void json_close(char bracket)
{
	depth--;
	if (!first)
		new_line();
	putchar(bracket);
	first = false;
	if (!depth)
		putchar('\n');
}

void json_number(const char *key, uint64_t v)
{
	start(key);
	printf("%llu", (unsigned long long)v);
}

void json_bool(const char *key, bool v)
{
	start(key);
	fputs(v ? "true" : "false", stdout);
}

void json_hex(const char *key, uint64_t v)
{
	start(key);
	printf("\"0x%llx\"", (unsigned long long)v);
}

void json_string(const char *key, const char *v, size_t max)
{
	start(key);
	put_string(v, max);
}

void json_bytes(const char *key, const void *p, size_t n)
{
	const uint8_t *b = p;

	start(key);
	putchar('"');
	for (size_t i = 0; i < n; i++)
		printf("%02x", b[i]);
	putchar('"');
}
