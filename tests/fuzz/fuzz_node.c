/* The `baton` node.  Its digest is made right unless the input says otherwise, else nothing would
 * come further.  What is accepted is written again and reads the same. */
#include "fuzz.h"

#include <libfdt.h>

#include "kernel/handover/node.h"
#include "kho/crc32c.h"
#include "kho/fdt.h"

#define SEAL	1	/* first byte of the input */

/* As kho/blob.c does it: the digest's own four bytes count as zero. */
static void seal(uint8_t *fdt, size_t size)
{
	struct kho_refusal why;
	struct span whole;
	uint32_t crc;
	uint8_t *field;
	int len;

	if (kho_fdt_check(span_of(fdt, size), "", &whole, &why))
		return;
	field = fdt_getprop_w(fdt, 0, "digest", &len);
	if (!field || len != sizeof(crc))
		return;
	memset(field, 0, sizeof(crc));
	crc = kho_crc32c(0, whole.p, whole.len);
	memcpy(field, &crc, sizeof(crc));
}

static void check(const struct node *n)
{
	REQUIRE(n->nr_units <= NODE_MAX_UNITS && n->nr_domains <= NODE_MAX_DOMAINS &&
		n->nr_devices <= NODE_MAX_DEVICES && n->nr_ports <= NODE_MAX_PORTS &&
		n->nr_digests <= NODE_MAX_DIGESTS && n->tsc_khz);
	for (uint32_t i = 0; i < n->nr_devices; i++)
		for (uint32_t k = 0; k < i; k++)
			REQUIRE(n->device[i].segment != n->device[k].segment ||
				n->device[i].rid != n->device[k].rid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t buf[NODE_BYTES / 8];
	static struct node n, again;
	struct kho_refusal why = { 0 };
	struct span blob;
	size_t used;

	if (!size || size > NODE_BYTES)
		return 0;
	blob = fuzz_guarded(data + 1, size - 1);
	if (data[0] & SEAL)
		seal((uint8_t *)(uintptr_t)blob.p, blob.len);
	if (node_read(blob, &n, &why)) {
		REQUIRE(why.what && why.fault);
		return 0;
	}
	check(&n);
	REQUIRE(!node_write(&n, buf, &used));
	REQUIRE(!node_read(span_of(buf, used), &again, &why));
	REQUIRE(!memcmp(&n, &again, sizeof(n)));
	return 0;
}
