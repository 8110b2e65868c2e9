/* What the 82576 family does differently: queue enables, advanced descriptors, link that has to
 * be restarted under the semaphores, its own interrupt mask. */
#include "nic_fake.h"

#define ENTRIES		32u
#define DD		1ULL
#define EOP		2ULL
#define PHY_OF_PORT_0	0x00000002u
#define FIRMWARE	16

static struct nic quiesced(uint16_t device)
{
	struct nic nic;

	fake_init(true);
	nic = fake_nic(device, ENTRIES);
	assert_int_equal(nic_quiesce(&nic), 0);
	return nic;
}

static struct nic started(void)
{
	struct nic nic = quiesced(0x10c9);

	assert_int_equal(nic_start(&nic), 0);
	return nic;
}

static void test_identity(void **state)
{
	const struct nic nic = { .drv = nic_match(0x8086, 0x10c9) };

	(void)state;
	assert_int_equal(nic_family(&nic), 2);
	assert_int_equal(nic_format(&nic), 2);
}

static void test_quiesce_masks_both(void **state)
{
	static const struct fake_write want[] = {
		{ 0x00d8, 0xffffffff }, { 0x1528, 0xffffffff },		/* IMC, EIMC */
		{ 0x0100, 0 }, { 0x0400, 0 }, { 0x0000, 0x4 }, { 0x0000, 0x04000004 },
		{ 0x00d8, 0xffffffff }, { 0x1528, 0xffffffff },
	};

	(void)state;
	quiesced(0x10c9);
	fake_expect(0, want, ARRAY_SIZE(want));
}

static void test_start_registers(void **state)
{
	static const struct fake_write after[] = {
		{ 0x5818, 0 }, { 0x5000, 0 },			/* MRQC, RXCSUM */
		{ 0xc028, 0 },					/* RXDCTL: off while programmed */
		{ 0xc000, 0x40000000 }, { 0xc004, 1 },		/* RDBAL, RDBAH */
		{ 0xc008, ENTRIES * 16 }, { 0xc010, 0 }, { 0xc018, 0 },
		{ 0xc00c, 0x02000002 },				/* SRRCTL: 2 KiB, one buffer */
		{ 0xc028, 0x02010808 },				/* RXDCTL.ENABLE */
		{ 0xe028, 0 },
		{ 0xe000, 0x60000000 }, { 0xe004, 1 },		/* TDBAL, TDBAH */
		{ 0xe008, ENTRIES * 16 }, { 0xe010, 0 }, { 0xe018, 0 },
		{ 0xe028, 0x02000108 },				/* TXDCTL.ENABLE */
		{ 0x0400, 0x0003f0fa },				/* TCTL */
		/* link: semaphore, SW_FW_SYNC, MDIC, and all of it given back */
		{ 0x5b50, 3 }, { 0x5b5c, 2 }, { 0x5b50, 0 },
		{ 0x0020, 0x04201200 },
		{ 0x5b50, 3 }, { 0x5b5c, 0 }, { 0x5b50, 0 },
		{ 0x0100, 0x04008002 },				/* RCTL after link */
		{ 0xc018, ENTRIES - 1 },			/* RDT last */
	};
	struct nic nic = quiesced(0x10c9);
	const size_t from = fake.writes;

	(void)state;
	assert_int_equal(nic_start(&nic), 0);
	assert_int_equal(fake.log[from].reg, 0);
	assert_int_equal(fake.log[from].v, CTRL_SLU);
	fake_expect_filters(from + 1);
	fake_expect(from + 1 + FAKE_FILTER_WRITES, after, ARRAY_SIZE(after));
	assert_int_equal(fake.mdic_while_unowned, 0);
	assert_true(nic_link(&nic));
}

static void test_later_chips_leave_link_disconnect(void **state)
{
	struct nic nic = quiesced(0x1521);

	(void)state;
	*fake_reg(NIC_PHPM) = 0x35;
	assert_int_equal(nic_start(&nic), 0);
	assert_int_equal(*fake_reg(NIC_PHPM), 0x15);
	nic = quiesced(0x10c9);		/* the 82576 has no such register */
	*fake_reg(NIC_PHPM) = 0x35;
	assert_int_equal(nic_start(&nic), 0);
	assert_int_equal(*fake_reg(NIC_PHPM), 0x35);
}

static void queue_off(void) { fake.queue_sticks = true; }
static void no_link(void) { fake.link_reads = FAKE_NEVER; }
static void phy_dead(void) { fake.phy_dead = true; }
static void swesmbi_kept(void) { fake.firmware_has_phy = true; }
static void phy_kept(void) { *fake_reg(NIC_SW_FW_SYNC) = PHY_OF_PORT_0 << FIRMWARE; }
static void phy_left_taken(void) { *fake_reg(NIC_SW_FW_SYNC) = PHY_OF_PORT_0; }
static void other_port(void) { *fake_reg(NIC_SW_FW_SYNC) = 0x4; }

static const struct { const char *name; void (*damage)(void); int err; bool restarted; } starts[] = {
	{ "queue_does_not_enable", queue_off, -ETIMEDOUT, false },
	{ "no_link", no_link, -ETIMEDOUT, true },
	{ "phy_does_not_answer", phy_dead, -EIO, true },
	{ "firmware_keeps_semaphore", swesmbi_kept, -ETIMEDOUT, false },
	{ "firmware_keeps_phy", phy_kept, -ETIMEDOUT, false },
	{ "driver_keeps_phy", phy_left_taken, -ETIMEDOUT, false },
	{ "other_port_is_no_matter", other_port, 0, true },
};

