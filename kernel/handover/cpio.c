#include "cpio.h"

#include <string.h>

#include "errno.h"

/* Fields of eight hexadecimal digits each behind the magic. */
#define MAGIC		"070701"
#define MAGIC_BYTES	6
#define FIELD_BYTES	8
#define FIELD_MODE	1
#define   MODE_TYPE	0170000
#define   MODE_REGULAR	0100000
#define FIELD_SIZE	6
#define FIELD_NAMESIZE	11
#define HEADER_BYTES	(MAGIC_BYTES + 13 * FIELD_BYTES)
#define ALIGNMENT	4		/* of header with name, and of the data */
#define TRAILER		"TRAILER!!!"

struct entry {
	const char *name;
	uint32_t mode;
	struct span data;
	uint64_t next;		/* offset of the entry behind this one */
};

static bool field(const uint8_t *header, unsigned n, uint32_t *v)
{
	const uint8_t *p = header + MAGIC_BYTES + n * FIELD_BYTES;

	*v = 0;
	for (unsigned i = 0; i < FIELD_BYTES; i++) {
		uint32_t digit;

		if (p[i] >= '0' && p[i] <= '9')
			digit = p[i] - '0';
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			digit = (p[i] | 0x20) - 'a' + 10;
		else
			return false;
		*v = *v << 4 | digit;
	}
	return true;
}

static const char *read_entry(struct span archive, uint64_t at, struct entry *e)
{
	uint32_t size, name_size;
	struct span header, name;

	if (!span_sub(archive, at, HEADER_BYTES, &header))
		return "the archive ends without a trailer";
	if (memcmp(header.p, MAGIC, MAGIC_BYTES))
		return "it is no uncompressed newc cpio archive";
	if (!field(header.p, FIELD_MODE, &e->mode) || !field(header.p, FIELD_SIZE, &size) ||
	    !field(header.p, FIELD_NAMESIZE, &name_size))
		return "a number in the archive has digits that are none";
	if (!name_size || name_size > CPIO_NAME_MAX ||
	    !span_sub(archive, at + HEADER_BYTES, name_size, &name) || name.p[name_size - 1])
		return "a name in the archive is too long or has no end";
	e->name = (const char *)name.p;
	at = ALIGN_UP(at + HEADER_BYTES + name_size, ALIGNMENT);
	if (!span_sub(archive, at, size, &e->data))
		return "a file in the archive is cut short";
	e->next = ALIGN_UP(at + size, ALIGNMENT);
	return NULL;
}

static const char *plain_name(const char *name)
{
	if (name[0] == '.' && name[1] == '/')
		name += 2;
	while (name[0] == '/')
		name++;
	return name;
}

int cpio_find(struct span archive, const char *name, struct span *out, const char **why)
{
	bool found = false;
	struct entry e;

	for (uint64_t at = 0;; at = e.next) {
		const char *fault = read_entry(archive, at, &e);

		if (fault) {
			*why = fault;
			return -EBADMSG;
		}
		if (!strcmp(e.name, TRAILER))
			return found ? 0 : -ENOENT;
		if (!found && (e.mode & MODE_TYPE) == MODE_REGULAR && !strcmp(plain_name(e.name), name)) {
			*out = e.data;
			found = true;
		}
	}
}
