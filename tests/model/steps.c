/* Between any two steps of the driver a test may act; and the clock. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "platform/mmio.h"

/* A second of waiting takes some thousand clock reads. */
#define US_PER_READ	100

static struct {
	void (*fn)(void *ctx);
	void *ctx;
	long at, done;
	bool inside;
} hook;
static uint64_t now_us;

void model_steps_reset(void)
{
	hook.fn = NULL;
	hook.done = 0;
	hook.inside = false;	/* a test may have failed in there */
}

void model_inject(long step, void (*fn)(void *ctx), void *ctx)
{
	hook.fn = fn;
	hook.ctx = ctx;
	hook.at = step;
	hook.done = 0;
}

long model_steps(void)
{
	return hook.done;
}

void model_step(void)
{
	if (hook.inside)
		return;
	hook.done++;
	if (!hook.fn || (hook.at != MODEL_EVERY_STEP && hook.at != hook.done))
		return;
	hook.inside = true;
	hook.fn(hook.ctx);
	hook.inside = false;
}

/* Time passes for the units as well. */
uint64_t platform_us(void)
{
	model_step();
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++)
		if (model_units[i].exists)
			model_queue_tick(&model_units[i]);
	now_us += US_PER_READ;
	return now_us;
}

void platform_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}
