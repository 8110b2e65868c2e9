/* Physical memory, and small files. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kho/crc32c.h"

static int memory(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
		demand(fd >= 0, "/dev/mem: %s", strerror(errno));
	}
	return fd;
}

bool physical_read(uint64_t pa, void *buf, size_t len)
{
	return demand(pread(memory(), buf, len, (off_t)pa) == (ssize_t)len,
		      "physical memory at %llx cannot be read: %s", (unsigned long long)pa,
		      strerror(errno));
}

bool physical_write(uint64_t pa, const void *buf, size_t len)
{
	return demand(pwrite(memory(), buf, len, (off_t)pa) == (ssize_t)len,
		      "physical memory at %llx cannot be written: %s", (unsigned long long)pa,
		      strerror(errno));
}

bool physical_crc32c(uint64_t pa, uint64_t len, uint32_t *crc)
{
	uint8_t page[PAGE_SIZE];

	*crc = 0;
	while (len) {
		const size_t n = MIN(len, (uint64_t)sizeof(page));

		if (!physical_read(pa, page, n))
			return false;
		*crc = kho_crc32c(*crc, page, n);
		pa += n;
		len -= n;
	}
	return true;
}

long file_read(const char *path, void *buf, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (done < size && (n = read(fd, (uint8_t *)buf + done, size - done)) > 0)
		done += (size_t)n;
	close(fd);
	return n < 0 ? -1 : (long)done;
}
