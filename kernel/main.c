/* The phases of one generation, in order. */
#include "run.h"

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/handover/adopt.h"
#include "kernel/handover/corrupt.h"
#include "kernel/handover/next.h"
#include "kernel/handover/receive.h"
#include "kernel/handover/save.h"
#include "kernel/machine/apic.h"
#include "kernel/machine/cpu.h"
#include "kernel/machine/paging.h"
#include "kernel/machine/reset.h"
#include "kernel/machine/time.h"
#include "kernel/memory/keep.h"
#include "kernel/memory/memmap.h"
#include "kernel/memory/scratch.h"
#include "kernel/panic.h"
#include "kernel/report/ktap.h"
#include "kernel/report/summary.h"
#include "kernel/report/verdict.h"
#include "kernel/selftest/hostile.h"
#include "kernel/selftest/selftest.h"
#include "kernel/traffic.h"
#include "platform/mem.h"
#include "platform/mmio.h"

static struct run the_run;

/* ---- getting ready ------------------------------------------------------------------------- */

static unsigned sinks(const struct run *r)
{
	return r->cfg.console == SHOW_SERIAL ? CONSOLE_SERIAL :
	       r->cfg.console == SHOW_FRAMEBUFFER ? CONSOLE_FRAMEBUFFER : CONSOLE_BOTH;
}

static void banner(const struct run *r)
{
	kprintf("Baton %s: generation %u of %u, started by %s\n", BATON_VERSION, r->cfg.generation,
		r->cfg.generations, r->bi->from_uefi ? "UEFI" : "another kernel");
}

/* The screen needs our page tables; generation 0 says its first line again, so that the screen
 * has one.  In later generations clearing it waits until the blackout is over, and the first
 * line has been kept. */
static void open_framebuffer(const struct run *r)
{
	const struct boot_framebuffer *fb = &r->bi->fb;

	if (!fb->base || !paging_map_wc(fb->base, fb->size))
		return;
	console_use_framebuffer(fb);
	if (r->cfg.generation)
		return;
	console_select(sinks(r) & CONSOLE_FRAMEBUFFER);
	banner(r);
	console_select(sinks(r));
}

static void configure(struct run *r)
{
	struct config_error err;

	const char *unsupported;
	char sentence[200];
	int bad;

	phase_set("configuration");
	config_defaults(&r->cfg);
	bad = config_parse(&r->cfg, r->bi->cmdline, __builtin_strlen(r->bi->cmdline),
			   CONFIG_CMDLINE, &err);
	verdict_allow_debug_exit(r->cfg.exit == EXIT_QEMU);
	console_select(sinks(r));
	if (r->bi->error[0])
		verdict_end(r->bi->from_uefi ? VERDICT_MEMORY : VERDICT_HANDOFF, "%s", r->bi->error);
	if (bad)
		verdict_end(VERDICT_CONFIG, "%s", err.text);
	unsupported = config_unsupported(&r->cfg, sentence, sizeof(sentence));
	if (unsupported)
		verdict_end(VERDICT_CONFIG, "%s", unsupported);
}

static void find_window(struct run *r)
{
	const struct boot_info *bi = r->bi;
	const uint64_t scratch = config_scratch_bytes(&r->cfg);
	struct kho_refusal why;
	int err;

	if (bi->from_uefi) {
		if (window_create(bi, scratch, &r->window))
			verdict_end(VERDICT_MEMORY,
				    "no free %llu MiB between 16 MiB and 4 GiB for scratch; the machine has %llu MiB of RAM, try a smaller scratch=",
				    (unsigned long long)(scratch >> 20),
				    (unsigned long long)(memmap_total_ram(bi->map, bi->nr_map) >> 20));
		return;
	}
	if (!bi->has_kho && !r->cfg.generation)
		verdict_end(VERDICT_HANDOFF,
			    "started by another kernel that hands nothing over: boot it with kho=on and load this file with kexec -s (kexec_file_load)");
	if (!bi->has_kho)
		verdict_end(VERDICT_HANDOFF,
			    "generation=%u was given, but boot_params carries no KHO handoff; start generation 0 without it",
			    r->cfg.generation);
	err = window_find(bi, &r->window, &why);
	if (err)
		verdict_end(err == -ENOMEM ? VERDICT_MEMORY : VERDICT_HANDOFF,
			    "handoff refused: %s %s (at %llx, value %llx)", why.what, why.fault,
			    (unsigned long long)why.at, (unsigned long long)why.value);
}

