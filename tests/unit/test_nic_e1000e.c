/* The NIC interface on the 82574 family: exact registers at reset and start, rings that wrap,
 * adoption without a write, reset detection.  What both families share is tested here. */
#include "nic_fake.h"

#define ENTRIES		64u
#define DD		(1ULL << 32)
#define EOP		(1ULL << 33)

static struct nic started(void)
{
	struct nic nic;

	fake_init(false);
	fake.link_reads = 0;
	nic = fake_nic(0x10d3, ENTRIES);
	assert_int_equal(nic_quiesce(&nic), 0);
	assert_int_equal(nic_start(&nic), 0);
	return nic;
}

/* What the device does with a frame: fill the descriptor at its head, advance. */
static void receive(struct nic *nic, uint32_t len, uint64_t status)
{
	uint32_t *head = fake_reg(E1000E_RX + NIC_DH);

	assert_int_not_equal(*head, *fake_reg(E1000E_RX + NIC_DT));
	assert_int_equal(fake_desc(&nic->rx, *head)[0], 0x150000000 + 4096ULL * *head);
	assert_int_equal(fake_desc(&nic->rx, *head)[1], 0);
	fake_desc(&nic->rx, *head)[1] = len | status;
	*head = (*head + 1) % nic->rx.entries;
}

static void test_match(void **state)
{
	static const struct { uint16_t vendor, device; const char *name; } want[] = {
		{ 0x8086, 0x10d3, "82574" }, { 0x8086, 0x105e, "82571" },
		{ 0x8086, 0x10c9, "82576" }, { 0x8086, 0x1521, "82580" },
		{ 0x8086, 0x1533, "82580" },
		{ 0x8086, 0x100e, NULL },	/* 82540EM has another register set */
		{ 0x8086, 0x10ca, NULL },	/* virtual function */
		{ 0x8087, 0x10d3, NULL }, { 0xffff, 0xffff, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct nic nic = { .drv = nic_match(want[i].vendor, want[i].device) };

		if (want[i].name)
			assert_string_equal(nic_name(&nic), want[i].name);
		else
			assert_null(nic.drv);
	}
	assert_int_equal(nic_family(&(struct nic){ .drv = nic_match(0x8086, 0x10d3) }), 1);
	assert_int_equal(nic_format(&(struct nic){ .drv = nic_match(0x8086, 0x10d3) }), 1);
}

static void test_quiesce(void **state)
{
	static const struct fake_write want[] = {
		{ 0x00d8, 0xffffffff },		/* IMC */
		{ 0x0100, 0 },			/* RCTL */
		{ 0x0400, 0x10000008 },		/* TCTL without EN */
		{ 0x0000, 0x00000044 },		/* CTRL.GIO_MASTER_OFF */
		{ 0x0000, 0x04000044 },		/* CTRL.RST */
		{ 0x00d8, 0xffffffff },
	};
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct nic nic;

	(void)state;
	fake_init(false);
	*fake_reg(NIC_CTRL) = CTRL_SLU;
	*fake_reg(NIC_RCTL) = 0x04008002;
	*fake_reg(NIC_TCTL) = 0x1000000a;
	*fake_reg(NIC_RAL(0)) = 0xdeadbeef;	/* a driver's address, not that of the NVM */
	nic = fake_nic(0x10d3, ENTRIES);
	assert_int_equal(nic_quiesce(&nic), 0);
	fake_expect(0, want, ARRAY_SIZE(want));
	assert_memory_equal(nic.mac, mac, 6);
}

static void no_reset(void) { fake.reset_sticks = true; }
static void no_address(void) { fake.nvm_empty = true; }
static void zero_address(void) { fake.reset_ral = 0; fake.reset_rah = 0x80000000; }
static void group_address(void) { fake.reset_ral |= 1; }
static void not_there(void) { *fake_reg(NIC_STATUS) = UINT32_MAX; }
static void busy_master(void) { fake.master_sticks = true; }

static const struct { const char *name; void (*damage)(void); int err; } resets[] = {
	{ "reset_does_not_end", no_reset, -ETIMEDOUT },
	{ "no_address", no_address, -ENODEV },
	{ "zero_address", zero_address, -ENODEV },
	{ "group_address", group_address, -ENODEV },
	{ "all_ones", not_there, -ENODEV },
	{ "requests_stay_pending", busy_master, 0 },
};

static void test_quiesce_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resets); i++) {
		struct nic nic;

		print_message("# nic.quiesce.%s\n", resets[i].name);
		fake_init(false);
		resets[i].damage();
		nic = fake_nic(0x10d3, ENTRIES);
		assert_int_equal(nic_quiesce(&nic), resets[i].err);
	}
}

