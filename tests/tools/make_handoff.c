/* A handoff, written with the library's own writers into a raw image of physical memory, for the tests of
 * kho-dump.
 *
 *	make_handoff IMAGE BLOCKS FILES
 *
 * BLOCKS pages, no two adjacent, are the contents of FILES memfds, backwards and by turns; with
 * them goes what a handoff of Baton has: kexec-metadata, LUO with an FLB, IOMMU records.  What lies where is
 * printed, a name and an address a line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kho/iommu_files.h"
#include "kho/iommu_records.h"
#include "kho/luo.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "kho/setup_data.h"
#include "kho/write.h"
#include "platform/mem.h"
#include "tests/host/arena.h"

#define BOOT_PARAMS	0x10000
#define SETUP_NODE	0x11000
#define SCRATCH		MIB(16)
#define SCRATCH_BYTES	MIB(4)
#define PAGES		MIB(32)		/* what is allocated: up to CONTENTS */
#define CONTENTS	MIB(256)
#define RAM		GIB(2)
#define MAX_FILES	1000
#define MAX_BLOCKS	200000

static struct kho_radix radix;
static paddr_t list[65536];
static struct kho_pages pages = { .pa = list, .max = ARRAY_SIZE(list) };
static struct kho_refusal why;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "make_handoff: %s: %s %s\n", what, why.what ? why.what : "",
		why.fault ? why.fault : "");
	exit(1);
}

static void tell(const char *name, paddr_t pa)
{
	printf("%s 0x%llx\n", name, (unsigned long long)pa);
}

static paddr_t preserved_page(void)
{
	const paddr_t pa = mem_alloc_pages(0);

	need(pa && !kho_preserve(&radix, pa, 0), "a preserved page");
	return pa;
}

/* --- Parts --- */

static struct kho_file write_file(size_t i, size_t nr_files, size_t nr_blocks)
{
	static struct kho_folios folios[MAX_BLOCKS];
	const size_t n = nr_blocks / nr_files;
	const struct kho_memfd m = { .size = n * PAGE_SIZE, .folios = folios, .nr_folios = n };
	const size_t first = pages.nr;

	for (size_t k = 0; k < n; k++)
		folios[k] = (struct kho_folios){
			.pa = CONTENTS + 2 * PAGE_SIZE * ((n - 1 - k) * nr_files + i),
			.len = PAGE_SIZE, .index = k,
			.flags = KHO_FOLIO_DIRTY | KHO_FOLIO_UPTODATE,
		};
	need(!kho_memfd_write(&m, &radix, &pages, &why), "memfd");
	return (struct kho_file){ .compatible = KHO_MEMFD_COMPATIBLE, .data = list[first],
				  .token = i + 1 };
}

