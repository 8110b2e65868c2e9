/* Generations: what entry.c and main.c do around the files under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/handover/adopt.h"
#include "kernel/handover/bootparams.h"
#include "kernel/handover/receive.h"
#include "kernel/handover/save.h"
#include "kernel/machine/cpu.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kernel/report/ktap.h"
#include "kernel/report/verdict.h"
#include "kernel/selftest/hostile.h"
#include "kernel/selftest/selftest.h"
#include "kernel/traffic.h"
#include "kho/read.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "tests/unit/model_dma.h"
#include "tests/unit/model_world.h"
#include "vtd/formats.h"

#define SCRATCH_MIB	32
#define IMAGE_BYTES	(5 * PAGE_SIZE + 77)
#define FRAMES		1000000		/* of a run: more than any has */
#define GENERATIONS	99
#define RAM_PAGES	(BOARD_RAM_END / PAGE_SIZE)

static struct world world;
static struct boot_info info;
static struct run run_;
static struct kexec_target target;
static struct kho_handoff received;
static uint8_t pristine[IMAGE_BYTES];

struct run *world_run(void)
{
	return &run_;
}

/* ---- keep pages: the Makefile gives keep.c's functions these names, the model has the others ---- */

paddr_t keep_take_pages(unsigned order);
void keep_give_pages(paddr_t pa, unsigned order);

uint64_t world_pages(void)
{
	return keep_pages_in_use();
}

/* ---- what both kinds of kernel do: main.c ------------------------------------------------------- */

static void open_scratch(void)
{
	scratch_init(run_.window.own, run_.window.own_len);
	run_.mmu = scratch_new(sizeof(*run_.mmu));
	assert_non_null(run_.mmu);
}

static void discover(void)
{
	const char *why = "";
	size_t without;

	run_.acpi = *board_acpi();
	if (iommu_discover(run_.mmu, &run_.acpi, &why))
		fail_msg("discovery: %s", why);
	run_.mmu->ttm = run_.cfg.mode == MODE_SCALABLE ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
	assert_true(iommu_has_mode(run_.mmu, run_.mmu->ttm, &without));
	run_.setup_tsc = cpu_tsc();
}

/* ---- generation 0 ----------------------------------------------------------------------------- */

static void firmware_leaves(void)
{
	static const struct mem_range map[] = {
		{ 0, 0x9f000, MEM_CONVENTIONAL }, { MIB(1), BOARD_RAM_END - MIB(1), MEM_CONVENTIONAL },
		{ BOARD_RMRR_BASE, BOARD_RMRRS * BOARD_RMRR_LEN, MEM_RESERVED },
	};

	memset(&info, 0, sizeof(info));
	memcpy(info.map, map, sizeof(map));
	info.nr_map = ARRAY_SIZE(map);
	info.from_uefi = true;
	info.rsdp = 0x7e014;
	for (size_t i = 0; i < sizeof(pristine); i++)
		pristine[i] = (uint8_t)(i * 7 + 3);
	info.pristine = pristine;
	info.pristine_size = sizeof(pristine);
	info.entry_tsc = cpu_tsc();
}

static void configure(void)
{
	config_defaults(&run_.cfg);
	run_.cfg.exit = EXIT_QEMU;	/* NICs are taken without being named */
	run_.cfg.mode = world.mode;
	run_.cfg.profile = world.profile;
	run_.cfg.domains = world.shared ? DOMAINS_SHARED : DOMAINS_OWN;
	run_.cfg.scratch_mib = SCRATCH_MIB;
	run_.cfg.generations = GENERATIONS;
	run_.cfg.frames = FRAMES;
	run_.cfg.faults = true;
	run_.cfg.has_hostile = world.hostile;
	run_.cfg.hostile.rid = BOARD_NIC(1);
}

