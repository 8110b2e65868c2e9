#include "kernel/console/framebuffer.h"

#include <string.h>

#include "kernel/console/font.h"
#include "platform/mem.h"

#define TAB	8
#define WIDE	1920		/* pixels from which on a font dot is two pixels wide and high */

/* A grey that is the same whatever the order of the colours. */
#define LIGHT	0xd0

static uint32_t foreground(const struct boot_framebuffer *m)
{
	return (uint32_t)LIGHT << m->red_shift | (uint32_t)LIGHT << m->green_shift |
	       (uint32_t)LIGHT << m->blue_shift;
}

static bool mode_ok(const struct boot_framebuffer *m)
{
	return m->base && range_valid(m->base, m->size) &&
	       m->width >= FONT_WIDTH && m->height >= FONT_HEIGHT &&
	       m->base % sizeof(uint32_t) == 0 && m->stride % sizeof(uint32_t) == 0 &&
	       m->stride / sizeof(uint32_t) >= m->width &&
	       (uint64_t)m->stride * m->height <= m->size &&
	       m->red_shift <= 24 && m->green_shift <= 24 && m->blue_shift <= 24;
}

static uint32_t *line_at(const struct framebuffer *f, unsigned y)
{
	return mem_ptr(f->mode.base + (uint64_t)f->mode.stride * y);
}

static void draw(const struct framebuffer *f, unsigned row, unsigned column, char c)
{
	const unsigned width = FONT_WIDTH * f->scale;
	const uint32_t fg = foreground(&f->mode);
	uint8_t dots[FONT_HEIGHT];

	font_glyph(c, dots);
	for (unsigned y = 0; y < FONT_HEIGHT * f->scale; y++) {
		uint32_t *p = line_at(f, row * FONT_HEIGHT * f->scale + y) + column * width;
		const uint8_t line = dots[y / f->scale];

		for (unsigned x = 0; x < width; x++)
			p[x] = line & (0x80 >> (x / f->scale)) ? fg : 0;
	}
}

static void draw_changes(struct framebuffer *f)
{
	for (unsigned row = 0; row < f->rows; row++) {
		for (unsigned column = 0; column < f->columns; column++) {
			const char c = f->want[row][column];

			if (f->shown[row][column] == c)
				continue;
			draw(f, row, column, c);
			f->shown[row][column] = c;
		}
	}
}

static void new_line(struct framebuffer *f)
{
	f->column = 0;
	if (f->row + 1 < f->rows) {
		f->row++;
		return;
	}
	memmove(f->want[0], f->want[1], (f->rows - 1) * sizeof(f->want[0]));
	memset(f->want[f->rows - 1], ' ', sizeof(f->want[0]));
}

static void put(struct framebuffer *f, char c)
{
	if (c == '\n') {
		new_line(f);
		return;
	}
	if (c == '\r') {
		f->column = 0;
		return;
	}
	/* The line is broken when more follows, so that a full one costs no empty one. */
	if (f->column == f->columns)
		new_line(f);
	if (c == '\t') {
		f->column = (unsigned)MIN(ALIGN_UP(f->column + 1, TAB), f->columns);
		return;
	}
	f->want[f->row][f->column++] = c;
}

bool framebuffer_open(struct framebuffer *f, const struct boot_framebuffer *mode)
{
	f->on = false;
	if (!mode_ok(mode))
		return false;
	f->mode = *mode;
	f->scale = mode->width > WIDE ? 2 : 1;
	f->columns = MIN(mode->width / (FONT_WIDTH * f->scale), FB_MAX_COLUMNS);
	f->rows = MIN(mode->height / (FONT_HEIGHT * f->scale), FB_MAX_ROWS);
	f->column = f->row = 0;
	memset(f->want, ' ', sizeof(f->want));
	memset(f->shown, ' ', sizeof(f->shown));
	for (unsigned y = 0; y < mode->height; y++)
		memset(line_at(f, y), 0, mode->width * sizeof(uint32_t));
	f->on = true;
	return true;
}

void framebuffer_write(struct framebuffer *f, const char *text, size_t len)
{
	if (!f->on)
		return;
	for (size_t i = 0; i < len; i++)
		put(f, text[i]);
	draw_changes(f);
}
