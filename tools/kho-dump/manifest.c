/* The manifest of a sparse image, read strictly. */
#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "kho/abi.h"

#define FORMAT		"sparse-physmem-1"
#define MAX_BYTES	MIB(64)		/* of a manifest */
#define MAX_DEPTH	16
#define MAX_STRING	256		/* of those that count, with the NUL */
#define MAX_FILES	64

struct file {
	char name[MAX_STRING];
	struct span bytes;
};

struct segment {
	uint64_t phys, length, offset;
	char file[MAX_STRING];
	unsigned has;		/* HAS_, a bit for each key */
};
#define HAS_PHYS	BIT32(0)
#define HAS_LENGTH	BIT32(1)
#define HAS_FILE	BIT32(2)
#define HAS_OFFSET	BIT32(3)
#define HAS_ALL		(HAS_PHYS | HAS_LENGTH | HAS_FILE | HAS_OFFSET)

struct parser {
	const char *path;
	struct span text;
	size_t at;
	bool has_format, has_segments;
	struct manifest *out;
	struct file file[MAX_FILES];
	size_t nr_files;
};

/* --- JSON --- */

static enum status bad(const struct parser *p, const char *what)
{
	size_t line = 1;

	for (size_t i = 0; i < MIN(p->at, p->text.len); i++)
		line += p->text.p[i] == '\n';
	return complain(STATUS_USAGE, "%s:%zu: %s", p->path, line, what);
}

static int peek(struct parser *p)
{
	while (p->at < p->text.len && strchr(" \t\r\n", p->text.p[p->at]) && p->text.p[p->at])
		p->at++;
	return p->at < p->text.len ? p->text.p[p->at] : -1;
}

static bool eat(struct parser *p, char c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	return true;
}

/* A string; what does not fit @size is cut.  Escapes are kept as they stand: no name has any. */
static bool string(struct parser *p, char *out, size_t size)
{
	size_t n = 0;

	if (!eat(p, '"'))
		return false;
	while (p->at < p->text.len && p->text.p[p->at] != '"') {
		const bool escaped = p->text.p[p->at] == '\\';

		for (unsigned i = 0; i <= escaped && p->at < p->text.len; i++, p->at++)
			if (n + 1 < size)
				out[n++] = p->text.p[p->at];
	}
	if (size)
		out[n] = 0;
	return p->at++ < p->text.len;
}

static bool digits(const char *s, int base, uint64_t *v)
{
	char *end;

	if (!*s || strspn(s, base == 16 ? "0123456789abcdefABCDEF" : "0123456789") != strlen(s) ||
	    strlen(s) > 18)
		return false;
	*v = strtoull(s, &end, base);
	return !*end;
}

static bool number(struct parser *p, uint64_t *v)
{
	char text[MAX_STRING];
	size_t n = 0;

	peek(p);
	while (p->at < p->text.len && n + 1 < sizeof(text) && strchr("+-.0123456789eE", p->text.p[p->at]) &&
	       p->text.p[p->at])
		text[n++] = p->text.p[p->at++];
	text[n] = 0;
	return digits(text, 10, v);
}

static bool address(struct parser *p, uint64_t *v)
{
	char text[MAX_STRING];

	return string(p, text, sizeof(text)) && !strncmp(text, "0x", 2) && digits(text + 2, 16, v);
}

/* Any value, and nothing of it kept.  Recursion is bounded. */
static bool skip(struct parser *p, unsigned depth)
{
	const bool object = peek(p) == '{';
	const char close = object ? '}' : ']';

	if (depth == MAX_DEPTH)
		return false;
	if (peek(p) == '"')
		return string(p, NULL, 0);
	if (eat(p, '{') || eat(p, '[')) {
		if (eat(p, close))
			return true;
		do {
			if (object && (!string(p, NULL, 0) || !eat(p, ':')))
				return false;
			if (!skip(p, depth + 1))
				return false;
		} while (eat(p, ','));
		return eat(p, close);
	}
	peek(p);
	for (size_t from = p->at;; p->at++)
		if (p->at == p->text.len || !strchr("+-.0123456789aefElnrstu", p->text.p[p->at]) ||
		    !p->text.p[p->at])
			return p->at > from;
}

/* --- Segments --- */

static enum status open_file(struct parser *p, const char *name, struct span *bytes)
{
	const char *slash = strrchr(p->path, '/');
	const int folder = slash ? (int)(slash + 1 - p->path) : 0;
	struct file *f = &p->file[p->nr_files];
	char *path;
	enum status s;