static void test_start_registers(void **state)
{
	static const struct fake_write before[] = { { 0x0000, 0x00140241 } };	/* CTRL.SLU */
	static const struct fake_write after[] = {
		{ 0x5818, 0 }, { 0x5000, 0 },			/* MRQC, RXCSUM */
		{ 0x2820, 0 }, { 0x282c, 0 },			/* RDTR, RADV */
		{ 0x5008, 0x40 },				/* RFCTL without EXSTEN */
		{ 0x2800, 0x40000000 }, { 0x2804, 1 },		/* RDBAL, RDBAH */
		{ 0x2808, ENTRIES * 16 }, { 0x2810, 0 }, { 0x2818, 0 },
		{ 0x2828, 0x01010000 },				/* RXDCTL */
		{ 0x3800, 0x60000000 }, { 0x3804, 1 },		/* TDBAL, TDBAH */
		{ 0x3808, ENTRIES * 16 }, { 0x3810, 0 }, { 0x3818, 0 },
		{ 0x3828, 0x01410000 },				/* TXDCTL */
		{ 0x0400, 0x3003f0fa },				/* TCTL */
		{ 0x0100, 0x04008002 },				/* RCTL: EN, BAM, SECRC */
		{ 0x2818, ENTRIES - 1 },			/* RDT last */
	};
	struct nic nic;
	size_t from;

	(void)state;
	fake_init(false);
	fake.link_reads = 0;
	nic = fake_nic(0x10d3, ENTRIES);
	assert_int_equal(nic_quiesce(&nic), 0);
	*fake_reg(NIC_CTRL) = 0x18141a0d | 0x200;	/* all that start takes away */
	*fake_reg(NIC_TCTL) = 0x30000000 | 0xff0;
	*fake_reg(NIC_RFCTL) = 0x8040;
	from = fake.writes;
	assert_int_equal(nic_start(&nic), 0);
	assert_int_equal(fake.log[from].v, before[0].v);
	assert_int_equal(fake.log[from].reg, 0);
	fake_expect_filters(from + 1);
	fake_expect(from + 1 + FAKE_FILTER_WRITES, after, ARRAY_SIZE(after));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		assert_int_equal(fake_desc(&nic.rx, i)[0], 0x150000000 + 4096ULL * i);
		assert_int_equal(fake_desc(&nic.rx, i)[1], 0);
		assert_int_equal(fake_desc(&nic.tx, i)[1], 0);
	}
	assert_true(nic_link(&nic));
	assert_false(nic_was_reset(&nic));
}

static void few_entries(struct nic *nic) { nic->rx.entries = 0; }
static void many_entries(struct nic *nic) { nic->rx.entries = NIC_MAX_ENTRIES + 8; }
static void odd_entries(struct nic *nic) { nic->tx.entries = 12; }
static void ring_unaligned(struct nic *nic) { nic->tx.ring_pa += 64; }
static void iova_unaligned(struct nic *nic) { nic->rx.ring_iova += 64; }
static void no_ring(struct nic *nic) { nic->rx.ring_pa = 0; }
static void small_stride(struct nic *nic) { nic->rx.stride = 2047; }
static void no_master(struct nic *nic) { (void)nic; fake.bus_master = false; }

