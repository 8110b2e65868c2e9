/* Console and UART against a 16550 of the test's own.  Ports cannot be tried on the host, so
 * the UART's registers are in memory, and console.c and serial.c are built here with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/machine/cpu.h"

/* No processor ports here: nothing answers. */
static uint8_t floating(uint16_t port)
{
	(void)port;
	return 0xff;
}
#define cpu_in8(port)		floating(port)
#define cpu_out8(port, v)	((void)(port), (void)(v))
#include "kernel/console/console.c"
#include "kernel/console/serial.c"

#include "errno.h"
#include "platform/mem.h"
#include "tests/host/arena.h"

#define UART_BASE	0xfe032000
#define STUCK		-1

static struct {
	char text[2 * CONSOLE_DEFER_MAX];
	size_t len;
	uint8_t reg[UART_REGISTERS], divisor[2];
	uint8_t fcr;
	bool gone;
	int ready_after;	/* polls until THRE comes; STUCK: never */
	int waited;
	unsigned polls, too_early;
} uart;

uint32_t mmio_read32(paddr_t addr)
{
	const paddr_t reg = (addr - UART_BASE) / 4;

	assert_true(addr >= UART_BASE && reg < UART_REGISTERS);
	if (uart.gone)
		return UINT32_MAX;
	if (reg != UART_LSR)
		return uart.reg[reg];
	uart.polls++;
	if (uart.ready_after == STUCK || uart.waited < uart.ready_after) {
		uart.waited++;
		return 0;
	}
	return UART_LSR_THRE | UART_LSR_TEMT;
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	const paddr_t reg = (addr - UART_BASE) / 4;

	assert_true(addr >= UART_BASE && reg < UART_REGISTERS);
	if (reg <= 1 && (uart.reg[UART_LCR] & UART_LCR_DLAB)) {
		uart.divisor[reg] = (uint8_t)v;
	} else if (reg == UART_THR) {
		uart.too_early += uart.waited < uart.ready_after;
		uart.waited = 0;
		assert_true(uart.len < sizeof(uart.text) - 1);
		uart.text[uart.len++] = (char)v;
	} else if (reg == UART_FCR) {
		uart.fcr = (uint8_t)v;
	} else {
		uart.reg[reg] = (uint8_t)v;
	}
}

uint64_t mmio_read64(paddr_t addr)
{
	(void)addr;
	fail_msg("the UART has no 64-bit registers");
	return 0;
}

void mmio_write64(paddr_t addr, uint64_t v)
{
	(void)addr;
	(void)v;
	fail_msg("the UART has no 64-bit registers");
}

static const struct console_port spcr = { .mmio = true, .address = UART_BASE, .stride = 4,
	.baud = SERIAL_BAUD };

static int fresh(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	memset(&serial, 0, sizeof(serial));
	framebuffer.on = false;
	selected = CONSOLE_BOTH;
	deferred = false;
	pending_len = 0;
	pending_lost = 0;
	return 0;
}

static void assert_sent(const char *want)
{
	uart.text[uart.len] = 0;
	assert_string_equal(uart.text, want);
	uart.len = 0;
}

static void test_port_is_programmed(void **state)
{
	(void)state;
	uart.reg[UART_IER] = 0x0f;
	uart.divisor[1] = 7;
	assert_int_equal(console_use_spcr(&spcr), 0);
	assert_int_equal(uart.divisor[0], 1);
	assert_int_equal(uart.divisor[1], 0);
	assert_int_equal(uart.reg[UART_LCR], 3);
	assert_int_equal(uart.reg[UART_IER], 0);
	assert_int_equal(uart.reg[UART_MCR], 3);
	assert_int_equal(uart.fcr, 7);
	kprintf("one %u\ntwo\n", 1);
	assert_sent("one 1\r\ntwo\r\n");
	print_message("# serial.same_port_again_is_left_alone\n");
	uart.fcr = 0;
	assert_int_equal(console_use_spcr(&spcr), 0);
	assert_int_equal(uart.fcr, 0);
}

