/* Text output: serial port and framebuffer at the same time, one path, one processor.
 * platform_log() of the seam (log.c) writes through kprintf(). */
#ifndef BATON_CONSOLE_CONSOLE_H
#define BATON_CONSOLE_CONSOLE_H

#include "base.h"
#include "boot_info.h"

#define CONSOLE_SERIAL		BIT32(0)
#define CONSOLE_FRAMEBUFFER	BIT32(1)
#define CONSOLE_BOTH		(CONSOLE_SERIAL | CONSOLE_FRAMEBUFFER)

#define CONSOLE_LINE_MAX	512	/* bytes one kprintf() can write */

/* A 16550-compatible UART as the SPCR table describes it (its Base Address is an ACPI Generic
 * Address Structure). */
struct console_port {
	bool mmio;		/* Address Space ID 0; else 1, I/O ports */
	uint64_t address;	/* of register 0 */
	uint32_t stride;	/* bytes from one register to the next: 1; 4 for MMIO */
	uint32_t baud;		/* 0: the divisor stays as it is */
};

/* Starts with COM1 (3F8h).  Lines deferred before this call are kept. */
void console_init(void);

/**
 * console_use_spcr() - move serial output to the port that SPCR names
 *
 * Naming the port in use already changes nothing.
 * Return: 0; -EOPNOTSUPP MMIO registers that are not 32 bits apart (the seam has no byte
 * access); -EINVAL the address cannot be a UART; -ENODEV it reads as FFh.  After an error the
 * old port stays.
 */
int console_use_spcr(const struct console_port *port);

/* The framebuffer is cleared and takes all output from here; @fb->base must be mapped, at best
 * write-combining.  @fb->base of 0, or a shape that holds no text, switches it off. */
void console_use_framebuffer(const struct boot_framebuffer *fb);

/* Which sinks are written: CONSOLE_SERIAL, CONSOLE_FRAMEBUFFER or both (as it starts). */
void console_select(unsigned sinks);

void console_write(const char *text, size_t len);
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* While on, output is kept in memory (nothing is printed in the blackout);
 * switching off prints it and says what did not fit.  May be called before console_init(). */
void console_defer(bool on);
#define CONSOLE_DEFER_MAX	KIB(64)

/* Before the machine is reset: until the last byte is on the wire. */
void console_flush(void);

#endif
