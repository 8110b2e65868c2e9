/* Sessions with memfds of every kind that the format knows, filled with a pattern. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kho/crc32c.h"

enum kind { FULL, HOLE, LARGE };	/* HOLE: the middle third is never written; LARGE: large folios */

static const struct memfd {
	const char *session;
	uint64_t token;
	uint64_t size;
	enum kind kind;
	int seals;
} memfds[] = {
	{ "alpha", 1, 11, FULL, 0 },
	{ "alpha", 2, MIB(5), FULL, F_SEAL_GROW | F_SEAL_SHRINK },
	{ "alpha", 0xfeedface00000003, 3 * PAGE_SIZE + 5, FULL, 0 },
	{ "beta", 1, MIB(4), LARGE, 0 },
	{ "beta", 2, MIB(3), HOLE, 0 },
	{ "beta", 3, 0, FULL, 0 },
	/* 256 folios fill a page of their list: one more than that. */
	{ "gamma", UINT64_MAX, 257 * PAGE_SIZE, FULL, 0 },
};
/* A session named on the command line and not here is created empty, but for those that agent_many= counts. */
#define MANY		"many"
#define SESSION_MAX	64

#define WEYL_STEP	0x9e3779b97f4a7c15ULL	/* 2^64 divided by the golden ratio */
#define LARGE_ALIGN	MIB(2)
#define CHUNK		KIB(64)
#define PAGEMAP_PFN	GENMASK64(54, 0)	/* Linux Documentation/admin-guide/mm/pagemap.rst */
#define KPF_TAIL	BIT64(16)

/* --- filling --- */

static uint64_t seed_of(const struct memfd *m)
{
	return (kho_crc32c(0, m->session, strlen(m->session)) ^ m->token) * WEYL_STEP;
}

static void fill(const struct memfd *m, uint8_t *bytes)
{
	uint64_t word = seed_of(m);

	for (uint64_t at = 0; at < m->size; at += sizeof(word)) {
		const bool hole = m->kind == HOLE && at >= ALIGN_UP(m->size / 3, PAGE_SIZE) &&
				  at < ALIGN_DOWN(m->size / 3 * 2, PAGE_SIZE);

		word += WEYL_STEP;
		if (!hole)
			memcpy(bytes + at, &word, MIN(sizeof(word), m->size - at));
	}
}

/* Where large folios may come from: the kernel has a switch for every size. */
static void large_folios(const char *when)
{
	char path[96];

	for (unsigned kib = 16; kib <= LARGE_ALIGN / KIB(1); kib *= 2) {
		int fd;

		snprintf(path, sizeof(path),
			 "/sys/kernel/mm/transparent_hugepage/hugepages-%ukB/shmem_enabled", kib);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		demand(write(fd, when, strlen(when)) > 0, "%s: %s", path, strerror(errno));
		close(fd);
	}
}

/* Mapped so that the file's first byte is aligned, which large folios need. */
static uint8_t *map_aligned(const struct memfd *m, int fd)
{
	uint8_t *room = mmap(NULL, m->size + LARGE_ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	room = (uint8_t *)ALIGN_UP((uintptr_t)room, LARGE_ALIGN);
	return mmap(room, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
}

static int create(const struct memfd *m)
{
	const int fd = memfd_create(m->session, MFD_ALLOW_SEALING | MFD_CLOEXEC);
	uint8_t *bytes;

	if (!demand(fd >= 0 && !ftruncate(fd, (off_t)m->size), "memfd of %llu bytes: %s",
		    (unsigned long long)m->size, strerror(errno)))
		return -1;
	large_folios(m->kind == LARGE ? "always" : "never");
	if (m->size) {
		bytes = map_aligned(m, fd);
		if (!demand(bytes && bytes != MAP_FAILED, "mapping a memfd: %s", strerror(errno)))
			return -1;
		fill(m, bytes);
		munmap(bytes, m->size);
	}
	demand(lseek(fd, (off_t)(m->size / 2), SEEK_SET) >= 0, "position of a memfd: %s", strerror(errno));
	demand(!m->seals || !fcntl(fd, F_ADD_SEALS, m->seals), "seals of a memfd: %s", strerror(errno));
	return fd;
}

/* --- saying --- */

/* Folios that a memfd consists of, or -1 with a problem said. */
static long folios_of(int fd, uint64_t size)
{
	const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	const int flags_of = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint8_t *p = size ? mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0) : NULL;
	long folios = pagemap >= 0 && flags_of >= 0 && p != MAP_FAILED ? 0 : -1;
	uint64_t entry, flags;

	for (uint64_t at = 0; folios >= 0 && at < size; at += PAGE_SIZE) {
		const off_t where = (off_t)((uintptr_t)(p + at) / PAGE_SIZE * sizeof(entry));

		if (pread(pagemap, &entry, sizeof(entry), where) != sizeof(entry) || !(entry & PAGEMAP_PFN) ||
		    pread(flags_of, &flags, sizeof(flags), (off_t)((entry & PAGEMAP_PFN) * sizeof(flags))) !=
		    sizeof(flags))
			folios = -1;
		else
			folios += !(flags & KPF_TAIL);
	}
	if (size && p != MAP_FAILED)
		munmap(p, size);
	close(pagemap);
	close(flags_of);
	demand(folios >= 0, "folios of a memfd of %llu bytes cannot be counted", (unsigned long long)size);
	return folios;
}

static void memfd_say(const struct memfd *m, int fd)
{
	static uint8_t chunk[CHUNK];
	struct stat st;
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t n;
	long folios;

	if (!demand(!fstat(fd, &st), "a memfd of %s: %s", m->session, strerror(errno)))
		return;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		crc = kho_crc32c(crc, chunk, (size_t)n);
		at += n;
	}
	demand(n == 0 && at == st.st_size, "a memfd of %s cannot be read: %s", m->session, strerror(errno));
	folios = folios_of(fd, (uint64_t)st.st_size);
	demand(m->kind != LARGE || folios < (long)(st.st_size / PAGE_SIZE), "a memfd of large folios got none: %ld folios",
	       folios);
	say("memfd=%s/%llx size=%llu crc32c=%08x position=%lld seals=%x folios=%ld", m->session,
	    (unsigned long long)m->token, (unsigned long long)st.st_size, crc,
	    (long long)lseek(fd, 0, SEEK_CUR), (unsigned)fcntl(fd, F_GET_SEALS), folios);
}

