//go:build !purego

#include "textflag.h"

// SHA-256 of two messages side by side, by the SHA extensions (Intel, "New Instructions Supporting the Secure Hash Algorithm on
// Intel Architecture Processors", 2013). The rounds of one message wait for each other: SHA256RNDS2 takes four cycles on Zen 4, and
// another can begin after two. So a second message costs nothing. X1 and X2 are the state of one and X3 to X6 sixteen words of it, X7, X8
// and X9 to X12 those of the other.

// LOAD reads sixteen bytes of a message as big-endian words.
#define LOAD(off, p, m) \
	VMOVDQU off(p), m; \
	VPSHUFB bigEndian<>(SB), m, m

// ROUNDS makes four rounds of a message, with its words m and constants k bytes into the table.
#define ROUNDS(k, m, abef, cdgh) \
	VPADDD k(AX), m, X0; \
	SHA256RNDS2 X0, abef, cdgh; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, cdgh, abef

// WORDS ends the words that follow those of last, which follow those of before.
#define WORDS(before, last, next) \
	VPALIGNR $4, before, last, X13; \
	PADDD X13, next; \
	SHA256MSG2 last, next

// BOTH makes four rounds of both messages.
#define BOTH(k, ma, mb) \
	ROUNDS(k, ma, X1, X2); \
	ROUNDS(k, mb, X7, X8)