static const struct { const char *name; void (*damage)(struct nic *nic); } starts[] = {
	{ "no_entries", few_entries }, { "too_many_entries", many_entries },
	{ "length_not_128", odd_entries }, { "ring_unaligned", ring_unaligned },
	{ "iova_unaligned", iova_unaligned }, { "no_ring", no_ring },
	{ "buffers_overlap", small_stride }, { "bus_master_off", no_master },
};

static void test_start_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct nic nic;

		print_message("# nic.start_refuses.%s\n", starts[i].name);
		fake_init(false);
		nic = fake_nic(0x10d3, ENTRIES);
		starts[i].damage(&nic);
		assert_int_equal(nic_start(&nic), -EINVAL);
		assert_int_equal(fake.writes, 0);
	}
}

/* Link comes by itself on most; where it does not, autonegotiation is restarted under the
 * semaphore that firmware respects. */
static void test_link(void **state)
{
	static const uint16_t devices[] = { 0x10d3, 0x105e };	/* EXTCNF_CTRL, SWSM */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct nic nic;

		fake_init(false);
		nic = fake_nic(devices[i], ENTRIES);
		assert_int_equal(nic_quiesce(&nic), 0);
		assert_int_equal(nic_start(&nic), 0);
		assert_true(fake.restarted);
		assert_int_equal(fake.mdic_while_unowned, 0);
		assert_false(fake_phy_owned());

		fake_init(false);
		fake.firmware_has_phy = true;
		nic = fake_nic(devices[i], ENTRIES);
		assert_int_equal(nic_quiesce(&nic), 0);
		assert_int_equal(nic_start(&nic), -ETIMEDOUT);
		assert_int_equal(*fake_reg(NIC_MDIC), 0);

		fake_init(false);
		fake.link_reads = FAKE_NEVER;
		nic = fake_nic(devices[i], ENTRIES);
		assert_int_equal(nic_quiesce(&nic), 0);
		assert_int_equal(nic_start(&nic), -ETIMEDOUT);
		assert_int_equal(*fake_reg(E1000E_RX + NIC_DT), ENTRIES - 1);

		fake_init(false);
		fake.phy_dead = true;
		nic = fake_nic(devices[i], ENTRIES);
		assert_int_equal(nic_quiesce(&nic), 0);
		assert_int_equal(nic_start(&nic), -EIO);
		assert_false(fake_phy_owned());
	}
}

static void test_left_smbi_is_put_back(void **state)
{
	struct nic nic;

	(void)state;
	fake_init(false);
	nic = fake_nic(0x105e, ENTRIES);
	assert_int_equal(nic_quiesce(&nic), 0);
	fake.smbi_stuck = true;
	assert_int_equal(nic_start(&nic), 0);
	assert_true(fake.restarted);
}

/* --- receive ------------------------------------------------------------------------------- */

static void test_poll_reads_memory_only(void **state)
{
	struct nic nic = started();
	struct nic_rx rx;
	size_t reads = fake.reads, writes = fake.writes;

	(void)state;
	assert_false(nic_rx_poll(&nic, &rx));
	receive(&nic, 64, DD | EOP);
	receive(&nic, 1500, DD | EOP);
	assert_true(nic_rx_poll(&nic, &rx));
	assert_int_equal(rx.slot, 0);
	assert_int_equal(rx.len, 64);
	assert_int_equal(rx.errors, 0);
	assert_true(nic_rx_poll(&nic, &rx));
	assert_int_equal(rx.slot, 1);
	assert_int_equal(rx.len, 1500);
	assert_false(nic_rx_poll(&nic, &rx));
	assert_int_equal(fake.reads, reads);
	assert_int_equal(fake.writes, writes);
}

