/* The machine, and both sides of its hand-over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <sanitizer/asan_interface.h>

#include "tests/unit/iommu_fake.h"

#include "world.h"

#include "kernel/console/console.h"
#include "kernel/handover/bootparams.h"
#include "kernel/handover/corrupt.h"
#include "kernel/handover/save.h"
#include "kernel/machine/time.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/memmap.h"
#include "kernel/panic.h"
#include "kernel/report/verdict.h"
#include "kernel/selftest/hostile.h"

/* ---- the machine -------------------------------------------------------------------------- */

#define AREA		MIB(64)			/* of scratch */
#define AREA_BYTES	MIB(32)
#define DATA		MIB(24)			/* rings and buffers of the ports */
#define DATA_STEP	MIB(8)
#define RAM_END		MIB(256)
#define PORTS		2
#define RX_ENTRIES	1024			/* of 2 KiB: one page of 2 MiB; the other port has less */
#define TX_ENTRIES	64
#define READING_SECONDS	30		/* of one handoff, which takes less than a millisecond */
#define IMAGE_BYTES	(5 * PAGE_SIZE + 77)
#define IMAGE_WINDOW	MIB(1)			/* init_size of the header below */

static const struct mem_range machine_map[] = {
	{ 0, 0x9f000, MEM_CONVENTIONAL }, { MIB(1), RAM_END - MIB(1), MEM_CONVENTIONAL },
	{ RMRR_BASE, RMRR_LIMIT + 1 - RMRR_BASE, MEM_RESERVED },
};

static struct boot_info outgoing_bi, incoming_bi;
static struct run outgoing, incoming;
static struct kexec_target target;
static uint8_t pristine[IMAGE_BYTES];
static struct adoption adoption;
static struct iommu restored;			/* the incoming kernel's, on the same registers */

/* ---- scratch: outside the arena, so that all of the arena's can be closed ----------------- */

#define WORK_BYTES	MIB(64)
#define WORK_ZEROED	KIB(512)	/* larger pieces are lists, read only where they were written */
static _Alignas(64) uint8_t work[WORK_BYTES];
static size_t work_used;

void scratch_init(paddr_t base, uint64_t len)
{
	(void)base;
	(void)len;
	work_used = 0;
}

void *scratch_new(uint64_t len)
{
	uint8_t *p = work + work_used;

	if (len > WORK_BYTES - work_used)
		return NULL;
	work_used += ALIGN_UP(len, 64);
	return len <= WORK_ZEROED ? memset(p, 0, len) : p;
}

uint64_t scratch_used(void)
{
	return work_used;
}

/* ---- what the firmware has and the host has not ------------------------------------------- */

const uint8_t header_template[PAGE_SIZE] = {
	[0x1f1] = 7, [0x1fe] = 0x55, [0x1ff] = 0xaa, [0x200] = 0xeb, [0x201] = 0x6a, [0x202] = 'H',
	[0x203] = 'd', [0x204] = 'r', [0x205] = 'S', [0x206] = 0x0f, [0x207] = 2, [0x211] = 1,
	[0x232] = 0x20,			/* kernel_alignment 2 MiB */
	[0x234] = 1, [0x236] = 0x23, [0x238] = 0xff, [0x239] = 7, [0x25a] = 0x10,
	[0x262] = 0x10,			/* init_size: IMAGE_WINDOW */
};
const uint32_t header_template_size = sizeof(header_template);

int page_tables_init(struct page_tables *pt, paddr_t (*alloc)(void *ctx), void *ctx)
{
	*pt = (struct page_tables){ .levels = 4, .alloc = alloc, .ctx = ctx, .top = alloc(ctx) };
	return pt->top ? 0 : -ENOMEM;
}

unsigned paging_levels(void)
{
	return 4;
}

int page_tables_map(struct page_tables *pt, paddr_t pa, uint64_t len, uint64_t flags)
{
	(void)pt;
	(void)pa;
	(void)len;
	(void)flags;
	return 0;
}

