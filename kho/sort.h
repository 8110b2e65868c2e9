/* Sorting records by address, in place and without recursion. */
#ifndef BATON_KHO_SORT_H
#define BATON_KHO_SORT_H

#include "base.h"

#define KHO_SORT_MAX_RECORD	32	/* bytes */

/**
 * kho_sort() - sort records by their first member, ascending
 * @base: records; the first member of each is a paddr_t
 * @n:    how many
 * @size: bytes of one, a multiple of 8, at most KHO_SORT_MAX_RECORD
 *
 * A heap sort: the time is bounded by n log n whatever a hostile tree contains.
 */
void kho_sort(void *base, size_t n, size_t size);

#endif