static const struct { const char *name; uint32_t len; uint64_t status; uint32_t errors, len_out; }
frames[] = {
	{ "good", 64, DD | EOP, 0, 64 },
	{ "other_status_bits", 64, DD | EOP | 0xf4ULL << 32, 0, 64 },
	{ "crc", 64, DD | EOP | 1ULL << 40, 1, 64 },
	{ "rx_data", 64, DD | EOP | 0x80ULL << 40, 0x80, 64 },
	{ "checksum_of_payload_is_not_ours", 64, DD | EOP | 0x60ULL << 40, 0, 64 },
	{ "not_whole", 2048, DD, UINT32_MAX, 2048 },
	{ "longer_than_a_buffer", 2049, DD | EOP, UINT32_MAX, 2048 },
};

static void test_receive_errors(void **state)
{
	struct nic nic = started();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		struct nic_rx rx;

		print_message("# nic.rx.%s\n", frames[i].name);
		receive(&nic, frames[i].len, frames[i].status);
		assert_true(nic_rx_poll(&nic, &rx));
		assert_int_equal(rx.errors, frames[i].errors);
		assert_int_equal(rx.len, frames[i].len_out);
	}
}

/* Frames and batches of lengths that share no factor with the ring, three times around and
 * more; receive() checks that the device only meets fresh descriptors. */
static void test_repost_wraps(void **state)
{
	struct nic nic = started();
	uint32_t seen = 0;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		const size_t writes = fake.writes;
		const uint32_t batch = 1 + round * 7 % (ENTRIES - 1);
		struct nic_rx rx;

		for (uint32_t i = 0; i < batch; i++)
			receive(&nic, 64 + i, DD | EOP);
		assert_int_equal(nic_rx_free(&nic), ENTRIES - 1 - batch);
		for (uint32_t i = 0; i < batch; i++) {
			assert_true(nic_rx_poll(&nic, &rx));
			assert_int_equal(rx.slot, seen++ % ENTRIES);
			assert_int_equal(rx.len, 64 + i);
		}
		assert_false(nic_rx_poll(&nic, &rx));
		assert_int_equal(nic_rx_to_repost(&nic), batch);
		nic_rx_repost(&nic);
		assert_int_equal(fake.writes, writes + 1);	/* RDT once per batch */
		assert_int_equal(fake.log[writes].reg, 0x2818);
		assert_int_equal(fake.log[writes].v, (seen + ENTRIES - 1) % ENTRIES);
		assert_int_equal(nic_rx_free(&nic), ENTRIES - 1);
		nic_rx_repost(&nic);
		assert_int_equal(fake.writes, writes + 1);	/* nothing to hand back */
	}
}

/* Once all is used up, old done bits are not taken for new frames. */
static void test_full_ring_stops(void **state)
{
	struct nic nic = started();
	struct nic_rx rx;

	(void)state;
	for (uint32_t i = 0; i < ENTRIES - 1; i++)
		receive(&nic, 64, DD | EOP);
	assert_int_equal(nic_rx_free(&nic), 0);
	fake_desc(&nic.rx, ENTRIES - 1)[1] = 64 | DD | EOP;	/* never handed out */
	for (uint32_t i = 0; i < ENTRIES - 1; i++)
		assert_true(nic_rx_poll(&nic, &rx));
	assert_false(nic_rx_poll(&nic, &rx));
	assert_int_equal(nic_rx_to_repost(&nic), ENTRIES - 1);
	nic_rx_repost(&nic);
	assert_int_equal(nic_rx_free(&nic), ENTRIES - 1);
	assert_false(nic_rx_poll(&nic, &rx));
	*fake_reg(E1000E_RX + NIC_DH) = 0xffff;
	assert_int_equal(nic_rx_free(&nic), 0);
}

/* --- transmit ------------------------------------------------------------------------------ */

static void send_all(struct nic *nic)
{
	uint32_t *head = fake_reg(E1000E_TX + NIC_DH);

	for (; *head != *fake_reg(E1000E_TX + NIC_DT); *head = (*head + 1) % nic->tx.entries)
		fake_desc(&nic->tx, *head)[1] |= DD;
}

