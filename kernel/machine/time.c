/* Time from the TSC. */
#include "time.h"

#include "cpu.h"
#include "platform/mmio.h"

/* 8254: channel 2 is gated by port 61h bit 0, its output is bit 5. */
#define PIT_HZ		1193182u
#define PIT_CH2		0x42
#define PIT_COMMAND	0x43
#define PORT_61		0x61
#define MEASURE_MS	10u
#define GIVE_UP_TICKS	500000000u	/* at least 100 ms of any processor's TSC */

/* Until the rate is known, waits are longer than asked for, never shorter: no processor with
 * VT-d counts faster. */
static uint64_t tsc_khz = 5000000;

/* TSC ticks while channel 2 counts down MEASURE_MS once; 0 if it never gets there. */
static uint64_t pit_ticks(void)
{
	const uint16_t count = PIT_HZ * MEASURE_MS / 1000;
	uint64_t start;

	cpu_out8(PORT_61, (uint8_t)((cpu_in8(PORT_61) & ~2u) | 1u));	/* gate on, speaker off */
	cpu_out8(PIT_COMMAND, 0xb0);	/* channel 2, both bytes, mode 0 */
	cpu_out8(PIT_CH2, (uint8_t)count);
	cpu_out8(PIT_CH2, (uint8_t)(count >> 8));
	start = cpu_tsc();
	while (cpu_tsc() - start < GIVE_UP_TICKS)
		if (cpu_in8(PORT_61) & 0x20)
			return cpu_tsc() - start;
	return 0;	/* its clock is gated, or there is none */
}

/* CPUID 15h: crystal and ratio; 16h: nominal MHz (Intel SDM 2A, CPUID). */
static uint64_t cpuid_khz(void)
{
	uint32_t max[4], id[4];

	cpu_cpuid(0, 0, max);
	if (max[0] >= 0x15) {
		cpu_cpuid(0x15, 0, id);
		if (id[0] && id[1] && id[2])
			return (uint64_t)id[2] * id[1] / id[0] / 1000;
	}
	if (max[0] >= 0x16) {
		cpu_cpuid(0x16, 0, id);
		return (uint64_t)(id[0] & 0xffff) * 1000;
	}
	return 0;
}

uint64_t time_measure_tsc_khz(void)
{
	uint64_t best = 0, khz;

	/* The shortest of three: anything that interrupts us makes it longer. */
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t ticks = pit_ticks();

		if (!ticks)
			break;
		if (!best || ticks < best)
			best = ticks;
	}
	khz = best / MEASURE_MS;
	if (khz < 1000)		/* no 8254 behind the ports: bit 5 stood from the start */
		khz = cpuid_khz();
	return khz ? khz : tsc_khz;
}

void time_set_tsc_khz(uint64_t khz)
{
	tsc_khz = khz;
}

uint64_t time_tsc_khz(void)
{
	return tsc_khz;
}

/* a * b / c with a 128-bit product; the quotient must fit. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t lo, hi;

	__asm__("mulq %3\n\tdivq %4" : "=&a"(lo), "=&d"(hi) : "0"(a), "r"(b), "r"(c) : "cc");
	return lo;
}

uint64_t time_tsc_to_us(uint64_t ticks)
{
	return mul_div(ticks, 1000, tsc_khz);
}

uint64_t time_us_to_tsc(uint64_t us)
{
	return mul_div(us, tsc_khz, 1000);
}

uint64_t platform_us(void)
{
	return time_tsc_to_us(cpu_tsc());
}

void time_delay_us(uint64_t us)
{
	const uint64_t start = cpu_tsc(), ticks = time_us_to_tsc(us);

	while (cpu_tsc() - start < ticks)
		platform_relax();
}
