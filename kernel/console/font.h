/* The printable ASCII characters, 8 dots wide and 16 high.  Bit 7 is the leftmost dot. */
#ifndef BATON_CONSOLE_FONT_H
#define BATON_CONSOLE_FONT_H

#include "base.h"

#define FONT_WIDTH	8
#define FONT_HEIGHT	16
#define FONT_FIRST	0x20
#define FONT_LAST	0x7e

/* FONT_HEIGHT rows, top first; @rows is filled.  What is not printable looks like '?'. */
void font_glyph(char c, uint8_t rows[FONT_HEIGHT]);

#endif