static void prepare_memory(struct run *r)
{
	phase_set("finding scratch");
	find_window(r);
	scratch_init(r->window.own, r->window.own_len);
	phase_set("own page tables");
	if (paging_init(r->bi))
		verdict_end(VERDICT_MEMORY, "scratch is too small for page tables; try a larger scratch=");
	r->mmu = scratch_new(sizeof(*r->mmu));
	if (!r->mmu)
		verdict_end(VERDICT_MEMORY, "scratch is too small; try a larger scratch=");
}

/* Tables lie in memory that is mapped, or in what firmware reserved (some BIOSes: below 1 MiB). */
static const void *acpi_at(void *ctx, paddr_t pa, uint64_t len)
{
	const struct boot_info *bi = ctx;
	const struct mem_range *range = memmap_at(bi->map, bi->nr_map, pa);

	if (paging_is_readable(pa, len))
		return mem_ptr(pa);
	if (!range || range->kind != MEM_RESERVED || len > range->base + range->len - pa)
		return NULL;
	return paging_map_mmio(pa, len);
}

static void use_spcr(const struct run *r)
{
	struct acpi_spcr spcr;
	struct span table;

	if (acpi_table(&r->acpi, "SPCR", &table) || acpi_decode_spcr(table, &spcr))
		return;
	if ((spcr.interface != ACPI_SPCR_16550 && spcr.interface != ACPI_SPCR_16450 &&
	     spcr.interface != ACPI_SPCR_16550_GAS) || spcr.reg.space > ACPI_GAS_IO)
		return;
	if (spcr.reg.space == ACPI_GAS_MEMORY && !paging_map_mmio(spcr.reg.address, PAGE_SIZE))
		return;
	/* The width of a register is the distance to the next one. */
	if (console_use_spcr(&(struct console_port){
		.mmio = spcr.reg.space == ACPI_GAS_MEMORY, .address = spcr.reg.address,
		.stride = MAX(spcr.reg.bit_width, 8) / 8, .baud = spcr.baud }))
		platform_log("SPCR names a serial port at %llx that cannot be used; COM1 stays",
			     (unsigned long long)spcr.reg.address);
}

static void read_tables(struct run *r)
{
	const struct acpi_reader reader = { .map = acpi_at, .ctx = (void *)(uintptr_t)r->bi };
	struct acpi_reset reset;
	struct acpi_madt madt;
	struct span table;
	const char *why;

	phase_set("ACPI tables");
	if (acpi_init(&reader, r->bi->rsdp, &r->acpi, &why))
		verdict_end(VERDICT_NO_VTD, "ACPI tables cannot be read: %s; there is no DMAR without them",
			    why);
	corrupt_tables(r->cfg.corrupt, r->bi, &r->acpi);
	if (!acpi_table(&r->acpi, "FACP", &table) && !acpi_decode_reset(table, &reset) &&
	    reset.reg.space != ACPI_GAS_PCI_CONFIG)
		machine_set_reset_register(reset.reg.space == ACPI_GAS_IO, reset.reg.address, reset.value);
	machine_set_runtime(r->bi->efi_systab);
	if (!acpi_table(&r->acpi, "APIC", &table) && !acpi_decode_madt(table, &madt))
		platform_log("acpi: %zu processors, %zu I/O APICs", madt.processors, madt.ioapics);
	apic_mask();
	use_spcr(r);
}

