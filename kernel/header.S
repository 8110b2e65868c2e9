/* The header page, PE32+ and Linux boot protocol in one, and both entries.
 *
 * Order in both entries (docs/design.md, the image): SSE on, .bss zeroed (64-bit entry only: a PE loader
 * has done it), the loaded part copied into .bss before anything changes it, relocations
 * applied, then C.  Nothing here may use an absolute address. */

	.set	SETUP_BYTES, 0x1000
	.set	HEADER_USED, 0x26c		/* end of setup header 2.15; the rest of the page is zero */
	.set	PE_OFFSET, 0x40

/* Linux, Documentation/arch/x86/boot.rst; UEFI specification, "PE32+ image".
 * Stands twice: at file offset 0, and in .rodata for building the next image's file. */
.macro	HEADER_PAGE name
\name:
	.ascii	"MZ"
	.org	\name + 0x3c
	.long	PE_OFFSET
	.org	\name + PE_OFFSET
	.ascii	"PE\0\0"
	/* COFF header */
	.short	0x8664				/* Machine */
	.short	3				/* NumberOfSections */
	.long	0				/* TimeDateStamp: reproducible */
	.long	0, 0				/* symbol table: none */
	.short	0xa0				/* SizeOfOptionalHeader: 112 + 6 * 8 */
	.short	0x206				/* executable, line numbers and debug stripped;
						 * relocations NOT stripped */
	/* Optional header, PE32+ */
	.short	0x20b
	.byte	0, 0				/* linker version */
	.long	hdr_text_size
	.long	hdr_data_raw			/* SizeOfInitializedData */
	.long	0				/* SizeOfUninitializedData: inside .data */
	.long	hdr_entry_rva
	.long	SETUP_BYTES			/* BaseOfCode */
	.quad	0				/* ImageBase */
	.long	0x1000				/* SectionAlignment */
	.long	0x200				/* FileAlignment */
	.short	0, 0				/* operating system version */
	.short	0, 1				/* image version */
	.short	0, 0				/* subsystem version */
	.long	0				/* Win32VersionValue */
	.long	hdr_image_size
	.long	SETUP_BYTES			/* SizeOfHeaders */
	.long	0				/* CheckSum */
	.short	10				/* Subsystem: EFI application */
	.short	0x100				/* DllCharacteristics: NX_COMPAT */
	.quad	0, 0, 0, 0			/* stack and heap: firmware's */
	.long	0				/* LoaderFlags */
	.long	6				/* NumberOfRvaAndSizes; index 4 is for a signature */
	.quad	0, 0, 0, 0, 0, 0
	/* Section table: W^X */
	.ascii	".text\0\0\0"
	.long	hdr_text_size, SETUP_BYTES, hdr_text_size, SETUP_BYTES
	.long	0, 0, 0
	.long	0x60000020			/* code, execute, read */
	.ascii	".rodata\0"
	.long	hdr_rodata_size, hdr_rodata_rva, hdr_rodata_size, hdr_rodata_rva
	.long	0, 0, 0
	.long	0x40000040			/* initialised data, read */
	.ascii	".data\0\0\0"
	.long	hdr_data_size, hdr_data_rva, hdr_data_raw, hdr_data_rva
	.long	0, 0, 0
	.long	0xc0000040			/* initialised data, read, write */

	/* Setup header, version 2.15 */
	.org	\name + 0x1ef
	.byte	0xff, 0xff			/* sentinel, see boot_params */
	.byte	SETUP_BYTES / 512 - 1		/* 0x1f1 setup_sects */
	.org	\name + 0x1fe
	.short	0xaa55				/* boot_flag */
	.byte	0xeb, HEADER_USED - 0x202	/* jump; its length byte says where the header ends */
	.ascii	"HdrS"
	.short	0x20f				/* version */
	.org	\name + 0x211
	.byte	0x01				/* loadflags: LOADED_HIGH */
	.org	\name + 0x22c
	.long	0x7fffffff			/* initrd_addr_max */
	.long	0x200000			/* kernel_alignment */
	.byte	1, 21				/* relocatable_kernel, min_alignment */
	.short	0x33				/* xloadflags: KERNEL_64, ABOVE_4G, EFI_KEXEC, 5LEVEL */
	.long	2047				/* cmdline_size */
	.org	\name + 0x258
	.quad	0x1000000			/* pref_address */
	.long	hdr_init_size			/* init_size */
	.org	\name + HEADER_USED
.endm

	.section .header, "a"
	HEADER_PAGE header_page
	.org	header_page + SETUP_BYTES

	.section .rodata.header, "a"
	.balign	16
	.globl	header_template, header_template_size
	HEADER_PAGE header_template
header_template_size:
	.long	HEADER_USED

/* Copy [text_start, file_end) to pristine_start, then apply relocations: RELR (System V gABI), the
 * addresses of words to which the load bias is added, so each word is changed once.
 * Uses rax, rcx, rdx, rsi, rdi, r8, r9. */
