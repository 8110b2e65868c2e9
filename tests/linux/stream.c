/* The receive ring that the firmware left running, through the memfds of session `baton` and the NIC's
 * BAR: what landed while nobody looked, and that it goes on when descriptors are given back. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/handover/node.h"
#include "kernel/machine/pci.h"
#include "kernel/nic/regs.h"
#include "kernel/stream/control.h"

#define SESSION		"baton"
#define MAX_STREAMS	4
#define DEFAULT_FRAMES	200
#define REPOST_BATCH	64
#define SILENCE_MS	20000	/* without a frame the stream counts as broken */
#define STOPPED_MS	2000	/* how long a stopped NIC is watched */

#define PAGEMAP_PFN	GENMASK64(54, 0)
#define PAGEMAP_PRESENT	BIT64(63)

struct descriptor { uint64_t lo, hi; };

/* Legacy receive descriptor, second word (82574 datasheet 7.1.4): 15:0 length, 39:32 status, 47:40 errors
 * without those of the payload's checksums. */
#define LEGACY_LEN	GENMASK64(15, 0)
#define LEGACY_DD	BIT64(32)
#define LEGACY_EOP	BIT64(33)
#define LEGACY_ERRORS	(0x97ULL << 40)
/* Advanced, written back (82576 datasheet 7.1.5): 19:0 status, 31 RXE, 47:32 length. */
#define ADVANCED_LEN	GENMASK64(47, 32)
#define ADVANCED_DD	BIT64(0)
#define ADVANCED_EOP	BIT64(1)
#define ADVANCED_RXE	BIT64(31)

struct memory {
	uint8_t *p;
	uint64_t bytes, pa;
};

struct stream {
	struct stream_control_ser control;	/* as the firmware left it */
	struct stream_account_ser account;	/* goes on from there */
	struct memory buffers, ring, page;
	struct pci_function nic;
	uint32_t next, tail;
	uint64_t bad_descriptors;
};

/* --- time --- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* --- memory --- */

static bool map(int session, uint64_t token, struct memory *m)
{
	const int fd = luo_retrieve_fd(session, token);
	struct stat st;

	if (!demand(fd >= 0 && !fstat(fd, &st), "memfd %llx of " SESSION ": %s", (unsigned long long)token,
		    strerror(errno)))
		return false;
	m->bytes = (uint64_t)st.st_size;
	m->p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	say("memfd=" SESSION "/%llx size=%llu", (unsigned long long)token, (unsigned long long)m->bytes);
	return demand(m->p != MAP_FAILED, "memfd %llx of " SESSION " cannot be mapped: %s",
		      (unsigned long long)token, strerror(errno));
}

/* Do the pages that we see lie where the device writes?  (Linux Documentation/admin-guide/mm/pagemap.rst) */
static bool is_where(const struct memory *m)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool same = demand(fd >= 0, "pagemap: %s", strerror(errno));

	for (uint64_t at = 0; same && at < m->bytes; at += PAGE_SIZE) {
		const off_t where = (off_t)((uintptr_t)(m->p + at) / PAGE_SIZE * sizeof(uint64_t));
		uint64_t entry = 0;

		same = demand(pread(fd, &entry, sizeof(entry), where) == sizeof(entry) && (entry & PAGEMAP_PRESENT) &&
			      (entry & PAGEMAP_PFN) << PAGE_SHIFT == m->pa + at,
			      "memfd page %llu does not lie at %llx: pagemap has %llx",
			      (unsigned long long)(at / PAGE_SIZE), (unsigned long long)(m->pa + at),
			      (unsigned long long)entry);
	}
	close(fd);
	return same;
}

static void check_places(struct stream *s, const char *when)
{
	const bool same = is_where(&s->buffers) && is_where(&s->ring);

	say("pages=%s buffers_at=%llx ring_at=%llx in_place=%s", when, (unsigned long long)s->buffers.pa,
	    (unsigned long long)s->ring.pa, same ? "yes" : "no");
}

/* Behind each buffer, different in every word (kernel/nic/port.c). */
static uint64_t guard_word(uint64_t pa)
{
	return (pa >> 3) * 0x9e3779b97f4a7c15u ^ 0x6272746e2d677264u;
}

