	.file	"<string>"
	.section	.ltext,"axl",@progbits
	.globl	_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.p2align	4
	.type	_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE,@function
_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	subq	$120, %rsp
	.cfi_def_cfa_offset 176
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%rdi, -120(%rsp)
	movq	192(%rsp), %rdi
	leaq	511(%rdi), %rsi
	shrq	$9, %rsi
	testq	%rdi, %rdi
	setle	%al
	testq	%rsi, %rsi
	sete	%cl
	orb	%al, %cl
	jne	.LBB0_23
	movq	360(%rsp), %rdx
	testq	%rdx, %rdx
	movabsq	$-8608480567731124087, %rax
	mulxq	%rax, %rax, %rax
	setle	%cl
	shrq	$7, %rax
	imulq	$240, %rax, %r8
	xorl	%r9d, %r9d
	cmpq	%r8, %rdx
	setne	%r9b
	cmpq	$0, 272(%rsp)
	setle	%dl
	addq	%rax, %r9
	movq	%r9, -112(%rsp)
	sete	%al
	orb	%cl, %dl
	orb	%al, %dl
	je	.LBB0_2
.LBB0_23:
	movq	-120(%rsp), %rax
	movq	$0, (%rax)
	xorl	%eax, %eax
	addq	$120, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	vzeroupper
	retq
.LBB0_2:
	.cfi_def_cfa_offset 176
	movq	288(%rsp), %r8
	movq	264(%rsp), %rcx
	movq	176(%rsp), %rdx
	imulq	280(%rsp), %r8
	movq	360(%rsp), %rax
	decq	%rax
	movq	%rax, -24(%rsp)
	addq	$44, %rdx
	movq	%rdx, -8(%rsp)
	leaq	(,%rdi,4), %rax
	movq	%rax, -32(%rsp)
	leaq	64(%rcx), %rax
	movq	%rax, -88(%rsp)
	movq	%r8, -16(%rsp)
	leaq	(,%r8,4), %rax
	movq	%rax, -64(%rsp)
	xorl	%eax, %eax
	jmp	.LBB0_3
	.p2align	4
.LBB0_22:
	movq	-96(%rsp), %rsi
	decq	%rsi
	movq	-104(%rsp), %rax
	jle	.LBB0_23
.LBB0_3:
	movq	%rsi, -96(%rsp)
	leaq	512(%rax), %rdx
	cmpq	%rdx, %rdi
	movq	%rdx, %rcx
	cmovlq	%rdi, %rcx
	movq	%rax, %r10
	sarq	$63, %r10
	movq	%r10, %r8
	andq	%rdi, %r8
	addq	%rax, %r8
	movq	%rdx, -104(%rsp)
	movq	%rdx, %r11
	sarq	$63, %r11
	andq	%rdi, %r11
	addq	%rcx, %r11
	andq	280(%rsp), %r10
	addq	%rax, %r10
	movq	-112(%rsp), %rax
	xorl	%ecx, %ecx
	movq	%r10, 16(%rsp)
	movq	%r8, 8(%rsp)
	movq	%r11, (%rsp)
	jmp	.LBB0_4
	.p2align	4
.LBB0_21:
	movq	-80(%rsp), %rcx
	movq	-72(%rsp), %rax
	cmpq	$1, %rax
	leaq	-1(%rax), %rax
	jle	.LBB0_22
.LBB0_4:
	movq	%rax, -72(%rsp)
	leaq	240(%rcx), %rax
	movq	360(%rsp), %rdx
	cmpq	%rdx, %rax
	movq	%rax, -80(%rsp)
	cmovlq	%rax, %rdx
	movq	%rcx, -48(%rsp)
	subq	%rcx, %rdx
	testq	%rdx, %rdx
	setle	%al
	movabsq	$-6148914691236517205, %rcx
	mulxq	%rcx, %rcx, %rcx
	shrq	$3, %rcx
	leaq	(,%rcx,4), %rsi
	leaq	(%rsi,%rsi,2), %rsi
	xorl	%r9d, %r9d
	cmpq	%rsi, %rdx
	setne	%r9b
	addq	%rcx, %r9
	movq	%r9, -56(%rsp)
	sete	%cl
	orb	%al, %cl
	jne	.LBB0_21
	movq	264(%rsp), %r9
	movq	-88(%rsp), %rcx
	xorl	%r12d, %r12d
	jmp	.LBB0_6
	.p2align	4
