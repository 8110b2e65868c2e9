/* The program that runs in the Linux guests of check-linux, as process 1: it hands memory on through
 * LUO and reserve_mem, or looks at what was handed to its kernel, a live stream of frames included.
 *
 * What it finds are lines
 *
 *	agent: CRC32C key=value key=value ...
 *
 * with the CRC over everything behind the blank that follows it, each printed twice, because a serial
 * port may lose a character.  The last line says verdict=PASS, or verdict=FAIL reason=...; a sender
 * that is about to jump says ready=yes instead.
 *
 * Words of the kernel's command line:
 *
 *	agent=send|receive	what to do
 *	agent_sessions=a,b	sessions to create or to retrieve; `baton` is the firmware's
 *	agent_many=N		as many sessions more, each with one small memfd
 *	next= next_initrd= next_cmdline=	send: files for kexec_file_load(), the last two if wanted
 *	next_by=kexec		send: Debian's program loads them (kexec -s), not we
 *	agent_sleep=SSSS:BB:DD.F	send: put this function into D3hot before the jump
 *	agent_kho=on|off|none	receive: what is expected of this kernel.  off: it was started with kho=off,
 *				so the bytes are there and /dev/liveupdate is not; none: no handoff at all
 *	nic=live|stopped	receive, session baton: whether frames must keep arriving
 *	agent_nic=SSSS:BB:DD.F	nic=stopped without session baton: which NIC
 *	agent_frames=N		nic=live: frames that must arrive after descriptors were reposted
 *	agent_streams=N		session baton: how many streams, 1 if not said */
#ifndef BATON_TESTS_LINUX_AGENT_H
#define BATON_TESTS_LINUX_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

/* --- say.c --- */

/* Print one line of key=value words. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Free text as one value: blanks and `=` are replaced.  The result lasts until the fourth call from
 * here. */
const char *as_value(const char *text);

/* If not @ok: print problem=..., and the verdict will be FAIL.  Returns @ok. */
bool demand(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Print the verdict; the first problem is its reason. */
void say_verdict(void);

/* --- words.c: the kernel's command line --- */

bool words_read(void);

/* Value of the word that begins with @key, the last one if there are several; NULL: there is none. */
const char *word(const char *key);

/* The @n-th word (from 0) that begins with @key, or NULL. */
const char *word_nth(const char *key, unsigned n);

bool word_is(const char *key, const char *value);
uint64_t word_number(const char *key, uint64_t otherwise);

/* --- physical.c --- */

/* Physical memory through /dev/mem.  False, with a problem said, if it cannot be read. */
bool physical_read(uint64_t pa, void *buf, size_t len);
bool physical_write(uint64_t pa, const void *buf, size_t len);
bool physical_crc32c(uint64_t pa, uint64_t len, uint32_t *crc);

/* Up to @size bytes of a file, or -1 with errno. */
long file_read(const char *path, void *buf, size_t size);

/* --- klog.c: the kernel's log --- */

/* Take what is new in /dev/kmsg. */
void klog_read(void);

/* Text of the first line that holds @needle, from there on; NULL: there is none. */
const char *klog_find(const char *needle);

/* The same for the newest. */
const char *klog_find_last(const char *needle);

/* No WARN, BUG, panic, nor a word of KHO or LUO that something went wrong.  @disabled: that LUO is off
 * because KHO is, is expected. */
void klog_check(bool disabled);

/* --- luo.c: /dev/liveupdate (Linux include/uapi/linux/liveupdate.h) --- */

/* All return a file descriptor or 0; or -1 with errno. */
int luo_open(void);
int luo_create(int device, const char *session);
int luo_retrieve(int device, const char *session);
int luo_preserve_fd(int session, int fd, uint64_t token);
int luo_retrieve_fd(int session, uint64_t token);

/* --- workload.c: what a sender hands on --- */

/* Create, fill and preserve the memfds of the sessions asked for; they stay open. */
void workload_send(void);

/* Retrieve every session asked for but the firmware's; they stay open. */
void workload_receive(int device);

/* --- regions.c: reserve_mem= --- */

void regions_send(void);
void regions_receive(void);

/* --- handoff.c: what boot_params announce --- */

/* Find it, print and check it as far as it has no users: root FDT, metadata, scratch. */
void handoff_look(void);

/* Print what this kernel's debugfs says of the handoff that it is going to leave: scratch, sub-nodes. */
void handoff_announce(void);

struct span;
/* The blob of a sub-node, a copy aligned to a page. False: no such node.  @pa may be NULL. */
bool handoff_blob(const char *name, struct span *blob, uint64_t *pa);

/* --- digests.c: what the firmware says must not change --- */

/* The firmware's node, read once; NULL: there is none, or it cannot be believed. */
const struct node *firmware_node(void);

void digests_check(const char *when);

/* --- stream.c: the receive ring that the firmware left running --- */

void stream_receive(int device);

/* The same memory where no session can be had: control pages and guards, by their physical addresses. */
void stream_preserved(void);

/* A NIC without session: bus master must be off. */
void stream_stopped(const char *bdf);

/* --- pci.c: one function through sysfs --- */

struct pci_function {
	char bdf[16];
	int config;		/* descriptor */
	volatile uint8_t *bar0;
	size_t bar0_bytes;
};
bool pci_open(struct pci_function *f, const char *bdf);
bool pci_map_bar0(struct pci_function *f);
uint16_t pci_command(const struct pci_function *f);
/* Into power state 3 (D3hot), and say so. */
void pci_sleep(const char *bdf);
bool pci_set_command(const struct pci_function *f, uint16_t v);

/* --- kexec.c --- */

/* Load the files named on the command line, and jump.  Returns only if that fails. */
void kexec_next(void);

#endif
