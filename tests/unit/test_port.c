/* A port: which one is taken, what it may reach, what is accounted for, what is handed over.  The
 * NIC itself is a stand-in that receives what a test puts into its ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "kernel/memory/keep.h"
#include "kernel/nic/port.h"
#include "kernel/stream/frame.h"
#include "vtd/context.h"

#define BAR		UINT64_C(0xfed92000)
#define POOL		MIB(64)		/* guarded memory */
#define FRAMES		300

static struct port port;
static struct boot_info bi;
static struct baton_config cfg;

/* ---- stand-ins ------------------------------------------------------------------------------- */

static paddr_t pool;
static uint64_t pool_left;
static const uint8_t driver;			/* its address is all that is used */
static bool passthrough, bar_is_io, quiesced, master_at_quiesce;
static uint64_t bar_bytes;
static uint32_t landed, polled, reposted, sent, sent_len, bad_slot;
static const char *refuse_adopt;

paddr_t keep_alloc_guarded(uint64_t len, uint64_t align)
{
	const paddr_t pa = ALIGN_UP(pool + PAGE_SIZE, align);

	if (len > pool_left)
		return 0;
	pool_left -= len;
	pool = pa + len + PAGE_SIZE;
	return pa;
}

static unsigned messages_switched_off;

void pci_interrupt_messages_off(const struct pci_fn *fn)
{
	assert_true(fn->rid == NIC_RID || fn->rid == GPU_RID);
	messages_switched_off++;
}

int pci_bar(const struct pci_fn *fn, unsigned index, struct pci_bar *out)
{
	assert_int_equal(index, 0);
	*out = (struct pci_bar){ .base = BAR, .is_io = bar_is_io };
	return fn->vendor ? 0 : -EINVAL;
}

uint64_t pci_bar_size(const struct pci_fn *fn, unsigned index)
{
	(void)fn;
	(void)index;
	return bar_bytes;
}

int pci_set_d0(const struct pci_fn *fn)
{
	(void)fn;
	return 0;
}

uint16_t pci_read16(uint16_t segment, uint16_t rid, unsigned off)
{
	(void)segment;
	(void)rid;
	(void)off;
	return 0;
}

void pci_write_control(uint16_t segment, uint16_t rid, unsigned off, uint16_t v)
{
	(void)segment;
	assert_true(rid == NIC_RID || rid == GPU_RID);
	assert_int_equal(off, PCI_COMMAND);
	assert_false(v & PCI_COMMAND_MASTER);
}

const struct nic_driver *nic_match(uint16_t vendor, uint16_t device)
{
	return vendor == 0x8086 && device == 0x10d3 ? (const void *)&driver : NULL;
}

enum nic_family nic_family(const struct nic *nic)
{
	(void)nic;
	return NIC_E1000E;
}

enum nic_format nic_format(const struct nic *nic)
{
	(void)nic;
	return NIC_LEGACY;
}

bool nic_firmware_passthrough(const struct nic *nic)
{
	assert_int_equal(nic->bar0, BAR);
	return passthrough;
}

int nic_quiesce(struct nic *nic)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

	quiesced = true;
	master_at_quiesce = bus_master[NIC];
	memcpy(nic->mac, mac, sizeof(mac));
	return 0;
}

int nic_start(struct nic *nic)
{
	(void)nic;
	assert_true(quiesced && bus_master[NIC]);
	return 0;
}

void nic_read_regs(const struct nic *nic, struct nic_regs *regs)
{
	(void)nic;
	*regs = (struct nic_regs){ .rdh = 77 };
}

int nic_adopt(struct nic *nic, struct nic_regs *regs, const char **why)
{
	(void)nic;
	(void)regs;
	*why = refuse_adopt;
	return refuse_adopt ? -EBADMSG : 0;
}

bool nic_rx_poll(struct nic *nic, struct nic_rx *out)
{
	const uint64_t sequence = polled;

	if (polled == landed)
		return false;
	*out = (struct nic_rx){ .slot = nic->rx.next, .len = (uint32_t)frame_length(sequence),
				.errors = polled == bad_slot ? 1 : 0 };
	nic->rx.next = (nic->rx.next + 1) % nic->rx.entries;
	polled++;
	return true;
}

