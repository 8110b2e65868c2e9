/* What the hand-over tests run through. */
#include "tests/unit/model_world.h"

const enum config_mode world_modes[WORLD_MODES] = { MODE_LEGACY, MODE_SCALABLE };
const struct world_kind world_kinds[WORLD_KINDS] = {
	{ "coherent",          { .coherent = true } },
	{ "not_coherent",      { .sslps = 3 } },
	{ "caching_mode",      { .cm = true, .coherent = true, .mgaw = 39, .sagaw = 2 } },
	{ "registers_only",    { .no_qi = true, .coherent = true } },
	{ "write_buffer",      { .no_qi = true, .coherent = true, .rwbf = true } },
	{ "write_buffer_no_c", { .rwbf = true } },
	{ "esrtps",            { .esrtps = true, .sslps = 3, .mamv = 9 } },
	{ "queue_only",        { .major = 6, .coherent = true, .mgaw = 57, .mamv = 45, .sslps = 3 } },
	{ "no_psi",            { .no_psi = true, .nd = 2, .cm = true } },
	{ "protected",         { .major = 4, .pmr = true, .coherent = true, .nfr = 8, .ir = true } },
};
const unsigned world_memories[WORLD_MEMORIES] = { 0, 1, 5 };
const struct world world_pairs[WORLD_PAIRS] = {
	{ .board = { .nr_units = 1, .nr_nics = 2 }, .unit = { { .coherent = true } } },
	{ .board = { .nr_units = 1, .nr_nics = 2 }, .unit = { { .sslps = 3 } }, .evict = 1 },
	{ .board = { .nr_units = 1, .nr_nics = 2 }, .unit = { { .no_qi = true, .rwbf = true } } },
	{ .board = { .nr_units = 2, .nr_nics = 2 }, .unit = { { .cm = true }, { .coherent = true } } },
	{ .board = { .nr_units = 2, .nr_nics = 2 }, .evict = 5,
	  .unit = { { .esrtps = true, .coherent = true }, { .no_qi = true } } },
};

bool world_has_mode(const struct world *w, enum config_mode mode)
{
	for (unsigned i = 0; i < w->board.nr_units; i++)
		if (mode == MODE_SCALABLE && (w->unit[i].no_qi || w->unit[i].rwbf))
			return false;
	return true;
}
