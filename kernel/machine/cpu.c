/* Own GDT, TSS, IDT and stack canary from the first moment in C. */
#include "cpu.h"

#include "errno.h"

#define VECTORS		32	/* exceptions; since IF stays 0, nothing else comes */
#define IST_BYTES	8192

struct idt_gate { uint64_t lo, hi; };
static_assert(sizeof(struct idt_gate) == 16, "64-bit gate");

struct tss {
	uint32_t reserved0;
	uint32_t rsp[6];
	uint32_t reserved1[2];
	uint32_t ist[14];	/* seven addresses, low dword first */
	uint32_t reserved2[2];
	uint16_t reserved3, iomap;
};
static_assert(sizeof(struct tss) == 104, "Intel SDM 3A, 64-bit TSS");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed, aligned(2)));	/* RELR knows no odd addresses */

extern const uint8_t vector_stubs[];	/* 16 bytes each, vectors.S */

/* Exceptions that may find the stack broken, or that interrupt anything, get their own. */
enum { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_PAGE_FAULT, IST_COUNT };

static uint8_t ist_stacks[IST_COUNT][IST_BYTES] __attribute__((aligned(16)));
static struct tss tss;
static struct idt_gate idt[VECTORS] __attribute__((aligned(16)));
static uint64_t gdt[6] __attribute__((aligned(16)));

/* libfdt and our own code read the canary at FS:28h (System V ABI, x86-64). */
static uint64_t fs_block[8];

static void gate_set(unsigned vector, unsigned ist)
{
	const uint64_t target = (uintptr_t)&vector_stubs[16 * vector];

	idt[vector].lo = (target & 0xffff) | (uint64_t)CPU_CS << 16 | (uint64_t)ist << 32 |
			 (uint64_t)0x8e << 40 | (target >> 16 & 0xffff) << 48;
	idt[vector].hi = target >> 32;
}

static void gdt_init(void)
{
	const uint64_t base = (uintptr_t)&tss;
	const struct table_pointer pointer = { sizeof(gdt) - 1, (uintptr_t)gdt };

	gdt[CPU_CS / 8] = 0x00af9a000000ffff;
	gdt[CPU_DS / 8] = 0x00cf92000000ffff;
	gdt[CPU_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | (uint64_t)0x89 << 40 |
			   (base >> 24 & 0xff) << 56;
	gdt[CPU_TSS / 8 + 1] = base >> 32;
	for (unsigned i = 1; i < IST_COUNT; i++) {
		const uint64_t top = (uintptr_t)ist_stacks[i] + IST_BYTES;

		tss.ist[2 * (i - 1)] = (uint32_t)top;
		tss.ist[2 * (i - 1) + 1] = (uint32_t)(top >> 32);
	}
	tss.iomap = sizeof(tss);
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "movl %3, %%eax\n\t"
			 "ltr %%ax"
			 :: "m"(pointer), "i"(CPU_CS), "i"(CPU_DS), "i"(CPU_TSS) : "rax", "memory");
}

static void idt_init(void)
{
	const struct table_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	for (unsigned v = 0; v < VECTORS; v++)
		gate_set(v, 0);
	gate_set(2, IST_NMI);
	gate_set(8, IST_DOUBLE_FAULT);
	gate_set(14, IST_PAGE_FAULT);	/* the stack's guard page faults here */
	gate_set(18, IST_MACHINE_CHECK);
	__asm__ volatile("lidt %0" :: "m"(pointer) : "memory");
}

void cpu_init(void)
{
	__asm__ volatile("cli");
	gdt_init();
	idt_init();
	/* Both 8259: every line masked.  IF stays 0 for the whole run. */
	cpu_out8(0x21, 0xff);
	cpu_out8(0xa1, 0xff);
	/* Not a secret, but different per boot: it catches overruns, not attackers.  A zero
	 * byte first stops string functions. */
	fs_block[5] = (cpu_tsc() * 0x9e3779b97f4a7c15u) & ~UINT64_C(0xff);
	cpu_wrmsr(MSR_FS_BASE, (uintptr_t)fs_block);
}

_Noreturn void cpu_triple_fault(void)
{
	const struct table_pointer none = { 0, 0 };

	__asm__ volatile("lidt %0\n\tint3" :: "m"(none));
	for (;;)
		__asm__ volatile("cli; hlt");
}
