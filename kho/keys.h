/* Sorted keys, to find what is there twice, or to find a record by its address, without comparing
 * everything with everything. */
#ifndef BATON_KHO_KEYS_H
#define BATON_KHO_KEYS_H

#include "base.h"

struct kho_key {
	uint64_t key;
	uint64_t index;		/* what it stands for */
};

void kho_keys_sort(struct kho_key *k, size_t n);

/* The end of the run of equal keys that starts at @from. */
size_t kho_keys_run(const struct kho_key *k, size_t n, size_t from);

/* The first of sorted keys that equals @key, or NULL. */
const struct kho_key *kho_keys_find(const struct kho_key *k, size_t n, uint64_t key);

/* A key for a NUL-terminated name of less than @max bytes; equal names have equal keys. */
uint64_t kho_key_of_name(const char *name, size_t max);

#endif