.macro	KEEP_PRISTINE_AND_RELOCATE
	lea	text_start(%rip), %rsi
	lea	pristine_start(%rip), %rdi
	lea	file_end(%rip), %rcx
	sub	%rsi, %rcx
	rep movsb

	lea	image_start(%rip), %rdx		/* load bias, since the image is linked at 0 */
	lea	relr_start(%rip), %r8
	lea	relr_end(%rip), %r9
1:	cmp	%r9, %r8
	jae	6f
	mov	(%r8), %rax
	add	$8, %r8
	test	$1, %al
	jnz	2f
	lea	(%rdx, %rax), %rdi		/* even: an address */
	add	%rdx, (%rdi)
	add	$8, %rdi			/* the first word a bitmap speaks of */
	jmp	1b
2:	mov	%rdi, %rcx			/* odd: bits 1 to 63 stand for the next 63 words */
3:	shr	%rax
	jz	5f
	test	$1, %al
	jz	4f
	add	%rdx, (%rcx)
4:	add	$8, %rcx
	jmp	3b
5:	add	$(63 * 8), %rdi
	jmp	1b
6:
.endm

.macro	ENABLE_SSE
	mov	%cr0, %rax
	and	$~(1 << 2 | 1 << 3), %rax	/* EM, TS off */
	or	$(1 << 1), %rax			/* MP */
	mov	%rax, %cr0
	mov	%cr4, %rax
	or	$(1 << 9 | 1 << 10), %rax	/* OSFXSR, OSXMMEXCPT */
	mov	%rax, %cr4
.endm

	.section .entry, "ax"
	.org	0x200
/* 64-bit entry of the boot protocol: RSI = boot_params, interrupts off, identity-mapped. */
	.globl	boot64_entry
boot64_entry:
	cli
	cld
	rdtsc
	shl	$32, %rdx
	or	%rax, %rdx
	mov	%rdx, %r12
	mov	%rsi, %r13
	ENABLE_SSE
	lea	bss_start(%rip), %rdi
	lea	bss_end(%rip), %rcx
	sub	%rdi, %rcx
	xor	%eax, %eax
	rep stosb
	KEEP_PRISTINE_AND_RELOCATE
	lea	stack_top(%rip), %rsp
	xor	%ebp, %ebp
	mov	%r13, %rdi
	mov	%r12, %rsi
	call	boot64_main
	ud2

	.text
/* UEFI entry, Microsoft ABI: RCX image handle, RDX system table; may return a status. */
	.globl	efi_entry
efi_entry:
	push	%rbp
	mov	%rsp, %rbp
	push	%rsi
	push	%rdi
	push	%rbx
	push	%r12
	sub	$0xa0, %rsp
	movups	%xmm6, 0x00(%rsp)
	movups	%xmm7, 0x10(%rsp)
	movups	%xmm8, 0x20(%rsp)
	movups	%xmm9, 0x30(%rsp)
	movups	%xmm10, 0x40(%rsp)
	movups	%xmm11, 0x50(%rsp)
	movups	%xmm12, 0x60(%rsp)
	movups	%xmm13, 0x70(%rsp)
	movups	%xmm14, 0x80(%rsp)
	movups	%xmm15, 0x90(%rsp)
	mov	%rcx, %rbx
	mov	%rdx, %r10
	rdtsc
	shl	$32, %rdx
	or	%rax, %rdx
	mov	%rdx, %r12
	cld
	/* UEFI promises SSE on; CR0 and CR4 are firmware's until it is left. */
	KEEP_PRISTINE_AND_RELOCATE
	mov	%rbx, %rdi
	mov	%r10, %rsi
	mov	%r12, %rdx
	call	efi_main
	movups	0x00(%rsp), %xmm6
	movups	0x10(%rsp), %xmm7
	movups	0x20(%rsp), %xmm8
	movups	0x30(%rsp), %xmm9
	movups	0x40(%rsp), %xmm10
	movups	0x50(%rsp), %xmm11
	movups	0x60(%rsp), %xmm12
	movups	0x70(%rsp), %xmm13
	movups	0x80(%rsp), %xmm14
	movups	0x90(%rsp), %xmm15
	add	$0xa0, %rsp
	pop	%r12
	pop	%rbx
	pop	%rdi
	pop	%rsi
	pop	%rbp
	ret

/* void enter_kernel(const struct boot_info *bi): after ExitBootServices, onto our own stack. */
	.globl	enter_kernel
enter_kernel:
	cli
	ENABLE_SSE
	lea	stack_top(%rip), %rsp
	xor	%ebp, %ebp
	call	kernel_main
	ud2

/* A page below the stack is unmapped by our page tables. */
	.section .stack, "aw", @nobits
	.balign	4096
	.globl	stack_guard
stack_guard:
	.skip	4096
	.globl	stack_bottom
stack_bottom:
	.skip	65536
	.globl	stack_top
stack_top:

	.section .note.GNU-stack, "", @progbits
