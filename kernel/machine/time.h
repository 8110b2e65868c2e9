/* Time from the TSC.  Its rate is measured once, in generation 0, and carried. */
#ifndef BATON_TIME_H
#define BATON_TIME_H

#include "base.h"

/* Measure against the 8254, or take CPUID's word.  Return: kHz, never 0. */
uint64_t time_measure_tsc_khz(void);

void time_set_tsc_khz(uint64_t khz);
uint64_t time_tsc_khz(void);

uint64_t time_tsc_to_us(uint64_t ticks);
uint64_t time_us_to_tsc(uint64_t us);

/* Busy-wait. */
void time_delay_us(uint64_t us);

#endif