int page_tables_map_ram(struct page_tables *pt, const struct boot_info *bi, uint64_t flags)
{
	(void)pt;
	(void)bi;
	(void)flags;
	return 0;
}

_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params);
_Noreturn void kexec_jump_to(uint64_t cr3, uint64_t entry, uint64_t boot_params)
{
	(void)cr3;
	(void)entry;
	(void)boot_params;
	abort();
}

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

int pci_config_snapshot(const struct pci_fn *fns, size_t i, struct pci_config_snapshot *out)
{
	*out = (struct pci_config_snapshot){
		.segment = fns[i].segment, .rid = fns[i].rid, .vendor = fns[i].vendor,
		.device = fns[i].device, .command = 0x406, .bars = { 0x81000000 },
	};
	return 0;
}

bool pci_is_d0(const struct pci_fn *fn)
{
	(void)fn;
	return true;
}

enum pci_feature pci_interrupt_messages(const struct pci_fn *fn)
{
	(void)fn;
	return PCI_FEATURE_OFF;
}

enum pci_feature pci_page_requests(const struct pci_fn *fn)
{
	(void)fn;
	return PCI_FEATURE_ABSENT;
}

enum pci_feature pci_ats(const struct pci_fn *fn)
{
	(void)fn;
	return PCI_FEATURE_OFF;
}

void kprintf(const char *fmt, ...)
{
	(void)fmt;
}

void console_flush(void) { }
void console_defer(bool on) { (void)on; }
void time_set_tsc_khz(uint64_t khz) { (void)khz; }
uint64_t time_tsc_khz(void) { return 2400000; }
void time_delay_us(uint64_t us) { (void)us; }
uint64_t keep_pages_in_use(void) { return arena_pages_in_use; }
unsigned keep_early_attempts(void) { return 0; }

/* Adopting begins behind what is tested here. */
int keep_init(const struct mem_range *map, size_t n, bool all_ram, const struct keep_range *busy,
	      size_t nr_busy)
{
	(void)map;
	(void)n;
	(void)all_ram;
	(void)busy;
	(void)nr_busy;
	abort();
}

void corrupt_before_checks(const char *name, const struct corrupt_place *p)
{
	(void)name;
	(void)p;
}

void corrupt_after_checks(const char *name, const struct corrupt_place *p)
{
	(void)name;
	(void)p;
}

/* There is no hostile device in this world. */
bool hostile_supported(const struct pci_fn *fn)
{
	(void)fn;
	return false;
}

/* The rings are data: nothing polls them. */
unsigned __wrap_port_poll(struct port *p);
unsigned __wrap_port_poll(struct port *p)
{
	(void)p;
	return 0;
}

int __wrap_port_settle(struct port *p);
int __wrap_port_settle(struct port *p)
{
	(void)p;
	return 0;
}

/* ---- checks, and the way out -------------------------------------------------------------- */

static struct world_outcome outcome;
static jmp_buf ended;

void check_ok(enum check_id id, bool ok, const char *fmt, ...)
{
	const size_t max = sizeof(outcome.checks);
	size_t len = strlen(outcome.checks);
	va_list ap;

	if (ok)
		return;
	if (!strstr(outcome.checks, check_name(id)))
		len += (size_t)snprintf(outcome.checks + len, max - len, "%s%s", len ? ", " : "",
					check_name(id));
	if (!outcome.failed_checks++ && len < max) {
		len += (size_t)snprintf(outcome.checks + len, max - len, " (");
		va_start(ap, fmt);
		vsnprintf(outcome.checks + len, max - len, fmt, ap);
		va_end(ap);
		len = strlen(outcome.checks);
		snprintf(outcome.checks + len, max - len, ")");
	}
}

void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want)
{
	check_ok(id, got == want, "%s is %llx, want %llx", what, (unsigned long long)got,
		 (unsigned long long)want);
}

void check_skip(enum check_id id, const char *reason)
{
	(void)id;
	(void)reason;
}

void ktap_print(enum check_phase phase)
{
	(void)phase;
}

bool ktap_phase_failed(enum check_phase phase)
{
	(void)phase;
	return outcome.failed_checks;
}