static void test_refused_ports(void **state)
{
	static const struct { const char *name; struct console_port port; int err; } cases[] = {
		{ "byte_mmio",		{ true, UART_BASE + 64, 1, SERIAL_BAUD }, -EOPNOTSUPP },
		{ "no_stride",		{ true, UART_BASE + 64, 0, SERIAL_BAUD }, -EOPNOTSUPP },
		{ "mmio_at_0",		{ true, 0, 4, SERIAL_BAUD }, -EINVAL },
		{ "mmio_unaligned",	{ true, UART_BASE + 2, 4, SERIAL_BAUD }, -EINVAL },
		{ "mmio_wraps",		{ true, UINT64_MAX - 15, 4, SERIAL_BAUD }, -EINVAL },
		{ "port_0",		{ false, 0, 1, SERIAL_BAUD }, -EINVAL },
		{ "port_too_high",	{ false, 0xfff9, 1, SERIAL_BAUD }, -EINVAL },
		{ "port_beyond_16_bits", { false, 0x103f8, 1, SERIAL_BAUD }, -EINVAL },
		{ "port_stride",	{ false, 0x2f8, 4, SERIAL_BAUD }, -EOPNOTSUPP },
		{ "floating_port",	{ false, 0x2f8, 1, SERIAL_BAUD }, -ENODEV },
		{ "last_port_floats",	{ false, 0xfff8, 1, SERIAL_BAUD }, -ENODEV },
	};

	(void)state;
	assert_int_equal(console_use_spcr(&spcr), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# serial.refuses_%s\n", cases[i].name);
		assert_int_equal(console_use_spcr(&cases[i].port), cases[i].err);
		kprintf("still here\n");
		assert_sent("still here\r\n");
	}
	print_message("# serial.floating_com1_is_dropped\n");
	console_init();
	kprintf("nobody sees this\n");
	assert_sent("");
	print_message("# serial.floating_mmio_is_refused\n");
	uart.gone = true;
	assert_int_equal(console_use_spcr(&spcr), -ENODEV);
}

static void test_waits_are_bounded(void **state)
{
	(void)state;
	print_message("# serial.slow_uart_loses_nothing\n");
	assert_int_equal(console_use_spcr(&spcr), 0);
	uart.ready_after = 1000;
	kprintf("slow\n");
	assert_sent("slow\r\n");
	assert_int_equal(uart.too_early, 0);
	print_message("# serial.stuck_uart_is_dropped_once\n");
	uart.ready_after = STUCK;
	uart.polls = 0;
	for (int i = 0; i < 1000; i++)
		kprintf("stuck\n");
	assert_int_equal(uart.polls, UART_MAX_POLLS);
	assert_sent("");
	print_message("# serial.vanished_uart_is_dropped_at_once\n");
	fresh(NULL);
	assert_int_equal(console_use_spcr(&spcr), 0);
	uart.gone = true;
	kprintf("gone\n");
	assert_false(serial.on);
	assert_sent("");
	print_message("# serial.stuck_at_start_is_bounded\n");
	fresh(NULL);
	uart.ready_after = STUCK;
	assert_int_equal(console_use_spcr(&spcr), 0);
	assert_int_equal(uart.polls, 1 + UART_MAX_POLLS);
}

static void test_flush_waits_for_the_last_byte(void **state)
{
	(void)state;
	print_message("# console.flush_without_a_uart_does_nothing\n");
	console_flush();
	assert_int_equal(uart.polls, 0);
	assert_int_equal(console_use_spcr(&spcr), 0);
	uart.ready_after = 50;
	uart.polls = 0;
	console_flush();
	assert_int_equal(uart.polls, 51);
	assert_true(serial.on);
	print_message("# console.flush_is_bounded\n");
	uart.ready_after = STUCK;
	uart.polls = 0;
	console_flush();
	console_flush();
	assert_int_equal(uart.polls, UART_MAX_POLLS);
}

