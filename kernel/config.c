#include "kernel/config.h"

#include <string.h>

#include "boot_info.h"
#include "errno.h"
#include "kernel/console/printf.h"

enum value_kind {
	VALUE_WORD,		/* one of @words, in the order of the enum; the first @max of
				 * them are implemented */
	VALUE_NUMBER,		/* decimal, @min to @max */
	VALUE_YES_NO,
	VALUE_SCRATCH,		/* auto, or a size in MiB, suffix M or G, @min to @max */
	VALUE_PCI,		/* seg:bus:dev.fn or words[0] for none; its flag is at @flag */
	VALUE_NAME,		/* or words[0] for none */
};

/* Text lies inside the table: it is read before anything could be relocated. */
struct key {
	char name[12];
	enum value_kind kind;
	uint16_t offset, flag;
	uint32_t min, max;
	char words[3][14];
};

#define AT(member)	offsetof(struct baton_config, member)

#define SCRATCH_STEP_MIB	8	/* two halves, each 4 MiB aligned */

static const struct key keys[] = {
	{ "plan", VALUE_WORD, AT(plan), 0, 0, 1, { "handover", "audit", "selftest" } },
	{ "nic", VALUE_PCI, AT(nic), AT(has_nic), 0, 0, { "auto" } },
	{ "traffic", VALUE_WORD, AT(traffic), 0, 0, 1, { "external", "loopback" } },
	{ "rate", VALUE_NUMBER, AT(rate), 0, 1, 1000000, { "" } },
	{ "frames", VALUE_NUMBER, AT(frames), 0, 1, 1000000000, { "" } },
	{ "generations", VALUE_NUMBER, AT(generations), 0, 1, 10000, { "" } },
	{ "scratch", VALUE_SCRATCH, AT(scratch_mib), 0, 16, 2048, { "auto" } },
	{ "mode", VALUE_WORD, AT(mode), 0, 0, 2, { "legacy", "scalable" } },
	{ "domains", VALUE_WORD, AT(domains), 0, 0, 2, { "own", "shared" } },
	{ "profile", VALUE_WORD, AT(profile), 0, 0, 2, { "linux-7.3", "iommu-series" } },
	{ "handoff_to", VALUE_WORD, AT(handoff_to), 0, 0, 2, { "baton", "linux" } },
	{ "linux_kho", VALUE_YES_NO, AT(linux_kho), 0, 0, 0, { "" } },
	{ "efi", VALUE_WORD, AT(efi), 0, 0, 3, { "none", "first", "relay" } },
	{ "hold_ms", VALUE_NUMBER, AT(hold_ms), 0, 0, 10000, { "" } },
	{ "faults", VALUE_YES_NO, AT(faults), 0, 0, 0, { "" } },
	{ "hostile", VALUE_PCI, AT(hostile), AT(has_hostile), 0, 0, { "none" } },
	{ "corrupt", VALUE_NAME, AT(corrupt), 0, 0, 0, { "none" } },
	{ "console", VALUE_WORD, AT(console), 0, 0, 3, { "both", "serial", "framebuffer" } },
	{ "exit", VALUE_WORD, AT(exit), 0, 0, 2, { "reset", "qemu" } },
	{ "countdown", VALUE_NUMBER, AT(countdown), 0, 0, 60, { "" } },
	{ "generation", VALUE_NUMBER, AT(generation), 0, 1, 10000, { "" } },
};
#define KEY_GENERATION	(ARRAY_SIZE(keys) - 1)
static_assert(ARRAY_SIZE(keys) <= 32, "one bit per key");

struct span_text {
	const char *p;
	size_t len;
};

struct item {
	struct span_text key, value;
	unsigned line;
	bool has_equals, text;
};

struct reader {
	const char *p, *end;
	enum config_source source;
	unsigned line;
};

