/* An uncompressed "newc" cpio archive, as Linux passes it for an initrd: files found by name, without
 * copying.  Linux Documentation/driver-api/early-userspace/buffer-format.rst.  Pure. */
#ifndef BATON_CPIO_H
#define BATON_CPIO_H

#include "base.h"
#include "span.h"

#define CPIO_NAME_MAX	256	/* bytes, with the NUL */

/**
 * cpio_find() - the contents of one file
 * @archive: its bytes, any alignment
 * @name:    without a leading "/" or "./", which names in the archive may have
 * @out:     inside @archive; the first of that name
 * @why:     what is wrong with the archive
 *
 * The archive is read to its trailer, so that one that is cut short is not taken for one without the
 * file.  Return: 0; -ENOENT no such file; -EBADMSG with @why.
 */
int cpio_find(struct span archive, const char *name, struct span *out, const char **why);

#endif