	for (size_t i = 0; i < p->nr_files; i++)
		if (!strcmp(p->file[i].name, name)) {
			*bytes = p->file[i].bytes;
			return STATUS_OK;
		}
	if (!*name || strpbrk(name, "/\\"))
		return bad(p, "a segment's file is no plain name");
	if (p->nr_files == MAX_FILES)
		return bad(p, "too many files");
	path = take(folder + strlen(name) + 1, 1);
	memcpy(path, p->path, folder);
	strcpy(path + folder, name);
	s = image_map_file(path, &f->bytes);
	free(path);
	if (s)
		return s;
	strcpy(f->name, name);
	p->nr_files++;
	*bytes = f->bytes;
	return STATUS_OK;
}

static enum status add_segment(struct parser *p, const struct segment *g)
{
	struct span bytes;
	enum status s;

	if (g->has != HAS_ALL)
		return bad(p, "a segment without phys, length, file or offset");
	if (!g->length || !IS_ALIGNED(g->phys | g->length | g->offset, PAGE_SIZE) ||
	    g->phys >= KHO_ADDR_LIMIT || g->length > KHO_ADDR_LIMIT - g->phys)
		return bad(p, "a segment that is not of whole pages");
	s = open_file(p, g->file, &bytes);
	if (s)
		return s;
	if (!span_sub(bytes, g->offset, g->length, &bytes))
		return bad(p, "a segment that is not all in its file");
	image_add(g->phys, bytes);
	return STATUS_OK;
}

static bool segment_key(struct parser *p, struct segment *g, const char *key)
{
	if (!strcmp(key, "phys")) {
		g->has |= HAS_PHYS;
		return address(p, &g->phys);
	}
	if (!strcmp(key, "length")) {
		g->has |= HAS_LENGTH;
		return number(p, &g->length);
	}
	if (!strcmp(key, "offset")) {
		g->has |= HAS_OFFSET;
		return number(p, &g->offset);
	}
	if (!strcmp(key, "file")) {
		g->has |= HAS_FILE;
		return string(p, g->file, sizeof(g->file));
	}
	return skip(p, 0);
}

static enum status read_segment(struct parser *p)
{
	struct segment g = { .has = 0 };
	char key[MAX_STRING];

	if (!eat(p, '{'))
		return bad(p, "a segment that is no object");
	do {
		if (!string(p, key, sizeof(key)) || !eat(p, ':') || !segment_key(p, &g, key))
			return bad(p, "a segment that cannot be read");
	} while (eat(p, ','));
	if (!eat(p, '}'))
		return bad(p, "a segment without an end");
	return add_segment(p, &g);
}

static enum status read_segments(struct parser *p)
{
	p->has_segments = true;
	if (!eat(p, '['))
		return bad(p, "segments are no list");
	do {
		const enum status s = read_segment(p);

		if (s)
			return s;
	} while (eat(p, ','));
	return eat(p, ']') ? STATUS_OK : bad(p, "segments without an end");
}

static enum status read_key(struct parser *p, const char *key)
{
	char text[MAX_STRING];

	if (!strcmp(key, "segments"))
		return read_segments(p);
	if (!strcmp(key, "boot_params")) {
		p->out->has_boot_params = true;
		return address(p, &p->out->boot_params) ? STATUS_OK :
		       bad(p, "boot_params is no address");
	}
	if (!strcmp(key, "format")) {
		p->has_format = string(p, text, sizeof(text)) && !strcmp(text, FORMAT);
		return p->has_format ? STATUS_OK : bad(p, "the format is not " FORMAT);
	}
	return skip(p, 0) ? STATUS_OK : bad(p, "no JSON");
}

enum status manifest_read(const char *path, struct manifest *out)
{
	static struct parser p;
	char key[MAX_STRING];
	enum status s;

	p = (struct parser){ .path = path, .out = out };
	*out = (struct manifest){ .has_boot_params = false };
	s = image_map_file(path, &p.text);
	if (s)
		return s;
	if (p.text.len > MAX_BYTES)
		return complain(STATUS_USAGE, "%s: too large for a manifest", path);
	if (!eat(&p, '{'))
		return bad(&p, "no JSON object");
	do {
		if (!string(&p, key, sizeof(key)) || !eat(&p, ':'))
			return bad(&p, "no JSON");
		s = read_key(&p, key);
		if (s)
			return s;
	} while (eat(&p, ','));
	if (!eat(&p, '}') || peek(&p) != -1)
		return bad(&p, "no JSON");
	if (!p.has_format || !p.has_segments)
		return bad(&p, "format or segments are missing");
	return image_seal();
}
