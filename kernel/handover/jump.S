/* void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params)
 *
 * The new tables map our own code as well, so the next instruction is fetched through them.
 * CS and DS are those of the boot protocol already; RSI carries boot_params, the other general
 * registers are zero, as after Linux's own kexec. */

	.text
	.globl	kexec_jump_to
kexec_jump_to:
	cli
	cld
	mov	%rdi, %cr3
	mov	%rsi, %rax
	mov	%rdx, %rsi
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