static void fence_everything(void)
{
	if (the_run.mmu && the_run.mmu->fns)
		iommu_bus_masters_off(the_run.mmu);
}

static void find_units(struct run *r)
{
	const char *why = "";
	size_t without;
	int err;

	phase_set("finding remapping units");
	err = iommu_discover(r->mmu, &r->acpi, &why);
	if (err == -ENOMEM)
		verdict_end(VERDICT_MEMORY, "%s", why);
	if (err)
		verdict_end(VERDICT_NO_VTD, "%s", why);
	r->mmu->ttm = r->cfg.mode == MODE_SCALABLE ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
	if (!iommu_has_mode(r->mmu, r->mmu->ttm, &without))
		verdict_end(VERDICT_NO_VTD,
			    "mode=scalable: vtd%zu has no scalable mode with second-stage tables (ECAP.SMTS, ECAP.SSTS); use mode=legacy",
			    without);
	if (!r->bi->from_uefi)	/* ECAM from here; after UEFI nothing has been touched yet */
		verdict_set_fence(fence_everything);
}

/* ---- generation 0 ---------------------------------------------------------------------------- */

static void unit_failed(const struct run *r, int err)
{
	for (size_t i = 0; i < r->mmu->nr_units; i++)
		if (r->mmu->unit[i].vtd.failed_wait)
			verdict_end(VERDICT_TIMEOUT, "vtd%zu does not answer: waited for %s, last value %llx",
				    i, r->mmu->unit[i].vtd.failed_wait,
				    (unsigned long long)r->mmu->unit[i].vtd.failed_value);
	if (err == -ENOMEM)
		verdict_end(VERDICT_MEMORY, "no memory left for translation tables");
	if (err == -ENOSPC)
		verdict_end(VERDICT_MEMORY,
			    "firmware names more devices with memory of their own (RMRR) than this version has room for: %u domains, %u source ids",
			    IOMMU_MAX_DOMAINS, IOMMU_MAX_DEVICES);
	verdict_end(err == -ETIMEDOUT ? VERDICT_TIMEOUT : VERDICT_NO_VTD,
		    "VT-d cannot be brought up (error %d): no usable table width, or a unit refused a command",
		    -err);
}

static void open_keep(const struct run *r)
{
	const struct kho_scratch_entry *area = &r->window.areas.entry[0];
	struct keep_range busy[2 + VTD_DMAR_MAX_RMRR] = {
		{ area->addr, area->size },
		{ r->bi->image, r->bi->image_size },
	};
	const size_t rmrrs = iommu_rmrr_ranges(r->mmu, &busy[2]);

	for (size_t i = 0; i < rmrrs; i++)
		if (ranges_overlap(busy[2 + i].base, busy[2 + i].len, area->addr, area->size))
			verdict_end(VERDICT_MEMORY, "firmware lets a device write to %llx (RMRR) but calls it free memory; it overlaps scratch",
				    (unsigned long long)busy[2 + i].base);
	if (keep_init(r->bi->map, r->bi->nr_map, false, busy, 2 + rmrrs))
		verdict_end(VERDICT_MEMORY, "scratch is too small for the list of free memory; try a larger scratch=");
}

static bool hostile_is_possible(const struct run *r, const size_t *fns, size_t n)
{
	const int hostile = pci_find(r->mmu->fns, r->mmu->nr_fns, r->cfg.hostile.segment,
				     r->cfg.hostile.rid);

	for (size_t i = 0; i < n; i++)
		if (hostile == (int)fns[i])
			return true;
	return hostile >= 0 && hostile_supported(&r->mmu->fns[hostile]);
}

/* Before anything but event masks is touched: a machine without a NIC for us is left as it was. */
static size_t select_ports(const struct run *r, size_t fns[PORT_MAX])
{
	char why[200];
	const int n = port_select(r->mmu, &r->cfg, r->bi, fns, why, sizeof(why));

	if (n < 0)
		verdict_end(VERDICT_NO_NIC, "%s", why);
	if (r->cfg.has_hostile && !hostile_is_possible(r, fns, (size_t)n))
		verdict_end(VERDICT_CONFIG,
			    "hostile= names neither a test NIC nor an edu or iommu-testdev of QEMU; no other can be made hostile in this version");
	return (size_t)n;
}

