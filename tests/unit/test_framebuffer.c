#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "kernel/console/font.h"
#include "kernel/console/framebuffer.h"
#include "platform/mem.h"
#include "tests/host/arena.h"

#define BASE	MIB(16)
#define GUARD	KIB(64)
#define PATTERN	0x5a

static struct framebuffer f;

static struct boot_framebuffer mode_of(uint32_t width, uint32_t height, uint32_t gap)
{
	const uint32_t stride = (width + gap) * 4;

	return (struct boot_framebuffer){
		.base = BASE, .size = (uint64_t)stride * height, .width = width, .height = height,
		.stride = stride, .red_shift = 16, .green_shift = 8,
	};
}

static void open_at(const struct boot_framebuffer *m)
{
	arena_reset(MIB(1), MIB(2));
	memset(mem_ptr(BASE - GUARD), PATTERN, GUARD + m->size + GUARD);
	assert_true(framebuffer_open(&f, m));
}

static void write_text(const char *text)
{
	framebuffer_write(&f, text, strlen(text));
}

static uint32_t pixel(uint32_t x, uint32_t y)
{
	uint32_t v;

	memcpy(&v, (uint8_t *)mem_ptr(BASE) + (uint64_t)y * f.mode.stride + x * 4, 4);
	return v;
}

/* The character that stands in a cell, by looking at it; 0 if it is none. */
static char character_at(unsigned row, unsigned column)
{
	for (unsigned c = FONT_FIRST; c <= FONT_LAST; c++) {
		uint8_t rows[FONT_HEIGHT];
		bool same = true;

		font_glyph((char)c, rows);
		for (unsigned y = 0; same && y < FONT_HEIGHT * f.scale; y++)
			for (unsigned x = 0; same && x < FONT_WIDTH * f.scale; x++)
				same = (pixel(column * FONT_WIDTH * f.scale + x,
					      row * FONT_HEIGHT * f.scale + y) != 0) ==
				       ((rows[y / f.scale] >> (7 - x / f.scale) & 1) != 0);
		if (same)
			return (char)c;
	}
	return 0;
}

static void assert_row(unsigned row, const char *text)
{
	char seen[FB_MAX_COLUMNS + 1] = "";
	size_t len = f.columns;

	for (unsigned c = 0; c < f.columns; c++)
		seen[c] = character_at(row, c);
	while (len && seen[len - 1] == ' ')
		len--;
	seen[len] = 0;
	assert_string_equal(seen, text);
}

/* Around the framebuffer, and between the end of a line of pixels and the next. */
static void assert_nothing_outside(void)
{
	const uint8_t *p = mem_ptr(BASE - GUARD);

	for (uint64_t i = 0; i < GUARD; i++) {
		assert_int_equal(p[i], PATTERN);
		assert_int_equal(p[GUARD + f.mode.size + i], PATTERN);
	}
	for (uint32_t y = 0; y < f.mode.height; y++)
		for (uint32_t i = f.mode.width * 4; i < f.mode.stride; i++)
			assert_int_equal(p[GUARD + (uint64_t)y * f.mode.stride + i], PATTERN);
}

static void test_glyphs_differ(void **state)
{
	uint8_t glyphs[256][FONT_HEIGHT];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		font_glyph((char)c, glyphs[c]);
	for (unsigned a = FONT_FIRST; a <= FONT_LAST; a++) {
		for (unsigned b = FONT_FIRST; b < a; b++)
			assert_memory_not_equal(glyphs[a], glyphs[b], FONT_HEIGHT);
		/* Neighbours on a line do not touch. */
		for (unsigned y = 0; y < FONT_HEIGHT; y++)
			assert_int_equal(glyphs[a][y] & 0x81, 0);
	}
	print_message("# font.unprintable_looks_like_a_question_mark\n");
	for (unsigned c = 0; c < 256; c++)
		if (c < FONT_FIRST || c > FONT_LAST)
			assert_memory_equal(glyphs[c], glyphs['?'], FONT_HEIGHT);
	print_message("# font.space_is_empty\n");
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		assert_int_equal(glyphs[' '][y], 0);
}

