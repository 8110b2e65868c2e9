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

static void check(const struct node *n, const char *when)
{
	unsigned of_kind[NODE_DIGEST_PASID + 1] = { 0 }, different = 0;

	for (uint32_t i = 0; i < n->nr_digests; i++) {
		const struct node_digest_ser *d = &n->digest[i];
		uint32_t crc;

		of_kind[d->kind]++;
		if (!stays(d) || !physical_crc32c(d->pa, bytes_of(d), &crc))
			continue;
		if (!demand(crc == d->crc32c, "%llx of kind %u has CRC32C %08x, not %08x",
			    (unsigned long long)d->pa, d->kind, crc, d->crc32c))
			different++;
	}
	say("digests=%s tables=%u pasid=%u records=%u headers=%u different=%u not_compared_metadata=%u",
	    when, of_kind[NODE_DIGEST_TABLE], of_kind[NODE_DIGEST_PASID], of_kind[NODE_DIGEST_RECORD],
	    of_kind[NODE_DIGEST_HEADER], different, of_kind[NODE_DIGEST_METADATA]);
	demand(of_kind[NODE_DIGEST_TABLE] && of_kind[NODE_DIGEST_RECORD], "the baton node has no digests of tables or records");
}

void digests_check(const char *when)
{
	static struct node node;
	struct kho_refusal why;
	struct span blob;

	if (!handoff_blob(NODE_NAME, &blob, NULL)) {
		say("digests=%s node=none", when);
		return;
	}
	if (demand(!node_read(blob, &node, &why), "baton node: %s %s", why.what, why.fault)) {
		say("baton_node=%s generation=%u devices=%u ports=%u", when, node.generation,
		    node.nr_devices, node.nr_ports);
		check(&node, when);
	}
	free((void *)blob.p);
}
