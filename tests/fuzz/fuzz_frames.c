/* Frames of the stream, one after the other, as they come off a wire that may do anything: what is
 * accepted is what the sender builds, and the accounting stays plausible. */
#include "fuzz.h"

#include "errno.h"
#include "kernel/stream/account.h"
#include "kho/crc32c.h"

#define STREAM	1
#define SEAL	0x80	/* of a frame's first byte: the CRC is made right */

static void seal(uint8_t *frame, size_t len)
{
	uint32_t crc;

	if (len < FRAME_MIN)
		return;
	crc = __builtin_bswap32(kho_crc32c(0, frame + ETH_HLEN, len - ETH_HLEN - sizeof(crc)));
	memcpy(frame + len - sizeof(crc), &crc, sizeof(crc));
}

static void built_alike(struct span eth, const struct frame_info *f)
{
	uint8_t buf[FRAME_MAX];

	REQUIRE(frame_build(buf, f) == eth.len);
	REQUIRE(!memcmp(buf, eth.p, eth.len));
}

/* Either raw bytes or, where the control byte says so, a frame that is built from the input. */
static struct span next_frame(struct span *in, uint8_t control)
{
	static uint8_t raw[FRAME_MAX + 64];
	struct frame_info f = { .stream = STREAM };
	uint16_t len;

	if (control & 1) {
		f.sequence = control & 2 ? fuzz_take_u64(in) : 0;
		if (!(control & 2))
			fuzz_take(in, &f.sequence, 1);
		f.sent_ns = f.sequence * 250000;
		f.flags = control >> 2 & FRAME_F_KNOWN & ~FRAME_F_HEARTBEAT;
		len = (uint16_t)frame_build(raw, &f);
	} else {
		fuzz_take(in, &len, sizeof(len));
		len %= sizeof(raw);
		fuzz_take(in, raw, len);
		if (control & SEAL)
			seal(raw, len);
	}
	return fuzz_guarded(raw, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct stream_account_ser a;

	account_start(&a, 0);
	for (unsigned i = 0; in.len && i < 256; i++) {
		const uint64_t other = a.other, corrupt = a.corrupt;
		struct frame_info f;
		struct span eth;
		uint8_t control;
		int err;

		fuzz_take(&in, &control, 1);
		eth = next_frame(&in, control);
		err = account_receive(&a, STREAM, eth, &f);
		REQUIRE(!err || err == -ENOENT || err == -EBADMSG);
		REQUIRE(a.other - other == (err == -ENOENT) && a.corrupt - corrupt == (err == -EBADMSG));
		if (!err)
			built_alike(eth, &f);
		REQUIRE(account_plausible(&a));
		REQUIRE(account_clean(&a) == (!a.lost && !a.duplicate && !a.corrupt && !a.misplaced));
		if (control & 0x40)
			account_blackout_begin(&a);
		if (control & 0x20)
			account_blackout_end(&a);
	}
	return 0;
}
