/* What only a seeded bug asked for: the order of register accesses, reads among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "vtd/qi.h"
#include "vtd/regs.h"
#include "vtd/unit.h"

#define REGS	UINT64_C(0xfed90000)

/* A register file without a will of its own, which logs reads as well. */
static uint8_t file[PAGE_SIZE];
static struct { uint32_t reg; bool write; uint64_t v; } seen[64];
static size_t nr_seen;

static void *log_access(paddr_t addr, bool write, uint64_t v)
{
	const uint32_t reg = (uint32_t)(addr - REGS);

	assert_true(reg < sizeof(file));
	if (nr_seen < ARRAY_SIZE(seen)) {
		seen[nr_seen].reg = reg;
		seen[nr_seen].write = write;
		seen[nr_seen++].v = v;
	}
	return file + reg;
}

uint32_t mmio_read32(paddr_t addr)
{
	uint32_t v;

	memcpy(&v, log_access(addr, false, 0), sizeof(v));
	return v;
}

uint64_t mmio_read64(paddr_t addr)
{
	uint64_t v;

	memcpy(&v, log_access(addr, false, 0), sizeof(v));
	return v;
}

/* FSTS alone acts: what is written as 1 becomes 0. */
void mmio_write32(paddr_t addr, uint32_t v)
{
	uint32_t *at = log_access(addr, true, v);

	*at = addr == REGS + VTD_FSTS ? *at & ~v : v;
}

void mmio_write64(paddr_t addr, uint64_t v)
{
	memcpy(log_access(addr, true, v), &v, sizeof(v));
}

static struct vtd_unit unit_with_queue(void)
{
	struct vtd_unit u = { .regs = REGS, .caps = { .qi = true } };

	memset(file, 0, sizeof(file));
	nr_seen = 0;
	arena_reset(MIB(1), MIB(1));
	u.qi.ring = mem_alloc_pages(0);
	u.qi.status = mem_alloc_pages(0);
	u.qi.on = true;
	return u;
}

/* unit.masking_is_read_back: only then is a message that was on its way delivered (VT-d, "Fault
 * Event Control Register") */
static void test_masking_is_read_back(void **state)
{
	struct vtd_unit u = unit_with_queue();

	(void)state;
	vtd_unit_mask_events(&u);
	for (size_t i = 0; i < nr_seen; i++)
		if (seen[i].write) {
			assert_true(i + 1 < nr_seen);
			assert_int_equal(seen[i + 1].reg, seen[i].reg);
			assert_false(seen[i + 1].write);
		}
}

/* qi.recovery_keeps_fault_status: PFO is evidence, and not the queue's to clear */
static void test_recovery_keeps_fault_status(void **state)
{
	struct vtd_unit u = unit_with_queue();
	const uint32_t fsts = VTD_FSTS_PFO | VTD_FSTS_ITE;

	(void)state;
	memcpy(file + VTD_FSTS, &fsts, sizeof(fsts));
	assert_int_not_equal(vtd_qi_submit(&u, NULL, 0), 0);
	assert_int_equal(mmio_read32(REGS + VTD_FSTS), VTD_FSTS_PFO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masking_is_read_back),
		cmocka_unit_test(test_recovery_keeps_fault_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