static void open_keep(void)
{
	struct keep_range busy[1 + BOARD_RMRRS] = { { run_.window.areas.entry[0].addr, MIB(SCRATCH_MIB) } };
	const size_t n = 1 + iommu_rmrr_ranges(run_.mmu, &busy[1]);

	assert_int_equal(keep_init(info.map, info.nr_map, false, busy, n), 0);
	model_use_allocator(keep_take_pages, keep_give_pages);
}

static void start_ports(void)
{
	size_t fns[PORT_MAX];
	char why[200];
	const int n = port_select(run_.mmu, &run_.cfg, &info, fns, why, sizeof(why));

	assert_int_equal(n, world.board.nr_nics);
	iommu_silence_devices(run_.mmu);
	if (world.foreign) {
		receive_memory(&run_, &received);
		model_use_allocator(keep_take_pages, keep_give_pages);
	} else {
		open_keep();
	}
	results_init();
	assert_int_equal(iommu_bring_up(run_.mmu), 0);
	for (; run_.nr_ports < world.board.nr_nics; run_.nr_ports++) {
		struct port *p = &run_.port[run_.nr_ports];

		assert_int_equal(port_prepare(p, run_.mmu, &info, fns[run_.nr_ports],
					      (uint16_t)(run_.nr_ports + 1),
					      world.shared && run_.nr_ports ? run_.port : NULL), 0);
		assert_int_equal(port_start(p, run_.mmu), 0);
	}
}

/* ---- functions that are no NICs ---------------------------------------------------------------- */

#define SHARERS		3		/* plain functions in one domain */
#define PLAIN_IOVA	UINT64_C(0x40000000)
#define PLAIN_FIRST	16		/* page of NIC 0's transmit buffers, which are preserved */

static void add_rmrr_targets(void)
{
	for (unsigned i = 0; i < world.board.nr_rmrrs; i++) {
		const paddr_t pa = BOARD_RMRR_BASE + i * BOARD_RMRR_LEN + PAGE_SIZE * (i + 1);

		dma_add_target(BOARD_RMRR(i), pa, pa);
	}
}

static size_t plain_domain(size_t fn, paddr_t page)
{
	const int domain = iommu_domain_create(run_.mmu, (size_t)iommu_unit_of(run_.mmu, fn), VTD_PG_4K,
					       IOMMU_IOVA_BITS);

	assert_true(domain >= 0);
	assert_int_equal(vtd_ss_map(&run_.mmu->domain[domain].ss, PLAIN_IOVA, page, PAGE_SIZE,
				    VTD_SS_R | VTD_SS_W), 0);
	return (size_t)domain;
}

static void attach_plain(void)
{
	size_t domain = 0;
	paddr_t page = 0;
	unsigned sharers = SHARERS;

	for (unsigned i = 0; i < world.board.nr_plain; i++) {
		const uint16_t rid = BOARD_PLAIN_FN(i);
		const size_t fn = (size_t)pci_find(run_.mmu->fns, run_.mmu->nr_fns, 0, rid);

		if (sharers == SHARERS || i == world.board.nr_plain / 2) {
			page = (page ? page : run_.port[0].control->tx.buffers_pa +
					      PLAIN_FIRST * PAGE_SIZE) + PAGE_SIZE;
			domain = plain_domain(fn, page);
			sharers = 0;
		}
		assert_int_equal(iommu_attach(run_.mmu, fn, domain), 0);
		assert_int_equal(pci_bus_master(&run_.mmu->fns[fn], true), 0);
		dma_add_target(rid, PLAIN_IOVA + 8 * sharers, page + 8 * sharers);
		sharers++;
	}
}

/* ---- power on ---------------------------------------------------------------------------------- */

static void power_on(void)
{
	kernel_restart_image();
	memset(&run_, 0, sizeof(run_));
	memset(&kernel_verdict, 0, sizeof(kernel_verdict));
	kernel_breaks_early = NULL;
	kernel_bad_checks();
	model_reset();
	for (unsigned i = 0; i < world.board.nr_units; i++) {
		world.unit[i].smts |= world.mode == MODE_SCALABLE;
		model_add_unit(BOARD_REGS(i), &world.unit[i]);
	}
	board_reset(&world.board);
	dma_reset(&world);
}