/* adoption_refuse() ends the run; what it was given is kept on its way there. */
void verdict_end(enum verdict_code code, const char *fmt, ...)
{
	va_list ap;

	outcome.refused = true;
	va_start(ap, fmt);
	if (code == VERDICT_HANDOFF) {
		outcome.why.what = va_arg(ap, const char *);
		outcome.why.fault = va_arg(ap, const char *);
		outcome.why.at = va_arg(ap, unsigned long long);
		outcome.why.value = va_arg(ap, unsigned long long);
	} else {
		outcome.why = (struct kho_refusal){ .what = "verdict", .fault = fmt, .value = code };
	}
	va_end(ap);
	longjmp(ended, 1);
}

/* ---- memory that opens when it was looked at ---------------------------------------------- */

/* RAM is read-only, and poisoned for AddressSanitizer until it has been found to be RAM; the rest
 * of the arena faults.  (Closing and opening pages by mprotect() takes twice the time.) */
#define OPEN_MAX	MIB(16)		/* an area of scratch may be RAM: that does not open it */
#define MAX_OPENED	8192

static struct { paddr_t pa; uint64_t len; } opened[MAX_OPENED];
static size_t nr_opened;
static bool reading;

static void protect(paddr_t pa, uint64_t len, int how)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	if (mprotect(mem_ptr(base), ALIGN_UP(pa + len, PAGE_SIZE) - base, how)) {
		perror("mprotect");
		abort();
	}
}

static void open_for_reading(paddr_t pa, uint64_t len)
{
	const paddr_t base = ALIGN_DOWN(pa, PAGE_SIZE);

	if (nr_opened == MAX_OPENED)
		abort();
	opened[nr_opened].pa = base;
	opened[nr_opened].len = ALIGN_UP(pa + len, PAGE_SIZE) - base;
	__asan_unpoison_memory_region(mem_ptr(base), opened[nr_opened++].len);
}

static void close_opened(void)
{
	while (nr_opened) {
		nr_opened--;
		__asan_poison_memory_region(mem_ptr(opened[nr_opened].pa), opened[nr_opened].len);
	}
}

void world_write(paddr_t pa, const void *from, uint64_t len)
{
	protect(pa, len, PROT_READ | PROT_WRITE);
	open_for_reading(pa, len);
	memcpy(mem_ptr(pa), from, len);
	close_opened();
	protect(pa, len, PROT_READ);
}

void world_read(paddr_t pa, void *to, uint64_t len)
{
	open_for_reading(pa, len);
	memcpy(to, mem_ptr(pa), len);
	close_opened();
}

bool __real_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);
bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len);
bool __wrap_memmap_is_ram(const struct mem_range *map, size_t n, paddr_t pa, uint64_t len)
{
	const bool is = __real_memmap_is_ram(map, n, pa, len);

	if (is && reading && len <= OPEN_MAX)
		open_for_reading(pa, len);
	return is;
}

/* Digests are most of the time, so they are computed by code without sanitizers, once all of the
 * bytes are known to be open. */
uint32_t __real_kho_crc32c(uint32_t crc, const void *p, size_t len);
uint32_t __wrap_kho_crc32c(uint32_t crc, const void *p, size_t len);
uint32_t __wrap_kho_crc32c(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *closed = len ? __asan_region_is_poisoned((void *)(uintptr_t)p, len) : NULL;

	if (closed)
		return *(volatile const uint8_t *)closed;	/* ends here, with the usual report */
	return __real_kho_crc32c(crc, p, len);
}

static void close_all(void)
{
	static struct stream_control_ser copy[PORTS];

	protect(0, RAM_END, PROT_READ);
	protect(RAM_END, ARENA_BYTES - RAM_END, PROT_NONE);
	for (size_t i = 0; i < outgoing.nr_ports; i++) {
		copy[i] = *outgoing.port[i].control;
		outgoing.port[i].control = &copy[i];	/* for those who ask later what is data */
	}
	__asan_poison_memory_region(mem_ptr(0), RAM_END);
}

