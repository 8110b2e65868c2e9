/* reserve_mem= regions: where they are is said by the FDT "memblock" alone (Linux
 * include/linux/kho/abi/memblock.h). */
#include "agent.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "kho/crc32c.h"
#include "kho/fdt.h"
#include "span.h"

#define OUTGOING	"/sys/kernel/debug/kho/out/sub_fdts/memblock"
#define WEYL_STEP	0x9e3779b97f4a7c15ULL

struct region {
	char name[16];
	uint64_t address, size;
};

/* SIZE:ALIGN:NAME of the command line, its name alone. */
static bool region_name(unsigned n, char name[16])
{
	const char *value = word_nth("reserve_mem", n);
	const char *colon = value ? strrchr(value, ':') : NULL;

	if (value)
		snprintf(name, 16, "%s", colon ? colon + 1 : value);
	return value;
}

static bool region_find(struct span fdt, struct region *r)
{
	const int node = fdt_subnode_offset(fdt.p, 0, r->name);

	return demand(node >= 0, "region %s is not in the memblock node", r->name) &&
	       demand(!kho_fdt_u64(fdt, node, "start", &r->address) &&
		      !kho_fdt_u64(fdt, node, "size", &r->size), "region %s has no start or size", r->name);
}

static void region_fill(const struct region *r)
{
	uint64_t page[PAGE_SIZE / sizeof(uint64_t)];
	uint64_t word = kho_crc32c(0, r->name, strlen(r->name)) * WEYL_STEP;

	for (uint64_t at = 0; at < r->size; at += sizeof(page)) {
		for (size_t i = 0; i < ARRAY_SIZE(page); i++)
			page[i] = word += WEYL_STEP;
		if (!physical_write(r->address + at, page, MIN(sizeof(page), r->size - at)))
			return;
	}
}

static void region_say(const struct region *r)
{
	uint32_t crc;

	if (physical_crc32c(r->address, r->size, &crc))
		say("region=%s address=%llx size=%llu crc32c=%08x", r->name,
		    (unsigned long long)r->address, (unsigned long long)r->size, crc);
}

void regions_send(void)
{
	static uint8_t blob[PAGE_SIZE] __attribute__((aligned(8)));
	struct kho_refusal why;
	struct region r;
	struct span fdt;
	long len;

	if (!word("reserve_mem"))
		return;
	len = file_read(OUTGOING, blob, sizeof(blob));
	if (!demand(len > 0, OUTGOING " cannot be read") ||
	    !demand(!kho_fdt_check(span_of(blob, (size_t)len), "memblock", &fdt, &why), "memblock %s", why.fault))
		return;
	for (unsigned n = 0; region_name(n, r.name); n++) {
		if (!region_find(fdt, &r))
			continue;
		region_fill(&r);
		region_say(&r);
	}
}

void regions_receive(void)
{
	struct kho_refusal why;
	struct region r;
	struct span blob, fdt;

	if (!word("reserve_mem") ||
	    !demand(handoff_blob("memblock", &blob, NULL), "the handoff has no node memblock") ||
	    !demand(!kho_fdt_check(blob, "memblock", &fdt, &why), "memblock %s", why.fault))
		return;
	for (unsigned n = 0; region_name(n, r.name); n++) {
		char line[64];

		snprintf(line, sizeof(line), "Revived memory reservation '%s' from KHO", r.name);
		demand(klog_find(line), "the kernel did not revive region %s", r.name);
		if (region_find(fdt, &r))
			region_say(&r);
	}
}
