/* Refusing a control page that cannot be true. */
#include "control.h"

#include "errno.h"

#define DESCRIPTOR_SIZE	16		/* every format of enum stream_descriptor_format */
#define MAX_ENTRIES	65536		/* RDLEN and TDLEN hold 20 bits of bytes */

static const char *ring_fault(const struct stream_ring_ser *r)
{
	if (!r->entries || r->entries > MAX_ENTRIES || r->entries % 8)
		return "ring entries are not a multiple of 8 from 8 to 65536";
	if (r->format < STREAM_DESC_LEGACY || r->format > STREAM_DESC_EXTENDED)
		return "unknown descriptor format";
	if (!IS_ALIGNED(r->ring_pa, 128) || !IS_ALIGNED(r->ring_iova, 128))
		return "ring is not aligned to 128 bytes";
	if (!range_valid(r->ring_pa, (uint64_t)r->entries * DESCRIPTOR_SIZE) ||
	    !range_valid(r->ring_iova, (uint64_t)r->entries * DESCRIPTOR_SIZE))
		return "ring wraps around the address space";
	if (r->count != r->entries)
		return "there is not one buffer for every ring entry";
	if (!r->buffer_size || (uint64_t)r->buffer_size + r->guard_size > r->stride)
		return "buffer and guard do not fit the stride";
	if (!range_valid(r->buffers_pa, (uint64_t)r->count * r->stride) ||
	    !range_valid(r->buffers_iova, (uint64_t)r->count * r->stride))
		return "buffers wrap around the address space";
	if (r->next_index >= r->entries || r->tail >= r->entries)
		return "ring index beyond the ring";
	return NULL;
}

static const char *control_fault(const struct stream_control_ser *c)
{
	const char *why = ring_fault(&c->rx);

	if (c->size != sizeof(*c))
		return "control page has another size";
	if (c->nic_family != STREAM_NIC_E1000E && c->nic_family != STREAM_NIC_IGB)
		return "unknown NIC family";
	if (!range_valid(c->bar_pa, c->bar_size))
		return "BAR is empty or wraps around the address space";
	if (!why)
		why = ring_fault(&c->tx);
	if (why)
		return why;
	if (c->rdh >= c->rx.entries)
		return "RDH beyond the receive ring";
	if (!account_plausible(&c->account))
		return "stream counts contradict each other";
	if (c->next_sequence != c->account.next)
		return "next sequence is not the one accounted for";
	return NULL;
}

int stream_control_check(const struct stream_control_ser *c, const char **why)
{
	const char *fault;

	if (c->magic != STREAM_CONTROL_MAGIC) {
		*why = "no control page magic";
		return -EBADMSG;
	}
	if (c->version != STREAM_CONTROL_VERSION) {
		*why = "unknown control page version";
		return -EOPNOTSUPP;
	}
	fault = control_fault(c);
	if (!fault)
		return 0;
	*why = fault;
	return -EBADMSG;
}
