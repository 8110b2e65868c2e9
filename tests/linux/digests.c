/* The firmware's own digests of what Linux must leave alone: IOMMU tables and records. */
#include "agent.h"

#include <stdlib.h>

#include "kernel/handover/node.h"
#include "span.h"

/* Metadata belong to the receiver, who frees them. */
static bool stays(const struct node_digest_ser *d)
{
	return d->kind != NODE_DIGEST_METADATA;
}

static uint64_t bytes_of(const struct node_digest_ser *d)
{
	const bool is_short = d->kind == NODE_DIGEST_RECORD || d->kind == NODE_DIGEST_HEADER;

	return is_short ? d->owner : PAGE_SIZE;
}

/* What a fence takes away: a device's entry in a context or PASID table. */
static bool holds_entries(const struct node_digest_ser *d)
{
	return d->kind == NODE_DIGEST_PASID || (d->kind == NODE_DIGEST_TABLE && d->owner == NODE_NO_OWNER);
}

static void check(const struct node *n, const char *when)
{
	/* Devices are stopped last, when the digests have been written. */
	const bool stopped = word_is("nic", "stopped");
	unsigned of_kind[NODE_DIGEST_PASID + 1] = { 0 }, different = 0, fenced = 0;

	for (uint32_t i = 0; i < n->nr_digests; i++) {
		const struct node_digest_ser *d = &n->digest[i];
		uint32_t crc;

		of_kind[d->kind]++;
		if (!stays(d) || !physical_crc32c(d->pa, bytes_of(d), &crc) || crc == d->crc32c)
			continue;
		if (stopped && holds_entries(d)) {
			fenced++;
			continue;
		}
		different++;
		demand(false, "%llx of kind %u has CRC32C %08x, not %08x", (unsigned long long)d->pa, d->kind, crc,
		       d->crc32c);
	}
	say("digests=%s tables=%u pasid=%u records=%u headers=%u different=%u fenced=%u not_compared_metadata=%u",
	    when, of_kind[NODE_DIGEST_TABLE], of_kind[NODE_DIGEST_PASID], of_kind[NODE_DIGEST_RECORD],
	    of_kind[NODE_DIGEST_HEADER], different, fenced, of_kind[NODE_DIGEST_METADATA]);
	demand(of_kind[NODE_DIGEST_TABLE] && of_kind[NODE_DIGEST_RECORD],
	       "the baton node has no digests of tables or records");
	demand(!stopped || fenced, "no table of entries changed, although the NIC is said to be stopped");
}

const struct node *firmware_node(void)
{
	static struct node node;
	static bool known;
	struct kho_refusal why;
	struct span blob;

	if (!known && handoff_blob(NODE_NAME, &blob, NULL)) {
		known = demand(!node_read(blob, &node, &why), "baton node: %s %s", why.what, why.fault);
		if (known)
			say("baton_node=%u devices=%u ports=%u", node.generation, node.nr_devices, node.nr_ports);
		free((void *)blob.p);
	}
	return known ? &node : NULL;
}

void digests_check(const char *when)
{
	const struct node *node = firmware_node();

	if (node)
		check(node, when);
	else
		say("digests=%s node=none", when);
}
