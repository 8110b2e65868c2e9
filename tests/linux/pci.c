/* One PCI function through sysfs. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/machine/pci.h"

static int open_file(const struct pci_function *f, const char *name)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", f->bdf, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	demand(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

bool pci_open(struct pci_function *f, const char *bdf)
{
	*f = (struct pci_function){ 0 };
	snprintf(f->bdf, sizeof(f->bdf), "%s", bdf);
	f->config = open_file(f, "config");
	return f->config >= 0;
}

bool pci_map_bar0(struct pci_function *f)
{
	const int fd = open_file(f, "resource0");
	struct stat st;
	void *p;

	if (fd < 0)
		return false;
	p = fstat(fd, &st) ? MAP_FAILED :
	    mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (!demand(p != MAP_FAILED, "BAR 0 of %s cannot be mapped: %s", f->bdf, strerror(errno)))
		return false;
	f->bar0 = p;
	f->bar0_bytes = (size_t)st.st_size;
	return true;
}

uint16_t pci_command(const struct pci_function *f)
{
	uint16_t v = 0;

	demand(pread(f->config, &v, sizeof(v), PCI_COMMAND) == sizeof(v),
	       "the command register of %s cannot be read: %s", f->bdf, strerror(errno));
	return v;
}

bool pci_set_command(const struct pci_function *f, uint16_t v)
{
	return demand(pwrite(f->config, &v, sizeof(v), PCI_COMMAND) == sizeof(v),
		      "the command register of %s cannot be written: %s", f->bdf, strerror(errno));
}

/* PCI Local Bus 3.0, 6.7; PCI Bus Power Management 1.2, 3.2.4 "PMCSR". */
#define CAPABILITIES	0x34
#define CAPABILITY_PM	0x01
#define PMCSR		4
#define PMCSR_STATE	3

static uint8_t config_byte(const struct pci_function *f, unsigned at)
{
	uint8_t v = 0;

	return pread(f->config, &v, 1, at) == 1 ? v : 0;
}

void pci_sleep(const char *bdf)
{
	struct pci_function f;
	unsigned at, left = 48;
	uint8_t v;

	if (!pci_open(&f, bdf))
		return;
	for (at = config_byte(&f, CAPABILITIES); at && config_byte(&f, at) != CAPABILITY_PM && left; left--)
		at = config_byte(&f, at + 1);
	if (!demand(at, "%s has no power management", bdf))
		return;
	v = config_byte(&f, at + PMCSR) | PMCSR_STATE;
	demand(pwrite(f.config, &v, 1, at + PMCSR) == 1, "PMCSR of %s: %s", bdf, strerror(errno));
	say("slept=%s state=%u", bdf, config_byte(&f, at + PMCSR) & PMCSR_STATE);
	close(f.config);
}
