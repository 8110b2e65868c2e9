/* The `baton` node. */
#include "node.h"

#include <string.h>

#include "errno.h"
#include "kho/blob.h"

#define PROP_DIGEST	"digest"

struct node_head_ser {
	uint32_t version, generation;
	uint64_t tsc_khz;
	uint64_t image_bytes;
	uint64_t results_pa;
	uint32_t image_crc32c;
	uint32_t hostile;
	uint16_t hostile_segment, hostile_rid;
	uint32_t next_domain_id;
	uint32_t radix_crc32c;
	uint32_t reserved;
};
static_assert(sizeof(struct node_head_ser) == 56, "layout");
#define NODE_VERSION	3
#define TSC_KHZ_MIN	100000		/* no processor with VT-d is slower, or this much faster */
#define TSC_KHZ_MAX	20000000

int node_write(const struct node *n, void *buf, size_t *used)
{
	const struct node_head_ser head = {
		.version = NODE_VERSION, .generation = n->generation, .tsc_khz = n->tsc_khz,
		.image_bytes = n->image_bytes, .results_pa = n->results_pa,
		.image_crc32c = n->image_crc32c, .hostile = n->hostile,
		.hostile_segment = n->hostile_segment, .hostile_rid = n->hostile_rid,
		.next_domain_id = n->next_domain_id, .radix_crc32c = n->radix_crc32c,
	};
	struct kho_blob_writer w;

	kho_blob_begin(&w, buf, NODE_BYTES, NODE_COMPATIBLE);
	kho_blob_bytes(&w, "head", &head, sizeof(head));
	kho_blob_bytes(&w, "payload", &n->payload, sizeof(n->payload));
	kho_blob_bytes(&w, "foreign", &n->foreign, sizeof(n->foreign));
	kho_blob_bytes(&w, "units", n->unit, n->nr_units * sizeof(n->unit[0]));
	kho_blob_bytes(&w, "domains", n->domain, n->nr_domains * sizeof(n->domain[0]));
	kho_blob_bytes(&w, "devices", n->device, n->nr_devices * sizeof(n->device[0]));
	kho_blob_bytes(&w, "ports", n->port, n->nr_ports * sizeof(n->port[0]));
	kho_blob_bytes(&w, "digests", n->digest, n->nr_digests * sizeof(n->digest[0]));
	return kho_blob_finish(&w, PROP_DIGEST, used);
}

static int read_payload(const struct kho_blob *b, struct payload *p, struct kho_refusal *why)
{
	if (kho_blob_get_bytes(b, "payload", p, sizeof(*p)))
		return kho_refuse(why, -EBADMSG, "payload", "is missing in the baton node", 0, 0);
	for (unsigned i = 0; i < BOOT_FILES; i++) {
		const struct payload_file_ser *f = &p->file[i];

		if (!f->pa != !f->len || !IS_ALIGNED(f->pa, PAGE_SIZE) ||
		    (f->len && !range_valid(f->pa, f->len)))
			return kho_refuse(why, -EBADMSG, "payload", "is no range of memory", f->pa, f->len);
	}
	return 0;
}

static int read_array(const struct kho_blob *b, const char *name, void *out, size_t size,
		      size_t max, uint32_t *count, struct kho_refusal *why)
{
	struct span s;

	if (kho_blob_get_span(b, name, &s))
		return kho_refuse(why, -EBADMSG, name, "is missing in the baton node", 0, 0);
	if (s.len % size || s.len / size > max)
		return kho_refuse(why, -EBADMSG, name, "of the baton node has an impossible length",
				  0, s.len);
	memcpy(out, s.p, s.len);
	*count = (uint32_t)(s.len / size);
	return 0;
}

size_t node_find_device(const struct node *n, uint16_t segment, uint16_t rid)
{
	for (size_t i = 0; i < n->nr_devices; i++)
		if (n->device[i].segment == segment && n->device[i].rid == rid)
			return i;
	return NODE_NO_DEVICE;
}

bool node_names_unit(const struct node *n, paddr_t regs)
{
	for (uint32_t i = 0; i < n->nr_units; i++)
		if (n->unit[i].regs_pa == regs)
			return true;
	return false;
}

static bool is_short(const struct node_digest_ser *d)
{
	return d->kind == NODE_DIGEST_RECORD || d->kind == NODE_DIGEST_HEADER;
}

