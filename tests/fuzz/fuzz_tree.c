/* The root FDT: what is accepted is written again and reads the same. */
#include "fuzz.h"

#include "kho/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t buf[KIB(32) / 8];
	struct kho_tree t, again;
	struct kho_subnode oldest_first[KHO_MAX_SUBNODES];
	struct kho_refusal why = { 0 };
	size_t used;

	if (size > KHO_FDT_MAX_BYTES)
		return 0;
	if (kho_tree_read(fuzz_guarded(data, size), &t, &why)) {
		REQUIRE(why.what && why.fault);
		return 0;
	}
	REQUIRE(t.fdt_bytes <= size && t.radix_root && t.nr <= KHO_MAX_SUBNODES);
	for (size_t i = 0; i < t.nr; i++) {
		REQUIRE(t.node[i].pa && t.node[i].size);
		REQUIRE(kho_tree_find(&t, t.node[i].name) == &t.node[i]);
		oldest_first[t.nr - 1 - i] = t.node[i];
	}
	REQUIRE(!kho_tree_write(buf, sizeof(buf), t.radix_root, oldest_first, t.nr, &used));
	REQUIRE(!kho_tree_read(span_of(buf, used), &again, &why));
	REQUIRE(again.radix_root == t.radix_root && again.nr == t.nr);
	for (size_t i = 0; i < t.nr; i++)
		REQUIRE(!strcmp(again.node[i].name, t.node[i].name) &&
			again.node[i].pa == t.node[i].pa && again.node[i].size == t.node[i].size);
	return 0;
}