uint32_t nic_rx_to_repost(const struct nic *nic)
{
	(void)nic;
	return polled - reposted;
}

void nic_rx_repost(struct nic *nic)
{
	(void)nic;
	reposted = polled;
}

int nic_tx_slot(struct nic *nic, uint32_t *slot)
{
	(void)nic;
	*slot = 5;
	return 0;
}

int nic_tx_send(struct nic *nic, uint32_t slot, uint32_t len)
{
	(void)nic;
	assert_int_equal(slot, 5);
	sent++;
	sent_len = len;
	return 0;
}

int nic_tx_done(struct nic *nic)
{
	(void)nic;
	return 0;
}

/* ---- a machine ------------------------------------------------------------------------------- */

static int setup(void **state)
{
	machine_reset(state);
	bus_master[NIC] = false;
	bring_up();
	memset(&port, 0, sizeof(port));
	memset(&bi, 0, sizeof(bi));
	memset(&cfg, 0, sizeof(cfg));
	cfg.exit = EXIT_QEMU;
	bi.map[0] = (struct mem_range){ MIB(1), GIB(1), MEM_CONVENTIONAL };
	bi.nr_map = 1;
	pool = POOL;
	pool_left = MIB(64);
	passthrough = bar_is_io = quiesced = false;
	bar_bytes = NIC_BAR0_BYTES;
	landed = polled = reposted = sent = 0;
	bad_slot = UINT32_MAX;
	refuse_adopt = NULL;
	return 0;
}

static int setup_started(void **state)
{
	setup(state);
	messages_switched_off = 0;
	assert_int_equal(port_prepare(&port, &mmu, &bi, NIC, 1, NULL), 0);
	assert_int_equal(messages_switched_off, 1);
	assert_int_equal(port_start(&port, &mmu), 0);
	return 0;
}

static uint8_t *buffer(uint32_t slot)
{
	return mem_ptr(port.control->rx.buffers_pa + (uint64_t)slot * PORT_STRIDE);
}

/* The next @n frames of the stream have landed. */
static void land(uint32_t n)
{
	static const uint8_t src[ETH_ALEN] = { 2, 0, 0, 0, 0, 9 };

	for (; n > 0; n--, landed++) {
		struct frame_info f = { .stream = port.control->stream, .sequence = landed,
					.sent_ns = 1000 * (landed + 1) };

		memcpy(f.dst, port.nic.mac, ETH_ALEN);
		memcpy(f.src, src, ETH_ALEN);
		frame_build(buffer(landed % PORT_RX_ENTRIES), &f);
	}
}

/* The only one chosen, or the error. */
static int select_one(char *why, size_t size)
{
	size_t fns[PORT_MAX];
	const int n = port_select(&mmu, &cfg, &bi, fns, why, size);

	return n == 1 ? (int)fns[0] : n;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* port.select: the first that is safe to take, or the one that is named */
static void test_select(void **state)
{
	char why[200];

	(void)state;
	assert_int_equal(select_one(why, sizeof(why)), NIC);
	passthrough = true;
	assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "00:03.0 was not taken: a management controller uses it"));
	passthrough = false;
	bar_is_io = true;
	assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "registers cannot be reached"));
	bar_is_io = false;
	bi.has_boot_device = true;
	bi.boot_rid = NIC_RID;
	assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "booted from"));
	cfg.has_nic = true;			/* named: taken all the same */
	cfg.nic.rid = NIC_RID;
	passthrough = true;
	assert_int_equal(select_one(why, sizeof(why)), NIC);
	cfg.nic.rid = GPU_RID;
	assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "00:02.0 is not a supported NIC"));
}

/* port.on_hardware_only_if_named */
static void test_hardware(void **state)
{
	char why[200];

	(void)state;
	cfg.exit = EXIT_QEMU + 1;
	assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "only if it is named"));
	cfg.has_nic = true;
	cfg.nic.rid = NIC_RID;
	assert_int_equal(select_one(why, sizeof(why)), NIC);
}

