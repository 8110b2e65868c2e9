/* The setup_data node: the golden bytes, and every short payload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/setup_data.h"
#include "tests/fixtures/kho_golden.h"

static const struct kho_data golden = {
	.fdt_pa = GOLDEN_FDT, .fdt_size = 4096, .scratch_pa = GOLDEN_ARRAY, .scratch_size = 16,
};

/* setup_data.golden_node */
static void test_golden(void **state)
{
	const struct kho_setup_node node = kho_setup_node(0, &golden);

	(void)state;
	golden_lay();
	assert_memory_equal(&node, mem_ptr(GOLDEN_SETUP_NODE), sizeof(node));
}

/* setup_data.next_comes_first */
static void test_next(void **state)
{
	const struct kho_setup_node node = kho_setup_node(0x1122334455667788, &golden);
	uint64_t first;

	(void)state;
	memcpy(&first, &node, sizeof(first));
	assert_int_equal(first, 0x1122334455667788);
}

/* setup_data.payload_of_any_length */
static void test_payload(void **state)
{
	(void)state;
	golden_lay();
	for (size_t len = 0; len <= 40; len++) {
		uint8_t *payload = malloc(len ? len : 1);
		struct kho_data got = { .fdt_pa = 1 };
		struct kho_refusal why;
		int err;

		memcpy(payload, mem_ptr(GOLDEN_SETUP_NODE + 16), len);
		err = kho_setup_data_read(span_of(payload, len), &got, &why);
		assert_int_equal(err, len < 32 ? -EBADMSG : 0);
		if (err)
			assert_int_equal(got.fdt_pa, 1);
		else
			assert_memory_equal(&got, &golden, sizeof(got));
		free(payload);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
