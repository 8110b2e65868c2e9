/* An image of physical memory: pages in files, sorted by their physical address. */
#ifndef KHO_DUMP_IMAGE_H
#define KHO_DUMP_IMAGE_H

#include "base.h"
#include "span.h"

/* Statuses of the program. */
enum status { STATUS_OK, STATUS_FINDINGS, STATUS_USAGE, STATUS_MISSING };

/* "kho-dump: " and one sentence, to stderr; returns @s. */
__attribute__((format(printf, 2, 3))) enum status complain(enum status s, const char *fmt, ...);

/* Map a regular file, not empty, for as long as the program runs.  Says why not. */
enum status image_map_file(const char *path, struct span *out);

/* Add bytes at a physical address: page aligned both, whole pages, within 52 address bits. */
void image_add(paddr_t pa, struct span bytes);

/* After the last image_add(): sort, join what is adjacent.  Refuses what overlaps, and an image
 * without pages. */
enum status image_seal(void);

/* Is all of it there?  Then mem_ptr(@pa) leads to all of it.  True for nothing. */
bool image_has(paddr_t pa, uint64_t len);

/* The next page that mem_ptr() was asked for and that is not there, or false.  Each is reported once;
 * after IMAGE_MISSING_MAX of them no more are noted. */
#define IMAGE_MISSING_MAX	256
bool image_missing(paddr_t *pa);

#endif