void config_defaults(struct baton_config *c)
{
	memset(c, 0, sizeof(*c));
	c->plan = PLAN_HANDOVER;
	c->mode = MODE_LEGACY;
	c->domains = DOMAINS_OWN;
	c->traffic = TRAFFIC_EXTERNAL;
	c->rate = 4000;
	c->frames = 20000;
	c->generations = 3;
	c->hold_ms = 20;
	c->countdown = 3;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_separator(const struct reader *r, char c)
{
	return r->source == CONFIG_FILE ? c == '\n' : is_blank(c);
}

static void cut_item(struct item *item, const char *p, const char *end)
{
	const char *eq;

	item->text = true;
	for (const char *c = p; c < end; c++)
		item->text &= *c >= 0x20 && *c <= 0x7e;
	eq = memchr(p, '=', (size_t)(end - p));
	item->has_equals = eq;
	item->key = (struct span_text){ p, (size_t)((eq ? eq : end) - p) };
	item->value = (struct span_text){ eq ? eq + 1 : end, eq ? (size_t)(end - eq - 1) : 0 };
}

/* The next line of a file that says something, or the next word. */
static bool next_item(struct reader *r, struct item *item)
{
	while (r->p < r->end) {
		const char *p = r->p, *end;

		while (r->p < r->end && !is_separator(r, *r->p))
			r->p++;
		end = r->p;
		if (r->p < r->end)
			r->p++;
		if (r->source == CONFIG_FILE)
			r->line++;
		while (p < end && is_blank(*p))
			p++;
		while (p < end && is_blank(end[-1]))
			end--;
		if (p == end || (r->source == CONFIG_FILE && *p == '#'))
			continue;
		if (r->source != CONFIG_FILE)
			r->line++;
		item->line = r->line;
		cut_item(item, p, end);
		return true;
	}
	return false;
}

static bool text_is(struct span_text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

static const struct key *find_key(struct span_text name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (text_is(name, keys[i].name))
			return &keys[i];
	return NULL;
}

/* Digits of @base at *@t, which moves behind them; false if there is none or the value is
 * larger than @max. */
static bool take_digits(struct span_text *t, unsigned base, uint32_t max, uint32_t *v)
{
	const size_t before = t->len;
	uint64_t n = 0;

	for (; t->len; t->p++, t->len--) {
		const char c = *t->p;
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (unsigned)((c | 0x20) - 'a') + 10;
		else
			break;
		n = n * base + d;
		if (n > max)
			return false;
	}
	*v = (uint32_t)n;
	return t->len != before;
}

static bool take_char(struct span_text *t, char c)
{
	if (!t->len || *t->p != c)
		return false;
	t->p++;
	t->len--;
	return true;
}

static bool parse_number(struct span_text t, uint32_t min, uint32_t max, uint32_t *v)
{
	return take_digits(&t, 10, max, v) && !t.len && *v >= min;
}

static bool parse_scratch(const struct key *key, struct span_text t, uint32_t *mib)
{
	uint32_t v;

	if (text_is(t, key->words[0])) {
		*mib = 0;
		return true;
	}
	if (!take_digits(&t, 10, key->max, &v))
		return false;
	if (take_char(&t, 'G'))
		v = v > key->max / 1024 ? UINT32_MAX : v * 1024;
	else
		take_char(&t, 'M');
	*mib = v;
	return !t.len && v >= key->min && v <= key->max && v % SCRATCH_STEP_MIB == 0;
}

static bool parse_pci(struct span_text t, struct config_pci *pci)
{
	uint32_t segment, bus, dev, fn;

	if (!take_digits(&t, 16, 0xffff, &segment) || !take_char(&t, ':') ||
	    !take_digits(&t, 16, 0xff, &bus) || !take_char(&t, ':') ||
	    !take_digits(&t, 16, 0x1f, &dev) || !take_char(&t, '.') ||
	    !take_digits(&t, 16, 7, &fn) || t.len)
		return false;
	pci->segment = (uint16_t)segment;
	pci->rid = (uint16_t)(bus << 8 | dev << 3 | fn);
	return true;
}

static bool parse_name(struct span_text t, char name[CONFIG_CORRUPT_MAX])
{
	if (!t.len || t.len >= CONFIG_CORRUPT_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (is_blank(t.p[i]))
			return false;
	memcpy(name, t.p, t.len);
	name[t.len] = 0;
	return true;
}

static bool parse_word(const struct key *key, struct span_text t, uint32_t *v)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(key->words) && key->words[i][0]; i++) {
		if (text_is(t, key->words[i])) {
			*v = i;
			return true;
		}
	}
	return false;
}

/* Put @value where @key says; false, and nothing changed, if it is not allowed. */
static bool set_value(struct baton_config *c, const struct key *key, struct span_text value)
{
	char *const at = (char *)c + key->offset;
	const bool none = text_is(value, key->words[0]);
	struct config_pci pci = { 0 };
	char name[CONFIG_CORRUPT_MAX] = "";
	uint32_t v = 0;
	bool yes;

	switch (key->kind) {
	case VALUE_WORD:
		if (!parse_word(key, value, &v))
			return false;
		break;
	case VALUE_NUMBER:
		if (!parse_number(value, key->min, key->max, &v))
			return false;
		break;
	case VALUE_SCRATCH:
		if (!parse_scratch(key, value, &v))
			return false;
		break;
	case VALUE_YES_NO:
		yes = text_is(value, "yes");
		if (!yes && !text_is(value, "no"))
			return false;
		memcpy(at, &yes, sizeof(yes));
		return true;
	case VALUE_PCI:
		if (!none && !parse_pci(value, &pci))
			return false;
		yes = !none;
		memcpy((char *)c + key->flag, &yes, sizeof(yes));
		memcpy(at, &pci, sizeof(pci));
		return true;
	case VALUE_NAME:
		if (!none && !parse_name(value, name))
			return false;
		memcpy(at, name, sizeof(name));
		return true;
	}
	memcpy(at, &v, sizeof(v));
	return true;
}
static_assert(sizeof(enum config_plan) == sizeof(uint32_t), "words are stored as numbers");

/* What would have been right for @key. */
static void describe(const struct key *key, char *buf, size_t size)
{
	int n;

	switch (key->kind) {
	case VALUE_WORD:
		n = str_format(buf, size, "%s", key->words[0]);
		for (size_t i = 1; i < ARRAY_SIZE(key->words) && key->words[i][0]; i++)
			n += str_format(buf + n, size - (size_t)n, "|%s", key->words[i]);
		break;
	case VALUE_NUMBER:
		str_format(buf, size, "a number from %u to %u", key->min, key->max);
		break;
	case VALUE_YES_NO:
		str_format(buf, size, "yes|no");
		break;
	case VALUE_SCRATCH:
		str_format(buf, size, "%s or %uM to %uM in steps of %uM", key->words[0], key->min,
			   key->max, SCRATCH_STEP_MIB);
		break;
	case VALUE_PCI:
		str_format(buf, size, "%s or seg:bus:dev.fn in hexadecimal", key->words[0]);
		break;
	case VALUE_NAME:
		str_format(buf, size, "%s or a name of at most %u characters", key->words[0],
			   CONFIG_CORRUPT_MAX - 1);
		break;
	}
}

#define SHOWN_MAX	32	/* characters of a foreign key or value in a sentence */

static int shown(struct span_text t)
{
	return (int)MIN(t.len, SHOWN_MAX);
}

/* Say what is wrong with @item; false if nothing is, and it has been applied. */
static bool refuse(struct baton_config *c, const struct item *item, enum config_source source,
		   uint32_t *seen, char *why, size_t size)
{
	const struct key *key = item->text ? find_key(item->key) : NULL;
	char right[64];

	if (!item->text)
		str_format(why, size, "there are bytes that are not text");
	else if (!key)
		str_format(why, size, "unknown key `%.*s`", shown(item->key), item->key.p);
	else if (!item->has_equals)
		str_format(why, size, "`%s` has no =value", key->name);
	else if (key == &keys[KEY_GENERATION] && source != CONFIG_CMDLINE)
		str_format(why, size, "`%s` stands on a kernel's command line only", key->name);
	else if (*seen & BIT32(key - keys))
		str_format(why, size, "`%s` is given twice", key->name);
	else if (!set_value(c, key, item->value)) {
		describe(key, right, sizeof(right));
		str_format(why, size, "%s=%.*s is not %s", key->name, shown(item->value),
			   item->value.p, right);
	} else {
		*seen |= BIT32(key - keys);
		return false;
	}
	return true;
}

static void tell(struct config_error *err, enum config_source source, unsigned line,
		 const char *why)
{
	err->line = line;
	if (source == CONFIG_FILE)
		str_format(err->text, sizeof(err->text), "baton.cfg line %u: %s", line, why);
	else
		str_format(err->text, sizeof(err->text), "%s: %s",
			   source == CONFIG_OPTIONS ? "load options" : "command line", why);
}

/* Some editors put a byte order mark in front of UTF-8 text. */
static size_t skip_bom(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

int config_parse(struct baton_config *c, const char *text, size_t len,
		 enum config_source source, struct config_error *err)
{
	struct reader r = { .p = text, .end = text + len, .source = source };
	struct baton_config next = *c;
	struct item item;
	uint32_t seen = 0;
	bool refused = false;
	char why[sizeof(err->text)];

	if (source == CONFIG_FILE)
		r.p += skip_bom(text, len);
	while (next_item(&r, &item)) {
		if (!refuse(&next, &item, source, &seen, why, sizeof(why)) || refused)
			continue;
		tell(err, source, item.line, why);
		refused = true;
	}
	if (refused) {
		c->exit = next.exit;
		c->console = next.console;
		return -EINVAL;
	}
	*c = next;
	return 0;
}

/* UCS-2 to ASCII without the NULs at the end; false if it does not fit or is not printable. */
static bool options_text(const uint8_t *opts, size_t bytes, char *text, size_t max, size_t *len)
{
	size_t n = bytes / 2;

	while (n && !opts[2 * n - 2] && !opts[2 * n - 1])
		n--;
	*len = n;
	if (bytes % 2 || n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		const unsigned unit = opts[2 * i] | (unsigned)opts[2 * i + 1] << 8;

		if ((unit < 0x20 || unit > 0x7e) && !(unit < 0x20 && is_blank((char)unit)))
			return false;
		text[i] = (char)unit;
	}
	return true;
}

/* Where the words after a leading image path begin: a shell passes the line as it was typed. */
static size_t skip_image_path(const char *text, size_t len)
{
	size_t i = 0, word;

	while (i < len && is_blank(text[i]))
		i++;
	word = i;
	if (i < len && text[i] == '"') {
		const char *quote = memchr(&text[i + 1], '"', len - i - 1);

		return quote ? (size_t)(quote - text) + 1 : len;
	}
	while (i < len && !is_blank(text[i]))
		i++;
	return memchr(&text[word], '=', i - word) ? word : i;
}

int config_load_options(struct baton_config *c, const void *opts, size_t bytes,
			bool *ignored, struct config_error *err)
{
	char text[BOOT_CMDLINE_MAX];
	size_t len = 0, start;

	*ignored = false;
	if (!options_text(opts, bytes, text, sizeof(text), &len)) {
		*ignored = true;
		return 0;
	}
	start = skip_image_path(text, len);
	if (!memchr(&text[start], '=', len - start)) {
		*ignored = len != 0;
		return 0;
	}
	return config_parse(c, &text[start], len - start, CONFIG_OPTIONS, err);
}

/* The value of @key in @c, as config_parse() reads it. */
static void format_value(const struct baton_config *c, const struct key *key, char *buf,
			 size_t size)
{
	const char *const at = (const char *)c + key->offset;
	struct config_pci pci;
	uint32_t v = 0;
	bool yes;

	switch (key->kind) {
	case VALUE_WORD:
		memcpy(&v, at, sizeof(v));
		str_format(buf, size, "%s", v < ARRAY_SIZE(key->words) ? key->words[v] : "");
		break;
	case VALUE_NUMBER:
		memcpy(&v, at, sizeof(v));
		str_format(buf, size, "%u", v);
		break;
	case VALUE_SCRATCH:
		memcpy(&v, at, sizeof(v));
		if (v)
			str_format(buf, size, "%uM", v);
		else
			str_format(buf, size, "%s", key->words[0]);
		break;
	case VALUE_YES_NO:
		memcpy(&yes, at, sizeof(yes));
		str_format(buf, size, "%s", yes ? "yes" : "no");
		break;
	case VALUE_PCI:
		memcpy(&yes, (const char *)c + key->flag, sizeof(yes));
		memcpy(&pci, at, sizeof(pci));
		if (yes)
			str_format(buf, size, "%04x:%02x:%02x.%x", pci.segment, pci.rid >> 8,
				   pci.rid >> 3 & 0x1f, pci.rid & 7);
		else
			str_format(buf, size, "%s", key->words[0]);
		break;
	case VALUE_NAME:
		str_format(buf, size, "%.*s", CONFIG_CORRUPT_MAX - 1, *at ? at : key->words[0]);
		break;
	}
}

int config_format(const struct baton_config *c, unsigned generation, char *buf, size_t size)
{
	struct baton_config next = *c;
	size_t len = 0;
	char value[CONFIG_CORRUPT_MAX];

	next.generation = generation;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (i == KEY_GENERATION && !generation)
			break;
		format_value(&next, &keys[i], value, sizeof(value));
		len += (size_t)str_format(len < size ? buf + len : NULL, len < size ? size - len : 0,
					  "%s%s=%s", i ? " " : "", keys[i].name, value);
	}
	return len < size ? (int)len : -ENOSPC;
}

/* The first word that is legal but not implemented. */
static const struct key *not_implemented(const struct baton_config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint32_t v;

		if (keys[i].kind != VALUE_WORD)
			continue;
		memcpy(&v, (const char *)c + keys[i].offset, sizeof(v));
		if (v >= keys[i].max)
			return &keys[i];
	}
	return NULL;
}

