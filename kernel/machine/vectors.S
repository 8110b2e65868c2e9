/* One 16-byte stub per vector: they make every stack frame look alike. */

	.text
	.balign	16
	.globl	vector_stubs
vector_stubs:
	.set	vector, 0
	.rept	32
	.balign	16
	/* Vectors with an error code: 8, 10 to 14, 17, 21, 29, 30 (Intel SDM 3A, 6.13). */
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	push	$0
	.endif
	push	$vector
	jmp	common
	.set	vector, vector + 1
	.endr

common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	trap_handler
	ud2

	.section .note.GNU-stack, "", @progbits