static void test_text_appears_where_it_should(void **state)
{
	static const struct { uint32_t width, height, gap; unsigned scale, columns, rows; } cases[] = {
		{ 80, 48, 0, 1, 10, 3 },	{ 85, 60, 13, 1, 10, 3 },
		{ 1280, 800, 0, 1, 160, 50 },	{ 1920, 1080, 0, 1, 240, 67 },
		{ 1921, 64, 0, 2, 120, 2 },	{ 3840, 2160, 16, 2, 240, 67 },
		{ 8192, 4320, 0, 2, 256, 128 },	{ 8, 16, 0, 1, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct boot_framebuffer m = mode_of(cases[i].width, cases[i].height, cases[i].gap);

		print_message("# framebuffer.%ux%u\n", m.width, m.height);
		open_at(&m);
		assert_int_equal(f.scale, cases[i].scale);
		assert_int_equal(f.columns, cases[i].columns);
		assert_int_equal(f.rows, cases[i].rows);
		write_text("Q");
		assert_int_equal(character_at(0, 0), 'Q');
		for (unsigned n = 0; n < f.rows * f.columns + 7; n++)
			write_text("~");
		assert_int_equal(character_at(f.rows - 1, 0), '~');
		assert_nothing_outside();
	}
}

static void test_every_glyph_can_be_read_back(void **state)
{
	const struct boot_framebuffer m = mode_of(8 * 95, 32, 0);
	char all[96] = "";

	(void)state;
	open_at(&m);
	for (unsigned i = 0; i < 95; i++)
		all[i] = (char)(FONT_FIRST + i);
	write_text(all);
	assert_row(0, all);
}

static void test_lines_wrap_and_scroll(void **state)
{
	const struct boot_framebuffer m = mode_of(80, 48, 3);

	(void)state;
	open_at(&m);
	write_text("one\ntwo\n");
	assert_row(0, "one");
	assert_row(1, "two");
	assert_row(2, "");
	print_message("# framebuffer.full_line_costs_no_empty_one\n");
	write_text("0123456789\nx");
	assert_row(0, "two");
	assert_row(1, "0123456789");
	assert_row(2, "x");
	print_message("# framebuffer.long_line_wraps\n");
	write_text("\nabcdefghijkl");
	assert_row(0, "x");
	assert_row(1, "abcdefghij");
	assert_row(2, "kl");
	print_message("# framebuffer.many_lines_in_one_write\n");
	write_text("\n1\n2\n3\n4\n5\n6\n7");
	assert_row(0, "5");
	assert_row(1, "6");
	assert_row(2, "7");
	print_message("# framebuffer.tab_and_return\n");
	write_text("\na\tb\rc");
	assert_row(2, "c       b");
	write_text("\n1234567\t9");
	assert_row(2, "1234567 9");
	write_text("\na\t\tb");
	assert_row(1, "a");
	assert_row(2, "b");
	assert_nothing_outside();
}

/* The framebuffer is slow and never read: what does not change is not written. */
static void test_only_changes_are_drawn(void **state)
{
	const struct boot_framebuffer m = mode_of(80, 48, 0);

	(void)state;
	open_at(&m);
	write_text("ab\nab\nab");
	memset(mem_ptr(BASE), PATTERN, m.size);
	write_text("\nac");
	for (unsigned row = 0; row < 3; row++)
		for (unsigned column = 0; column < 10; column++)
			if (row != 2 || column != 1)
				assert_int_equal(pixel(column * 8, row * 16), 0x5a5a5a5a);
	assert_int_equal(character_at(2, 1), 'c');
}

static void test_colours(void **state)
{
	struct boot_framebuffer m = mode_of(80, 48, 0);
	uint32_t seen = 0;

	(void)state;
	m.red_shift = 0;
	m.green_shift = 8;
	m.blue_shift = 16;
	open_at(&m);
	write_text("#");
	for (uint32_t y = 0; y < 16; y++)
		for (uint32_t x = 0; x < 8; x++)
			seen |= pixel(x, y);
	assert_int_equal(seen, 0xd0d0d0);
	print_message("# framebuffer.highest_shift\n");
	m.red_shift = m.green_shift = m.blue_shift = 24;
	assert_true(framebuffer_open(&f, &m));
}

static void test_refused_modes(void **state)
{
	struct boot_framebuffer m;

	(void)state;
	arena_reset(MIB(1), MIB(2));
#define REFUSED(what, change) do {					\
	print_message("# framebuffer.refuses_%s\n", what);		\
	m = mode_of(80, 48, 0);						\
	f.on = true;							\
	change;								\
	assert_false(framebuffer_open(&f, &m));				\
	assert_false(f.on);						\
	write_text("nothing happens");					\
} while (0)
	REFUSED("none", m.base = 0);
	REFUSED("narrow", m.width = 7);
	REFUSED("low", m.height = 15);
	REFUSED("short_stride", m.stride = 316);
	REFUSED("odd_stride", m.stride = 322);
	REFUSED("odd_base", m.base += 2);
	REFUSED("too_small", m.size--);
	REFUSED("wrapping", m.base = UINT64_MAX - 3);
	REFUSED("shift", m.green_shift = 25);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glyphs_differ),
		cmocka_unit_test(test_text_appears_where_it_should),
		cmocka_unit_test(test_every_glyph_can_be_read_back),
		cmocka_unit_test(test_lines_wrap_and_scroll),
		cmocka_unit_test(test_only_changes_are_drawn),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_refused_modes),
	};

	return cmocka_run_group_tests_name("framebuffer", tests, NULL, NULL);
}
