#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "boot_info.h"
#include "errno.h"
#include "kernel/config.h"

#define ALL_SOURCES	3

/* Field by field: bytes between them do not count. */
static void assert_same(const struct baton_config *a, const struct baton_config *b)
{
#define SAME(member)	assert_int_equal(a->member, b->member)
	SAME(plan);
	SAME(mode);
	SAME(domains);
	SAME(traffic);
	SAME(profile);
	SAME(handoff_to);
	SAME(efi);
	SAME(exit);
	SAME(console);
	SAME(rate);
	SAME(frames);
	SAME(generations);
	SAME(scratch_mib);
	SAME(hold_ms);
	SAME(countdown);
	SAME(generation);
	SAME(linux_kho);
	SAME(faults);
	SAME(has_nic);
	SAME(nic.segment);
	SAME(nic.rid);
	SAME(has_hostile);
	SAME(hostile.segment);
	SAME(hostile.rid);
#undef SAME
	assert_string_equal(a->corrupt, b->corrupt);
}

static int parse(struct baton_config *c, const char *text, enum config_source source,
		 struct config_error *err)
{
	const size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);	/* so that reading past the end is seen */
	int ret;

	memcpy(exact, text, len);
	ret = config_parse(c, exact, len, source, err);
	free(exact);
	return ret;
}

static void test_defaults(void **state)
{
	struct baton_config c;

	(void)state;
	memset(&c, 0xa5, sizeof(c));
	config_defaults(&c);
	assert_int_equal(c.plan, PLAN_HANDOVER);
	assert_int_equal(c.mode, MODE_LEGACY);
	assert_int_equal(c.domains, DOMAINS_OWN);
	assert_int_equal(c.traffic, TRAFFIC_EXTERNAL);
	assert_int_equal(c.profile, PROFILE_LINUX_7_3);
	assert_int_equal(c.handoff_to, TARGET_BATON);
	assert_int_equal(c.exit, EXIT_RESET);
	assert_int_equal(c.generations, 3);
	assert_int_equal(c.rate, 4000);
	assert_int_equal(c.frames, 20000);
	assert_int_equal(c.countdown, 3);
	assert_int_equal(c.hold_ms, 20);
	assert_int_equal(c.generation, 0);
	assert_false(c.faults || c.linux_kho || c.has_nic || c.has_hostile || c.corrupt[0]);
	assert_int_equal(config_scratch_bytes(&c), MIB(64));
	c.handoff_to = TARGET_LINUX;
	assert_int_equal(config_scratch_bytes(&c), MIB(512));
	c.scratch_mib = 128;
	assert_int_equal(config_scratch_bytes(&c), MIB(128));
}

static void test_a_whole_file(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# a comment\r\n\r\n  plan=selftest  \nnic=0001:3f:1e.7\r\ntraffic=loopback\n"
		"rate=1000000\nframes=1\ngenerations=10000\nscratch=1G\nmode=scalable\ndomains=shared\n"
		"profile=iommu-series\nhandoff_to=linux\nlinux_kho=yes\nefi=relay\n\t hold_ms=0\n"
		"faults=yes\nhostile=0:0:3.0\ncorrupt=rtaddr\nconsole=framebuffer\nexit=qemu\n"
		"   # another\ncountdown=0";
	const struct baton_config want = {
		.plan = PLAN_SELFTEST, .mode = MODE_SCALABLE, .domains = DOMAINS_SHARED, .traffic = TRAFFIC_LOOPBACK,
		.profile = PROFILE_IOMMU_SERIES, .handoff_to = TARGET_LINUX, .efi = EFI_INFO_RELAY,
		.exit = EXIT_QEMU, .console = SHOW_FRAMEBUFFER, .rate = 1000000, .frames = 1,
		.generations = 10000, .scratch_mib = 1024, .hold_ms = 0, .countdown = 0,
		.linux_kho = true, .faults = true, .has_nic = true, .has_hostile = true,
		.nic = { 1, 0x3ff7 }, .hostile = { 0, 0x18 }, .corrupt = "rtaddr",
	};
	struct baton_config c;
	struct config_error err;

	(void)state;
	config_defaults(&c);
	assert_int_equal(parse(&c, text, CONFIG_FILE, &err), 0);
	assert_same(&c, &want);
	print_message("# config.later_source_overrides\n");
	assert_int_equal(parse(&c, " rate=5  nic=auto\thostile=none corrupt=none scratch=auto ",
			       CONFIG_OPTIONS, &err), 0);
	assert_int_equal(c.rate, 5);
	assert_int_equal(c.frames, 1);
	assert_int_equal(c.scratch_mib, 0);
	assert_false(c.has_nic || c.has_hostile || c.corrupt[0]);
}

