/* From boot_params to the handoff (Linux Documentation/arch/x86/zero-page.rst, asm/setup_data.h). */
#include "dump.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "bootparams.h"
#include "kho/setup_data.h"
#include "kho/sort.h"
#include "platform/mem.h"

#define MAX_SETUP	1024		/* nodes of the list */
#define MAX_E820	65536
#define MAX_PAYLOAD	MIB(1)

static const char announcement[] = "K1";
static const char setup_data[] = "setup_data";

static void add_e820(struct dump *d, struct span table)
{
	for (size_t off = 0; off + E820_ENTRY_BYTES <= table.len && d->nr_e820 < MAX_E820;
	     off += E820_ENTRY_BYTES) {
		struct e820_entry e = { .addr = 0 };

		span_u64(table, off, &e.addr);
		span_u64(table, off + 8, &e.size);
		span_u32(table, off + 16, &e.type);
		d->e820 = grow(d->e820, d->nr_e820, &d->max_e820, sizeof(e));
		d->e820[d->nr_e820++] = e;
	}
}

/* RAM, sorted and joined.  Entries that cannot be are no RAM. */
static void sort_ram(struct dump *d)
{
	struct kho_range *r = take(d->nr_e820, sizeof(*r));
	size_t n = 0;

	for (size_t i = 0; i < d->nr_e820; i++)
		if (d->e820[i].type == E820_RAM && d->e820[i].size &&
		    kho_addressable(d->e820[i].addr, d->e820[i].size))
			r[n++] = (struct kho_range){ d->e820[i].addr, d->e820[i].size };
	kho_sort(r, n, sizeof(*r));
	d->ram = r;
	for (size_t i = 0; i < n; i++) {
		struct kho_range *last = d->nr_ram ? &d->ram[d->nr_ram - 1] : NULL;

		if (last && r[i].base - last->base <= last->len)
			last->len = MAX(last->len, r[i].base - last->base + r[i].len);
		else
			d->ram[d->nr_ram++] = r[i];
	}
}

static void read_payload(struct dump *d, const struct setup_node *n)
{
	const paddr_t pa = n->pa + sizeof(struct kho_setup_header);
	const struct span payload = span_of(mem_ptr(pa), n->len);
	struct kho_refusal why;

	if (n->type == SETUP_E820_EXT)
		add_e820(d, payload);
	if (n->type != KHO_SETUP_KEXEC_KHO)
		return;
	if (d->has_data)
		dump_find(d, announcement, "KHO setup_data", "is there twice", n->pa, 0);
	else if (kho_setup_data_read(payload, &d->h.data, &why)) {
		why.at = n->pa;
		dump_refused(d, announcement, &why);
	} else
		d->has_data = true;
}

static bool visited(const struct dump *d, paddr_t at)
{
	for (size_t i = 0; i < d->nr_setup; i++)
		if (d->setup[i].pa == at)
			return true;
	return false;
}

static void read_setup_data(struct dump *d, paddr_t at)
{
	while (at) {
		struct kho_setup_header h;
		struct setup_node n;

		if (d->nr_setup == MAX_SETUP || visited(d, at)) {
			dump_find(d, announcement, setup_data, "is a list without an end", at,
				  d->nr_setup);
			return;
		}
		if (!image_has(at, sizeof(h))) {
			dump_find(d, "I0", setup_data, "is not in the image", at, sizeof(h));
			return;
		}
		memcpy(&h, mem_ptr(at), sizeof(h));
		n = (struct setup_node){ at, h.type, h.len };
		if (h.len > MAX_PAYLOAD || !image_has(at + sizeof(h), h.len)) {
			dump_find(d, "I0", setup_data, "has a payload that is not in the image", at,
				  h.len);
			return;
		}
		d->setup = grow(d->setup, d->nr_setup, &d->max_setup, sizeof(n));
		d->setup[d->nr_setup++] = n;
		read_payload(d, &n);
		at = h.next;
	}
}

void dump_announcement(struct dump *d)
{
	const paddr_t pa = d->where.boot_params;
	struct span page, table;
	uint8_t nr = 0;
	uint64_t at = 0;

	if (!image_has(pa, BOOT_PARAMS_BYTES)) {
		dump_find(d, "I0", "boot_params", "is not in the image", pa, BOOT_PARAMS_BYTES);
		d->where.has_boot_params = false;
		return;
	}
	page = span_of(mem_ptr(pa), BOOT_PARAMS_BYTES);
	span_u8(page, BP_E820_ENTRIES, &nr);
	nr = MIN(nr, BP_E820_MAX);
	if (span_sub(page, BP_E820_TABLE, nr * E820_ENTRY_BYTES, &table))
		add_e820(d, table);
	span_u64(page, BP_SETUP_DATA, &at);
	read_setup_data(d, at);
	if (!d->has_data && !d->nr_findings)
		dump_find(d, announcement, "boot_params", "announces no handoff", pa, 0);
	sort_ram(d);
}
