/* 16550-compatible UART, polled, transmit only. */
#ifndef BATON_CONSOLE_SERIAL_H
#define BATON_CONSOLE_SERIAL_H

#include "kernel/console/console.h"

#define SERIAL_COM1	0x3f8
#define SERIAL_BAUD	115200

struct serial {
	struct console_port port;
	bool on;		/* answers, and has not been dropped since */
};

/**
 * serial_open() - find a UART and program it: 115200 baud, 8N1, FIFO on, no interrupts
 *
 * Return: 0; -EINVAL, -EOPNOTSUPP, -ENODEV as console_use_spcr(); @s is off then.
 */
int serial_open(struct serial *s, const struct console_port *port);

/* Bounded: a UART that does not take a byte for long is dropped once and for all. */
void serial_write(struct serial *s, const char *text, size_t len);

/* Wait until the last byte has left the UART; bounded likewise. */
void serial_drain(struct serial *s);

#endif