/* Without @buffers they are read by their physical address. */
static void check_guards(const struct stream_ring_ser *r, const uint8_t *buffers)
{
	uint64_t words = 0, changed = 0, first = 0, guard[PAGE_SIZE / sizeof(uint64_t)];

	if (!demand(r->guard_size <= sizeof(guard), "guards of %u bytes", r->guard_size))
		return;
	for (uint64_t i = 0; i < r->count; i++) {
		const uint64_t at = i * r->stride + r->buffer_size, pa = r->buffers_pa + at;

		if (buffers)
			memcpy(guard, buffers + at, r->guard_size);
		else if (!physical_read(pa, guard, r->guard_size))
			return;
		for (uint64_t w = 0; w < r->guard_size / sizeof(*guard); w++, words++)
			if (guard[w] != guard_word(pa + w * sizeof(*guard)) && !changed++)
				first = pa + w * sizeof(*guard);
	}
	say("guards words=%llu changed=%llu", (unsigned long long)words, (unsigned long long)changed);
	demand(words && !changed, "the guard at %llx was written", (unsigned long long)first);
}

/* --- the NIC --- */

static uint32_t ring_register(const struct stream *s, uint32_t offset)
{
	const uint32_t base = s->control.nic_family == STREAM_NIC_IGB ? IGB_RX : E1000E_RX;

	return *(volatile uint32_t *)(s->nic.bar0 + base + offset);
}

static void set_ring_tail(const struct stream *s)
{
	const uint32_t base = s->control.nic_family == STREAM_NIC_IGB ? IGB_RX : E1000E_RX;

	*(volatile uint32_t *)(s->nic.bar0 + base + NIC_DT) = s->tail;
}

static uint32_t ahead(const struct stream *s, uint32_t from, uint32_t to)
{
	return (to + s->control.rx.entries - from) % s->control.rx.entries;
}

static bool bus_master(const struct stream *s)
{
	return pci_command(&s->nic) & PCI_COMMAND_MASTER;
}

/* --- frames --- */

static volatile struct descriptor *descriptor(const struct stream *s, uint32_t i)
{
	return (volatile struct descriptor *)s->ring.p + i;
}

static bool done(const struct stream *s, uint32_t i, uint32_t *len, bool *whole)
{
	const uint64_t hi = descriptor(s, i)->hi;

	if (s->control.rx.format == STREAM_DESC_ADVANCED) {
		*len = (uint32_t)FIELD_GET(ADVANCED_LEN, hi);
		*whole = (hi & ADVANCED_EOP) && !(hi & ADVANCED_RXE);
		return hi & ADVANCED_DD;
	}
	*len = (uint32_t)FIELD_GET(LEGACY_LEN, hi);
	*whole = (hi & LEGACY_EOP) && !(hi & LEGACY_ERRORS);
	return hi & LEGACY_DD;
}

/* The next frame, if it is there.  The slot at RDT is not the device's. */
static bool take(struct stream *s)
{
	const struct stream_ring_ser *r = &s->control.rx;
	struct frame_info f;
	uint32_t len;
	bool whole;

	if (s->next == s->tail || !done(s, s->next, &len, &whole))
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);	/* the buffer is read after the descriptor */
	if (!whole || len > r->buffer_size)
		s->bad_descriptors++;
	else
		account_receive(&s->account, s->control.stream,
				span_of(s->buffers.p + (uint64_t)s->next * r->stride, len), &f);
	s->next = (s->next + 1) % r->entries;
	return true;
}

/* Hand every buffer back that was read, but the last. */
static uint32_t repost(struct stream *s)
{
	const struct stream_ring_ser *r = &s->control.rx;
	const uint32_t n = ahead(s, s->tail, (s->next + r->entries - 1) % r->entries);

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t at = (s->tail + i) % r->entries;

		/* Second word first: it holds what the device will write when it is done. */
		descriptor(s, at)->hi = 0;
		descriptor(s, at)->lo = r->buffers_iova + (uint64_t)at * r->stride;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	s->tail = (s->tail + n) % r->entries;
	if (n)
		set_ring_tail(s);
	return n;
}

