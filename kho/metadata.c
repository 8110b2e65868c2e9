/* Sub-node "kexec-metadata". */
#include "metadata.h"

#include <string.h>

static const char what[] = "kexec-metadata";

int kho_metadata_write(const struct kho_metadata *m, void *buf)
{
	const uint32_t version = KHO_METADATA_VERSION;
	const size_t len = strnlen(m->previous_release, KHO_METADATA_RELEASE_BYTES);
	uint8_t *p = buf;

	if (len == KHO_METADATA_RELEASE_BYTES)
		return -EINVAL;
	memset(p, 0, KHO_METADATA_BYTES);
	memcpy(p + KHO_METADATA_OFF_VERSION, &version, sizeof(version));
	memcpy(p + KHO_METADATA_OFF_RELEASE, m->previous_release, len);
	memcpy(p + KHO_METADATA_OFF_COUNT, &m->kexec_count, sizeof(m->kexec_count));
	return 0;
}

int kho_metadata_read(struct span s, struct kho_metadata *out, struct kho_refusal *why)
{
	struct kho_metadata m;
	uint32_t version;

	if (!span_u32(s, KHO_METADATA_OFF_VERSION, &version))
		return kho_refuse(why, -EBADMSG, what, "is too short for a version", 0, s.len);
	if (version != KHO_METADATA_VERSION)
		return kho_refuse(why, -EBADMSG, what, "has an unknown version", 0, version);
	if (!span_u32(s, KHO_METADATA_OFF_COUNT, &m.kexec_count))
		return kho_refuse(why, -EBADMSG, what, "is too short", 0, s.len);
	memcpy(m.previous_release, s.p + KHO_METADATA_OFF_RELEASE, sizeof(m.previous_release));
	if (!memchr(m.previous_release, 0, sizeof(m.previous_release)))
		return kho_refuse(why, -EBADMSG, what, "has a release without an end", 0, 0);
	*out = m;
	return 0;
}