static void test_transmit(void **state)
{
	struct nic nic = started();
	size_t writes = fake.writes;
	uint32_t slot;

	(void)state;
	assert_int_equal(nic_tx_slot(&nic, &slot), 0);
	assert_int_equal(slot, 0);
	assert_int_equal(nic_tx_send(&nic, 5, 60), 0);
	assert_int_equal(fake_desc(&nic.tx, 0)[0], 0x170000000 + 5 * 2048);
	assert_int_equal(fake_desc(&nic.tx, 0)[1], 0x0b00003c);	/* EOP, IFCS, RS */
	assert_int_equal(fake.writes, writes + 1);
	assert_int_equal(*fake_reg(E1000E_TX + NIC_DT), 1);
	assert_int_equal(nic_tx_queue(&nic, ENTRIES, 60), -EINVAL);
	assert_int_equal(nic_tx_queue(&nic, 0, 13), -EINVAL);
	assert_int_equal(nic_tx_queue(&nic, 0, NIC_BUFFER_BYTES + 1), -EINVAL);
	send_all(&nic);
	assert_int_equal(nic_tx_done(&nic), 0);
	/* a ring full of frames, told to the device at once */
	writes = fake.writes;
	for (uint32_t i = 0; i < ENTRIES - 1; i++) {
		assert_int_equal(nic_tx_slot(&nic, &slot), 0);
		assert_int_equal(slot, (1 + i) % ENTRIES);
		assert_int_equal(nic_tx_queue(&nic, slot, 60), 0);
	}
	assert_int_equal(nic_tx_queue(&nic, 0, 60), -EAGAIN);
	assert_int_equal(nic_tx_slot(&nic, &slot), -EAGAIN);
	assert_int_equal(fake.writes, writes);
	nic_tx_kick(&nic);
	assert_int_equal(*fake_reg(E1000E_TX + NIC_DT), 0);
	assert_int_equal(nic_tx_done(&nic), -ETIMEDOUT);
	send_all(&nic);
	assert_int_equal(nic_tx_done(&nic), 0);
	assert_int_equal(nic_tx_slot(&nic, &slot), 0);
}

/* --- adopt, reset, stop -------------------------------------------------------------------- */

static void test_adopt_writes_nothing(void **state)
{
	struct nic was = started(), nic;
	struct nic_regs regs;
	struct nic_rx rx;
	const char *why = NULL;
	size_t writes;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		receive(&was, 64, DD | EOP);
		assert_true(nic_rx_poll(&was, &rx));
		if (i % 10 == 9)
			nic_rx_repost(&was);
	}
	assert_int_equal(nic_tx_send(&was, 0, 60), 0);
	receive(&was, 99, DD | EOP);	/* in the blackout */
	nic = was;
	nic.rx.tail = nic.tx.tail = 77777;
	writes = fake.writes;
	assert_int_equal(nic_adopt(&nic, &regs, &why), 0);
	assert_int_equal(fake.writes, writes);
	assert_null(why);
	assert_int_equal(nic.rx.tail, was.rx.tail);
	assert_int_equal(nic.tx.tail, 1);
	assert_int_equal(regs.rdh, 101 % ENTRIES);
	assert_int_equal(regs.rdba, 0x140000000);
	assert_int_equal(regs.tdlen, ENTRIES * 16);
	assert_true(nic_rx_poll(&nic, &rx));
	assert_int_equal(rx.slot, 100 % ENTRIES);
	assert_int_equal(rx.len, 99);
	assert_false(nic_was_reset(&nic));
	assert_int_equal(fake.writes, writes);
}