static void start_port(struct run *r, size_t fn)
{
	struct port *p = &r->port[r->nr_ports];
	const struct nic *nic = &p->nic;
	int err;

	phase_set("starting the NIC");
	err = port_prepare(p, r->mmu, r->bi, fn, (uint16_t)(r->nr_ports + 1),
			   r->cfg.domains == DOMAINS_SHARED && r->nr_ports ? &r->port[0] : NULL);
	if (err == -ENOSPC)
		verdict_end(VERDICT_MEMORY, "no domain or domain id is left for NIC %02x:%02x.%x; devices with an RMRR have them",
			    PCI_BUS(nic->rid), PCI_DEV(nic->rid), PCI_FN(nic->rid));
	if (err == -ENOMEM)
		verdict_end(VERDICT_MEMORY, "no memory left for the NIC's rings and buffers; it needs 10 MiB in one piece");
	if (!err)
		err = port_start(p, r->mmu);
	if (err)
		verdict_end(err == -ETIMEDOUT ? VERDICT_TIMEOUT : VERDICT_NO_NIC,
			    "NIC %02x:%02x.%x does not start (error %d); is the link up?",
			    PCI_BUS(nic->rid), PCI_DEV(nic->rid), PCI_FN(nic->rid), -err);
	r->nr_ports++;
	platform_log("nic: %s at %02x:%02x.%x, address %02x:%02x:%02x:%02x:%02x:%02x, DID %u, receive ring of %u at iova %llx",
		     nic_name(nic), PCI_BUS(nic->rid), PCI_DEV(nic->rid), PCI_FN(nic->rid), nic->mac[0],
		     nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5],
		     iommu_device_of(r->mmu, nic->segment, nic->rid)->did,
		     p->control->rx.entries, (unsigned long long)p->control->rx.ring_iova);
}

/* Before any device is touched: a Linux that cannot be started at the end need not be waited for. */
static void check_linux(struct run *r)
{
	const char *why;
	int err = 0;

	if (r->cfg.handoff_to != TARGET_LINUX)
		return;
	if (r->bi->from_uefi)
		payload_take(r->bi->file, &r->payload);
	else
		err = payload_unpack(span_of(mem_ptr(r->bi->initrd), r->bi->initrd_size), &r->payload,
				     &why);
	if (!err)
		err = next_check_linux(r, &why);
	if (err)
		verdict_end(err == -ENOMEM ? VERDICT_MEMORY : VERDICT_CONFIG, "Linux cannot be started: %s",
			    why);
}

static void take_memory(struct run *r, const struct kho_handoff *received)
{
	if (r->bi->from_uefi) {
		open_keep(r);
		return;
	}
	receive_memory(r, received);
	if (payload_keep(&r->payload))	/* the archive they are in lies in scratch */
		verdict_end(VERDICT_MEMORY, "no memory left for the files of the Linux to be started");
}

static void begin(struct run *r)
{
	struct kho_handoff received;
	size_t fns[PORT_MAX], n;
	int err;

	if (!r->bi->from_uefi)
		receive_handoff(r, &received);
	phase_set("Linux files");
	check_linux(r);
	phase_set("choosing the NIC");
	n = select_ports(r, fns);
	phase_set("silencing devices");
	verdict_set_fence(fence_everything);
	iommu_silence_devices(r->mmu);
	take_memory(r, &received);
	results_init();
	phase_set("bringing up VT-d");
	err = iommu_bring_up(r->mmu);
	if (err)
		unit_failed(r, err);
	for (size_t i = 0; i < n; i++)
		start_port(r, fns[i]);
	hostile_prepare(r);
	platform_log("ready %llu ms after %s", (unsigned long long)time_tsc_to_us(cpu_tsc() -
		     (r->bi->from_uefi ? r->bi->firmware_exit_tsc : r->bi->entry_tsc)) / 1000,
		     r->bi->from_uefi ? "leaving firmware" : "entry");
}

