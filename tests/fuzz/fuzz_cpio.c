/* The archive that a Linux passes us as initrd: what is found lies inside it. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/handover/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "baton/bzImage", "baton/initrd", "baton/cmdline", "" };
	struct span archive;

	if (size > FUZZ_GUARDED_MAX)
		return 0;
	archive = fuzz_guarded(data, size);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct span found = { 0 };
		const char *why = NULL;
		const int err = cpio_find(archive, names[i], &found, &why);

		REQUIRE(!err || err == -ENOENT || (err == -EBADMSG && why));
		if (err)
			continue;
		REQUIRE(found.p >= archive.p && found.len <= archive.len &&
			found.p + found.len <= archive.p + archive.len);
		for (size_t k = 0; k < found.len; k += 512)
			REQUIRE(found.p[k] <= UINT8_MAX);
	}
	return 0;
}