static void test_refusals(void **state)
{
	static const struct { const char *name; enum config_source source; const char *text, *want; } cases[] = {
		{ "unknown_key", CONFIG_FILE, "rate=5\n\nraet=6\n", "baton.cfg line 3: unknown key `raet`" },
		{ "unknown_key_in_options", CONFIG_OPTIONS, "raet=6", "load options: unknown key `raet`" },
		{ "unknown_key_on_cmdline", CONFIG_CMDLINE, "root=/dev/sda1",
		  "command line: unknown key `root`" },
		{ "empty_key", CONFIG_FILE, "=5", "baton.cfg line 1: unknown key ``" },
		{ "long_key_is_cut", CONFIG_FILE, "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee=1",
		  "baton.cfg line 1: unknown key `aaaaaaaaaabbbbbbbbbbccccccccccdd`" },
		{ "key_is_case_sensitive", CONFIG_FILE, "Rate=5", "baton.cfg line 1: unknown key `Rate`" },
		{ "no_value", CONFIG_FILE, "rate", "baton.cfg line 1: `rate` has no =value" },
		{ "given_twice", CONFIG_FILE, "rate=5\nrate=5\n", "baton.cfg line 2: `rate` is given twice" },
		{ "first_error_is_told", CONFIG_FILE, "rate=x\nraet=5\n",
		  "baton.cfg line 1: rate=x is not a number from 1 to 1000000" },
		{ "comment_lines_are_counted", CONFIG_FILE, "# x\r\n\r\nmode=fast\r\n",
		  "baton.cfg line 3: mode=fast is not legacy|scalable" },
		{ "not_text", CONFIG_FILE, "rate=5\nmode=leg\x01"  "acy",
		  "baton.cfg line 2: there are bytes that are not text" },
		{ "not_ascii", CONFIG_FILE, "r\xc3\xa4te=5", "baton.cfg line 1: there are bytes that are not text" },
		{ "empty_number", CONFIG_FILE, "rate=", "baton.cfg line 1: rate= is not a number from 1 to 1000000" },
		{ "rate_0", CONFIG_FILE, "rate=0", "baton.cfg line 1: rate=0 is not a number from 1 to 1000000" },
		{ "rate_too_large", CONFIG_FILE, "rate=1000001",
		  "baton.cfg line 1: rate=1000001 is not a number from 1 to 1000000" },
		{ "rate_negative", CONFIG_FILE, "rate=-1", "baton.cfg line 1: rate=-1 is not a number from 1 to 1000000" },
		{ "rate_wraps_64_bits", CONFIG_FILE, "rate=18446744073709551621",
		  "baton.cfg line 1: rate=18446744073709551621 is not a number from 1 to 1000000" },
		{ "rate_hexadecimal", CONFIG_FILE, "rate=0x10",
		  "baton.cfg line 1: rate=0x10 is not a number from 1 to 1000000" },
		{ "rate_and_more", CONFIG_FILE, "rate=5 frames=6",
		  "baton.cfg line 1: rate=5 frames=6 is not a number from 1 to 1000000" },
		{ "space_before_value", CONFIG_FILE, "rate= 5", "baton.cfg line 1: rate= 5 is not a number from 1 to 1000000" },
		{ "frames_too_many", CONFIG_FILE, "frames=1000000001",
		  "baton.cfg line 1: frames=1000000001 is not a number from 1 to 1000000000" },
		{ "generations_0", CONFIG_FILE, "generations=0",
		  "baton.cfg line 1: generations=0 is not a number from 1 to 10000" },
		{ "generations_too_many", CONFIG_FILE, "generations=10001",
		  "baton.cfg line 1: generations=10001 is not a number from 1 to 10000" },
		{ "hold_too_long", CONFIG_FILE, "hold_ms=10001", "baton.cfg line 1: hold_ms=10001 is not a number from 0 to 10000" },
		{ "countdown_too_long", CONFIG_FILE, "countdown=61",
		  "baton.cfg line 1: countdown=61 is not a number from 0 to 60" },
		{ "scratch_too_small", CONFIG_FILE, "scratch=8M",
		  "baton.cfg line 1: scratch=8M is not auto or 16M to 2048M in steps of 8M" },
		{ "scratch_too_large", CONFIG_FILE, "scratch=3G",
		  "baton.cfg line 1: scratch=3G is not auto or 16M to 2048M in steps of 8M" },
		{ "scratch_wraps", CONFIG_FILE, "scratch=4194305G",
		  "baton.cfg line 1: scratch=4194305G is not auto or 16M to 2048M in steps of 8M" },
		{ "scratch_off_step", CONFIG_FILE, "scratch=68M",
		  "baton.cfg line 1: scratch=68M is not auto or 16M to 2048M in steps of 8M" },
		{ "scratch_suffix", CONFIG_FILE, "scratch=64K",
		  "baton.cfg line 1: scratch=64K is not auto or 16M to 2048M in steps of 8M" },
		{ "scratch_suffix_alone", CONFIG_FILE, "scratch=M",
		  "baton.cfg line 1: scratch=M is not auto or 16M to 2048M in steps of 8M" },
		{ "yes_no", CONFIG_FILE, "faults=1", "baton.cfg line 1: faults=1 is not yes|no" },
		{ "empty_word", CONFIG_FILE, "plan=", "baton.cfg line 1: plan= is not handover|audit|selftest" },
		{ "half_a_word", CONFIG_FILE, "plan=hand", "baton.cfg line 1: plan=hand is not handover|audit|selftest" },
		{ "longer_word", CONFIG_FILE, "plan=audits", "baton.cfg line 1: plan=audits is not handover|audit|selftest" },
		{ "pci_device_32", CONFIG_FILE, "nic=0:0:20.0",
		  "baton.cfg line 1: nic=0:0:20.0 is not auto or seg:bus:dev.fn in hexadecimal" },
		{ "pci_function_8", CONFIG_FILE, "nic=0:0:3.8",
		  "baton.cfg line 1: nic=0:0:3.8 is not auto or seg:bus:dev.fn in hexadecimal" },
		{ "pci_bus_256", CONFIG_FILE, "nic=0:100:3.0",
		  "baton.cfg line 1: nic=0:100:3.0 is not auto or seg:bus:dev.fn in hexadecimal" },
		{ "pci_segment_too_large", CONFIG_FILE, "nic=10000:0:3.0",
		  "baton.cfg line 1: nic=10000:0:3.0 is not auto or seg:bus:dev.fn in hexadecimal" },
		{ "pci_without_segment", CONFIG_FILE, "nic=00:03.0",
		  "baton.cfg line 1: nic=00:03.0 is not auto or seg:bus:dev.fn in hexadecimal" },
		{ "pci_and_more", CONFIG_FILE, "hostile=0:0:3.0x",
		  "baton.cfg line 1: hostile=0:0:3.0x is not none or seg:bus:dev.fn in hexadecimal" },
		{ "name_too_long", CONFIG_FILE, "corrupt=abcdefghijklmnopqrstuvwxyz012345",
		  "baton.cfg line 1: corrupt=abcdefghijklmnopqrstuvwxyz012345 is not none or a name of at most 31 characters" },
		{ "name_empty", CONFIG_FILE, "corrupt=",
		  "baton.cfg line 1: corrupt= is not none or a name of at most 31 characters" },
		{ "generation_in_file", CONFIG_FILE, "generation=1",
		  "baton.cfg line 1: `generation` stands on a kernel's command line only" },
		{ "generation_in_options", CONFIG_OPTIONS, "generation=1",
		  "load options: `generation` stands on a kernel's command line only" },
		{ "generation_0", CONFIG_CMDLINE, "generation=0",
		  "command line: generation=0 is not a number from 1 to 10000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct baton_config c, before;
		struct config_error err;

		print_message("# config.refuses.%s\n", cases[i].name);
		config_defaults(&c);
		before = c;
		assert_int_equal(parse(&c, cases[i].text, cases[i].source, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].want);
		assert_same(&c, &before);
	}
}

static void test_error_has_its_line_or_word(void **state)
{
	struct config_error err;
	struct baton_config c;

	(void)state;
	config_defaults(&c);
	assert_int_equal(parse(&c, "\n\n\nx=1\n", CONFIG_FILE, &err), -EINVAL);
	assert_int_equal(err.line, 4);
	assert_int_equal(parse(&c, "rate=1  frames=2 x=1", CONFIG_CMDLINE, &err), -EINVAL);
	assert_int_equal(err.line, 3);
}

/* A refusal must be able to end the run and be seen, wherever exit= stands. */
static void test_refused_source_still_gives_exit_and_console(void **state)
{
	static const char *const texts[] = {
		"exit=qemu\nconsole=serial\nraet=5\nrate=7\n",
		"raet=5\nrate=7\nconsole=serial\nexit=qemu\n",
		"rate=0\nexit=qemu\nrate=7\nconsole=serial\nexit=bogus\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct baton_config c, want;
		struct config_error err;

		config_defaults(&c);
		want = c;
		want.exit = EXIT_QEMU;
		want.console = SHOW_SERIAL;
		assert_int_equal(parse(&c, texts[i], CONFIG_FILE, &err), -EINVAL);
		assert_same(&c, &want);
	}
}

static void test_load_options(void **state)
{
	static const struct { const char *name, *text; int ret; bool ignored; uint32_t rate; } cases[] = {
		{ "none",		"", 0, false, 4000 },
		{ "path_alone",		"FS0:\\efi\\boot\\baton.efi", 0, true, 4000 },
		{ "path_and_keys",	"FS0:\\baton.efi rate=7 exit=qemu", 0, false, 7 },
		{ "quoted_path",	"\"FS0:\\my = folder\\baton.efi\" rate=7", 0, false, 7 },
		{ "quote_not_closed",	"\"FS0:\\my rate=7", 0, true, 4000 },
		{ "keys_alone",		"rate=7", 0, false, 7 },
		{ "leading_blanks",	"  baton  rate=7 ", 0, false, 7 },
		{ "line_end",		"baton rate=7\r\n", 0, false, 7 },
		{ "words_of_someone_else", "baton quiet splash", 0, true, 4000 },
		{ "bad_key",		"baton raet=7", -EINVAL, false, 4000 },
		{ "second_word_without_value", "baton quiet rate=7", -EINVAL, false, 4000 },
		{ "not_printable",	"rate=7 \x01", 0, true, 4000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const size_t len = strlen(cases[i].text);

		for (size_t nuls = 0; nuls < 3; nuls++) {
			uint8_t *opts = calloc(1, 2 * (len + nuls) + 1);
			struct baton_config c;
			struct config_error err;
			bool ignored = !cases[i].ignored;

			print_message("# config.options.%s, %zu NULs\n", cases[i].name, nuls);
			for (size_t j = 0; j < len; j++)
				opts[1 + 2 * j] = (uint8_t)cases[i].text[j];
			config_defaults(&c);
			assert_int_equal(config_load_options(&c, opts + 1, 2 * (len + nuls), &ignored, &err),
					 cases[i].ret);
			assert_int_equal(ignored, cases[i].ignored);
			assert_int_equal(c.rate, cases[i].rate);
			free(opts);
		}
	}
}

static void test_load_options_that_are_firmware_data(void **state)
{
	static const uint8_t guid[] = { 0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d,
					0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2 };
	uint16_t opts[BOOT_CMDLINE_MAX + 1];
	struct baton_config c;
	struct config_error err;
	bool ignored = false;

	(void)state;
	config_defaults(&c);
	print_message("# config.options.boot_manager_guid\n");
	assert_int_equal(config_load_options(&c, guid, sizeof(guid), &ignored, &err), 0);
	assert_true(ignored);
	print_message("# config.options.null\n");
	assert_int_equal(config_load_options(&c, NULL, 0, &ignored, &err), 0);
	assert_false(ignored);
	print_message("# config.options.odd_size\n");
	opts[0] = 'a';
	opts[1] = '=';
	assert_int_equal(config_load_options(&c, opts, 3, &ignored, &err), 0);
	assert_true(ignored);
	print_message("# config.options.high_byte\n");
	opts[0] = 0x100 | 'a';
	assert_int_equal(config_load_options(&c, opts, 4, &ignored, &err), 0);
	assert_true(ignored);
	print_message("# config.options.too_long\n");
	for (size_t i = 0; i < ARRAY_SIZE(opts); i++)
		opts[i] = '=';
	assert_int_equal(config_load_options(&c, opts, sizeof(opts), &ignored, &err), 0);
	assert_true(ignored);
	print_message("# config.options.as_long_as_allowed\n");
	assert_int_equal(config_load_options(&c, opts, sizeof(opts) - 2, &ignored, &err), -EINVAL);
}

static void random_config(struct baton_config *c)
{
	config_defaults(c);
	c->plan = (unsigned)rand() % 3;
	c->mode = (unsigned)rand() % 2;
	c->traffic = (unsigned)rand() % 2;
	c->profile = (unsigned)rand() % 2;
	c->handoff_to = (unsigned)rand() % 2;
	c->efi = (unsigned)rand() % 3;
	c->exit = (unsigned)rand() % 2;
	c->console = (unsigned)rand() % 3;
	c->rate = 1 + (uint32_t)rand() % 1000000;
	c->frames = 1 + (uint32_t)rand() % 1000000000;
	c->generations = 1 + (uint32_t)rand() % 10000;
	c->scratch_mib = rand() % 4 ? 16 + 8 * ((uint32_t)rand() % 255) : 0;
	c->hold_ms = (uint32_t)rand() % 10001;
	c->countdown = (uint32_t)rand() % 61;
	c->linux_kho = rand() % 2;
	c->faults = rand() % 2;
	c->has_nic = rand() % 2;
	if (c->has_nic)
		c->nic = (struct config_pci){ (uint16_t)rand(), (uint16_t)rand() };
	c->has_hostile = rand() % 2;
	if (c->has_hostile)
		c->hostile = (struct config_pci){ (uint16_t)rand(), (uint16_t)rand() };
	if (rand() % 2)
		snprintf(c->corrupt, sizeof(c->corrupt), "name.%d", rand());
}

static void test_format_and_parse_are_inverse(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < 2000; i++) {
		const unsigned generation = rand() % 3 ? 1 + (unsigned)rand() % 10000 : 0;
		struct baton_config c, back;
		struct config_error err;
		char text[BOOT_CMDLINE_MAX];
		int len;

		random_config(&c);
		len = config_format(&c, generation, text, sizeof(text));
		assert_int_equal(len, strlen(text));
		config_defaults(&back);
		assert_int_equal(parse(&back, text, CONFIG_CMDLINE, &err), 0);
		c.generation = generation;
		assert_same(&c, &back);
	}
}

static void test_format_names_every_key_and_fits(void **state)
{
	static const char *const names[] = {
		"plan", "nic", "traffic", "rate", "frames", "generations", "scratch", "mode", "profile",
		"handoff_to", "linux_kho", "efi", "hold_ms", "faults", "hostile", "corrupt", "console",
		"exit", "countdown", "generation",
	};
	struct baton_config c;
	char text[BOOT_CMDLINE_MAX], small[BOOT_CMDLINE_MAX];
	int len;

	(void)state;
	config_defaults(&c);
	len = config_format(&c, 2, text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char word[16];
		const char *at;

		snprintf(word, sizeof(word), "%s=", names[i]);
		at = strstr(text, word);
		assert_non_null(at);
		assert_true(at == text || at[-1] == ' ');
	}
	print_message("# config.format.exact_size_is_enough\n");
	assert_int_equal(config_format(&c, 2, small, (size_t)len + 1), len);
	assert_string_equal(small, text);
	print_message("# config.format.one_byte_less_is_not\n");
	for (size_t size = 0; size <= (size_t)len; size++)
		assert_int_equal(config_format(&c, 2, small, size), -ENOSPC);
}

static void test_unsupported(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "", NULL },
		{ "exit=qemu console=framebuffer faults=yes hostile=0:0:4.0 nic=0:0:3.0 hold_ms=150", NULL },
		{ "generations=1 frames=1", NULL },
		{ "generation=2", NULL },
		{ "plan=audit", "plan=audit is not implemented in this version" },
		{ "plan=selftest", "plan=selftest is not implemented in this version" },
		{ "traffic=loopback", "traffic=loopback is not implemented in this version" },
		{ "handoff_to=linux", NULL },
		{ "handoff_to=linux linux_kho=yes efi=relay", NULL },
		{ "handoff_to=linux efi=first generations=2", NULL },
		{ "handoff_to=linux generations=1",
		  "handoff_to=linux takes the place of the last generation; it needs generations=2 or more" },
		{ "linux_kho=yes",
		  "linux_kho= and efi= say how Linux is started; they need handoff_to=linux" },
		{ "profile=iommu-series", NULL },
		{ "efi=relay", "linux_kho= and efi= say how Linux is started; they need handoff_to=linux" },
		{ "handoff_to=linux efi=first",
		  "efi=first hands on what only generation 0 has; it needs generations=2" },
#ifndef BATON_TEST_BUILD
		{ "corrupt=rtaddr", "corrupt=rtaddr works in test builds only" },
#endif
		{ "frames=2", "frames=2 is less than one for each of generations=3" },
		{ "generation=3", "generation=3 is not one of generations=3 (0 to 2)" },
		{ "hostile=0000:00:03.0", "hostile= provokes faults; it needs faults=yes" },
		{ "nic=0:0:3.0 hostile=0000:00:03.0 faults=yes", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct baton_config c;
		struct config_error err;
		char buf[160];
		const char *why;

		print_message("# config.unsupported \"%s\"\n", cases[i].text);
		config_defaults(&c);
		assert_int_equal(parse(&c, cases[i].text, CONFIG_CMDLINE, &err), 0);
		why = config_unsupported(&c, buf, sizeof(buf));
		if (cases[i].want)
			assert_string_equal(why, cases[i].want);
		else
			assert_null(why);
	}
}

