/* Writing JSON to stdout. */
#ifndef KHO_DUMP_JSON_OUT_H
#define KHO_DUMP_JSON_OUT_H

#include "base.h"

/* Open and close; @key is NULL in a list. */
void json_open(const char *key, char bracket);
void json_close(char bracket);

void json_number(const char *key, uint64_t v);
void json_bool(const char *key, bool v);
void json_hex(const char *key, uint64_t v);		/* "0x..." */
void json_string(const char *key, const char *v, size_t max);
void json_bytes(const char *key, const void *p, size_t n);	/* hexadecimal */

#endif