void world_begin(const struct world *w)
{
	world = *w;
	power_on();
	firmware_leaves();
	run_.bi = &info;
	configure();
	if (world.foreign) {
		struct kho_refusal why;

		foreign_leave(&info, &world.board, world.left_scalable, world.ring);
		assert_int_equal(window_find(&info, &run_.window, &why), 0);
	} else {
		assert_int_equal(window_create(&info, MIB(SCRATCH_MIB), &run_.window), 0);
	}
	open_scratch();
	discover();
	if (world.foreign)
		receive_handoff(&run_, &received);
	start_ports();
	attach_plain();
	add_rmrr_targets();
	for (unsigned i = 0; i < world.board.nr_units; i++)
		model_unit(i)->te_must_stay = model_unit(i)->root_must_stay = true;
	ktap_begin(0, CHECK_PHASE_STREAM | CHECK_PHASE_SAVE);
	world_dma(true);
}

const char *world_serve(unsigned frames)
{
	uint64_t until = 0;

	for (size_t i = 0; i < run_.nr_ports; i++)
		until = MAX(until, run_.port[i].control->account.next + frames);
	assert_true(traffic_run(&run_, until));
	traffic_check(&run_);
	return kernel_bad_checks();
}

/* ---- what outlives a kernel ------------------------------------------------------------------- */

static bool retained[RAM_PAGES];

static const void *at(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	(void)len;
	return mem_ptr(pa);
}

/* As entry.c does it. */
static void enter_image(struct boot_info *bi)
{
	static const struct phys_reader reader = { .at = at };

	memset(bi, 0, sizeof(*bi));
	bi->entry_tsc = cpu_tsc();
	bi->image = target.part[0].pa;
	bi->image_size = KERNEL_IMAGE_WINDOW;
	bi->pristine = pristine;
	bi->pristine_size = target.part[0].len;
	memcpy(pristine, mem_ptr(target.part[0].pa), target.part[0].len);
	assert_int_equal(bootparams_read(mem_ptr(target.boot_params), &reader, bi), 0);
	assert_true(bi->has_kho);
}

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *bi = ctx;

	return memmap_is_ram(bi->map, bi->nr_map, pa, len);
}

static void retain(paddr_t pa, uint64_t len)
{
	for (paddr_t page = ALIGN_DOWN(pa, PAGE_SIZE); page < pa + len; page += PAGE_SIZE)
		retained[page / PAGE_SIZE] = true;
}

/* The preserved map, what it is written in, and the next image. */
static void learn_retained(void)
{
	static struct kho_extent extents[4096];
	static struct kho_range ranges[4096];
	static paddr_t nodes[4096];
	static struct kho_handoff handoff;
	static struct boot_info next;
	const struct kho_limits lim = {
		.ram = { .is_ram = is_ram, .ctx = &next }, .extents = extents, .ranges = ranges,
		.max_extents = ARRAY_SIZE(extents), .nodes = nodes, .max_nodes = ARRAY_SIZE(nodes),
	};
	struct kho_refusal why;
	struct kho_data data;

	enter_image(&next);
	data = (struct kho_data){ next.kho_fdt, next.kho_fdt_size, next.kho_scratch,
				  next.kho_scratch_size };
	assert_int_equal(kho_read(&data, &lim, &handoff, &why), 0);
	memset(retained, 0, sizeof(retained));
	for (size_t i = 0; i < handoff.map.nr_ranges; i++)
		retain(handoff.map.ranges[i].base, handoff.map.ranges[i].len);
	for (size_t i = 0; i < handoff.map.nr_nodes; i++)
		retain(handoff.map.nodes[i], PAGE_SIZE);
	retain(data.scratch_pa, data.scratch_size);
	for (unsigned i = 0; i < target.nr_parts; i++)
		retain(target.part[i].pa, target.part[i].len);
}