/* port.never_taken, named or not: one with an RMRR, one that no unit translates for */
static void test_never(void **state)
{
	char why[200];

	(void)state;
	for (unsigned named = 0; named <= 1; named++) {
		const char *reason = "";

		cfg.has_nic = named;
		cfg.nic.rid = NIC_RID;
		dmar_begin();
		dmar_drhd(FAKE_REGS, true, 0);
		dmar_rmrr(NIC_RID);
		dmar_end();
		assert_int_equal(discover(&reason), 0);
		assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
		assert_non_null(strstr(why, "RMRR"));
		dmar_begin();
		dmar_drhd(FAKE_REGS, false, FAR_RID);
		dmar_end();
		assert_int_equal(discover(&reason), 0);
		assert_int_equal(select_one(why, sizeof(why)), -ENOENT);
		assert_non_null(strstr(why, "no remapping unit serves it"));
	}
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* port.reaches_its_regions_alone: least rights, guard pages unmapped, IOVAs where no RAM is */
static void test_mapping(void **state)
{
	const struct iommu_device *dev = iommu_device_of(&mmu, 0, NIC_RID);
	const struct vtd_ss *ss = &mmu.domain[dev->domain].ss;
	static const uint64_t perm[PORT_REGIONS] = { VTD_SS_W, VTD_SS_RW, VTD_SS_R, VTD_SS_RW };
	struct port_region region[PORT_REGIONS];
	uint64_t p, size;
	paddr_t pa;

	(void)state;
	assert_false(master_at_quiesce);
	port_regions(port.control, region);
	for (unsigned i = 0; i < PORT_REGIONS; i++) {
		assert_int_equal(region[i].perm, perm[i]);
		assert_true(region[i].iova >= MIB(1) + GIB(1));
		for (uint64_t off = 0; off < region[i].len; off += PAGE_SIZE) {
			assert_int_equal(vtd_ss_lookup(ss, region[i].iova + off, &pa, &p, &size), 0);
			assert_int_equal(pa, region[i].pa + off);
			assert_int_equal(p, perm[i]);
		}
		assert_int_equal(vtd_ss_lookup(ss, region[i].iova - PAGE_SIZE, &pa, &p, &size), -ENOENT);
		assert_int_equal(vtd_ss_lookup(ss, region[i].iova + region[i].len, &pa, &p, &size),
				 -ENOENT);
	}
	/* Nothing is reached by its physical address, the control page not at all. */
	assert_int_equal(vtd_ss_lookup(ss, region[0].pa, &pa, &p, &size), -ENOENT);
	assert_int_equal(vtd_ss_lookup(ss, port.control_pa, &pa, &p, &size), -ENOENT);
}

/* port.every_guard: a byte changed in each guard page, and behind any buffer, shows */
static void test_guards(void **state)
{
	struct port_region region[PORT_REGIONS];

	(void)state;
	port_regions(port.control, region);
	port_check_guards(&port);
	assert_int_equal(port.bad_guard, 0);
	for (unsigned i = 0; i < PORT_REGIONS; i++) {
		const paddr_t at[] = { region[i].pa - 1, region[i].pa - PAGE_SIZE,
				       region[i].pa + region[i].len,
				       region[i].pa + region[i].len + PAGE_SIZE - 1 };

		for (size_t j = 0; j < ARRAY_SIZE(at); j++) {
			uint8_t *byte = mem_ptr(at[j]);

			*byte ^= 1;
			port.bad_guard = 0;
			port_check_guards(&port);
			assert_int_equal(port.bad_guard, ALIGN_DOWN(at[j], 8));
			*byte ^= 1;
		}
	}
	for (uint32_t slot = 0; slot < PORT_RX_ENTRIES; slot += PORT_RX_ENTRIES - 1)
		for (unsigned off = PORT_BUFFER_BYTES; off < PORT_STRIDE; off += PORT_GUARD_BYTES - 1) {
			buffer(slot)[off] ^= 0x80;
			port.bad_guard = 0;
			port_check_guards(&port);
			assert_int_equal(port.bad_guard,
					 ALIGN_DOWN(mem_pa(buffer(slot) + off), 8));
			buffer(slot)[off] ^= 0x80;
		}
	/* A copied guard is none. */
	memcpy(mem_ptr(region[0].pa - PAGE_SIZE), mem_ptr(region[1].pa - PAGE_SIZE), PAGE_SIZE);
	port.bad_guard = 0;
	port_check_guards(&port);
	assert_int_not_equal(port.bad_guard, 0);
}

/* port.too_little_memory, or a BAR too small for the registers: an error, nothing attached */
static void test_prepare_fails(void **state)
{
	(void)state;
	pool_left = MIB(1);
	assert_int_equal(port_prepare(&port, &mmu, &bi, NIC, 1, NULL), -ENOMEM);
	assert_null(iommu_device_of(&mmu, 0, NIC_RID));
	bar_bytes = NIC_BAR0_BYTES / 2;
	quiesced = false;
	assert_int_equal(port_prepare(&port, &mmu, &bi, NIC, 1, NULL), -ENODEV);
	assert_false(quiesced);
	assert_false(bus_master[NIC]);
}

/* port.shares: a second NIC in the first one's domain, under its DID, at addresses of its own;
 * when the first one leaves, domain and DID stay */
static void test_shared_domain(void **state)
{
	static struct port second;
	const struct iommu_device *a = iommu_device_of(&mmu, 0, NIC_RID), *b;
	struct port_region ra[PORT_REGIONS], rb[PORT_REGIONS];
	const size_t domains = mmu.nr_domains;

	(void)state;
	quiesced = false;
	memset(&second, 0, sizeof(second));
	mmu.fns[GPU].vendor = mmu.fns[NIC].vendor;	/* another of the kind */
	mmu.fns[GPU].device = mmu.fns[NIC].device;
	assert_int_equal(port_prepare(&second, &mmu, &bi, GPU, 2, &port), 0);
	b = iommu_device_of(&mmu, 0, GPU_RID);
	assert_int_equal(b->domain, a->domain);
	assert_int_equal(b->did, a->did);
	assert_int_equal(mmu.nr_domains, domains);
	port_regions(port.control, ra);
	port_regions(second.control, rb);
	for (unsigned i = 0; i < PORT_REGIONS; i++) {
		uint64_t perm, size;
		paddr_t pa;

		for (unsigned k = 0; k < PORT_REGIONS; k++)
			assert_false(ranges_overlap(ra[i].iova, ra[i].len, rb[k].iova, rb[k].len));
		assert_int_equal(vtd_ss_lookup(&mmu.domain[b->domain].ss, ra[i].iova, &pa, &perm, &size), 0);
		assert_int_equal(pa, ra[i].pa);
		assert_int_equal(vtd_ss_lookup(&mmu.domain[b->domain].ss, rb[i].iova, &pa, &perm, &size), 0);
		assert_int_equal(pa, rb[i].pa);
		assert_int_equal(perm, rb[i].perm);
	}
	iommu_leave(&mmu, 0, NIC_RID);
	b = iommu_device_of(&mmu, 0, GPU_RID);
	assert_int_equal(mmu.nr_domains, domains);
	assert_true(vtd_dids_used(&mmu.unit[0].vtd.dids, b->did));
}

/* ---- the stream ------------------------------------------------------------------------------ */

/* port.poll: every frame accounted for, buffers handed back in batches, the sender learned */
static void test_poll(void **state)
{
	static const uint8_t src[ETH_ALEN] = { 2, 0, 0, 0, 0, 9 };

	(void)state;
	assert_int_equal(port_poll(&port), 0);
	land(FRAMES);
	assert_int_equal(port_poll(&port), FRAMES);
	assert_int_equal(port.control->account.good, FRAMES);
	assert_int_equal(port.control->account.next, FRAMES);
	assert_true(account_clean(&port.control->account));
	assert_true(polled - reposted < 64);
	assert_memory_equal(port.control->peer, src, ETH_ALEN);
	assert_int_equal(port_settle(&port), 0);
	assert_int_equal(reposted, polled);

	buffer(FRAMES)[0] = 0;
	land(3);
	buffer(FRAMES + 1)[100] ^= 1;		/* a byte under its CRC */
	bad_slot = FRAMES + 2;			/* the descriptor says error */
	assert_int_equal(port_poll(&port), 3);
	assert_int_equal(port.control->account.good, FRAMES + 1);
	assert_int_equal(port.control->account.corrupt, 2);
	assert_int_equal(port.bad_descriptors, 1);
	assert_int_equal(port.bad_guard, 0);
}

/* port.overrun_shows_at_once: a frame that ran over its buffer is found by its guard */
static void test_overrun(void **state)
{
	(void)state;
	land(2);
	buffer(1)[PORT_BUFFER_BYTES] ^= 1;
	port_poll(&port);
	assert_int_equal(port.bad_guard, mem_pa(buffer(1) + PORT_BUFFER_BYTES));
}

/* port.heartbeat: to the sender, with the next expected sequence, and not too often */
static void test_heartbeat(void **state)
{
	uint8_t want[FRAME_MAX];
	const uint8_t *got;

	(void)state;
	land(10);
	port_poll(&port);
	port_heartbeat(&port, true);
	assert_int_equal(sent, 1);
	assert_int_equal(port.control->heartbeats, 1);
	got = mem_ptr(port.control->tx.buffers_pa + 5 * PORT_STRIDE);
	frame_build_heartbeat(want, port.control->peer, port.nic.mac, port.control->stream, 10, 0);
	assert_memory_equal(got, want, 30);	/* up to the time stamp */
	assert_int_equal(sent_len, FRAME_MIN);
	port_heartbeat(&port, false);
	assert_int_equal(sent, 1);
	port_heartbeat(&port, true);
	assert_int_equal(sent, 2);
}

/* port.record_and_adopt: a port of the next generation goes on where this one stopped */
static void test_adopt(void **state)
{
	static struct port next;
	const char *why = "";

	(void)state;
	land(FRAMES);
	port_poll(&port);
	port.nic.rx.tail = 9;
	port.nic.tx.next = 3;
	port.nic.tx.tail = 4;
	port_record(&port, 6);
	assert_int_equal(port.control->generation, 6);
	assert_int_equal(port.control->rdh, 77);
	assert_int_equal(port.control->next_sequence, FRAMES);
	assert_int_not_equal(port.control->tsc, 0);
	assert_int_not_equal(port.control->account.in_blackout, 0);
	assert_int_equal(stream_control_check(port.control, &why), 0);

	memset(&next, 0x5a, sizeof(next));
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), 0);
	assert_int_equal(next.fn, NIC);
	assert_ptr_equal(next.control, port.control);
	assert_memory_equal(&next.nic.rx, &port.nic.rx, sizeof(next.nic.rx));
	assert_memory_equal(&next.nic.tx, &port.nic.tx, sizeof(next.nic.tx));
	assert_memory_equal(next.nic.mac, port.nic.mac, ETH_ALEN);
	assert_int_equal(next.nic.bar0, BAR);
	assert_int_equal(next.bad_guard | next.bad_descriptors, 0);
	port_check_guards(&next);
	assert_int_equal(next.bad_guard, 0);
}