/* ---- the stream and its end --------------------------------------------------------------------- */

/* The stream that stands furthest back. */
static uint64_t slowest(const struct run *r)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < r->nr_ports; i++)
		next = MIN(next, r->port[i].control->account.next);
	return next;
}

static void serve_stream(struct run *r)
{
	const uint64_t end = traffic_share_end(r);
	uint64_t middle;

	phase_set("stream");
	if (!r->nr_ports)
		return;
	if (run_is_last(r) && r->cfg.faults) {
		middle = slowest(r);
		middle += (end > middle ? end - middle : 0) / 2;
		if (traffic_run(r, middle)) {
			phase_set("replacing a domain");
			for (size_t i = 0; i < r->nr_ports; i++)
				selftest_replace(r, &r->port[i]);
			phase_set("stream");
		}
	}
	if (traffic_run(r, end))
		return;
	r->stalled = true;
	platform_log("stream: no frame for %u s; is the sender running and the link up?",
		     (slowest(r) ? TRAFFIC_STALL_US : TRAFFIC_FIRST_US) / 1000000);
}

static void finish_stream(struct run *r)
{
	for (size_t i = 0; i < r->nr_ports; i++) {
		const struct stream_account_ser *a = &r->port[i].control->account;

		check_ok(CHECK_STREAM_COMPLETE, account_ended(a) && a->good == r->cfg.frames,
			 "stream %u: %llu of %u frames arrived", r->port[i].control->stream,
			 (unsigned long long)a->good, r->cfg.frames);
		port_heartbeat(&r->port[i], true);	/* the sender learns that all has arrived */
	}
	if (!r->nr_ports)
		return;
	if (!r->cfg.faults) {
		check_skip(CHECK_REPLACE_HITLESS, "faults=no");
		check_skip(CHECK_FAULT_UNMAPPED_BLOCKED, "faults=no");
		check_skip(CHECK_FAULT_MEMORY_UNTOUCHED, "faults=no");
		return;
	}
	phase_set("fault tests");
	for (size_t i = 0; i < r->nr_ports; i++)
		selftest_replace_check(r, &r->port[i]);
	for (size_t i = 0; i < r->nr_ports; i++)
		selftest_unmapped(r, &r->port[i]);
}

/* Copies of the streams' accounts: the ports do not outlive the teardown. */
struct streams {
	size_t n;
	unsigned number[PORT_MAX];
	struct stream_account_ser account[PORT_MAX];
};

static struct streams keep_streams(const struct run *r)
{
	struct streams s = { .n = r->nr_ports };

	for (size_t i = 0; i < s.n; i++) {
		s.number[i] = r->port[i].control->stream;
		s.account[i] = r->port[i].control->account;
	}
	return s;
}

/* The streams' last words.  Return: their good frames together. */
static uint64_t summarise_streams(const struct streams *s)
{
	uint64_t good = 0;

	for (size_t i = 0; i < s->n; i++) {
		summary_stream(s->number[i], &s->account[i]);
		good += s->account[i].good;
	}
	return good;
}

_Noreturn static void finish(struct run *r)
{
	struct streams streams;
	uint64_t good;
	unsigned failed;

	finish_stream(r);
	streams = keep_streams(r);
	selftest_teardown(r);
	phase_set("results");
	ktap_print(CHECK_PHASE_FINAL);
	summary_handovers();
	good = summarise_streams(&streams);
	summary_failures();
	failed = results_failed_checks();
	if (failed && !good)
		verdict_end(VERDICT_FAIL, "generation %u had no stream: the NIC was fenced or left behind (hostile=), or nothing was sent; %u checks failed",
			    r->cfg.generation, failed);
	if (failed)
		verdict_end(VERDICT_FAIL, "%u checks failed; the lines \"# failed:\" above name them",
			    failed);
	verdict_end(VERDICT_PASS, "%u generations, %u hand overs, %llu frames, nothing lost or moved",
		    r->cfg.generation + 1, results.nr_handovers, (unsigned long long)good);
}