.LBB0_20:
	movq	-40(%rsp), %r12
	incq	%r12
	movq	-64(%rsp), %rax
	addq	%rax, %rcx
	addq	%rax, %r9
	cmpq	%r12, 272(%rsp)
	je	.LBB0_21
.LBB0_6:
	movq	%r12, -40(%rsp)
	shlq	$7, %r12
	addq	352(%rsp), %r12
	movq	-56(%rsp), %rbx
	movq	-48(%rsp), %rsi
	movq	%r9, 32(%rsp)
	movq	%rcx, 24(%rsp)
	.p2align	4
.LBB0_7:
	movq	%rsi, %rax
	movabsq	$3074457345618258603, %rdx
	imulq	%rdx
	movq	%r8, %r14
	testq	%r8, %r8
	js	.LBB0_8
	cmpq	%rdi, %r8
	jge	.LBB0_10
.LBB0_11:
	movq	%r11, %rax
	testq	%r11, %r11
	js	.LBB0_12
.LBB0_13:
	cmpq	%rdi, %r11
	jge	.LBB0_14
.LBB0_15:
	movq	%rbx, 112(%rsp)
	movq	%rdx, %rdi
	shrq	$63, %rdi
	sarq	%rdx
	addq	%rdi, %rdx
	leaq	(,%rdx,4), %rdi
	leaq	(%rdi,%rdi,2), %rdi
	movq	%rsi, %r8
	subq	%rdi, %r8
	sarq	$63, %r8
	addq	%rdx, %r8
	movq	%r8, %rcx
	sarq	$63, %rcx
	andq	184(%rsp), %rcx
	addq	%r8, %rcx
	movq	%rcx, -128(%rsp)
	subq	%r14, %rax
	movq	%r10, %rbp
	testq	%r10, %r10
	movq	%r14, 56(%rsp)
	js	.LBB0_16