static void say_account(const struct stream *s, const char *when, uint64_t since)
{
	const struct stream_account_ser *a = &s->account;

	say("stream=%u when=%s frames=%llu next=%llu lost=%llu duplicate=%llu corrupt=%llu misplaced=%llu "
	    "other=%llu bad_descriptors=%llu", s->control.stream, when, (unsigned long long)(a->good - since),
	    (unsigned long long)a->next, (unsigned long long)a->lost, (unsigned long long)a->duplicate,
	    (unsigned long long)a->corrupt, (unsigned long long)a->misplaced, (unsigned long long)a->other,
	    (unsigned long long)s->bad_descriptors);
	demand(account_clean(a) && !s->bad_descriptors, "frames of stream %u were lost, duplicated, damaged or misplaced",
	       s->control.stream);
}

/* --- what is wanted --- */

/* Everything that landed since the firmware's last look. */
static void look_back(struct stream *s)
{
	const uint64_t before = s->account.good;
	const uint32_t head = ring_register(s, NIC_DH), tail = ring_register(s, NIC_DT);
	const uint32_t left = ahead(s, head, tail);

	say("ring=%u rdh=%u rdt=%u entries=%u free_at_start=%u rdh_at_jump=%llu", s->control.stream, head, tail,
	    s->control.rx.entries, left, (unsigned long long)s->control.rdh);
	demand(head < s->control.rx.entries && tail == s->control.rx.tail, "RDT is %u, the firmware left %u",
	       tail, s->control.rx.tail);
	demand(left > 0, "no free descriptor was left when the agent started");
	while (take(s))
		;
	say_account(s, "since_jump", before);
	demand(s->account.good > before, "no frame landed between the jump and the agent");
}

/* And what lands now that descriptors are given back. */
static void look_on(struct stream *s, uint64_t wanted)
{
	const uint64_t before = s->account.good;
	const uint32_t given = repost(s);
	uint64_t heard = now_ms(), begin = heard;

	say("reposted=%u rdt=%u", given, ring_register(s, NIC_DT));
	demand(ring_register(s, NIC_DT) == s->tail, "RDT does not take the new value");
	while (s->account.good - before < wanted && !account_ended(&s->account) && now_ms() - heard < SILENCE_MS) {
		if (take(s))
			heard = now_ms();
		else
			sleep_ms(1);
		if (ahead(s, s->tail, s->next) > REPOST_BATCH)
			repost(s);
	}
	say("watched_ms=%llu", (unsigned long long)(now_ms() - begin));
	say_account(s, "since_repost", before);
	demand(s->account.good - before >= wanted, "%llu frames after descriptors were given back, %llu are wanted",
	       (unsigned long long)(s->account.good - before), (unsigned long long)wanted);
}

static uint32_t landed(const struct stream *s)
{
	uint32_t len, n = 0;
	bool whole;

	while (ahead(s, s->next, s->tail) > n && done(s, (s->next + n) % s->control.rx.entries, &len, &whole))
		n++;
	return n;
}

/* Bus master is off: the ring must stand still. */
static void look_stopped(const struct stream *s, unsigned ms)
{
	const uint32_t before = landed(s);
	const uint32_t room = ahead(s, s->next, s->tail) - before;
	uint32_t after;

	sleep_ms(ms);
	after = landed(s);
	say("stopped=%s command=%04x landed_before=%u landed_after=%u room=%u watched_ms=%u", s->nic.bdf,
	    pci_command(&s->nic), before, after, room, ms);
	demand(room, "no descriptor is free, so nothing could land");
	demand(after == before, "frames land although bus master is off");
}

static void stop(struct stream *s)
{
	uint16_t command = pci_command(&s->nic);

	pci_set_command(&s->nic, (uint16_t)(command & ~PCI_COMMAND_MASTER));
	command = pci_command(&s->nic);
	demand(!(command & PCI_COMMAND_MASTER), "bus master of %s stays on", s->nic.bdf);
	sleep_ms(100);		/* what was on its way */
	look_stopped(s, 500);
}

/* --- opening --- */

static bool open_nic(struct stream *s)
{
	const struct stream_control_ser *c = &s->control;
	char bdf[16];

	snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x", c->segment, PCI_BUS(c->rid), PCI_DEV(c->rid),
		 PCI_FN(c->rid));
	if (!pci_open(&s->nic, bdf))
		return false;
	say("nic=%s family=%u format=%u bar=%llx command=%04x", bdf, c->nic_family, c->rx.format,
	    (unsigned long long)c->bar_pa, pci_command(&s->nic));
	return pci_map_bar0(&s->nic) &&
	       demand(s->nic.bar0_bytes >= IGB_RX + PAGE_SIZE, "BAR 0 of %s is too small", bdf);
}