/* The handoff was dropped: nothing is lost by that.  The streams are served to their end here. */
_Noreturn static void go_on_alone(struct run *r)
{
	struct streams streams;
	uint64_t good, lost = 0;

	phase_set("stream after a dropped handoff");
	traffic_run(r, r->cfg.frames);
	for (size_t i = 0; i < r->nr_ports; i++) {
		port_heartbeat(&r->port[i], true);
		lost += r->port[i].control->account.lost;
	}
	streams = keep_streams(r);
	selftest_teardown(r);
	good = summarise_streams(&streams);
	summary_failures();
	verdict_end(VERDICT_FAIL, "generation %u could not hand over, the lines above say why; its streams went on: %llu frames, %llu lost",
		    r->cfg.generation, (unsigned long long)good, (unsigned long long)lost);
}

/* Nothing comes any more: every later generation would wait for it again. */
_Noreturn static void end_stalled(struct run *r)
{
	const struct streams streams = keep_streams(r);

	selftest_teardown(r);
	summary_handovers();
	summarise_streams(&streams);
	summary_failures();
	verdict_end(VERDICT_FAIL, "the stream stopped in generation %u after %llu of %u frames; is the sender running and the link up?",
		    r->cfg.generation, (unsigned long long)(streams.n ? streams.account[0].next : 0), r->cfg.frames);
}

/* Nobody reads Baton's results after this: what they are is said before. */
static void take_leave(const struct run *r)
{
	const struct streams streams = keep_streams(r);

	summary_handovers();
	summarise_streams(&streams);
	summary_failures();
	kprintf("# Baton ends here: generation %u, %u hand overs to itself, %u checks failed; now to Linux, %s\n",
		r->cfg.generation, results.nr_handovers, results_failed_checks(),
		r->cfg.linux_kho ? "DMA goes on"
				 : "every device is stopped and translation off (linux_kho=no)");
}

_Noreturn static void hand_over(struct run *r)
{
	struct kexec_target target;

	phase_set("saving");
	if (handover_save(r, &target))
		go_on_alone(r);
	if (run_next_is_linux(r))
		take_leave(r);
	phase_set("jump");
	handover_jump(r, &target);
}

static unsigned phases(const struct run *r)
{
	return (r->cfg.generation ? CHECK_PHASE_ADOPT : 0) | CHECK_PHASE_STREAM |
	       (run_is_last(r) ? CHECK_PHASE_FINAL : CHECK_PHASE_SAVE);
}

_Noreturn void run(const struct boot_info *bi)
{
	struct run *r = &the_run;

	r->bi = bi;
	configure(r);
	banner(r);
	prepare_memory(r);
	if (!r->cfg.generation) {
		console_defer(false);	/* no stream of ours is running that waits */
		if (!r->bi->from_uefi)
			receive_machine();
		open_framebuffer(r);
		time_set_tsc_khz(time_measure_tsc_khz());
	}
	read_tables(r);
	find_units(r);
	r->setup_tsc = cpu_tsc();
	if (r->cfg.generation) {
		handover_adopt(r);
		phase_set("reporting");
		hostile_look(r);	/* the shot of the kernel before us */
		hostile_shoot(r);
		hostile_look(r);
		open_framebuffer(r);
		console_defer(false);
		ktap_begin(r->cfg.generation, phases(r));
		ktap_print(CHECK_PHASE_ADOPT);
	} else {
		begin(r);
		ktap_begin(r->cfg.generation, phases(r));
	}
	serve_stream(r);
	traffic_check(r);
	if (run_is_last(r))
		finish(r);
	if (r->stalled)
		end_stalled(r);
	hand_over(r);
}