.LBB0_17:
	leaq	12(%rsi), %rdi
	movq	%rdi, 104(%rsp)
	imulq	288(%rsp), %rbp
	cmpq	280(%rsp), %r10
	cmovgeq	-16(%rsp), %rbp
	movq	-24(%rsp), %r10
	cmpq	%r10, %rsi
	movq	%r10, %rcx
	cmovlq	%rsi, %rcx
	movq	376(%rsp), %rdx
	imulq	%rdx, %rcx
	movq	%rcx, 48(%rsp)
	movq	%rsi, %rcx
	orq	$1, %rcx
	cmpq	%r10, %rcx
	cmovgeq	%r10, %rcx
	imulq	%rdx, %rcx
	movq	%rcx, 40(%rsp)
	movq	%rsi, %r8
	orq	$2, %r8
	cmpq	%r10, %r8
	cmovgeq	%r10, %r8
	imulq	%rdx, %r8
	movq	%rsi, %r15
	orq	$3, %r15
	cmpq	%r10, %r15
	cmovgeq	%r10, %r15
	imulq	%rdx, %r15
	leaq	4(%rsi), %rbx
	cmpq	%r10, %rbx
	cmovgeq	%r10, %rbx
	imulq	%rdx, %rbx
	leaq	5(%rsi), %r13
	cmpq	%r10, %r13
	cmovgeq	%r10, %r13
	imulq	%rdx, %r13
	leaq	6(%rsi), %r11
	cmpq	%r10, %r11
	cmovgeq	%r10, %r11
	imulq	%rdx, %r11
	leaq	7(%rsi), %r9
	cmpq	%r10, %r9
	cmovgeq	%r10, %r9
	imulq	%rdx, %r9
	leaq	8(%rsi), %rcx
	cmpq	%r10, %rcx
	cmovgeq	%r10, %rcx
	imulq	%rdx, %rcx
	leaq	9(%rsi), %r14
	cmpq	%r10, %r14
	cmovgeq	%r10, %r14
	imulq	%rdx, %r14
	leaq	10(%rsi), %rdi
	cmpq	%r10, %rdi
	cmovgeq	%r10, %rdi
	imulq	%rdx, %rdi
	addq	$11, %rsi
	cmpq	%r10, %rsi
	cmovgeq	%r10, %rsi
	imulq	%rdx, %rsi
	movq	%r15, %rdx
	movq	%r8, %r10
	movq	40(%rsp), %r8
	movq	48(%rsp), %r15
	vmovups	(%r12,%r15), %zmm0
	vmovups	64(%r12,%r15), %zmm1
	vmovups	(%r12,%r8), %zmm2
	vmovups	64(%r12,%r8), %zmm3
	vmovups	(%r12,%r10), %zmm4
	movq	%r10, 64(%rsp)
	vmovups	64(%r12,%r10), %zmm5
	vmovups	(%r12,%rdx), %zmm6
	movq	%rdx, 72(%rsp)
	vmovups	64(%r12,%rdx), %zmm7
	vmovups	(%r12,%rbx), %zmm8
	vmovups	64(%r12,%rbx), %zmm9
	vmovups	(%r12,%r13), %zmm10
	vmovups	64(%r12,%r13), %zmm11
	vmovups	(%r12,%r11), %zmm12
	vmovups	64(%r12,%r11), %zmm13
	vmovups	(%r12,%r9), %zmm14
	movq	%r9, 96(%rsp)
	vmovups	64(%r12,%r9), %zmm15
	vmovups	(%r12,%rcx), %zmm16
	movq	%rcx, 88(%rsp)
	vmovups	64(%r12,%rcx), %zmm17
	vmovups	(%r12,%r14), %zmm18
	movq	%r14, 80(%rsp)
	vmovups	64(%r12,%r14), %zmm19
	movq	%rdi, %r14
	vmovups	(%r12,%rdi), %zmm20
	vmovups	64(%r12,%rdi), %zmm21
	vmovups	(%r12,%rsi), %zmm22
	cmpq	$2, %rax
	movl	$1, %r10d
	cmovlq	%r10, %rax
	movq	-128(%rsp), %rcx
	imulq	-32(%rsp), %rcx
	movq	56(%rsp), %rdx
	leaq	(%rcx,%rdx,4), %rdx
	movq	112(%rsp), %r10
	leaq	-1(%r10), %rdi
	movq	%rsi, -128(%rsp)
	vmovups	64(%r12,%rsi), %zmm23
	imulq	200(%rsp), %rdx
	addq	-8(%rsp), %rdx
	shlq	$2, %rbp
	movq	32(%rsp), %r9
	movq	24(%rsp), %rcx
	.p2align	4
