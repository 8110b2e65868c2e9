/* Exceptions and broken invariants: say what happened, where and in which phase; end the run. */
#include "panic.h"

#include <stdarg.h>

#include "kernel/console/console.h"
#include "kernel/console/printf.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/reset.h"
#include "kernel/report/verdict.h"

#define BACKTRACE_MAX	16
#define FAULTS_MAX	4	/* one inside the other: report, fence, and two ways of reset */

extern const uint8_t image_start[], text_start[], text_end[], stack_bottom[], stack_top[];
_Noreturn void __stack_chk_fail(void);

static const char *current_phase = "start";
static unsigned depth;

static const char *const exception_name[32] = {
	[0] = "divide error", [1] = "debug", [2] = "NMI", [3] = "breakpoint", [4] = "overflow",
	[5] = "bound range", [6] = "invalid opcode", [7] = "no coprocessor", [8] = "double fault",
	[10] = "invalid TSS", [11] = "segment not present", [12] = "stack fault",
	[13] = "general protection", [14] = "page fault", [16] = "x87 error",
	[17] = "alignment check", [18] = "machine check", [19] = "SIMD error",
	[21] = "control protection",
};

void phase_set(const char *phase)
{
	current_phase = phase;
}

const char *phase_get(void)
{
	return current_phase;
}

static bool is_ours(uint64_t rip)
{
	return rip >= (uintptr_t)text_start && rip < (uintptr_t)text_end;
}

/* Frame pointers are followed only inside our own stack, and only upwards. */
static void backtrace(uint64_t rip, uint64_t rbp)
{
	kprintf("# backtrace (image offsets):");
	if (is_ours(rip))
		kprintf(" %llx", (unsigned long long)(rip - (uintptr_t)image_start));
	for (unsigned i = 0; i < BACKTRACE_MAX; i++) {
		if (rbp < (uintptr_t)stack_bottom || rbp > (uintptr_t)stack_top - 16 || rbp % 8)
			break;
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;

		if (!is_ours(frame[1]))
			break;
		kprintf(" %llx", (unsigned long long)(frame[1] - (uintptr_t)image_start));
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	kprintf("\n");
}

/* IA32_MCG_CAP counts the banks; a bank is valid when bit 63 of its status is set (Intel SDM
 * 3B, "Machine-Check Architecture"). */
static void machine_check_banks(void)
{
	uint32_t id[4];
	unsigned banks;

	cpu_cpuid(1, 0, id);
	if (!(id[3] & BIT32(14)))	/* no machine-check architecture */
		return;
	banks = cpu_rdmsr(0x179) & 0xff;
	for (unsigned i = 0; i < banks && i < 64; i++) {
		const uint64_t status = cpu_rdmsr(0x401 + 4 * i);

		if (status >> 63)
			kprintf("# machine check bank %u: status %016llx address %016llx\n", i,
				(unsigned long long)status,
				(unsigned long long)cpu_rdmsr(0x402 + 4 * i));
	}
}

/* A fault while reporting a fault: the verdict is all that is said.  Once that is out it stands,
 * and the next way of reset is tried.  Whatever goes wrong, this ends. */
static void enter(void)
{
	if (++depth > FAULTS_MAX)
		cpu_triple_fault();
	paging_resume();
	if (verdict_is_out())
		machine_reset();
	if (depth > 1)
		verdict_end(VERDICT_EXCEPTION, "exception while reporting an exception in phase %s",
			    current_phase);
}

/* Right behind the jump the instruction is the next kernel's. */
static void name_place(uint64_t rip, char *buf, size_t size)
{
	if (is_ours(rip))
		str_format(buf, size, "image offset %llx",
			   (unsigned long long)(rip - (uintptr_t)image_start));
	else
		str_format(buf, size, "%llx, outside the image", (unsigned long long)rip);
}

_Noreturn void trap_handler(const struct trap_frame *f)
{
	const char *name = exception_name[f->vector];
	const uint64_t cr2 = cpu_read_cr2(), cr3 = cpu_read_cr3();
	char place[48];

	enter();
	name_place(f->rip, place, sizeof(place));
	console_defer(false);
	kprintf("# exception %llu (%s), error %llx, in phase %s\n", (unsigned long long)f->vector,
		name ? name : "unexpected interrupt", (unsigned long long)f->error, current_phase);
	kprintf("# rip %016llx (%s) cs %llx rflags %llx\n", (unsigned long long)f->rip, place,
		(unsigned long long)f->cs, (unsigned long long)f->rflags);
	kprintf("# rsp %016llx rbp %016llx cr2 %016llx cr3 %016llx\n", (unsigned long long)f->rsp,
		(unsigned long long)f->rbp, (unsigned long long)cr2, (unsigned long long)cr3);
	kprintf("# rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", (unsigned long long)f->rax,
		(unsigned long long)f->rbx, (unsigned long long)f->rcx, (unsigned long long)f->rdx);
	kprintf("# rsi %016llx rdi %016llx r8  %016llx r9  %016llx\n", (unsigned long long)f->rsi,
		(unsigned long long)f->rdi, (unsigned long long)f->r8, (unsigned long long)f->r9);
	kprintf("# r10 %016llx r11 %016llx r12 %016llx r13 %016llx\n", (unsigned long long)f->r10,
		(unsigned long long)f->r11, (unsigned long long)f->r12, (unsigned long long)f->r13);
	kprintf("# r14 %016llx r15 %016llx\n", (unsigned long long)f->r14, (unsigned long long)f->r15);
	backtrace(f->rip, f->rbp);
	if (f->vector == 2 || f->vector == 18)
		machine_check_banks();
	verdict_end(VERDICT_EXCEPTION, "exception %llu (%s) at %s in phase %s",
		    (unsigned long long)f->vector, name ? name : "unexpected interrupt", place,
		    current_phase);
}

_Noreturn void panic(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	enter();
	console_defer(false);
	kprintf("# panic in phase %s: %s\n", current_phase, text);
	backtrace((uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0));
	verdict_end(VERDICT_EXCEPTION, "%s (phase %s)", text, current_phase);
}

_Noreturn void __stack_chk_fail(void)
{
	panic("stack overrun detected in a function that was about to return");
}