static struct nic victim;
static void set(uint32_t reg, uint32_t v) { *fake_reg(reg) = v; }
static void do_rdbal(void) { set(0x2800, 0x40001000); }
static void do_rdbah(void) { set(0x2804, 0); }
static void do_rdlen(void) { set(0x2808, ENTRIES * 32); }
static void do_tdbal(void) { set(0x3800, 0); }
static void do_tdlen(void) { set(0x3808, 0); }
static void do_rctl(void) { set(0x0100, 0x04008000); }
static void do_tctl(void) { set(0x0400, 8); }
static void do_rdt(void) { set(0x2818, ENTRIES); }
static void do_rdh(void) { set(0x2810, ENTRIES); }
static void do_next(void) { victim.rx.next = 8; }		/* beyond RDH */
static void do_next_behind(void) { victim.rx.next = 2; }	/* handed back already */
static void do_next_wild(void) { victim.rx.next = ENTRIES + 5; }
static void do_tdt(void) { set(0x3818, ENTRIES); }
static void do_tdh(void) { set(0x3810, UINT32_MAX); }
static void do_tx_next(void) { set(0x3818, 3); victim.tx.next = 2; }	/* TDH is 1 */
static void do_tx_wild(void) { victim.tx.next = ENTRIES; }
static void do_mark(void) { set(0x0170, 0); }
static void do_rah(void) { set(0x5404, 0x80005634); }
static void do_gone(void) { memset(fake.reg, 0xff, sizeof(fake.reg)); }
static void do_stride(void) { victim.rx.stride = 0; }
static void do_entries(void) { victim.tx.entries = 0; }

static const struct { const char *name; void (*damage)(void); const char *why; } wrong[] = {
	{ "rdbal", do_rdbal, "RDBA" }, { "rdbah", do_rdbah, "RDBA" },
	{ "rdlen", do_rdlen, "RDLEN" }, { "tdbal", do_tdbal, "TDBA" },
	{ "tdlen", do_tdlen, "TDLEN" }, { "rctl", do_rctl, "RCTL" }, { "tctl", do_tctl, "TCTL" },
	{ "rdt", do_rdt, "RDT" }, { "rdh", do_rdh, "RDH" }, { "next_beyond_head", do_next, "RDH" },
	{ "next_handed_back", do_next_behind, "RDH" }, { "next_wild", do_next_wild, "RDH" },
	{ "tdt", do_tdt, "TDT" }, { "tdh", do_tdh, "TDH" }, { "tx_next", do_tx_next, "TDH" },
	{ "tx_next_wild", do_tx_wild, "TDH" },
	{ "mark", do_mark, "FCTTV" }, { "rah0", do_rah, "RAH0" }, { "all_ones", do_gone, "STATUS" },
	{ "stride", do_stride, "geometry of the rings" },
	{ "entries", do_entries, "geometry of the rings" },
};

static void test_adopt_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct nic_regs regs;
		struct nic_rx rx;
		const char *why = NULL;
		size_t writes;

		print_message("# nic.adopt_refuses.%s\n", wrong[i].name);
		victim = started();
		for (unsigned k = 0; k < 5; k++)	/* RDT 3, next 5, RDH 7 */
			receive(&victim, 64, DD | EOP);
		for (unsigned k = 0; k < 4; k++)
			assert_true(nic_rx_poll(&victim, &rx));
		nic_rx_repost(&victim);
		assert_true(nic_rx_poll(&victim, &rx));
		receive(&victim, 64, DD | EOP);
		receive(&victim, 64, DD | EOP);
		assert_int_equal(nic_tx_send(&victim, 0, 60), 0);
		send_all(&victim);
		assert_int_equal(nic_tx_done(&victim), 0);
		writes = fake.writes;
		assert_int_equal(nic_adopt(&victim, &regs, &why), 0);
		wrong[i].damage();
		assert_int_equal(nic_adopt(&victim, &regs, &why), -EBADMSG);
		assert_string_equal(why, wrong[i].why);
		assert_int_equal(fake.writes, writes);
	}
}

