/* What was read, for people and for machines. */
#ifndef KHO_DUMP_PRINT_H
#define KHO_DUMP_PRINT_H

#include "dump.h"

/* A tree, and what is wrong: the first finding. */
void print_text(const struct dump *d);

/* Every finding, a line each, and how many. */
void print_findings(const struct dump *d);

/* Everything; with @sums, SHA-256 of what is handed over as well. */
void print_json(const struct dump *d, bool sums);

/* --- Shared by both --- */

/* The command line, or NULL; not NUL-terminated if it has no end in @max bytes. */
const char *print_cmdline(const struct dump *d, paddr_t *pa, size_t *max);

/* Is all of a file in the image? */
bool print_content_there(const struct kho_memfd *m);

/* Is the value of an FDT property a string to be shown as one? */
bool print_is_string(struct span v);

#endif