static void lose_the_rest(void)
{
	for (size_t page = 0; page < RAM_PAGES;) {
		size_t end = page;

		while (end < RAM_PAGES && !retained[end])
			end++;
		if (end > page)
			model_lose(page * PAGE_SIZE, (end - page) * PAGE_SIZE);
		page = end + 1;
	}
}

/* ---- the next generation ---------------------------------------------------------------------- */

int world_save(void)
{
	const int err = handover_save(&run_, &target);

	if (!err)
		learn_retained();
	return err;
}

/* From the entry of the image on, as main.c does it. */
static void run_next(void)
{
	struct config_error error;
	struct kho_refusal why;

	enter_image(&info);
	run_.bi = &info;
	config_defaults(&run_.cfg);
	assert_int_equal(config_parse(&run_.cfg, info.cmdline, strlen(info.cmdline), CONFIG_CMDLINE,
				      &error), 0);
	assert_int_equal(window_find(&info, &run_.window, &why), 0);
	open_scratch();
	discover();
	handover_adopt(&run_);
	hostile_shoot(&run_);
	ktap_begin(run_.cfg.generation, CHECK_PHASE_ADOPT | CHECK_PHASE_STREAM | CHECK_PHASE_SAVE);
	ktap_print(CHECK_PHASE_ADOPT);
}

void world_jump(void)
{
	if (!setjmp(kernel_jumps))
		handover_jump(&run_, &target);
	lose_the_rest();
	kernel_restart_image();
	memset(&run_, 0, sizeof(run_));
}

bool world_adopt(void)
{
	if (setjmp(kernel_ends)) {
		if (run_.mmu && run_.mmu->fns)
			iommu_bus_masters_off(run_.mmu);	/* as verdict_end() does it */
		return false;
	}
	run_next();
	return true;
}

void world_hand_over(void)
{
	assert_int_equal(world_save(), 0);
	assert_string_equal(kernel_bad_checks(), "");
	world_jump();
	assert_true(world_adopt());
	assert_string_equal(kernel_bad_checks(), "");
}

/* ---- the end ---------------------------------------------------------------------------------- */

void world_finish(void)
{
	static const enum check_id final[] = { CHECK_REPLACE_HITLESS, CHECK_FAULT_UNMAPPED_BLOCKED,
					       CHECK_FAULT_MEMORY_UNTOUCHED, CHECK_TEARDOWN_SAFE };

	for (size_t i = 0; i < run_.nr_ports; i++)
		selftest_replace(&run_, &run_.port[i]);
	assert_string_equal(world_serve(50), "");
	for (size_t i = 0; i < run_.nr_ports; i++)
		selftest_replace_check(&run_, &run_.port[i]);
	world_judge();
	for (size_t i = 0; i < run_.nr_ports; i++)
		selftest_unmapped(&run_, &run_.port[i]);
	for (unsigned i = 0; i < world.board.nr_units; i++)
		model_unit(i)->te_must_stay = false;
	selftest_teardown(&run_);
	world_dma(false);
	for (size_t i = 0; i < ARRAY_SIZE(final); i++)
		assert_false(check_failed(final[i]));
	assert_int_equal(model_violations(), 0);
}

static void judge_port(struct port *p)
{
	const unsigned nic = p->control->stream - 1u;

	port_poll(p);
	assert_true(account_clean(&p->control->account));
	assert_int_equal(p->control->account.next, board_nic(nic)->sequence);
	assert_int_equal(board_nic(nic)->ring_full, 0);
	assert_int_equal(board_nic(nic)->refused, 0);
}

void world_judge(void)
{
	world_dma(false);
	for (size_t i = 0; i < run_.nr_ports; i++)
		judge_port(&run_.port[i]);
	assert_int_equal(world_seen.lost, 0);
	assert_int_equal(world_seen.pierced, 0);
	assert_int_equal(model_violations(), 0);
	world_dma(true);
}