static struct kho_flb write_records(void)
{
	static struct kho_key keys[16];
	struct kho_iommu_unit unit[2] = {
		{ .register_base = 0xfed90000, .root_table = preserved_page() },
		{ .register_base = 0xfed91000, .root_table = preserved_page() },
	};
	struct kho_iommu_domain domain[2] = {
		{ .top_table = preserved_page(), .top_level = 2, .vasz = 39 },
		{ .top_table = preserved_page(), .top_level = 3, .vasz = 48 },
	};
	struct kho_iommu_device device[3] = {
		{ .devid = 0x0018, .did = 2, .owner_token = kho_iommu_owner_token(1) },
		{ .devid = 0x0020, .did = 3, .owner_token = kho_iommu_owner_token(2), .domain = 1 },
		{ .devid = 0x0100, .did = 2, .owner_token = kho_iommu_owner_token(3), .domain = 1,
		  .unit = 1 },
	};
	const struct kho_iommu io = {
		.unit = unit, .nr_units = 2, .domain = domain, .nr_domains = 2,
		.device = device, .nr_devices = 3, .keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	struct kho_iommu_placed at;
	struct kho_flb flb;

	need(!kho_iommu_records_write(&io, &radix, &pages, &at, &why), "records");
	need(!kho_iommu_flb(KHO_PROFILE_LINUX_7_3, list[at.top], 0, &flb), "FLB");
	tell("top", list[at.top]);
	tell("unit0", kho_iommu_unit_pa(&pages, &at, 0));
	tell("domain0", kho_iommu_domain_pa(&pages, &at, 0));
	tell("device0", kho_iommu_device_pa(&pages, &at, 0));
	tell("device1", kho_iommu_device_pa(&pages, &at, 1));
	tell("device2", kho_iommu_device_pa(&pages, &at, 2));
	tell("root_table1", unit[1].root_table);
	return flb;
}

static paddr_t write_luo(size_t nr_files, size_t nr_blocks)
{
	static struct kho_file files[MAX_FILES];
	static struct kho_key keys[MAX_FILES + 2];
	struct kho_session sessions[2] = { { .name = "first", .nr_files = nr_files },
					   { .name = "empty", .first_file = nr_files } };
	struct kho_flb flb = write_records();
	const struct kho_luo l = {
		.liveupdate_num = 1, .sessions = sessions, .nr_sessions = 2, .files = files,
		.nr_files = nr_files, .flbs = &flb, .nr_flbs = 1, .keys = keys,
		.max_keys = ARRAY_SIZE(keys),
	};
	size_t first;

	for (size_t i = 0; i < nr_files; i++)
		files[i] = write_file(i, nr_files, nr_blocks);
	tell("memfd0", files[0].data);
	tell("memfd1", files[MIN(nr_files - 1, (size_t)1)].data);
	first = pages.nr;
	need(!kho_luo_write(&l, NULL, &radix, &pages, &why), "LUO");
	tell("luo", list[first]);
	tell("sessions", list[first + 1]);
	return list[first];
}

/* As much of boot_params as leads to a handoff. */
static void write_boot_params(const struct kho_data *data)
{
	const struct { uint64_t addr, size; } ram[] = { { 0, 0xa0000 }, { MIB(1), RAM - MIB(1) } };
	const struct kho_setup_node node = kho_setup_node(0, data);
	const uint64_t at = SETUP_NODE;
	const uint32_t type = 1;
	uint8_t *page = mem_ptr(BOOT_PARAMS);

	memcpy(mem_ptr(SETUP_NODE), &node, sizeof(node));
	memcpy(page + 0x250, &at, sizeof(at));
	page[0x1e8] = ARRAY_SIZE(ram);
	for (size_t i = 0; i < ARRAY_SIZE(ram); i++) {
		memcpy(page + 0x2d0 + 20 * i, &ram[i], sizeof(ram[i]));
		memcpy(page + 0x2d0 + 20 * i + sizeof(ram[i]), &type, sizeof(type));
	}
	tell("boot_params", BOOT_PARAMS);
	tell("setup_data", SETUP_NODE);
	tell("fdt", data->fdt_pa);
	tell("scratch", data->scratch_pa);
}

/* Pages of zeros become holes; contents are. */
static void write_image(const char *path)
{
	static const uint8_t zeros[PAGE_SIZE];
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	need(fd >= 0 && !ftruncate(fd, RAM), path);
	for (paddr_t pa = 0; pa < CONTENTS; pa += PAGE_SIZE)
		if (memcmp(mem_ptr(pa), zeros, PAGE_SIZE))
			need(pwrite(fd, mem_ptr(pa), PAGE_SIZE, pa) == PAGE_SIZE, path);
	need(!close(fd), path);
}

int main(int argc, char **argv)
{
	static const struct kho_scratch scratch = { { { SCRATCH, SCRATCH_BYTES } }, 1 };
	const struct kho_metadata metadata = { "test-1.0", 7 };
	const size_t blocks = argc == 4 ? strtoul(argv[2], NULL, 0) : 0;
	const size_t files = argc == 4 ? strtoul(argv[3], NULL, 0) : 0;
	struct kho_subnode nodes[2] = {
		{ KHO_NODE_METADATA, 0, KHO_METADATA_BYTES },
		{ KHO_NODE_LUO, 0, sizeof(struct kho_luo_ser) },
	};
	struct kho_plan plan = { .radix = &radix, .scratch = &scratch, .nodes = nodes, .nr_nodes = 2 };
	struct kho_data data;

	need(files && files <= MAX_FILES && blocks <= MAX_BLOCKS, "IMAGE BLOCKS FILES");
	arena_reset(PAGES, CONTENTS);
	need(!kho_radix_init(&radix, &scratch), "radix tree");
	plan.scratch_pa = mem_alloc_pages(0);
	plan.fdt_pa = mem_alloc_pages(0);
	nodes[0].pa = mem_alloc_pages(0);
	need(!kho_metadata_write(&metadata, mem_ptr(nodes[0].pa)), "metadata");
	tell("metadata", nodes[0].pa);
	nodes[1].pa = write_luo(files, blocks);
	need(!kho_write(&plan, &data), "handoff");
	tell("radix", radix.root);
	write_boot_params(&data);
	write_image(argv[1]);
	return 0;
}
