#include "kernel/console/serial.h"

#include "errno.h"
#include "kernel/machine/cpu.h"
#include "platform/mmio.h"

/* 16550 UART registers (National Semiconductor PC16550D, "Registers"). */
#define UART_THR	0		/* WO: transmit holding, while LCR.DLAB is 0 */
#define UART_DLL	0		/* RW: divisor, low byte, while LCR.DLAB is 1 */
#define UART_IER	1		/* RW: interrupt enable, while LCR.DLAB is 0 */
#define UART_DLM	1		/* RW: divisor, high byte, while LCR.DLAB is 1 */
#define UART_FCR	2		/* WO: FIFO control */
#define   UART_FCR_ON_CLEAR	0x07	/* enable and clear both FIFOs */
#define UART_LCR	3		/* RW: line control */
#define   UART_LCR_8N1		0x03
#define   UART_LCR_DLAB		0x80
#define UART_MCR	4		/* RW: modem control */
#define   UART_MCR_DTR_RTS	0x03
#define UART_LSR	5		/* RO: line status */
#define   UART_LSR_THRE		0x20	/* transmit holding register empty */
#define   UART_LSR_TEMT		0x40	/* and the shift register as well */
#define UART_REGISTERS	8

#define UART_BASE_BAUD	115200		/* 1.8432 MHz / 16: divisor 1 */
#define UART_FLOATING	0xff		/* what is read where nothing answers */

/* A byte at 115200 baud takes 87 us, a full FIFO 1.4 ms.  A read of a port takes about 1 us, so
 * this is at least 100 ms; a UART that is slower than that is stuck. */
#define UART_MAX_POLLS	100000

static uint8_t read_reg(const struct console_port *p, unsigned reg)
{
	if (p->mmio)
		return (uint8_t)mmio_read32(p->address + reg * p->stride);
	return cpu_in8((uint16_t)(p->address + reg));
}

static void write_reg(const struct console_port *p, unsigned reg, uint8_t v)
{
	if (p->mmio)
		mmio_write32(p->address + reg * p->stride, v);
	else
		cpu_out8((uint16_t)(p->address + reg), v);
}

static int check_port(const struct console_port *p)
{
	if (p->baud > UART_BASE_BAUD)
		return -EINVAL;
	if (p->mmio) {
		if (p->stride != sizeof(uint32_t))
			return -EOPNOTSUPP;
		if (!p->address || !IS_ALIGNED(p->address, sizeof(uint32_t)) ||
		    !range_valid(p->address, UART_REGISTERS * sizeof(uint32_t)))
			return -EINVAL;
		return 0;
	}
	if (!p->address || p->address > UINT16_MAX + 1 - UART_REGISTERS)
		return -EINVAL;
	return p->stride > 1 ? -EOPNOTSUPP : 0;
}

/* False if @bit does not come, or nothing answers any more. */
static bool wait_lsr(const struct console_port *p, uint8_t bit)
{
	for (unsigned i = 0; i < UART_MAX_POLLS; i++) {
		const uint8_t lsr = read_reg(p, UART_LSR);

		if (lsr == UART_FLOATING)
			return false;
		if (lsr & bit)
			return true;
		platform_relax();
	}
	return false;
}

int serial_open(struct serial *s, const struct console_port *port)
{
	int err = check_port(port);

	s->on = false;
	if (err)
		return err;
	s->port = *port;
	if (read_reg(port, UART_LSR) == UART_FLOATING)
		return -ENODEV;
	/* Firmware's last words leave first; if they cannot, programming may help. */
	wait_lsr(port, UART_LSR_TEMT);
	write_reg(port, UART_LCR, UART_LCR_8N1);
	write_reg(port, UART_IER, 0);
	if (port->baud) {
		const uint32_t divisor = UART_BASE_BAUD / port->baud;

		write_reg(port, UART_LCR, UART_LCR_8N1 | UART_LCR_DLAB);
		write_reg(port, UART_DLL, (uint8_t)divisor);
		write_reg(port, UART_DLM, (uint8_t)(divisor >> 8));
		write_reg(port, UART_LCR, UART_LCR_8N1);
	}
	write_reg(port, UART_FCR, UART_FCR_ON_CLEAR);
	write_reg(port, UART_MCR, UART_MCR_DTR_RTS);
	s->on = true;
	return 0;
}

static void send(struct serial *s, char c)
{
	s->on = wait_lsr(&s->port, UART_LSR_THRE);
	if (s->on)
		write_reg(&s->port, UART_THR, (uint8_t)c);
}

void serial_write(struct serial *s, const char *text, size_t len)
{
	for (size_t i = 0; s->on && i < len; i++) {
		if (text[i] == '\n')
			send(s, '\r');
		if (s->on)
			send(s, text[i]);
	}
}

void serial_drain(struct serial *s)
{
	if (s->on && !wait_lsr(&s->port, UART_LSR_TEMT))
		s->on = false;
}
