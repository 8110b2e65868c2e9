/* Heap sort of fixed-size records by their leading address. */
#include "sort.h"

#include <string.h>

static paddr_t key_of(const uint8_t *base, size_t i, size_t size)
{
	paddr_t key;

	memcpy(&key, base + i * size, sizeof(key));
	return key;
}

static void swap(uint8_t *base, size_t i, size_t j, size_t size)
{
	uint8_t tmp[KHO_SORT_MAX_RECORD];

	memcpy(tmp, base + i * size, size);
	memcpy(base + i * size, base + j * size, size);
	memcpy(base + j * size, tmp, size);
}

/* Let record @i sink until neither child is larger. */
static void sink(uint8_t *base, size_t i, size_t n, size_t size)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && key_of(base, child, size) < key_of(base, child + 1, size))
			child++;
		if (key_of(base, child, size) <= key_of(base, i, size))
			return;
		swap(base, i, child, size);
	}
}

void kho_sort(void *base, size_t n, size_t size)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(base, i, n, size);
	for (size_t last = n; last > 1;) {
		swap(base, 0, --last, size);
		sink(base, 0, last, size);
	}
}