/* ---- outgoing ----------------------------------------------------------------------------- */

static void make_port(struct port *p, size_t fn, uint16_t stream, paddr_t at)
{
	const iova_t iova = GIB(4) * stream;
	const uint32_t entries = stream == 1 ? RX_ENTRIES : TX_ENTRIES;
	const int domain = iommu_domain_create(&mmu, 0, VTD_PG_4K | VTD_PG_2M, IOMMU_IOVA_BITS);
	struct stream_control_ser *c;

	p->control_pa = mem_alloc_pages(0);
	p->control = c = mem_ptr(p->control_pa);
	p->fn = fn;
	p->nic.segment = bus_fns[fn].segment;
	p->nic.rid = bus_fns[fn].rid;
	*c = (struct stream_control_ser){
		.magic = STREAM_CONTROL_MAGIC, .version = STREAM_CONTROL_VERSION, .size = sizeof(*c),
		.rid = p->nic.rid, .stream = stream, .nic_family = STREAM_NIC_E1000E,
		.bar_pa = 0x81000000, .bar_size = KIB(128),
		.rx = { .ring_iova = iova + MIB(4), .ring_pa = at + MIB(4), .buffers_iova = iova,
			.buffers_pa = at, .entries = entries, .count = entries,
			.format = STREAM_DESC_LEGACY, .stride = 2048, .buffer_size = 1536,
			.guard_size = 512 },
		.tx = { .ring_iova = iova + MIB(6), .ring_pa = at + MIB(6),
			.buffers_iova = iova + MIB(7), .buffers_pa = at + MIB(7), .entries = TX_ENTRIES,
			.count = TX_ENTRIES, .format = STREAM_DESC_LEGACY, .stride = 2048,
			.buffer_size = 1536, .guard_size = 512 },
	};
	account_start(&c->account, 0);
	assert_true(domain >= 0);
	assert_int_equal(port_map(c, &mmu.domain[domain].ss), 0);
	assert_int_equal(iommu_attach(&mmu, fn, (size_t)domain), 0);
	bus_master[fn] = true;
}

static void make_machine(void)
{
	memcpy(outgoing_bi.map, machine_map, sizeof(machine_map));
	outgoing_bi.nr_map = ARRAY_SIZE(machine_map);
	outgoing_bi.rsdp = 0x7e014;
	for (size_t i = 0; i < sizeof(pristine); i++)
		pristine[i] = (uint8_t)(i * 7 + 3);
	outgoing_bi.pristine = pristine;
	outgoing_bi.pristine_size = sizeof(pristine);
	outgoing.bi = &outgoing_bi;
	outgoing.mmu = &mmu;
	outgoing.window = (struct window){
		.areas = { .entry = { { AREA, AREA_BYTES } }, .nr = 1 },
		.own = AREA, .next = AREA + AREA_BYTES / 2, .half = AREA_BYTES / 2,
	};
	config_defaults(&outgoing.cfg);
	results_init();
	bring_up();
	outgoing.nr_ports = PORTS;
	make_port(&outgoing.port[0], NIC, 1, DATA);
	make_port(&outgoing.port[1], FAR, 2, DATA + DATA_STEP);
}

void world_build(uint8_t ttm)
{
	machine_reset(NULL);
	mmu.ttm = ttm;
	if (ttm == VTD_TTM_SCALABLE)
		fake.ecap |= VTD_ECAP_SMTS | VTD_ECAP_SSTS;
	make_machine();
	memset(&outcome, 0, sizeof(outcome));
	if (setjmp(ended) || handover_save(&outgoing, &target)) {
		fprintf(stderr, "flips: the handoff was not written: %s\n",
			outcome.failed_checks ? outcome.checks : "no check failed");
		exit(1);
	}
	close_all();
}

/* ---- incoming ----------------------------------------------------------------------------- */

paddr_t world_image(void)
{
	return target.part[0].pa;
}

const struct adoption *world_adoption(void)
{
	return &adoption;
}

const struct boot_info *world_boot_info(void)
{
	return &incoming_bi;
}

