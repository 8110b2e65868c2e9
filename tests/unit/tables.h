/* Tables of a unit in legacy mode, said in one word. */
#ifndef BATON_TEST_TABLES_H
#define BATON_TEST_TABLES_H

#include "vtd/context.h"

#define LEGACY(root_pa, is_coherent) \
	(&(const struct vtd_tables){ .root = (root_pa), .coherent = (is_coherent) })

#endif
