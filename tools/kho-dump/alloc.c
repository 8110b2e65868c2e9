/* Memory of the program itself. */
#include "alloc.h"

#include <stdlib.h>

#include "image.h"

_Noreturn void no_memory(void)
{
	exit(complain(STATUS_MISSING, "not enough memory for this image"));
}

void *take(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		no_memory();
	return p;
}

void *grow(void *array, size_t n, size_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = *max ? *max * 2 : 64;
	array = reallocarray(array, *max, size);
	if (!array)
		no_memory();
	return array;
}