const char *config_unsupported(const struct baton_config *c, char *buf, size_t size)
{
	const struct key *key = not_implemented(c);
	char value[CONFIG_CORRUPT_MAX];

	if (key) {
		format_value(c, key, value, sizeof(value));
		str_format(buf, size, "%s=%s is not implemented in this version", key->name, value);
		return buf;
	}
#ifndef BATON_TEST_BUILD
	if (c->corrupt[0]) {
		str_format(buf, size, "corrupt=%.*s works in test builds only",
			   CONFIG_CORRUPT_MAX - 1, c->corrupt);
		return buf;
	}
#endif
	if (c->frames < c->generations)
		str_format(buf, size, "frames=%u is less than one for each of generations=%u",
			   c->frames, c->generations);
	else if (c->generation >= c->generations)
		str_format(buf, size, "generation=%u is not one of generations=%u (0 to %u)",
			   c->generation, c->generations, c->generations - 1);
	else if (c->handoff_to == TARGET_LINUX && c->generations < 2)
		str_format(buf, size, "handoff_to=linux takes the place of the last generation; it needs generations=2 or more");
	else if (c->handoff_to != TARGET_LINUX && (c->linux_kho || c->efi != EFI_INFO_NONE))
		str_format(buf, size, "linux_kho= and efi= say how Linux is started; they need handoff_to=linux");
	else if (c->efi == EFI_INFO_FIRST && c->generations != 2)
		str_format(buf, size, "efi=first hands on what only generation 0 has; it needs generations=2");
	else if (c->has_hostile && !c->faults)
		str_format(buf, size, "hostile= provokes faults; it needs faults=yes");
	else
		return NULL;
	return buf;
}

uint64_t config_scratch_bytes(const struct baton_config *c)
{
	if (c->scratch_mib)
		return MIB(c->scratch_mib);
	return c->handoff_to == TARGET_LINUX ? MIB(512) : MIB(64);
}