static void test_start_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct nic nic;

		print_message("# igb.start.%s\n", starts[i].name);
		nic = quiesced(0x10c9);
		starts[i].damage();
		assert_int_equal(nic_start(&nic), starts[i].err);
		assert_int_equal(fake.restarted, starts[i].restarted);
		assert_int_equal(fake.mdic_while_unowned, 0);
		assert_false(*fake_reg(NIC_SWSM) & SWSM_SWESMBI);
		if (starts[i].restarted)
			assert_false(*fake_reg(NIC_SW_FW_SYNC) & PHY_OF_PORT_0);
	}
}

/* The semaphore's bit is that of the port, STATUS 3:2. */
static void test_semaphore_of_port(void **state)
{
	static const uint32_t bits[] = { 0x2, 0x4, 0x20, 0x40 };

	(void)state;
	for (uint32_t port = 0; port < 4; port++) {
		struct nic nic = quiesced(0x10c9);
		bool seen = false;

		*fake_reg(NIC_STATUS) = port << 2;
		assert_int_equal(nic_start(&nic), 0);
		for (size_t i = 0; i < fake.writes; i++)
			seen |= fake.log[i].reg == NIC_SW_FW_SYNC && fake.log[i].v == bits[port];
		assert_true(seen);
	}
}

static const struct { const char *name; uint64_t hi; uint32_t len, errors; } frames[] = {
	{ "good", 64ULL << 32 | EOP | DD, 64, 0 },
	{ "other_status_bits", 1500ULL << 32 | 0xffff0 | EOP | DD, 1500, 0 },
	{ "vlan_is_not_length", 0x1234ULL << 48 | 60ULL << 32 | EOP | DD, 60, 0 },
	{ "rxe", 64ULL << 32 | 1ULL << 31 | EOP | DD, 64, 0x800 },
	{ "checksum_of_payload_is_not_ours", 64ULL << 32 | 3ULL << 29 | EOP | DD, 64, 0 },
	{ "not_whole", 2048ULL << 32 | DD, 2048, UINT32_MAX },
	{ "longer_than_a_buffer", 2049ULL << 32 | EOP | DD, 2048, UINT32_MAX },
};

static void test_receive(void **state)
{
	struct nic nic = started();

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++) {
		struct nic_rx rx;

		print_message("# igb.rx.%s\n", frames[i].name);
		assert_false(nic_rx_poll(&nic, &rx));
		/* the write-back replaces the buffer's address as well */
		fake_desc(&nic.rx, i)[0] = 0xdead;
		fake_desc(&nic.rx, i)[1] = frames[i].hi;
		assert_true(nic_rx_poll(&nic, &rx));
		assert_int_equal(rx.slot, i);
		assert_int_equal(rx.len, frames[i].len);
		assert_int_equal(rx.errors, frames[i].errors);
	}
	nic_rx_repost(&nic);
	assert_int_equal(*fake_reg(IGB_RX + NIC_DT), ARRAY_SIZE(frames) - 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(frames) - 1; i++) {
		assert_int_equal(fake_desc(&nic.rx, i)[0], 0x150000000 + 4096ULL * i);
		assert_int_equal(fake_desc(&nic.rx, i)[1], 0);
	}
}

static void test_transmit(void **state)
{
	struct nic nic = started();

	(void)state;
	assert_int_equal(nic_tx_send(&nic, 3, 60), 0);
	assert_int_equal(fake_desc(&nic.tx, 0)[0], 0x170000000 + 3 * 2048);
	/* PAYLEN 60; DEXT, RS, IFCS, EOP; data descriptor; DTALEN 60 */
	assert_int_equal(fake_desc(&nic.tx, 0)[1], 60ULL << 46 | 0x2b30003c);
	assert_int_equal(*fake_reg(IGB_TX + NIC_DT), 1);
	fake_desc(&nic.tx, 0)[1] = 1ULL << 32;
	assert_int_equal(nic_tx_done(&nic), 0);
}

static void test_adopt(void **state)
{
	static const struct { uint32_t reg, v; const char *why; } wrong[] = {
		{ IGB_RX + NIC_DCTL, 0x00010808, "RXDCTL" },
		{ IGB_TX + NIC_DCTL, 0x00000108, "TXDCTL" },
		{ IGB_RX + NIC_DBAL, 0, "RDBA" },
		{ IGB_TX + NIC_DLEN, 0, "TDLEN" },
	};
	struct nic_regs regs;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct nic nic = started();
		const size_t writes = fake.writes;

		assert_int_equal(nic_adopt(&nic, &regs, &why), 0);
		*fake_reg(wrong[i].reg) = wrong[i].v;
		assert_int_equal(nic_adopt(&nic, &regs, &why), -EBADMSG);
		assert_string_equal(why, wrong[i].why);
		assert_int_equal(fake.writes, writes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "igb.identity", test_identity, NULL, NULL, NULL },
		{ "igb.quiesce_masks_both", test_quiesce_masks_both, NULL, NULL, NULL },
		{ "igb.start_registers", test_start_registers, NULL, NULL, NULL },
		{ "igb.later_chips_leave_link_disconnect",
		  test_later_chips_leave_link_disconnect, NULL, NULL, NULL },
		{ "igb.start_failures", test_start_failures, NULL, NULL, NULL },
		{ "igb.semaphore_of_port", test_semaphore_of_port, NULL, NULL, NULL },
		{ "igb.receive", test_receive, NULL, NULL, NULL },
		{ "igb.transmit", test_transmit, NULL, NULL, NULL },
		{ "igb.adopt", test_adopt, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("nic igb", tests, NULL, NULL);
}