.LBB0_18:
	vmovups	(%r9,%rbp), %zmm24
	vmovups	(%rcx,%rbp), %zmm25
	vbroadcastss	-44(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm0
	vfmadd231ps	%zmm26, %zmm25, %zmm1
	vbroadcastss	-40(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm2
	vbroadcastss	-36(%rdx), %zmm27
	vfmadd231ps	%zmm26, %zmm25, %zmm3
	vfmadd231ps	%zmm24, %zmm27, %zmm4
	vfmadd231ps	%zmm27, %zmm25, %zmm5
	vbroadcastss	-32(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm6
	vfmadd231ps	%zmm26, %zmm25, %zmm7
	vbroadcastss	-28(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm8
	vbroadcastss	-24(%rdx), %zmm27
	vfmadd231ps	%zmm26, %zmm25, %zmm9
	vfmadd231ps	%zmm24, %zmm27, %zmm10
	vfmadd231ps	%zmm27, %zmm25, %zmm11
	vbroadcastss	-20(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm12
	vfmadd231ps	%zmm26, %zmm25, %zmm13
	vbroadcastss	-16(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm14
	vbroadcastss	-12(%rdx), %zmm27
	vfmadd231ps	%zmm26, %zmm25, %zmm15
	vfmadd231ps	%zmm24, %zmm27, %zmm16
	vfmadd231ps	%zmm27, %zmm25, %zmm17
	vbroadcastss	-8(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm18
	vfmadd231ps	%zmm26, %zmm25, %zmm19
	vbroadcastss	-4(%rdx), %zmm26
	vfmadd231ps	%zmm24, %zmm26, %zmm20
	vbroadcastss	(%rdx), %zmm27
	vfmadd231ps	%zmm26, %zmm25, %zmm21
	vfmadd231ps	%zmm24, %zmm27, %zmm22
	vfmadd231ps	%zmm25, %zmm27, %zmm23
	addq	$48, %rdx
	subq	$-128, %rbp
	decq	%rax
	jne	.LBB0_18
	vmovups	%zmm0, (%r12,%r15)
	vmovups	%zmm1, 64(%r12,%r15)
	vmovups	%zmm2, (%r12,%r8)
	vmovups	%zmm3, 64(%r12,%r8)
	movq	64(%rsp), %rax
	vmovups	%zmm4, (%r12,%rax)
	vmovups	%zmm5, 64(%r12,%rax)
	movq	72(%rsp), %rax
	vmovups	%zmm6, (%r12,%rax)
	vmovups	%zmm7, 64(%r12,%rax)
	vmovups	%zmm8, (%r12,%rbx)
	vmovups	%zmm9, 64(%r12,%rbx)
	vmovups	%zmm10, (%r12,%r13)
	vmovups	%zmm11, 64(%r12,%r13)
	vmovups	%zmm12, (%r12,%r11)
	vmovups	%zmm13, 64(%r12,%r11)
	movq	96(%rsp), %rax
	vmovups	%zmm14, (%r12,%rax)
	vmovups	%zmm15, 64(%r12,%rax)
	movq	88(%rsp), %rax
	vmovups	%zmm16, (%r12,%rax)
	vmovups	%zmm17, 64(%r12,%rax)
	movq	80(%rsp), %rax
	vmovups	%zmm18, (%r12,%rax)
	vmovups	%zmm19, 64(%r12,%rax)
	vmovups	%zmm20, (%r12,%r14)
	vmovups	%zmm21, 64(%r12,%r14)
	movq	-128(%rsp), %rax
	vmovups	%zmm22, (%r12,%rax)
	vmovups	%zmm23, 64(%r12,%rax)
	movq	104(%rsp), %rsi
	cmpq	$1, %r10
	movq	%rdi, %rbx
	movq	192(%rsp), %rdi
	movq	16(%rsp), %r10
	movq	8(%rsp), %r8
	movq	(%rsp), %r11
	ja	.LBB0_7
	jmp	.LBB0_20
.LBB0_8:
	xorl	%r14d, %r14d
	cmpq	%rdi, %r8
	jl	.LBB0_11
.LBB0_10:
	movq	%rdi, %r14
	movq	%r11, %rax
	testq	%r11, %r11
	jns	.LBB0_13
.LBB0_12:
	xorl	%eax, %eax
	cmpq	%rdi, %r11
	jl	.LBB0_15
.LBB0_14:
	movq	%rdi, %rax
	jmp	.LBB0_15
.LBB0_16:
	xorl	%ebp, %ebp
	jmp	.LBB0_17
.Lfunc_end0:
	.size	_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, .Lfunc_end0-_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.cfi_endproc

	.globl	_ZN7cpython8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.p2align	4
	.type	_ZN7cpython8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE,@function
_ZN7cpython8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	subq	$600, %rsp
	.cfi_def_cfa_offset 656
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%rsi, %rdi
	leaq	280(%rsp), %rax
	movq	%rax, (%rsp)
	movabsq	$.const.seq, %rsi
	movabsq	$PyArg_UnpackTuple, %r10
	xorl	%ebx, %ebx
	leaq	296(%rsp), %r8
	leaq	288(%rsp), %r9
	movl	$3, %edx
	movl	$3, %ecx
	xorl	%eax, %eax
	callq	*%r10
	testl	%eax, %eax
	je	.LBB1_10
	movabsq	$_ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, %rax
	cmpq	$0, (%rax)
	je	.LBB1_15
	movq	296(%rsp), %rdi
	vxorps	%xmm0, %xmm0, %xmm0
	vmovups	%ymm0, 432(%rsp)
	vmovups	%ymm0, 464(%rsp)
	vmovups	%ymm0, 488(%rsp)
	movabsq	$NRT_adapt_ndarray_from_python, %r15
	leaq	432(%rsp), %rsi
	vzeroupper
	callq	*%r15
	cmpq	$4, 456(%rsp)
	setne	%cl
	testl	%eax, %eax
	setne	%bl
	orb	%cl, %bl
	cmpb	$1, %bl
	je	.LBB1_16
	testb	%bl, %bl
	jne	.LBB1_17
.LBB1_4:
	movq	432(%rsp), %rax
	movq	%rax, 216(%rsp)
	movq	464(%rsp), %r12
	movq	472(%rsp), %rbp
	movq	480(%rsp), %r14
	movq	488(%rsp), %rax
	movq	%rax, 272(%rsp)
	movq	288(%rsp), %rdi
	vxorps	%xmm0, %xmm0, %xmm0
	vmovups	%ymm0, 336(%rsp)
	vmovups	%ymm0, 368(%rsp)
	vmovups	%ymm0, 392(%rsp)
	leaq	336(%rsp), %rsi
	vzeroupper
	callq	*%r15
	cmpq	$4, 360(%rsp)
	setne	%cl
	testl	%eax, %eax
	setne	%bl
	orb	%cl, %bl
	jne	.LBB1_18
	testb	%bl, %bl
	jne	.LBB1_20
.LBB1_6:
	movq	336(%rsp), %rbx
	movq	368(%rsp), %r13
	movq	376(%rsp), %rax
	movq	%rax, 264(%rsp)
	movq	384(%rsp), %rax
	movq	%rax, 256(%rsp)
	movq	392(%rsp), %rax
	movq	%rax, 248(%rsp)
	movq	280(%rsp), %rdi
	vxorps	%xmm0, %xmm0, %xmm0
	vmovups	%ymm0, 528(%rsp)
	vmovups	%ymm0, 560(%rsp)
	movq	$0, 592(%rsp)
	leaq	528(%rsp), %rsi
	vzeroupper
	callq	*%r15
	testl	%eax, %eax
	jne	.LBB1_19
	cmpq	$4, 552(%rsp)
	jne	.LBB1_19
	movq	%r13, %r15
	movq	528(%rsp), %r13
	vmovaps	560(%rsp), %xmm0
	vmovaps	%xmm0, 304(%rsp)
	movq	%rbp, 224(%rsp)
	movq	%rbx, %rbp
	movq	%r12, 232(%rsp)
	movq	584(%rsp), %rbx
	movabsq	$PyEval_SaveThread, %rax
	callq	*%rax
	movq	216(%rsp), %r12
	movq	%rax, 240(%rsp)
	movq	%rbx, 200(%rsp)
	vmovaps	304(%rsp), %xmm0
	vmovups	%xmm0, 176(%rsp)
	movq	%r13, 144(%rsp)
	movq	248(%rsp), %rax
	movq	%rax, 112(%rsp)
	movq	256(%rsp), %rax
	movq	%rax, 104(%rsp)
	movq	264(%rsp), %rax
	movq	%rax, 96(%rsp)
	movq	%r15, 88(%rsp)
	movq	%rbp, 56(%rsp)
	movq	272(%rsp), %rax
	movq	%rax, 24(%rsp)
	movq	%r14, 16(%rsp)
	movq	224(%rsp), %rax
	movq	%rax, 8(%rsp)
	movq	232(%rsp), %rax
	movq	%rax, (%rsp)
	movabsq	$_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, %rax
	leaq	328(%rsp), %rdi
	movq	%r12, %rdx
	callq	*%rax
	movl	%eax, %r14d
	movabsq	$PyEval_RestoreThread, %rax
	movq	240(%rsp), %rdi
	callq	*%rax
	movabsq	$NRT_decref, %rbx
	movq	%r12, %rdi
	callq	*%rbx
	movq	%rbp, %rdi
	callq	*%rbx
	movq	%r13, %rdi
	callq	*%rbx
	testl	%r14d, %r14d
	jne	.LBB1_11
	movabsq	$_Py_NoneStruct, %rbx
	movabsq	$Py_IncRef, %rax
	movq	%rbx, %rdi
	callq	*%rax
.LBB1_10:
	movq	%rbx, %rax
	addq	$600, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	retq
.LBB1_11:
	.cfi_def_cfa_offset 656
	jg	.LBB1_25
	cmpl	$-1, %r14d
	je	.LBB1_17
	cmpl	$-3, %r14d
	jne	.LBB1_23
	movabsq	$PyExc_StopIteration, %rdi
	movabsq	$PyErr_SetNone, %rax
	jmp	.LBB1_21
.LBB1_15:
	movabsq	$PyExc_RuntimeError, %rdi
	movabsq	$".const.missing Environment: _ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE", %rsi
	jmp	.LBB1_24
.LBB1_16:
	movabsq	$PyExc_TypeError, %rdi
	movabsq	$".const.can't unbox array from PyObject into native value.  The object maybe of a different type", %rsi
	movabsq	$PyErr_SetString, %rax
	callq	*%rax
	testb	%bl, %bl
	je	.LBB1_4
	jmp	.LBB1_17
.LBB1_18:
	movabsq	$PyExc_TypeError, %rdi
	movabsq	$".const.can't unbox array from PyObject into native value.  The object maybe of a different type", %rsi
	movabsq	$PyErr_SetString, %rax
	callq	*%rax
	testb	%bl, %bl
	je	.LBB1_6
	jmp	.LBB1_20
.LBB1_19:
	movabsq	$PyExc_TypeError, %rdi
	movabsq	$".const.can't unbox array from PyObject into native value.  The object maybe of a different type", %rsi
	movabsq	$PyErr_SetString, %rax
	callq	*%rax
	movabsq	$NRT_decref, %rax
	movq	%rbx, %rdi
	callq	*%rax
.LBB1_20:
	movabsq	$NRT_decref, %rax
	movq	216(%rsp), %rdi
.LBB1_21:
	callq	*%rax
.LBB1_17:
	xorl	%ebx, %ebx
	jmp	.LBB1_10
.LBB1_23:
	movabsq	$PyExc_SystemError, %rdi
	movabsq	$".const.unknown error when calling native function", %rsi
.LBB1_24:
	movabsq	$PyErr_SetString, %rax
	callq	*%rax
	xorl	%ebx, %ebx
	jmp	.LBB1_10
.LBB1_25:
	movabsq	$PyErr_Clear, %rax
	callq	*%rax
.Lfunc_end1:
	.size	_ZN7cpython8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, .Lfunc_end1-_ZN7cpython8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.cfi_endproc

	.globl	cfunc._ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.p2align	4
	.type	cfunc._ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE,@function
cfunc._ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	subq	$232, %rsp
	.cfi_def_cfa_offset 256
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	%rdi, %rdx
	vmovaps	256(%rsp), %xmm0
	vmovups	328(%rsp), %ymm1
	movq	296(%rsp), %rax
	movq	384(%rsp), %rcx
	vmovaps	416(%rsp), %xmm2
	movq	440(%rsp), %rsi
	movq	$0, 224(%rsp)
	movq	%rsi, 200(%rsp)
	vmovups	%xmm2, 176(%rsp)
	movq	%rcx, 144(%rsp)
	vmovups	%ymm1, 88(%rsp)
	movq	%rax, 56(%rsp)
	vmovups	%xmm0, 16(%rsp)
	movq	%r9, 8(%rsp)
	movq	%r8, (%rsp)
	movabsq	$_ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, %rax
	leaq	224(%rsp), %rdi
	vzeroupper
	callq	*%rax
	movq	224(%rsp), %rcx
	movl	$0, 220(%rsp)
	testl	%eax, %eax
	jne	.LBB2_1
.LBB2_5:
	movq	%rcx, %rax
	addq	$232, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	retq
.LBB2_1:
	.cfi_def_cfa_offset 256
	movq	%rcx, %r14
	movabsq	$numba_gil_ensure, %rcx
	leaq	220(%rsp), %rdi
	movl	%eax, %ebx
	callq	*%rcx
	testl	%ebx, %ebx
	jg	.LBB2_2
	movl	%ebx, %eax
	cmpl	$-1, %ebx
	je	.LBB2_4
	cmpl	$-3, %eax
	jne	.LBB2_3
	movabsq	$PyExc_StopIteration, %rdi
	movabsq	$PyErr_SetNone, %rax
	callq	*%rax
	jmp	.LBB2_4
.LBB2_3:
	movabsq	$PyExc_SystemError, %rdi
	movabsq	$".const.unknown error when calling native function.2", %rsi
	movabsq	$PyErr_SetString, %rax
	callq	*%rax
.LBB2_4:
	movabsq	$".const.<numba.core.cpu.CPUContext>", %rdi
	movabsq	$PyUnicode_FromString, %rax
	callq	*%rax
	movq	%rax, %rbx
	movabsq	$PyErr_WriteUnraisable, %rax
	movq	%rbx, %rdi
	callq	*%rax
	movabsq	$Py_DecRef, %rax
	movq	%rbx, %rdi
	callq	*%rax
	movabsq	$numba_gil_release, %rax
	leaq	220(%rsp), %rdi
	callq	*%rax
	movq	%r14, %rcx
	jmp	.LBB2_5
.LBB2_2:
	movabsq	$PyErr_Clear, %rax
	callq	*%rax
.Lfunc_end2:
	.size	cfunc._ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE, .Lfunc_end2-cfunc._ZN8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE
	.cfi_endproc

	.weak	NRT_incref
	.p2align	4
	.type	NRT_incref,@function
NRT_incref:
	testq	%rdi, %rdi
	je	.LBB3_2
	lock		incq	(%rdi)
.LBB3_2:
	retq
.Lfunc_end3:
	.size	NRT_incref, .Lfunc_end3-NRT_incref

	.weak	NRT_decref
	.p2align	4
	.type	NRT_decref,@function
NRT_decref:
	.cfi_startproc
	testq	%rdi, %rdi
	je	.LBB4_2
	#MEMBARRIER
	lock		decq	(%rdi)
	je	.LBB4_3
.LBB4_2:
	retq
.LBB4_3:
	#MEMBARRIER
	movabsq	$NRT_MemInfo_call_dtor, %rax
	jmpq	*%rax
.Lfunc_end4:
	.size	NRT_decref, .Lfunc_end4-NRT_decref
	.cfi_endproc

	.type	.const.seq,@object
	.section	.lrodata,"al",@progbits
.const.seq:
	.asciz	"seq"
	.size	.const.seq, 4

	.type	_ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE,@object
	.comm	_ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE,8,8
	.type	".const.missing Environment: _ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE",@object
	.p2align	4, 0x0
".const.missing Environment: _ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE":
	.asciz	"missing Environment: _ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE"
	.size	".const.missing Environment: _ZN08NumbaEnv8__main__3seqB2v3B40c8tJTIeFIjxB2IKSgI4CrvQClQZ6FcpCShpgEU0AE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi3E1C7mutable7alignedE5ArrayIfLi2E1C7mutable7alignedE", 189

	.type	".const.can't unbox array from PyObject into native value.  The object maybe of a different type",@object
	.p2align	4, 0x0
".const.can't unbox array from PyObject into native value.  The object maybe of a different type":
	.asciz	"can't unbox array from PyObject into native value.  The object maybe of a different type"
	.size	".const.can't unbox array from PyObject into native value.  The object maybe of a different type", 89

	.type	".const.unknown error when calling native function",@object
	.p2align	4, 0x0
".const.unknown error when calling native function":
	.asciz	"unknown error when calling native function"
	.size	".const.unknown error when calling native function", 43

	.type	".const.unknown error when calling native function.2",@object
	.p2align	4, 0x0
".const.unknown error when calling native function.2":
	.asciz	"unknown error when calling native function"
	.size	".const.unknown error when calling native function.2", 43

	.type	".const.<numba.core.cpu.CPUContext>",@object
	.p2align	4, 0x0
".const.<numba.core.cpu.CPUContext>":
	.asciz	"<numba.core.cpu.CPUContext>"
	.size	".const.<numba.core.cpu.CPUContext>", 28

	.type	_ZN08NumbaEnv5numba7cpython8builtins6ol_min12_3clocals_3e4implB2v2B42c8tJTIeFIjxB2IKSgI4CrvQClcaMQ5hEEUSJJgA_3dE15StarArgUniTupleIxLi2EE,@object
	.comm	_ZN08NumbaEnv5numba7cpython8builtins6ol_min12_3clocals_3e4implB2v2B42c8tJTIeFIjxB2IKSgI4CrvQClcaMQ5hEEUSJJgA_3dE15StarArgUniTupleIxLi2EE,8,8
	.section	".note.GNU-stack","",@progbits