/* --- sessions --- */

/* Those of a session; one of many has one, and no two are alike. */
static size_t memfds_of(const char *session, struct memfd of[ARRAY_SIZE(memfds)])
{
	unsigned number;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(memfds); i++)
		if (!strcmp(memfds[i].session, session))
			of[n++] = memfds[i];
	if (sscanf(session, MANY "%u", &number) == 1)
		of[n++] = (struct memfd){ session, number + 1, 100 + 17 * number, FULL, 0 };
	return n;
}

/* Call @each for the sessions of agent_sessions= and agent_many=, the firmware's left out. */
static void for_each_session(int device, void (*each)(int device, const char *session))
{
	char list[256];

	snprintf(list, sizeof(list), "%s", word("agent_sessions") ?: "");
	for (char *rest = list, *name; (name = strsep(&rest, ",")); )
		if (*name && strcmp(name, "baton"))
			each(device, name);
	for (unsigned n = 0; n < word_number("agent_many", 0); n++) {
		char name[SESSION_MAX];

		snprintf(name, sizeof(name), MANY "%u", n);
		each(device, name);
	}
}

static void send_session(int device, const char *session)
{
	const int of = luo_create(device, session);
	struct memfd mine[ARRAY_SIZE(memfds)];
	const size_t n = memfds_of(session, mine);
	unsigned files = 0;

	if (!demand(of >= 0, "session %s cannot be created: %s", session, strerror(errno)))
		return;
	for (size_t i = 0; i < n; i++) {
		const struct memfd *m = &mine[i];
		int fd;

		fd = create(m);
		if (fd < 0 || !demand(!luo_preserve_fd(of, fd, m->token), "memfd %llx of %s cannot be preserved: %s",
				      (unsigned long long)m->token, session, strerror(errno)))
			continue;
		memfd_say(m, fd);
		files++;
	}
	say("session=%s files=%u", session, files);
}

void workload_send(void)
{
	int device;

	if (!word("agent_sessions") && !word("agent_many"))
		return;
	device = luo_open();
	if (demand(device >= 0, "/dev/liveupdate: %s", strerror(errno)))
		for_each_session(device, send_session);
}

static void receive_session(int device, const char *session)
{
	const int of = luo_retrieve(device, session);
	struct memfd mine[ARRAY_SIZE(memfds)];
	const size_t n = memfds_of(session, mine);
	unsigned files = 0;

	if (!demand(of >= 0, "session %s cannot be retrieved: %s", session, strerror(errno)))
		return;
	for (size_t i = 0; i < n; i++) {
		const struct memfd *m = &mine[i];
		int fd;

		fd = luo_retrieve_fd(of, m->token);
		if (!demand(fd >= 0, "memfd %llx of %s cannot be retrieved: %s",
			    (unsigned long long)m->token, session, strerror(errno)))
			continue;
		memfd_say(m, fd);
		files++;
	}
	say("session=%s files=%u", session, files);
}

void workload_receive(int device)
{
	for_each_session(device, receive_session);
}