/* Records that contradict each other. */
static int cross_check(const struct node *n, struct kho_refusal *why)
{
	for (uint32_t i = 0; i < n->nr_units; i++)
		for (uint32_t j = 0; j < i; j++)
			if (n->unit[i].index == n->unit[j].index ||
			    n->unit[i].regs_pa == n->unit[j].regs_pa)
				return kho_refuse(why, -EBADMSG, "unit", "stands twice",
						  n->unit[i].regs_pa, n->unit[i].index);
	for (uint32_t i = 0; i < n->nr_digests; i++) {
		const struct node_digest_ser *d = &n->digest[i];

		if (d->kind < NODE_DIGEST_TABLE || d->kind > NODE_DIGEST_PASID ||
		    (is_short(d) && d->pa % PAGE_SIZE + d->owner > PAGE_SIZE))
			return kho_refuse(why, -EBADMSG, "digest", "is of an unknown kind, or leaves its page",
					  d->pa, d->kind);
		if (d->kind == NODE_DIGEST_PASID && d->owner >= n->nr_devices)
			return kho_refuse(why, -EBADMSG, "digest", "belongs to no device", d->pa, d->owner);
	}
	/* A digest names its owner in 16 bits, of which the last value is nobody. */
	if (n->next_domain_id > NODE_NO_OWNER)
		return kho_refuse(why, -EBADMSG, "baton node", "has given out more domain ids than there are",
				  0, n->next_domain_id);
	for (uint32_t i = 0; i < n->nr_domains; i++) {
		for (uint32_t j = 0; j < i; j++)
			if (n->domain[i].id == n->domain[j].id ||
			    n->domain[i].top_pa == n->domain[j].top_pa)
				return kho_refuse(why, -EBADMSG, "domains", "stand twice", 0,
						  n->domain[i].id);
		if (n->domain[i].id >= n->next_domain_id)
			return kho_refuse(why, -EBADMSG, "domain", "has an id not yet given out", 0,
					  n->domain[i].id);
	}
	for (uint32_t i = 0; i < n->nr_devices; i++)
		for (uint32_t j = 0; j < i; j++)
			if (n->device[i].segment == n->device[j].segment &&
			    n->device[i].rid == n->device[j].rid)
				return kho_refuse(why, -EBADMSG, "device", "stands twice", 0,
						  n->device[i].rid);
	for (uint32_t i = 0; i < n->nr_ports; i++)
		if (node_find_device(n, n->port[i].config.segment, n->port[i].config.rid) == NODE_NO_DEVICE)
			return kho_refuse(why, -EBADMSG, "port", "names a device that is not there",
					  n->port[i].control_pa, n->port[i].config.rid);
	return 0;
}

int node_read(struct span blob, struct node *n, struct kho_refusal *why)
{
	struct node_head_ser head;
	struct kho_blob b;
	int err;

	memset(n, 0, sizeof(*n));
	err = kho_blob_open(blob, "baton node", NODE_COMPATIBLE, PROP_DIGEST, &b, why);
	if (err)
		return err;
	if (kho_blob_get_bytes(&b, "head", &head, sizeof(head)))
		return kho_refuse(why, -EBADMSG, "baton node", "has no head", 0, 0);
	if (head.version != NODE_VERSION)
		return kho_refuse(why, -EBADMSG, "baton node", "has another version", 0, head.version);
	if (kho_blob_get_bytes(&b, "foreign", &n->foreign, sizeof(n->foreign)))
		return kho_refuse(why, -EBADMSG, "baton node", "does not say what is foreign", 0, 0);
	if (head.tsc_khz < TSC_KHZ_MIN || head.tsc_khz > TSC_KHZ_MAX)
		return kho_refuse(why, -EBADMSG, "baton node", "gives an impossible TSC rate", 0,
				  head.tsc_khz);
	n->generation = head.generation;
	n->tsc_khz = head.tsc_khz;
	n->image_bytes = head.image_bytes;
	n->results_pa = head.results_pa;
	n->image_crc32c = head.image_crc32c;
	n->hostile = head.hostile;
	n->hostile_segment = head.hostile_segment;
	n->hostile_rid = head.hostile_rid;
	n->next_domain_id = head.next_domain_id;
	n->radix_crc32c = head.radix_crc32c;
	err = read_payload(&b, &n->payload, why);
	if (!err)
		err = read_array(&b, "units", n->unit, sizeof(n->unit[0]), NODE_MAX_UNITS,
				 &n->nr_units, why);
	if (!err)
		err = read_array(&b, "domains", n->domain, sizeof(n->domain[0]), NODE_MAX_DOMAINS,
				 &n->nr_domains, why);
	if (!err)
		err = read_array(&b, "devices", n->device, sizeof(n->device[0]), NODE_MAX_DEVICES,
				 &n->nr_devices, why);
	if (!err)
		err = read_array(&b, "ports", n->port, sizeof(n->port[0]), NODE_MAX_PORTS,
				 &n->nr_ports, why);
	if (!err)
		err = read_array(&b, "digests", n->digest, sizeof(n->digest[0]), NODE_MAX_DIGESTS,
				 &n->nr_digests, why);
	return err ? err : cross_check(n, why);
}