// func blocks(a, b *state, p, q *byte, n int)
// Requires: AVX, SHA
TEXT ·blocks(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ p+16(FP), R8
	MOVQ q+24(FP), R9
	MOVQ n+32(FP), CX
	LEAQ k256<>(SB), AX
	VZEROUPPER
	VMOVDQU (DI), X1
	VMOVDQU 16(DI), X2
	VMOVDQU (SI), X7
	VMOVDQU 16(SI), X8
	TESTQ CX, CX
	JE   done

next:
	LOAD(0, R8, X3)
	LOAD(0, R9, X9)
	BOTH(0, X3, X9)

	LOAD(16, R8, X4)
	LOAD(16, R9, X10)
	BOTH(16, X4, X10)
	SHA256MSG1 X4, X3
	SHA256MSG1 X10, X9

	LOAD(32, R8, X5)
	LOAD(32, R9, X11)
	BOTH(32, X5, X11)
	SHA256MSG1 X5, X4
	SHA256MSG1 X11, X10

	LOAD(48, R8, X6)
	LOAD(48, R9, X12)
	BOTH(48, X6, X12)
	WORDS(X5, X6, X3)
	WORDS(X11, X12, X9)
	SHA256MSG1 X6, X5
	SHA256MSG1 X12, X11

	BOTH(64, X3, X9)
	WORDS(X6, X3, X4)
	WORDS(X12, X9, X10)
	SHA256MSG1 X3, X6
	SHA256MSG1 X9, X12

	BOTH(80, X4, X10)
	WORDS(X3, X4, X5)
	WORDS(X9, X10, X11)
	SHA256MSG1 X4, X3
	SHA256MSG1 X10, X9

	BOTH(96, X5, X11)
	WORDS(X4, X5, X6)
	WORDS(X10, X11, X12)
	SHA256MSG1 X5, X4
	SHA256MSG1 X11, X10

	BOTH(112, X6, X12)
	WORDS(X5, X6, X3)
	WORDS(X11, X12, X9)
	SHA256MSG1 X6, X5
	SHA256MSG1 X12, X11

	BOTH(128, X3, X9)
	WORDS(X6, X3, X4)
	WORDS(X12, X9, X10)
	SHA256MSG1 X3, X6
	SHA256MSG1 X9, X12

	BOTH(144, X4, X10)
	WORDS(X3, X4, X5)
	WORDS(X9, X10, X11)
	SHA256MSG1 X4, X3
	SHA256MSG1 X10, X9

	BOTH(160, X5, X11)
	WORDS(X4, X5, X6)
	WORDS(X10, X11, X12)
	SHA256MSG1 X5, X4
	SHA256MSG1 X11, X10

	BOTH(176, X6, X12)
	WORDS(X5, X6, X3)
	WORDS(X11, X12, X9)
	SHA256MSG1 X6, X5
	SHA256MSG1 X12, X11

	BOTH(192, X3, X9)
	WORDS(X6, X3, X4)
	WORDS(X12, X9, X10)
	SHA256MSG1 X3, X6
	SHA256MSG1 X9, X12

	BOTH(208, X4, X10)
	WORDS(X3, X4, X5)
	WORDS(X9, X10, X11)

	BOTH(224, X5, X11)
	WORDS(X4, X5, X6)
	WORDS(X10, X11, X12)

	BOTH(240, X6, X12)

	VPADDD (DI), X1, X1
	VPADDD 16(DI), X2, X2
	VPADDD (SI), X7, X7
	VPADDD 16(SI), X8, X8
	VMOVDQU X1, (DI)
	VMOVDQU X2, 16(DI)
	VMOVDQU X7, (SI)
	VMOVDQU X8, 16(SI)
	ADDQ $64, R8
	ADDQ $64, R9
	DECQ CX
	JNE next

done:
	RET

DATA bigEndian<>+0(SB)/8, $0x0405060700010203
DATA bigEndian<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL bigEndian<>(SB), RODATA, $16

DATA k256<>+0(SB)/8, $0x71374491428a2f98
DATA k256<>+8(SB)/8, $0xe9b5dba5b5c0fbcf
DATA k256<>+16(SB)/8, $0x59f111f13956c25b
DATA k256<>+24(SB)/8, $0xab1c5ed5923f82a4
DATA k256<>+32(SB)/8, $0x12835b01d807aa98
DATA k256<>+40(SB)/8, $0x550c7dc3243185be
DATA k256<>+48(SB)/8, $0x80deb1fe72be5d74
DATA k256<>+56(SB)/8, $0xc19bf1749bdc06a7
DATA k256<>+64(SB)/8, $0xefbe4786e49b69c1
DATA k256<>+72(SB)/8, $0x240ca1cc0fc19dc6
DATA k256<>+80(SB)/8, $0x4a7484aa2de92c6f
DATA k256<>+88(SB)/8, $0x76f988da5cb0a9dc
DATA k256<>+96(SB)/8, $0xa831c66d983e5152
DATA k256<>+104(SB)/8, $0xbf597fc7b00327c8
DATA k256<>+112(SB)/8, $0xd5a79147c6e00bf3
DATA k256<>+120(SB)/8, $0x1429296706ca6351
DATA k256<>+128(SB)/8, $0x2e1b213827b70a85
DATA k256<>+136(SB)/8, $0x53380d134d2c6dfc
DATA k256<>+144(SB)/8, $0x766a0abb650a7354
DATA k256<>+152(SB)/8, $0x92722c8581c2c92e
DATA k256<>+160(SB)/8, $0xa81a664ba2bfe8a1
DATA k256<>+168(SB)/8, $0xc76c51a3c24b8b70
DATA k256<>+176(SB)/8, $0xd6990624d192e819
DATA k256<>+184(SB)/8, $0x106aa070f40e3585
DATA k256<>+192(SB)/8, $0x1e376c0819a4c116
DATA k256<>+200(SB)/8, $0x34b0bcb52748774c
DATA k256<>+208(SB)/8, $0x4ed8aa4a391c0cb3
DATA k256<>+216(SB)/8, $0x682e6ff35b9cca4f
DATA k256<>+224(SB)/8, $0x78a5636f748f82ee
DATA k256<>+232(SB)/8, $0x8cc7020884c87814
DATA k256<>+240(SB)/8, $0xa4506ceb90befffa
DATA k256<>+248(SB)/8, $0xc67178f2bef9a3f7
GLOBL k256<>(SB), RODATA, $256
