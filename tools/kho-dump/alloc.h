/* Memory of the program itself: there is enough, or it ends. */
#ifndef KHO_DUMP_ALLOC_H
#define KHO_DUMP_ALLOC_H

#include "base.h"

/* Ends the program with a sentence. */
_Noreturn void no_memory(void);

/* @n zeroed members; untouched ones cost nothing. */
void *take(size_t n, size_t size);

/* Room for one more member behind @n: the array, perhaps moved. */
void *grow(void *array, size_t n, size_t *max, size_t size);

#endif
