/* The configuration, from a file, from UEFI load options and from a command line: what is accepted
 * is formatted, and parsed again gives the same. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/config.h"

static void again(const struct baton_config *c, unsigned generation)
{
	struct baton_config want = *c, got;
	struct config_error err;
	char text[2048], sentence[160];
	const int len = config_format(c, generation, text, sizeof(text));

	config_unsupported(c, sentence, sizeof(sentence));
	REQUIRE(len > 0 && (size_t)len == strlen(text));
	config_defaults(&got);
	REQUIRE(!config_parse(&got, text, (size_t)len, CONFIG_CMDLINE, &err));
	want.generation = generation;
	/* Byte by byte would compare padding: as text, then. */
	{
		char other[2048];

		REQUIRE(config_format(&got, generation, other, sizeof(other)) == len);
		REQUIRE(!strcmp(text, other));
	}
	REQUIRE(got.generation == generation && got.has_nic == want.has_nic &&
		got.has_hostile == want.has_hostile);
	REQUIRE(config_format(c, generation, text, (size_t)len) == -ENOSPC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum config_source source[] = { CONFIG_FILE, CONFIG_OPTIONS, CONFIG_CMDLINE };
	struct baton_config c, before;
	struct config_error err = { 0 };
	struct span text;
	bool ignored = false;
	int rc;

	if (!size || size > KIB(64))
		return 0;
	text = fuzz_guarded(data + 1, size - 1);
	config_defaults(&c);
	before = c;
	if (data[0] % 4 == 3)
		rc = config_load_options(&c, text.p, text.len, &ignored, &err);
	else
		rc = config_parse(&c, (const char *)text.p, text.len, source[data[0] % 4], &err);
	if (rc) {
		REQUIRE(rc == -EINVAL && err.text[0] && memchr(err.text, 0, sizeof(err.text)));
		before.exit = c.exit;
		before.console = c.console;
		REQUIRE(!memcmp(&c, &before, sizeof(c)));
		return 0;
	}
	again(&c, c.generation);
	again(&c, c.generation + 1);
	REQUIRE(config_scratch_bytes(&c));
	return 0;
}
