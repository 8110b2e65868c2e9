/* Test builds only: what the checks and the validating reader must notice. */
#include "kernel/handover/corrupt.h"

#include <string.h>

#include "kernel/panic.h"
#include "kho/iommu_abi.h"
#include "platform/mem.h"
#include "tests/boot/exception.h"
#include "tests/boot/rmrr.h"

#define BP_SETUP_DATA	0x250		/* u64 in boot_params, head of the list */
#define STRANGER	0x50		/* device and function on bus 0 */
#define SS_SOFTWARE_BIT	BIT64(52)	/* ignored by hardware: translation goes on */

/* "kho-v4" becomes "kho-v3": a version that nobody here speaks. */
static void root_fdt(const struct corrupt_place *p)
{
	char *fdt = mem_ptr(p->fdt);

	for (size_t i = 0; i + 6 < PAGE_SIZE; i++)
		if (!memcmp(fdt + i, "kho-v4", 6)) {
			fdt[i + 5] = '3';
			return;
		}
	panic("corrupt: no compatible string in the root FDT");
}

/* A radix node that points into scratch. */
static void radix_node(const struct corrupt_place *p)
{
	uint64_t *root = mem_ptr(p->radix_root);

	root[1] = p->scratch;
}

/* A second-stage table page, in a bit that changes nothing but the digest. */
static void table(const struct corrupt_place *p)
{
	uint64_t *top = mem_ptr(p->node->domain[0].top_pa);

	for (unsigned i = 0; i < 512; i++)
		if (top[i]) {
			mem_write64(&top[i], top[i] | SS_SOFTWARE_BIT);
			return;
		}
	panic("corrupt: the table is empty");
}

/* A context entry for a source id that nobody has named: who knows what it reaches. */
static void stranger(const struct corrupt_place *p)
{
	const uint64_t *root = mem_ptr(ALIGN_DOWN(p->node->unit[0].rtaddr, PAGE_SIZE));
	uint64_t *context = mem_ptr(ALIGN_DOWN(root[0], PAGE_SIZE));

	if (!(root[0] & 1))	/* all were fenced before: there are no entries any more */
		return;
	mem_write64(&context[2 * STRANGER + 1], 9 << 8 | 2);
	mem_write64(&context[2 * STRANGER], p->node->domain[0].top_pa | 1);
}

/* A PASID directory, in an entry that is not present: nobody but the digest sees it. */
static void pasid_dir(const struct corrupt_place *p)
{
	const struct kho_iommu_device_ser *d = mem_ptr(p->device_record);
	uint64_t *dir = mem_ptr(d->pasid_dir_pa);

	if (!d->pasid_dir_pa)
		panic("corrupt: there is no PASID directory in legacy mode");
	mem_write64(&dir[511], SS_SOFTWARE_BIT);
}

/* A record says another DID than its context entry has. */
static void record_did(const struct corrupt_place *p)
{
	struct kho_iommu_device_ser *d = mem_ptr(p->device_record);

	d->attachment_id++;
}

/* A record's pointer leads into the middle of another record. */
static void record_pointer(const struct corrupt_place *p)
{
	struct kho_iommu_device_ser *d = mem_ptr(p->device_record);

	d->domain_pa += 8;
}

/* The chain of device records leads into scratch. */
static void record_chain(const struct corrupt_place *p)
{
	struct kho_block_ser *block = mem_ptr(ALIGN_DOWN(p->device_record, PAGE_SIZE));

	block->next_pa = p->scratch;
}

/* A Linux receiver would panic on this one. */
static void luo_version(const struct corrupt_place *p)
{
	char *compatible = mem_ptr(p->luo);

	compatible[5]++;
}

/* The announcement in boot_params: the next kernel finds no handoff at all. */
static void no_handoff(const struct corrupt_place *p)
{
	*(uint64_t *)mem_ptr(p->target->boot_params + BP_SETUP_DATA) = 0;
}

/* The last byte of the next image, which is padding. */
static void image(const struct corrupt_place *p)
{
	uint8_t *last = mem_ptr(p->target->part[0].pa + p->target->part[0].len - 1);

	*last ^= 1;
}

/* Page 0 is not mapped: a null pointer ends in an exception that says where. */
static void null_page(const struct corrupt_place *p)
{
	const volatile uint8_t *null = mem_ptr((paddr_t)(uintptr_t)p->node->unit[0].reserved);

	(void)*null;
}

/* Down into the guard page below the stack; the fault needs a stack of its own. */
static unsigned deep(unsigned n)
{
	volatile uint8_t frame[512];

	frame[n % sizeof(frame)] = (uint8_t)n;
	return n > 1000000 ? 0 : deep(n + 1) + frame[n % sizeof(frame)];
}

static void stack(const struct corrupt_place *p)
{
	if (deep((unsigned)p->node->generation))
		panic("corrupt: the stack has no end");
}

/* One byte past an array that the compiler guards. */
static void canary(const struct corrupt_place *p)
{
	volatile uint8_t bytes[16];
	volatile size_t past = sizeof(bytes) + 32 + p->node->generation;

	for (size_t i = 0; i < past; i++)
		*(volatile uint8_t *)((uintptr_t)bytes + i) = 0xee;
}

/* An exception where a device is just being fenced needs one that is to blame. */
static void fencing(const struct corrupt_place *p)
{
	record_did(p);
	exception_in_next("exception_fencing", p->target);
}

static const struct {
	const char *name;
	bool early;		/* between writing and the outgoing checks */
	void (*apply)(const struct corrupt_place *p);
} kinds[] = {
	{ "root_fdt", false, root_fdt },
	{ "radix_node", false, radix_node },
	{ "table", false, table },
	{ "pasid_dir", false, pasid_dir },
	{ "stranger", false, stranger },
	{ "record_did", false, record_did },
	{ "record_pointer", false, record_pointer },
	{ "record_chain", false, record_chain },
	{ "luo_version", false, luo_version },
	{ "record_early", true, record_pointer },
	{ "no_handoff", false, no_handoff },
	{ "image", false, image },
	{ "image_early", true, image },
	{ "root_fdt_early", true, root_fdt },
	{ "table_early", true, table },
	{ "null_page", false, null_page },
	{ "stack", false, stack },
	{ "canary", false, canary },
	{ "exception_fencing", false, fencing },
};

static void corrupt(const char *name, bool early, const struct corrupt_place *p)
{
	if (!name[0] || rmrr_use(name, early, p->node->generation))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name)) {
			if (kinds[i].early == early)
				kinds[i].apply(p);
			return;
		}
	if (!exception_in_next(name, early ? NULL : p->target))
		panic("corrupt=%s is not known", name);
}

void corrupt_before_checks(const char *name, const struct corrupt_place *p)
{
	corrupt(name, true, p);
}

void corrupt_after_checks(const char *name, const struct corrupt_place *p)
{
	corrupt(name, false, p);
}
