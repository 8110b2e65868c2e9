/* The control page of a stream: what is accepted has rings and buffers that can exist. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/stream/control.h"

static void check_ring(const struct stream_ring_ser *r)
{
	REQUIRE(r->entries && r->entries % 8 == 0 && r->count == r->entries);
	REQUIRE(range_valid(r->ring_pa, r->entries * 16ULL));
	REQUIRE(range_valid(r->buffers_pa, (uint64_t)r->count * r->stride));
	REQUIRE(r->buffer_size <= r->stride && r->guard_size <= r->stride - r->buffer_size);
	REQUIRE(r->next_index < r->entries && r->tail < r->entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct stream_control_ser c;
	const char *why = NULL;
	int err;

	fuzz_take(&in, &c, sizeof(c));
	err = stream_control_check(&c, &why);
	REQUIRE(!err || (why && (err == -EBADMSG || err == -EOPNOTSUPP)));
	if (err)
		return 0;
	check_ring(&c.rx);
	check_ring(&c.tx);
	REQUIRE(c.rdh < c.rx.entries && account_plausible(&c.account));
	return 0;
}
