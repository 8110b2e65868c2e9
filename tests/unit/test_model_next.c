/* Will the last Baton of a run be able to start its Linux?  It may live where scratch is narrower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/handover/next.h"
#include "kernel/memory/scratch.h"
#include "platform/mem.h"
#include "tests/unit/model_world.h"

#define FILES		MIB(32)		/* the kernel, then the command line */
#define LOW		MIB(400)	/* areas as a Linux makes them: below 4 GiB, none, the rest */
#define LOW_BYTES	MIB(100)
#define HIGH		MIB(600)
#define HIGH_BYTES	MIB(192)

static struct boot_info bi;
static struct run r;

/* A setup header (Linux Documentation/arch/x86/boot.rst) that wants @bytes of memory. */
static void linux_needs(uint32_t bytes)
{
	static const struct { uint16_t at; uint8_t size; uint64_t v; } field[] = {
		{ 0x1f1, 1, 1 }, { 0x1fe, 2, 0xaa55 }, { 0x200, 2, 0x6aeb }, { 0x202, 4, 0x53726448 },
		{ 0x206, 2, 0x20f }, { 0x211, 1, 1 }, { 0x230, 4, MIB(2) }, { 0x234, 1, 1 },
		{ 0x236, 2, 0x23 }, { 0x238, 4, 2047 }, { 0x258, 8, MIB(16) },
	};
	uint8_t *p = mem_ptr(FILES);
	struct boot_file file[BOOT_FILES] = { { FILES, KIB(4) } };

	memset(p, 0, KIB(4));
	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		memcpy(p + field[i].at, &field[i].v, field[i].size);
	memcpy(p + 0x260, &bytes, sizeof(bytes));
	payload_take(file, &r.payload);
}

/* Generation 0 near the top of the first area: the next image has all of the other one. */
static int ask(unsigned generations, const char **why)
{
	r.cfg.generations = generations;
	*why = NULL;
	scratch_init(MIB(8), MIB(4));
	return next_check_linux(&r, why);
}

static int setup(void **state)
{
	static const struct world w = { .board = { .nr_units = 1, .nr_nics = 1 }, .unit = { { .coherent = true } } };

	(void)state;
	world_begin(&w);		/* an image of ours to be handed on */
	bi = *world_run()->bi;
	bi.image_size = MIB(1);
	memset(&r, 0, sizeof(r));
	r.bi = &bi;
	r.cfg.handoff_to = TARGET_LINUX;
	r.window = (struct window){
		.areas = { .nr = 3, .entry = { { LOW, LOW_BYTES }, { MIB(550), 0 }, { HIGH, HIGH_BYTES } } },
		.own = LOW, .own_len = MIB(80), .next = HIGH, .half = HIGH_BYTES,
	};
	return 0;
}

/* next.last_window: what generation 0 has to give is not what generation 1 has */
static void test_last_window(void **state)
{
	const char *why;

	(void)state;
	linux_needs(MIB(60));
	for (unsigned generations = 2; generations < 12; generations++)
		assert_int_equal(ask(generations, &why), 0);
	linux_needs(MIB(150));
	assert_int_equal(ask(2, &why), 0);
	assert_int_equal(ask(3, &why), -ENOMEM);
	assert_string_equal(why, "the next image does not fit into half of scratch; try a larger scratch= (started by a Linux: its kho_scratch=)");
	linux_needs(MIB(193));
	assert_int_equal(ask(2, &why), -ENOMEM);
}

/* next.areas_that_hold_no_generation: said before the first hand-over */
static void test_no_room(void **state)
{
	const char *why;

	(void)state;
	linux_needs(MIB(1));
	r.window.areas.entry[2].size = r.window.half = MIB(2);
	bi.image_size = MIB(2);
	r.window.areas.entry[0].size = 0;
	assert_int_equal(ask(3, &why), -ENOMEM);
	assert_non_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_last_window, setup),
		cmocka_unit_test_setup(test_no_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
