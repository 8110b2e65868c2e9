/* Stand-ins for the files of the kernel that need a processor of their own. */
#include "tests/unit/model_kernel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/machine/apic.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/time.h"
#include "kernel/panic.h"
#include "kernel/report/verdict.h"
#include "platform/mmio.h"
#include "tests/unit/model_board.h"

#define TSC_KHZ		2000000

/* ---- what is said --------------------------------------------------------------------------- */

static char bad[512];

static void note_result(const char *line)
{
	char name[64];

	if (sscanf(line, "not ok %*u %63s", name) != 1)
		return;
	if (strlen(bad) + strlen(name) + 3 < sizeof(bad)) {
		strcat(bad, bad[0] ? ", " : "");
		strcat(bad, name);
	}
}

const char *kernel_bad_checks(void)
{
	static char asked[sizeof(bad)];

	memcpy(asked, bad, sizeof(bad));
	bad[0] = 0;
	return asked;
}

/* Only what is wrong is shown; a program that fails shows it. */
void kprintf(const char *fmt, ...)
{
	char text[CONSOLE_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strncmp(text, "ok ", 3))
		printf("%s", text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		note_result(line);
}

void console_flush(void) { }
void console_defer(bool on) { (void)on; }

void phase_set(const char *phase) { (void)phase; }

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

int kernel_apic_error;

int apic_silence_others(void) { return kernel_apic_error; }

/* ---- time ----------------------------------------------------------------------------------- */

void time_set_tsc_khz(uint64_t khz) { (void)khz; }
uint64_t time_tsc_khz(void) { return TSC_KHZ; }
uint64_t time_tsc_to_us(uint64_t ticks) { return ticks / (TSC_KHZ / 1000); }

void time_delay_us(uint64_t us)
{
	const uint64_t start = platform_us();

	while (platform_us() - start < us)
		platform_relax();
}

/* ---- page tables of the processor ----------------------------------------------------------- */

int page_tables_init(struct page_tables *pt, paddr_t (*alloc)(void *ctx), void *ctx)
{
	*pt = (struct page_tables){ .levels = 4, .alloc = alloc, .ctx = ctx, .top = alloc(ctx) };
	return pt->top ? 0 : -ENOMEM;
}

unsigned paging_levels(void)
{
	return 4;
}

int page_tables_map(struct page_tables *pt, paddr_t pa, uint64_t len, uint64_t flags)
{
	(void)pt;
	(void)pa;
	(void)len;
	(void)flags;
	return 0;
}

int page_tables_map_ram(struct page_tables *pt, const struct boot_info *bi, uint64_t flags)
{
	(void)pt;
	(void)bi;
	(void)flags;
	return 0;
}

void *paging_map_mmio(paddr_t pa, uint64_t len)
{
	(void)len;
	return (void *)(uintptr_t)pa;
}

bool paging_is_readable(paddr_t pa, uint64_t len)
{
	return pa >= MIB(1) && pa < BOARD_RAM_END && len <= BOARD_RAM_END - pa;
}

/* ---- the image's variables, model_image.h ----------------------------------------------------- */

extern volatile uint8_t __start_image_bss[], __stop_image_bss[];
/* Weak: perhaps no variable begins with a value. */
extern volatile uint8_t __start_image_data[] __attribute__((weak));
extern volatile uint8_t __stop_image_data[] __attribute__((weak));

/* By bytes: the sanitizer's red zones lie in between. */
__attribute__((no_sanitize("address"))) void kernel_restart_image(void)
{
	const size_t len = (size_t)(__stop_image_data - __start_image_data);
	static uint8_t *fresh;

	if (!fresh) {
		fresh = malloc(len);
		for (size_t i = 0; i < len; i++)
			fresh[i] = __start_image_data[i];
	}
	for (size_t i = 0; i < len; i++)
		__start_image_data[i] = fresh[i];
	for (volatile uint8_t *p = __start_image_bss; p < __stop_image_bss; p++)
		*p = 0;
}

/* ---- what is handed on, and the ways out ------------------------------------------------------------ */

const uint8_t header_template[PAGE_SIZE] = {
	[0x1f1] = 7, [0x1fe] = 0x55, [0x1ff] = 0xaa, [0x200] = 0xeb, [0x201] = 0x6a, [0x202] = 'H',
	[0x203] = 'd', [0x204] = 'r', [0x205] = 'S', [0x206] = 0x0f, [0x207] = 2, [0x211] = 1,
	[0x232] = 0x20,			/* kernel_alignment 2 MiB */
	[0x234] = 1, [0x236] = 0x23, [0x238] = 0xff, [0x239] = 7, [0x25a] = 0x10,
	[0x262] = KERNEL_IMAGE_WINDOW >> 16,	/* init_size */
};
const uint32_t header_template_size = sizeof(header_template);

jmp_buf kernel_jumps, kernel_ends;
struct kernel_verdict kernel_verdict;
void (*kernel_breaks_early)(const struct corrupt_place *p);
struct corrupt_place kernel_place;

_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params);
_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params)
{
	(void)cr3;
	(void)entry;
	(void)boot_params;
	longjmp(kernel_jumps, 1);
}

_Noreturn void verdict_end(enum verdict_code code, const char *fmt, ...)
{
	va_list ap;

	kernel_verdict.code = code;
	va_start(ap, fmt);
	vsnprintf(kernel_verdict.sentence, sizeof(kernel_verdict.sentence), fmt, ap);
	va_end(ap);
	printf("# verdict %02x: %s\n", code, kernel_verdict.sentence);
	longjmp(kernel_ends, 1);
}

void corrupt_before_checks(const char *name, const struct corrupt_place *p)
{
	(void)name;
	if (kernel_breaks_early)
		kernel_breaks_early(p);
}

void corrupt_after_checks(const char *name, const struct corrupt_place *p)
{
	(void)name;
	kernel_place = *p;
}
