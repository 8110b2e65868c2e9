/* /dev/liveupdate: calls and their structs (Linux include/uapi/linux/liveupdate.h). */
#include "agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define LIVEUPDATE_TYPE		0xba
#define CREATE_SESSION		_IO(LIVEUPDATE_TYPE, 0x00)	/* of the device */
#define RETRIEVE_SESSION	_IO(LIVEUPDATE_TYPE, 0x01)
#define PRESERVE_FD		_IO(LIVEUPDATE_TYPE, 0x40)	/* of an outgoing session */
#define RETRIEVE_FD		_IO(LIVEUPDATE_TYPE, 0x41)	/* of an incoming one */

struct session_call {
	uint32_t size;
	int32_t fd;		/* out */
	char name[64];
};
static_assert(sizeof(struct session_call) == 72, "liveupdate_ioctl_create_session");

struct fd_call {
	uint32_t size;
	int32_t fd;
	uint64_t token;
};
static_assert(sizeof(struct fd_call) == 16, "liveupdate_session_preserve_fd");

int luo_open(void)
{
	return open("/dev/liveupdate", O_RDWR | O_CLOEXEC);
}

static int session(int device, unsigned long call, const char *name)
{
	struct session_call c = { .size = sizeof(c), .fd = -1 };

	snprintf(c.name, sizeof(c.name), "%s", name);
	return ioctl(device, call, &c) ? -1 : c.fd;
}

int luo_create(int device, const char *name)
{
	return session(device, CREATE_SESSION, name);
}

int luo_retrieve(int device, const char *name)
{
	return session(device, RETRIEVE_SESSION, name);
}

int luo_preserve_fd(int of, int fd, uint64_t token)
{
	struct fd_call c = { .size = sizeof(c), .fd = fd, .token = token };

	return ioctl(of, PRESERVE_FD, &c) ? -1 : 0;
}

int luo_retrieve_fd(int of, uint64_t token)
{
	struct fd_call c = { .size = sizeof(c), .fd = -1, .token = token };

	return ioctl(of, RETRIEVE_FD, &c) ? -1 : c.fd;
}
