/* Text on a linear framebuffer with 32 bits per pixel.  The framebuffer is only ever written:
 * what stands where is known from a copy in characters. */
#ifndef BATON_CONSOLE_FRAMEBUFFER_H
#define BATON_CONSOLE_FRAMEBUFFER_H

#include "base.h"
#include "boot_info.h"

#define FB_MAX_COLUMNS	256
#define FB_MAX_ROWS	128

struct framebuffer {
	struct boot_framebuffer mode;
	bool on;
	unsigned scale;			/* pixels per font dot, 1 or 2 */
	unsigned columns, rows;		/* of text */
	unsigned column, row;		/* where the next character goes */
	char want[FB_MAX_ROWS][FB_MAX_COLUMNS];
	char shown[FB_MAX_ROWS][FB_MAX_COLUMNS];
};

/* Clears the screen.  False, and @f off, if @mode is not a framebuffer that holds text. */
bool framebuffer_open(struct framebuffer *f, const struct boot_framebuffer *mode);

/* Draws only the cells that changed, once per call. */
void framebuffer_write(struct framebuffer *f, const char *text, size_t len);

#endif
