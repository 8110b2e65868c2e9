/* QEMU's edu (docs/specs/edu.rst): copies on command, about 100 ms later. */
#ifndef BATON_EDU_H
#define BATON_EDU_H

#include "base.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_BAR_BYTES	MIB(1)		/* BAR 0 */
#define EDU_ID		0x00		/* 32-bit RO, low byte EDh */
#define   EDU_ID_LOW	0xed
#define EDU_SOURCE	0x80		/* 64-bit RW */
#define EDU_TARGET	0x88		/* 64-bit RW */
#define EDU_COUNT	0x90		/* 64-bit RW, bytes */
#define EDU_COMMAND	0x98		/* 64-bit RW */
#define   EDU_START	BIT32(0)	/* reads 1 while a copy is under way */
#define   EDU_TO_RAM	BIT32(1)
#define EDU_BUFFER	0x40000		/* the device's own memory, 4 KiB */

#endif