static bool open_memory(struct stream *s, int session, unsigned stream)
{
	const char *why = "";

	if (!map(session, STREAM_FILE_TOKEN(stream, STREAM_FILE_CONTROL), &s->page) ||
	    !map(session, STREAM_FILE_TOKEN(stream, STREAM_FILE_RING), &s->ring) ||
	    !map(session, STREAM_FILE_TOKEN(stream, STREAM_FILE_BUFFERS), &s->buffers) ||
	    !demand(s->page.bytes >= sizeof(s->control), "the control page is too small"))
		return false;
	memcpy(&s->control, s->page.p, sizeof(s->control));
	if (!demand(!stream_control_check(&s->control, &why), "control page: %s", why) ||
	    !demand(s->control.rx.format != STREAM_DESC_EXTENDED, "extended descriptors are not known here") ||
	    !demand(s->control.stream == stream, "the control page is of stream %u", s->control.stream) ||
	    !demand(s->buffers.bytes >= (uint64_t)s->control.rx.count * s->control.rx.stride &&
		    s->ring.bytes >= s->control.rx.entries * sizeof(struct descriptor),
		    "the memfds are smaller than ring and buffers"))
		return false;
	s->buffers.pa = s->control.rx.buffers_pa;
	s->ring.pa = s->control.rx.ring_pa;
	s->account = s->control.account;
	s->next = s->control.rx.next_index;
	s->tail = s->control.rx.tail;
	say("control=%u generation=%llu expected=%llu heartbeats=%llu", stream,
	    (unsigned long long)s->control.generation, (unsigned long long)s->control.next_sequence,
	    (unsigned long long)s->control.heartbeats);
	return true;
}

static void receive_one(struct stream *s, int session, unsigned stream)
{
	const bool live = !word_is("nic", "stopped");

	if (!open_memory(s, session, stream) || !open_nic(s))
		return;
	check_places(s, "begin");
	if (!demand(bus_master(s) == live, "bus master of %s is %s", s->nic.bdf, live ? "off" : "on"))
		return;
	if (live) {
		look_back(s);
		look_on(s, word_number("agent_frames", DEFAULT_FRAMES));
		check_guards(&s->control.rx, s->buffers.p);
		check_places(s, "end");
		stop(s);
	} else {
		look_stopped(s, STOPPED_MS);
		check_guards(&s->control.rx, s->buffers.p);
	}
}

void stream_receive(int device)
{
	static struct stream streams[MAX_STREAMS];
	const int session = luo_retrieve(device, SESSION);
	const unsigned wanted = (unsigned)word_number("agent_streams", 1);

	if (!demand(session >= 0, "session " SESSION " cannot be retrieved: %s", strerror(errno)) ||
	    !demand(wanted && wanted <= MAX_STREAMS, "agent_streams=%u", wanted))
		return;
	for (unsigned i = 0; i < wanted; i++)
		receive_one(&streams[i], session, i + 1);
	say("session=" SESSION " streams=%u", wanted);
}

void stream_preserved(void)
{
	const struct node *n = firmware_node();

	for (uint32_t i = 0; n && i < n->nr_ports; i++) {
		struct stream_control_ser c;
		const char *why = "";

		if (!physical_read(n->port[i].control_pa, &c, sizeof(c)) ||
		    !demand(!stream_control_check(&c, &why), "control page: %s", why))
			continue;
		say("preserved=%u control_at=%llx expected=%llu", c.stream,
		    (unsigned long long)n->port[i].control_pa, (unsigned long long)c.next_sequence);
		check_guards(&c.rx, NULL);
	}
}

void stream_stopped(const char *bdf)
{
	struct pci_function f;

	if (!pci_open(&f, bdf))
		return;
	say("stopped=%s command=%04x", bdf, pci_command(&f));
	demand(!(pci_command(&f) & PCI_COMMAND_MASTER), "bus master of %s is on", bdf);
}