static void test_deferred_output(void **state)
{
	(void)state;
	print_message("# console.defer_before_init\n");
	console_defer(true);
	kprintf("early\n");
	assert_int_equal(console_use_spcr(&spcr), 0);
	kprintf("in the blackout\n");
	assert_sent("");
	console_defer(false);
	assert_sent("early\r\nin the blackout\r\n");
	kprintf("after\n");
	assert_sent("after\r\n");
	print_message("# console.second_off_prints_nothing_again\n");
	console_defer(false);
	assert_sent("");
}

static void test_overflow_is_counted_and_said(void **state)
{
	char line[65], want[128];
	size_t kept = 0;

	(void)state;
	assert_int_equal(console_use_spcr(&spcr), 0);
	memset(line, 'x', 63);
	line[63] = '\n';
	line[64] = 0;
	console_defer(true);
	for (size_t i = 0; i < CONSOLE_DEFER_MAX / 64 - 1; i++, kept += 64)
		console_write(line, 64);
	console_write("fits\n", 5);
	console_write(line, 64);
	console_write("a hole is worse than an end\n", 28);
	console_defer(false);
	uart.text[uart.len] = 0;
	snprintf(want, sizeof(want), "fits\r\n# console: %d bytes did not fit while output was deferred\r\n",
		 64 + 28);
	assert_int_equal(uart.len, kept / 64 * 65 + strlen(want));
	assert_string_equal(uart.text + uart.len - strlen(want), want);
	uart.len = 0;
	print_message("# console.exactly_full_loses_nothing\n");
	console_defer(true);
	for (size_t i = 0; i < CONSOLE_DEFER_MAX / 64; i++)
		console_write(line, 64);
	console_defer(false);
	assert_int_equal(uart.len, CONSOLE_DEFER_MAX / 64 * 65);
}

static void test_long_line_is_cut(void **state)
{
	(void)state;
	assert_int_equal(console_use_spcr(&spcr), 0);
	kprintf("%*s\n", CONSOLE_LINE_MAX - 1, "x");
	assert_int_equal(uart.len, CONSOLE_LINE_MAX + 1);
	assert_memory_equal(uart.text + uart.len - 3, "x\r\n", 3);
	uart.len = 0;
	kprintf("%*s\n", CONSOLE_LINE_MAX, "x");
	assert_int_equal(uart.len, CONSOLE_LINE_MAX + 1);
	assert_memory_equal(uart.text + uart.len - 6, " ...\r\n", 6);
}

static void test_both_sinks_and_selection(void **state)
{
	const struct boot_framebuffer fb = {
		.base = MIB(16), .size = 80 * 48 * 4, .width = 80, .height = 48, .stride = 320,
		.red_shift = 16, .green_shift = 8,
	};

	(void)state;
	arena_reset(MIB(1), MIB(2));
	assert_int_equal(console_use_spcr(&spcr), 0);
	console_use_framebuffer(&fb);
	kprintf("both\n");
	assert_sent("both\r\n");
	assert_memory_equal(framebuffer.shown[0], "both ", 5);
	console_select(CONSOLE_FRAMEBUFFER);
	kprintf("screen\n");
	assert_sent("");
	assert_memory_equal(framebuffer.shown[1], "screen ", 7);
	console_select(CONSOLE_SERIAL);
	kprintf("wire\n");
	assert_sent("wire\r\n");
	assert_memory_equal(framebuffer.shown[2], "     ", 5);
	console_select(CONSOLE_BOTH);
	console_use_framebuffer(&(struct boot_framebuffer){ 0 });
	kprintf("wire again\n");
	assert_sent("wire again\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_port_is_programmed, fresh),
		cmocka_unit_test_setup(test_refused_ports, fresh),
		cmocka_unit_test_setup(test_waits_are_bounded, fresh),
		cmocka_unit_test_setup(test_flush_waits_for_the_last_byte, fresh),
		cmocka_unit_test_setup(test_deferred_output, fresh),
		cmocka_unit_test_setup(test_overflow_is_counted_and_said, fresh),
		cmocka_unit_test_setup(test_long_line_is_cut, fresh),
		cmocka_unit_test_setup(test_both_sinks_and_selection, fresh),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