/* Every state from an untouched ring to one that is used up and polled to its end fits. */
static void test_adopt_accepts_edges(void **state)
{
	(void)state;
	for (uint32_t used = 0; used < ENTRIES; used++) {
		struct nic nic = started();
		struct nic_regs regs;
		struct nic_rx rx;
		const char *why;

		for (uint32_t i = 0; i < used; i++)
			receive(&nic, 64, DD | EOP);
		assert_int_equal(nic_adopt(&nic, &regs, &why), 0);	/* nothing polled */
		while (nic_rx_poll(&nic, &rx))
			assert_int_equal(nic_adopt(&nic, &regs, &why), 0);
		assert_int_equal(nic.rx.next, used);
	}
}

static void test_reset_is_seen(void **state)
{
	(void)state;
	for (unsigned weak = 0; weak < 2; weak++) {	/* 1: only the address is loaded anew */
		struct nic nic = started();

		assert_false(nic_was_reset(&nic));
		fake.weak_reset = weak;
		mmio_write32(FAKE_BAR0 + NIC_CTRL, CTRL_RST);
		assert_true(nic_was_reset(&nic));
		assert_int_equal(nic_quiesce(&nic), 0);
		assert_int_equal(nic_start(&nic), 0);
		assert_false(nic_was_reset(&nic));
	}
}

static void test_stop(void **state)
{
	struct nic nic = started();

	(void)state;
	assert_int_equal(nic_stop(&nic), 0);
	assert_int_equal(*fake_reg(NIC_RCTL), 0);
	assert_true(nic_was_reset(&nic));
	fake.reset_sticks = true;
	assert_int_equal(nic_stop(&nic), -ETIMEDOUT);
}

static void test_passthrough(void **state)
{
	static const struct { uint32_t manc, fwsm; bool pass; } cases[] = {
		{ 0, 0, false }, { 1 << 17, 0, true }, { 0, 0x8004, true },
		{ 0, 0x0004, false },		/* mode of a firmware that is not there */
		{ 0x10000003, 0x8002, false },
	};
	struct nic nic;

	(void)state;
	fake_init(false);
	nic = fake_nic(0x10d3, ENTRIES);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		*fake_reg(NIC_MANC) = cases[i].manc;
		*fake_reg(NIC_FWSM) = cases[i].fwsm;
		assert_int_equal(nic_firmware_passthrough(&nic), cases[i].pass);
	}
	assert_int_equal(fake.writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "nic.match", test_match, NULL, NULL, NULL },
		{ "nic.quiesce", test_quiesce, NULL, NULL, NULL },
		{ "nic.quiesce_failures", test_quiesce_failures, NULL, NULL, NULL },
		{ "nic.start_registers", test_start_registers, NULL, NULL, NULL },
		{ "nic.start_refuses", test_start_refuses, NULL, NULL, NULL },
		{ "nic.link", test_link, NULL, NULL, NULL },
		{ "nic.left_smbi_is_put_back", test_left_smbi_is_put_back, NULL, NULL, NULL },
		{ "nic.poll_reads_memory_only", test_poll_reads_memory_only, NULL, NULL, NULL },
		{ "nic.receive_errors", test_receive_errors, NULL, NULL, NULL },
		{ "nic.repost_wraps", test_repost_wraps, NULL, NULL, NULL },
		{ "nic.full_ring_stops", test_full_ring_stops, NULL, NULL, NULL },
		{ "nic.transmit", test_transmit, NULL, NULL, NULL },
		{ "nic.adopt_writes_nothing", test_adopt_writes_nothing, NULL, NULL, NULL },
		{ "nic.adopt_refuses", test_adopt_refuses, NULL, NULL, NULL },
		{ "nic.adopt_accepts_edges", test_adopt_accepts_edges, NULL, NULL, NULL },
		{ "nic.reset_is_seen", test_reset_is_seen, NULL, NULL, NULL },
		{ "nic.stop", test_stop, NULL, NULL, NULL },
		{ "nic.passthrough", test_passthrough, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("nic e1000e", tests, NULL, NULL);
}
