#include "kernel/console/console.h"

#include <stdarg.h>
#include <string.h>

#include "kernel/console/framebuffer.h"
#include "kernel/console/printf.h"
#include "kernel/console/serial.h"

static struct serial serial;
static struct framebuffer framebuffer;
static unsigned selected = CONSOLE_BOTH;

static bool deferred;
static char pending[CONSOLE_DEFER_MAX];
static size_t pending_len;
static uint64_t pending_lost;	/* bytes */

static void write_now(const char *text, size_t len)
{
	if (selected & CONSOLE_SERIAL)
		serial_write(&serial, text, len);
	if (selected & CONSOLE_FRAMEBUFFER)
		framebuffer_write(&framebuffer, text, len);
}

/* Keeps the first lines, whole ones: what does not fit and all that follows is counted. */
static void keep(const char *text, size_t len)
{
	if (pending_lost || len > sizeof(pending) - pending_len) {
		pending_lost += len;
		return;
	}
	memcpy(&pending[pending_len], text, len);
	pending_len += len;
}

static void print_pending(void)
{
	const size_t len = pending_len;
	const uint64_t lost = pending_lost;

	/* Forgotten first: an exception on the way must not come back here with the same text. */
	pending_len = 0;
	pending_lost = 0;
	write_now(pending, len);
	if (lost)
		kprintf("# console: %llu bytes did not fit while output was deferred\n",
			(unsigned long long)lost);
}

void console_init(void)
{
	const struct console_port com1 = { .address = SERIAL_COM1, .stride = 1,
		.baud = SERIAL_BAUD };

	serial_open(&serial, &com1);
}

int console_use_spcr(const struct console_port *port)
{
	struct serial named;
	int err;

	if (serial.on && port->mmio == serial.port.mmio && port->address == serial.port.address)
		return 0;
	err = serial_open(&named, port);
	if (!err)
		serial = named;
	return err;
}

void console_use_framebuffer(const struct boot_framebuffer *fb)
{
	framebuffer_open(&framebuffer, fb);
}

void console_select(unsigned sinks)
{
	selected = sinks;
}

void console_write(const char *text, size_t len)
{
	if (deferred)
		keep(text, len);
	else
		write_now(text, len);
}

void kprintf(const char *fmt, ...)
{
	char text[CONSOLE_LINE_MAX + 1];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > CONSOLE_LINE_MAX) {
		len = CONSOLE_LINE_MAX;
		memcpy(&text[CONSOLE_LINE_MAX - 4], "...\n", 4);
	}
	console_write(text, (size_t)len);
}

void console_defer(bool on)
{
	deferred = on;
	if (!on)
		print_pending();
}

void console_flush(void)
{
	serial_drain(&serial);
}