const struct kexec_target *world_target(void)
{
	return &target;
}

const struct run *world_run(void)
{
	return &outgoing;
}

static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	(void)len;
	return mem_ptr(pa);
}

static void refuse(const struct kho_refusal *why)
{
	outcome.refused = true;
	outcome.why = *why;
	longjmp(ended, 1);
}

/* From the entry to the validated handoff: entry.c, find_window() of main.c, accept.c. */
static void accept_handoff(void)
{
	static const struct phys_reader reader = { .at = at };
	struct kho_refusal why;

	memset(&incoming_bi, 0, offsetof(struct boot_info, map));
	incoming_bi.image = target.part[0].pa;
	incoming_bi.image_size = IMAGE_WINDOW;
	open_for_reading(target.boot_params, BOOTPARAMS_SIZE);
	if (bootparams_read(mem_ptr(target.boot_params), &reader, &incoming_bi)) {
		kho_refuse(&why, -EBADMSG, "boot_params", incoming_bi.error, 0, 0);
		refuse(&why);
	}
	if (!incoming_bi.has_kho) {
		kho_refuse(&why, -EBADMSG, "boot_params", "carry no handoff", 0, 0);
		refuse(&why);
	}
	incoming.bi = &incoming_bi;
	restored = mmu;
	restored.fns = (struct pci_fn *)(uintptr_t)bus_fns;	/* scratch has begun anew */
	restored.nr_domains = restored.nr_devices = 0;
	for (size_t i = 0; i < restored.nr_units; i++)
		restored.unit[i].vtd.root = 0;
	incoming.mmu = &restored;
	incoming.cfg.generation = 1;
	if (window_find(&incoming_bi, &incoming.window, &why))
		refuse(&why);
	memset(&adoption, 0, sizeof(adoption));
	adoption.r = &incoming;
	adoption_accept(&adoption);
}

static const struct prove_ids adopt_ids = {
	.mode = CHECK_HANDOFF_MODE_UNCHANGED, .preserved = CHECK_MEMORY_TABLES_PRESERVED,
	.tables = CHECK_MEMORY_TABLES_UNCHANGED, .root = CHECK_RESTORE_ROOT_ENTRIES,
	.context = CHECK_RESTORE_CONTEXT_ENTRIES, .pasid = CHECK_RESTORE_PASID_ENTRIES,
	.entry = CHECK_RESTORE_ENTRY_MATCHES, .did = CHECK_RESTORE_DID_UNIQUE,
};

/* As adopt.c does it. */
static void restore(void)
{
	restore_units(&adoption.restore);
	restore_devices(&adoption.restore, &adoption.blame);
}

/* As confirm.c does it. */
static void confirm_tables(void)
{
	const struct node_digest_ser *bad, *bad_pasid;

	prove_tables(&(struct proof){
		.mmu = &restored, .map = &adoption.kho.map, .picture = adoption.picture,
		.node = adoption.n, .ids = adopt_ids, .blame = &adoption.blame });
	bad = prove_digests(adoption.n, NODE_DIGEST_TABLE, adoption.picture, &adoption.blame);
	bad_pasid = prove_digests(adoption.n, NODE_DIGEST_PASID, adoption.picture, &adoption.blame);
	bad = bad ? bad : bad_pasid;
	check_ok(CHECK_MEMORY_TABLES_UNCHANGED, !bad, "table page %llx changed",
		 bad ? (unsigned long long)bad->pa : 0);
}

static bool anybody(const struct blame *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->device); i++)
		if (b->device[i])
			return true;
	return b->all;
}

void world_receive(struct world_outcome *out)
{
	memset(&outcome, 0, sizeof(outcome));
	scratch_init(0, 0);
	alarm(READING_SECONDS);		/* SIGALRM ends a reading without end */
	reading = true;
	if (!setjmp(ended)) {
		accept_handoff();
		restore();
		confirm_tables();
		outcome.blamed = anybody(&adoption.blame);
		outcome.restored = restored.nr_devices;
	}
	reading = false;
	alarm(0);
	close_opened();
	*out = outcome;
}
