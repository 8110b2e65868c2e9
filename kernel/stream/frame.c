/* Building and proving the frames of the test stream. */
#include "frame.h"

#include <string.h>

#include "errno.h"
#include "kho/crc32c.h"

/* Offsets from the first byte of the frame; the picture is in frame.h. */
#define OFF_SRC		6
#define OFF_ETHERTYPE	12
#define OFF_MAGIC	14
#define OFF_VERSION	18
#define OFF_FLAGS	19
#define OFF_STREAM	20
#define OFF_SEQUENCE	22
#define OFF_SENT_NS	30
#define OFF_PAYLOAD	38
#define CRC_SIZE	4

static_assert(OFF_MAGIC == ETH_HLEN, "the CRC covers everything after the EtherType");
static_assert(OFF_PAYLOAD + 8 + CRC_SIZE <= FRAME_MIN, "the shortest frame still has payload");

/* Step of a Weyl sequence, 2^64 divided by the golden ratio: its multiples spread evenly, so the
 * payloads of neighbouring sequences have no word in common. */
#define WEYL_STEP	0x9e3779b97f4a7c15ULL
#define MIX_FACTOR	0xd6e8feb86659fd93ULL	/* odd; one multiplication is spread enough here */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 32)) * MIX_FACTOR;
	return x ^ (x >> 32);
}

static void put16(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

/* The callers have checked that the frame has FRAME_MIN bytes. */
static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

size_t frame_length(uint64_t sequence)
{
	const uint64_t r = mix(~sequence * WEYL_STEP) >> 32;

	return FRAME_MIN + (size_t)((r * (FRAME_MAX - FRAME_MIN + 1)) >> 32);
}

static size_t length_of(uint8_t flags, uint64_t sequence)
{
	return flags & FRAME_F_HEARTBEAT ? FRAME_MIN : frame_length(sequence);
}

static void payload_fill(uint8_t *p, size_t len, uint64_t sequence)
{
	uint64_t x = sequence;
	uint8_t tail[8];

	for (; len >= 8; p += 8, len -= 8)
		put64(p, mix(x += WEYL_STEP));
	put64(tail, mix(x + WEYL_STEP));
	memcpy(p, tail, len);
}

static bool payload_matches(const uint8_t *p, size_t len, uint64_t sequence)
{
	uint64_t x = sequence, wrong = 0;
	uint8_t tail[8];

	for (; len >= 8; p += 8, len -= 8)
		wrong |= get64(p) ^ mix(x += WEYL_STEP);
	put64(tail, mix(x + WEYL_STEP));
	return wrong == 0 && memcmp(p, tail, len) == 0;
}

size_t frame_build(uint8_t *buf, const struct frame_info *info)
{
	const size_t len = length_of(info->flags, info->sequence);
	const size_t end = len - CRC_SIZE;

	memcpy(buf, info->dst, ETH_ALEN);
	memcpy(buf + OFF_SRC, info->src, ETH_ALEN);
	put16(buf + OFF_ETHERTYPE, FRAME_ETHERTYPE);
	put32(buf + OFF_MAGIC, FRAME_MAGIC);
	buf[OFF_VERSION] = FRAME_VERSION;
	buf[OFF_FLAGS] = info->flags;
	put16(buf + OFF_STREAM, info->stream);
	put64(buf + OFF_SEQUENCE, info->sequence);
	put64(buf + OFF_SENT_NS, info->sent_ns);
	payload_fill(buf + OFF_PAYLOAD, end - OFF_PAYLOAD, info->sequence);
	put32(buf + end, kho_crc32c(0, buf + OFF_MAGIC, end - OFF_MAGIC));
	return len;
}

size_t frame_build_heartbeat(uint8_t *buf, const uint8_t dst[ETH_ALEN],
			     const uint8_t src[ETH_ALEN], uint16_t stream, uint64_t next,
			     uint64_t now_ns)
{
	struct frame_info info = {
		.stream = stream,
		.flags = FRAME_F_HEARTBEAT,
		.sequence = next,
		.sent_ns = now_ns,
	};

	memcpy(info.dst, dst, ETH_ALEN);
	memcpy(info.src, src, ETH_ALEN);
	return frame_build(buf, &info);
}

/* True if the frame claims to be of the stream; a runt that could still carry the claim does. */
static bool is_ours(struct span eth)
{
	return eth.len >= OFF_MAGIC + sizeof(uint32_t) &&
	       get16(eth.p + OFF_ETHERTYPE) == FRAME_ETHERTYPE &&
	       get32(eth.p + OFF_MAGIC) == FRAME_MAGIC;
}

int frame_parse(struct span eth, struct frame_info *out)
{
	const size_t end = eth.len - CRC_SIZE;
	struct frame_info info;

	if (!is_ours(eth))
		return -ENOENT;
	if (eth.len < FRAME_MIN || eth.len > FRAME_MAX)
		return -EBADMSG;
	if (get32(eth.p + end) != kho_crc32c(0, eth.p + OFF_MAGIC, end - OFF_MAGIC))
		return -EBADMSG;
	if (eth.p[OFF_VERSION] != FRAME_VERSION || (eth.p[OFF_FLAGS] & ~FRAME_F_KNOWN))
		return -EBADMSG;
	memcpy(info.dst, eth.p, ETH_ALEN);
	memcpy(info.src, eth.p + OFF_SRC, ETH_ALEN);
	info.stream = get16(eth.p + OFF_STREAM);
	info.flags = eth.p[OFF_FLAGS];
	info.sequence = get64(eth.p + OFF_SEQUENCE);
	info.sent_ns = get64(eth.p + OFF_SENT_NS);
	/* No stream gets to the last number: nothing could be expected after it. */
	if (info.sequence == UINT64_MAX)
		return -EBADMSG;
	if (eth.len != length_of(info.flags, info.sequence))
		return -EBADMSG;
	/* A whole frame may still carry another one's payload, if a buffer was reused too early. */
	if (!payload_matches(eth.p + OFF_PAYLOAD, end - OFF_PAYLOAD, info.sequence))
		return -EBADMSG;
	*out = info;
	return 0;
}