/* port.adopt_refuses: another place, another BAR, another family, a NIC that was reset */
static void test_adopt_refuses(void **state)
{
	static struct port next;
	const char *why = "";

	(void)state;
	port_record(&port, 0);
	port.control->rid = PCI_RID(3, 0, 0);
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), -EBADMSG);
	assert_non_null(strstr(why, "no such PCI function"));
	port.control->rid = GPU_RID;
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), -EBADMSG);
	port.control->rid = NIC_RID;
	port.control->bar_pa += PAGE_SIZE;
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), -EBADMSG);
	assert_non_null(strstr(why, "BAR"));
	port.control->bar_pa -= PAGE_SIZE;
	port.control->nic_family = NIC_IGB;
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), -EBADMSG);
	port.control->nic_family = NIC_E1000E;
	refuse_adopt = "RDH";
	assert_int_equal(port_adopt(&next, &mmu, port.control_pa, &why), -EBADMSG);
	assert_string_equal(why, "RDH");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_select, setup),
		cmocka_unit_test_setup(test_hardware, setup),
		cmocka_unit_test_setup(test_never, setup),
		cmocka_unit_test_setup(test_mapping, setup_started),
		cmocka_unit_test_setup(test_guards, setup_started),
		cmocka_unit_test_setup(test_prepare_fails, setup),
		cmocka_unit_test_setup(test_shared_domain, setup_started),
		cmocka_unit_test_setup(test_poll, setup_started),
		cmocka_unit_test_setup(test_overrun, setup_started),
		cmocka_unit_test_setup(test_heartbeat, setup_started),
		cmocka_unit_test_setup(test_adopt, setup_started),
		cmocka_unit_test_setup(test_adopt_refuses, setup_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