/* Whatever the bytes: no crash, and what is accepted can be written and read again. */
static void test_random_bytes(void **state)
{
	static const char alphabet[] = "rate=frames=nic=0:0:3.0 \n\r\t#=-9 scratch=64M\xff\x00plan=audit";
	unsigned accepted = 0;

	(void)state;
	srand(4);
	for (int i = 0; i < 50000; i++) {
		const size_t len = (size_t)rand() % 24;
		const size_t from = (size_t)rand() % (sizeof(alphabet) - 24);
		char *text = malloc(len + 1), again[BOOT_CMDLINE_MAX];
		struct baton_config c, back;
		struct config_error err;

		memcpy(text, alphabet + from, len);
		for (int j = rand() % 3; j > 0 && len; j--)
			text[(size_t)rand() % len] = alphabet[(size_t)rand() % sizeof(alphabet)];
		text = realloc(text, len ? len : 1);
		config_defaults(&c);
		if (config_parse(&c, text, len, (unsigned)rand() % ALL_SOURCES, &err) == 0) {
			accepted++;
			assert_true(config_format(&c, c.generation, again, sizeof(again)) > 0);
			config_defaults(&back);
			assert_int_equal(parse(&back, again, CONFIG_CMDLINE, &err), 0);
			assert_same(&c, &back);
		} else {
			assert_true(strlen(err.text) > 0);
		}
		free(text);
	}
	assert_true(accepted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_a_whole_file),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_error_has_its_line_or_word),
		cmocka_unit_test(test_refused_source_still_gives_exit_and_console),
		cmocka_unit_test(test_load_options),
		cmocka_unit_test(test_load_options_that_are_firmware_data),
		cmocka_unit_test(test_format_and_parse_are_inverse),
		cmocka_unit_test(test_format_names_every_key_and_fits),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
