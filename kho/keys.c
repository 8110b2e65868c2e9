/* Sorted keys. */
#include "keys.h"

#include <string.h>

#include "crc32c.h"
#include "sort.h"

static_assert(sizeof(struct kho_key) <= KHO_SORT_MAX_RECORD, "sorted in place");

void kho_keys_sort(struct kho_key *k, size_t n)
{
	kho_sort(k, n, sizeof(*k));
}

size_t kho_keys_run(const struct kho_key *k, size_t n, size_t from)
{
	size_t end = from;

	while (end < n && k[end].key == k[from].key)
		end++;
	return end;
}

const struct kho_key *kho_keys_find(const struct kho_key *k, size_t n, uint64_t key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (k[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && k[lo].key == key ? &k[lo] : NULL;
}

uint64_t kho_key_of_name(const char *name, size_t max)
{
	return kho_crc32c(0, name, strnlen(name, max));
}
