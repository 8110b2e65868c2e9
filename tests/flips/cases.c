/* Damage that digests do not see, because they were made right again: pointers to where nothing of
 * a handoff may be, circles, counts of 2^32, records that contradict each other. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "kernel/handover/node.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "kho/radix.h"
#include "vtd/formats.h"
#include "vtd/regs.h"
#include "world.h"

#define RAM_END		MIB(256)	/* of the world; what lies there can be written */
#define SPARE		MIB(128)	/* a page that nothing uses */

/* ---- where things are --------------------------------------------------------------------- */

static struct {
	paddr_t payload, fdt, array, radix[KHO_RADIX_LEVELS], node, results;
	paddr_t luo, sessions, files, flbs, memfd, chunk, folios;
	paddr_t top, units, domains, devices;
	paddr_t root, context, ss_top, ss_mid, ss_leaf;	/* tables of the first port's domain */
	uint64_t root_slot, context_slot, ss_slot[3];
	struct node n;
} w;

static uint64_t peek(paddr_t pa)
{
	uint64_t v;

	world_read(pa, &v, sizeof(v));
	return v;
}

/* First slot of a page of words that is not zero; entry and index. */
static uint64_t first_slot(paddr_t page, uint64_t *entry)
{
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*entry); i++) {
		*entry = peek(page + i * sizeof(*entry));
		if (*entry)
			return i;
	}
	abort();
}

static void find_radix(paddr_t root)
{
	uint64_t entry;

	/* The last slot of the root leads to the order 0. */
	w.radix[5] = root;
	w.radix[4] = peek(root + 2 * sizeof(entry));
	for (unsigned level = 4; level; level--) {
		first_slot(w.radix[level], &entry);
		w.radix[level - 1] = entry;
	}
}

static void find_luo(paddr_t blob)
{
	w.luo = blob;
	w.sessions = peek(blob + offsetof(struct kho_luo_ser, sessions_pa));
	w.flbs = peek(blob + offsetof(struct kho_luo_ser, flbs_pa));
	w.files = peek(w.sessions + sizeof(struct kho_block_ser) +
		       offsetof(struct kho_session_ser, files_pa));
	w.memfd = peek(w.files + sizeof(struct kho_block_ser) + offsetof(struct kho_file_ser, data));
	w.chunk = peek(w.memfd + offsetof(struct kho_memfd_ser, folios));
	w.folios = peek(w.chunk + offsetof(struct kho_vmalloc_chunk_ser, piece_pa));
	w.top = peek(w.flbs + sizeof(struct kho_flbs_ser) + offsetof(struct kho_flb_ser, data));
	w.units = peek(w.top + offsetof(struct kho_iommu_top_ser, units_pa));
	w.domains = peek(w.top + offsetof(struct kho_iommu_top_ser, domains_pa));
	w.devices = peek(w.top + offsetof(struct kho_iommu_top_ser, devices_pa));
}

static void find_tables(void)
{
	const uint16_t rid = world_run()->port[0].nic.rid;
	uint64_t entry;

	w.root = w.n.unit[0].rtaddr & VTD_RTADDR_RTA;
	w.root_slot = w.root + (rid >> 8) * 16;
	w.context = peek(w.root_slot) & VTD_RE_CTP;
	w.context_slot = w.context + (rid & 0xff) * 16;
	w.ss_top = peek(w.context_slot) & VTD_CE_SSPTPTR;
	w.ss_slot[2] = w.ss_top + first_slot(w.ss_top, &entry) * 8;
	w.ss_mid = entry & VTD_SS_ADDR;
	/* The first entry is a page of 2 MiB, the next one leads to a table. */
	w.ss_slot[1] = w.ss_mid + (first_slot(w.ss_mid, &entry) + 2) * 8;
	w.ss_leaf = peek(w.ss_slot[1]) & VTD_SS_ADDR;
	w.ss_slot[0] = w.ss_leaf + first_slot(w.ss_leaf, &entry) * 8;
}

static void find_all(void)
{
	const struct adoption *a = world_adoption();

	w.payload = peek(world_target()->boot_params + WORLD_BP_SETUP_DATA);
	w.fdt = a->kho.data.fdt_pa;
	w.array = a->kho.data.scratch_pa;
	w.node = kho_tree_find(&a->kho.tree, NODE_NAME)->pa;
	w.n = *a->n;
	w.results = w.n.results_pa;
	find_radix(a->kho.tree.radix_root);
	find_luo(kho_tree_find(&a->kho.tree, KHO_NODE_LUO)->pa);
	find_tables();
}

/* ---- changing, digesting, undoing --------------------------------------------------------- */

#define MAX_CHANGES	64
static struct { paddr_t pa; uint64_t was; } changes[MAX_CHANGES];
static size_t nr_changes;
static uint64_t blob[NODE_BYTES / 8], blob_was[NODE_BYTES / 8];

static void poke(paddr_t pa, uint64_t v)
{
	if (nr_changes == MAX_CHANGES)
		abort();
	changes[nr_changes].pa = pa;
	changes[nr_changes++].was = peek(pa);
	world_write(pa, &v, sizeof(v));
}

static void poke32(paddr_t pa, uint32_t v)
{
	const uint64_t was = peek(pa);

	poke(pa, (was & ~UINT64_C(0xffffffff)) | v);
}

static bool in_ram(paddr_t pa)
{
	return pa >= MIB(1) && pa <= RAM_END - PAGE_SIZE;
}

static void redigest_pages(void)
{
	struct node_digest_ser *d;
	int len;

	d = fdt_getprop_w(blob, 0, "digests", &len);
	for (int i = 0; i < len / (int)sizeof(*d); i++) {
		struct node_digest_ser one;
		uint8_t bytes[PAGE_SIZE];
		uint64_t n;

		memcpy(&one, &d[i], sizeof(one));
		n = one.kind >= NODE_DIGEST_RECORD ? one.owner : PAGE_SIZE;
		if (!in_ram(one.pa) || n > PAGE_SIZE)
			continue;
		world_read(one.pa, bytes, n);
		one.crc32c = kho_crc32c(0, bytes, n);
		memcpy(&d[i], &one, sizeof(one));
	}
}

/* All digests but that of what was changed in the node's list itself. */
static void redigest(void)
{
	uint32_t crc = 0;
	uint8_t *own;
	int len;

	world_read(w.node, blob, sizeof(blob));
	redigest_pages();
	own = fdt_getprop_w(blob, 0, "digest", &len);
	memcpy(own, &crc, sizeof(crc));
	crc = kho_crc32c(0, blob, fdt_totalsize(blob));
	memcpy(own, &crc, sizeof(crc));
	world_write(w.node, blob, sizeof(blob));
}

static void undo(void)
{
	while (nr_changes) {
		nr_changes--;
		world_write(changes[nr_changes].pa, &changes[nr_changes].was, sizeof(uint64_t));
	}
	world_write(w.node, blob_was, sizeof(blob_was));
}

/* ---- judging ------------------------------------------------------------------------------ */

bool cases_verbose;
static struct cases_result result;
static const char *running;

const char *cases_running(void)
{
	return running;
}

static bool wanted(const struct world_outcome *o, const char *want)
{
	char said[256];

	if (o->refused)
		snprintf(said, sizeof(said), "%s %s", o->why.what, o->why.fault);
	else
		snprintf(said, sizeof(said), "%s", o->checks);
	return strstr(said, want);
}

/* Damage is done: what does the incoming kernel make of it? */
static void judge(const char *place, const char *want)
{
	struct world_outcome o;
	bool ok;

	redigest();
	world_receive(&o);
	ok = (o.refused || (o.failed_checks && o.blamed)) && wanted(&o, want);
	result.run++;
	result.failed += !ok;
	if (!ok || cases_verbose)
		printf("%s flips.%s%s%s: %s %s%s%s\n", ok ? "ok" : "not ok", running,
		       *place ? "." : "", place, o.refused ? o.why.what : "accepted,",
		       o.refused ? o.why.fault : o.failed_checks ? o.checks : "without a word",
		       ok ? "" : "; wanted ", ok ? "" : want);
	undo();
}

/* ---- pointers ----------------------------------------------------------------------------- */

static const char place[] = "<place>";	/* as the places below say */
static const char page[] = "<page>";	/* likewise, and it must be preserved */

static void pointer(const char *name, paddr_t at, const char *want)
{
	const struct { const char *name, *says; paddr_t pa; } bad[] = {
		{ "into_scratch", "lies in scratch", WORLD_SCRATCH },
		{ "into_image", "lies in scratch", WORLD_IMAGE },
		{ "into_mmio", "is not RAM", WORLD_MMIO },
		{ "beyond_ram", "is not RAM", WORLD_NO_RAM },
		{ "beyond_52_bits", "exceeds 52 address bits", BIT64(52) },
		{ "below_1_mib", "lies below 1 MiB", 0x8000 },
		{ "into_free_memory", "does not begin a preserved chunk", SPARE },
	};
	const size_t n = ARRAY_SIZE(bad) - (want == place);

	running = name;
	for (size_t i = 0; i < n; i++) {
		/* Low bits stay: in entries they are flags. */
		poke(at, bad[i].pa | (peek(at) & (PAGE_SIZE - 1)));
		judge(bad[i].name, want == place || want == page ? bad[i].says : want);
	}
}

static void value(const char *name, paddr_t at, uint64_t v, const char *want)
{
	running = name;
	poke(at, v);
	judge("", want);
}

/* The value of a property of a sub-node of the root FDT, or of the root. */
static paddr_t property(const char *node, const char *name)
{
	static uint64_t fdt[PAGE_SIZE / 8];
	int at, len;
	const void *p;

	world_read(w.fdt, fdt, sizeof(fdt));
	at = *node ? fdt_subnode_offset(fdt, 0, node) : 0;
	p = fdt_getprop(fdt, at, name, &len);
	if (!p)
		abort();
	return w.fdt + (paddr_t)((const uint8_t *)p - (const uint8_t *)fdt);
}

/* An entry of a list in the baton node. */
static paddr_t entry(const char *list, size_t offset)
{
	const void *p;
	int len;

	world_read(w.node, blob, sizeof(blob));
	p = fdt_getprop(blob, 0, list, &len);
	if (!p)
		abort();
	return w.node + (paddr_t)((const uint8_t *)p - (const uint8_t *)blob) + offset;
}

static void announcement(void)
{
	const paddr_t data = w.payload + sizeof(struct kho_setup_header);

	pointer("root_fdt", data + offsetof(struct kho_data, fdt_pa), place);
	pointer("scratch_array", data + offsetof(struct kho_data, scratch_pa), "scratch");
	value("root_fdt_of_2^32", data + offsetof(struct kho_data, fdt_size), BIT64(32),
	      "has too large a buffer");
	value("scratch_array_of_2^32", data + offsetof(struct kho_data, scratch_size), BIT64(36),
	      "impossible size");
	value("setup_data_circle", w.payload, w.payload, "two SETUP_KEXEC_KHO");
	value("setup_data_into_mmio", w.payload, WORLD_MMIO, "is not in RAM");
	value("setup_data_length_2^32", w.payload + 8,
	      (uint64_t)UINT32_MAX << 32 | KHO_SETUP_KEXEC_KHO, "is not in RAM");
}

static void root_fdt(void)
{
	static const char *const names[] = { KHO_NODE_METADATA, KHO_NODE_LUO, NODE_NAME };

	pointer("radix_root", property("", KHO_PROP_MAP), place);
	value("radix_root_is_fdt", property("", KHO_PROP_MAP), w.fdt, "radix");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[64];

		snprintf(name, sizeof(name), "blob_of_%s", names[i]);
		pointer(name, property(names[i], KHO_PROP_DATA), "is not preserved");
		snprintf(name, sizeof(name), "blob_of_%s_of_2^32", names[i]);
		value(name, property(names[i], KHO_PROP_BLOB_SIZE), BIT64(32), "is not preserved");
	}
	value("two_nodes_one_blob", property(KHO_NODE_LUO, KHO_PROP_DATA), w.node, "shares a page");
	value("scratch_area_of_2^32", w.array + 8, BIT64(32), "");
	value("scratch_over_handoff", w.array, MIB(1), "");
}

static void radix(void)
{
	static const struct { const char *name; paddr_t pa; const char *says; } keys[] = {
		{ "preserves_mmio", WORLD_MMIO, "is not RAM" },
		{ "preserves_beyond_ram", WORLD_NO_RAM, "is not RAM" },
	};
	uint64_t child;

	for (unsigned level = 5; level; level--) {
		const unsigned slot = level == 5 ? 2 : (unsigned)first_slot(w.radix[level], &child);
		const paddr_t at = w.radix[level] + slot * 8;
		const struct { const char *name, *says; uint64_t v; } bad[] = {
			{ "its_parent", "is its own ancestor", w.radix[level] },
			{ "the_root", "is its own ancestor", w.radix[5] },
			{ "unaligned", "is not page aligned", w.radix[level - 1] + 8 },
			{ "without_a_digest", "", SPARE },
		};
		char name[32];

		snprintf(name, sizeof(name), "radix_node_of_level_%u", level - 1);
		pointer(name, at, place);
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			running = name;
			poke(at, bad[i].v);
			judge(bad[i].name, bad[i].says);
		}
	}
	value("radix_two_parents", w.radix[1] + 511 * 8, w.radix[0], "");
	value("radix_slot_3", w.radix[5] + 3 * 8, w.radix[4], "uses a slot above 2");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const uint64_t key = kho_key(keys[i].pa, 0);

		running = keys[i].name;
		poke(SPARE + kho_radix_bit(key) / 64 * 8, BIT64(kho_radix_bit(key) % 64));
		poke(w.radix[1] + kho_radix_slot(key, 1) * 8, SPARE);
		judge("", keys[i].says);
	}
	value("preserves_scratch", w.radix[0] + kho_radix_bit(kho_key(WORLD_SCRATCH, 0)) / 64 * 8,
	      BIT64(kho_radix_bit(kho_key(WORLD_SCRATCH, 0)) % 64), "lies in scratch");
	value("preserves_image", w.radix[0] + kho_radix_bit(kho_key(WORLD_IMAGE, 0)) / 64 * 8,
	      BIT64(kho_radix_bit(kho_key(WORLD_IMAGE, 0)) % 64), "lies in scratch");
	value("everything_preserved", w.radix[0], UINT64_MAX, "lies below 1 MiB");
}

static void baton_node(void)
{
	pointer("results", entry("head", 24), "is not a preserved page");
	pointer("control_page", entry("ports", 0), "is not a preserved page");
	pointer("digested_page", entry("digests", 0), "is not part of the handoff");
	pointer("root_table", entry("units", offsetof(struct node_unit_ser, rtaddr)),
		"memory.tables_preserved");
	/* Domains: the RMRR's, then the ports'. */
	pointer("top_table", entry("domains", sizeof(struct node_domain_ser) +
				   offsetof(struct node_domain_ser, top_pa)), "restore.records");
	value("device_was_another", entry("devices", 0), peek(entry("devices", 0)) ^ BIT64(32),
	      "restore.records");
	value("device_is_not_named", entry("devices", 0), peek(entry("devices", 0)) ^ BIT64(28),
	      "restore.records");
	value("unit_is_not_named", entry("units", offsetof(struct node_unit_ser, regs_pa)), WORLD_MMIO + MIB(1),
	      "restore.records");
	value("more_tables_than_there_are",
	      entry("domains", offsetof(struct node_domain_ser, table_pages)), BIT64(32),
	      "memory.tables_unchanged");
}

static void tables(void)
{
	pointer("root_entry", w.root_slot, "memory.tables_preserved");
	value("root_entry_circle", w.root_slot, w.root | VTD_RE_P, "");
	pointer("context_entry", w.context_slot, "restore.entry_matches");
	pointer("directory_entry", w.ss_slot[2], "memory.tables_preserved");
	pointer("table_entry", w.ss_slot[1], "memory.tables_preserved");
	pointer("leaf", w.ss_slot[0], "memory.tables_preserved");
	value("directory_circle", w.ss_slot[2], w.ss_top | VTD_SS_RW, "");
	value("table_circle", w.ss_slot[1], w.ss_top | VTD_SS_RW, "");
	value("leaf_to_its_table", w.ss_slot[0], w.ss_leaf | VTD_SS_RW, "memory.tables_preserved");
	value("leaf_to_metadata", w.ss_slot[0], w.fdt | VTD_SS_RW, "memory.tables_preserved");
}

static void luo(void)
{
	const paddr_t session = w.sessions + sizeof(struct kho_block_ser);
	const paddr_t file = w.files + sizeof(struct kho_block_ser);
	const paddr_t flb = w.flbs + sizeof(struct kho_flbs_ser);

	pointer("sessions", w.luo + offsetof(struct kho_luo_ser, sessions_pa), page);
	pointer("next_session_block", w.sessions, page);
	value("session_block_circle", w.sessions, w.sessions, "is named twice");
	value("session_count_2^32", w.sessions + 8, BIT64(32), "session block");
	running = "session_name_without_an_end";
	for (unsigned i = 0; i < sizeof(((struct kho_session_ser *)0)->name); i += 8)
		poke(session + i, 0x6161616161616161);
	judge("", "has a name without an end");
	pointer("files", session + offsetof(struct kho_session_ser, files_pa), page);
	value("files_are_sessions", session + offsetof(struct kho_session_ser, files_pa), w.sessions,
	      "is named twice");
	value("file_count_2^32", session + offsetof(struct kho_session_ser, count), BIT64(32),
	      "has not the number of files it states");
	value("file_block_circle", w.files, w.files, "is named twice");
	value("file_block_count_2^32", w.files + 8, BIT64(32), "file block");
	pointer("memfd", file + offsetof(struct kho_file_ser, data), page);
	value("token_twice", file + offsetof(struct kho_file_ser, token),
	      peek(file + sizeof(struct kho_file_ser) + offsetof(struct kho_file_ser, token)),
	      "has a token that is taken");
	pointer("flbs", w.luo + offsetof(struct kho_luo_ser, flbs_pa), page);
	value("flbs_are_files", w.luo + offsetof(struct kho_luo_ser, flbs_pa), w.files,
	      "is named twice");
	value("flb_count_2^32", w.flbs + 8, BIT64(32), "claims more entries than fit");
	value("flb_pages_2^32", w.flbs, BIT64(32), "is not one page");
	pointer("iommu_records", flb + offsetof(struct kho_flb_ser, data), page);
}

static void memfd(void)
{
	const paddr_t folios = w.memfd + offsetof(struct kho_memfd_ser, folios);

	value("memfd_of_2^63", w.memfd + offsetof(struct kho_memfd_ser, size), BIT64(63),
	      "has a negative size");
	value("folios_2^32", w.memfd + offsetof(struct kho_memfd_ser, nr_folios), BIT64(32),
	      "has a folio array of another size");
	running = "folios_and_pages_2^32";
	poke(w.memfd + offsetof(struct kho_memfd_ser, nr_folios), BIT64(32));
	poke32(folios + offsetof(struct kho_vmalloc_ser, total_pages), BIT64(32) / 256);
	judge("", "");
	pointer("vmalloc_chunk", folios, page);
	pointer("next_chunk", w.chunk, "");
	value("chunk_circle", w.chunk, w.chunk, "");
	pointer("folio_array", w.chunk + 8, page);
	value("folio_array_is_its_chunk", w.chunk + 8, w.chunk, "is named twice");
	running = "folio";
	for (unsigned i = 0; i < 2; i++) {
		const paddr_t bad[] = { WORLD_NO_RAM, WORLD_SCRATCH };

		poke(w.folios, bad[i] / PAGE_SIZE | (peek(w.folios) & KHO_FOLIO_FLAGS));
		judge(i ? "into_scratch" : "beyond_ram", i ? "lies in scratch" : "is not RAM");
	}
	value("folio_is_metadata", w.folios, w.fdt / PAGE_SIZE | (peek(w.folios) & KHO_FOLIO_FLAGS),
	      "is named twice");
}

static void records(void)
{
	const paddr_t unit = w.units + sizeof(struct kho_block_ser);
	const paddr_t domain = w.domains + sizeof(struct kho_block_ser);
	const paddr_t device = w.devices + sizeof(struct kho_block_ser);
	const paddr_t second = device + sizeof(struct kho_iommu_device_ser);
	static const char bad[] = "restore.records";

	pointer("unit_records", w.top + offsetof(struct kho_iommu_top_ser, units_pa), page);
	pointer("domain_records", w.top + offsetof(struct kho_iommu_top_ser, domains_pa), page);
	pointer("device_records", w.top + offsetof(struct kho_iommu_top_ser, devices_pa), page);
	value("devices_are_domains", w.top + offsetof(struct kho_iommu_top_ser, devices_pa), w.domains,
	      "is named twice");
	value("version_2^32", w.top, BIT64(32) | 1, "has an unknown version");
	pointer("next_device_block", w.devices, "");
	value("device_block_circle", w.devices, w.devices, "");
	value("unit_count_2^32", w.units + 8, BIT64(32), "unit");
	value("domain_count_2^32", w.domains + 8, BIT64(32), "domain");
	value("device_count_2^32", w.devices + 8, BIT64(32), "device");
	pointer("device_domain", device + offsetof(struct kho_iommu_device_ser, domain_pa), bad);
	pointer("device_unit", device + offsetof(struct kho_iommu_device_ser, unit_pa), bad);
	value("device_domain_is_its_unit", device + offsetof(struct kho_iommu_device_ser, domain_pa),
	      unit, bad);
	pointer("domain_table", domain + offsetof(struct kho_iommu_domain_ser, top_table_pa), bad);
	pointer("unit_table", unit + offsetof(struct kho_iommu_unit_ser, root_table_pa), bad);
	value("table_for_every_bus", unit + offsetof(struct kho_iommu_unit_ser, context_tables), UINT64_MAX,
	      "restore.root_entries");
	value("devices_2^32", unit, UINT32_MAX, bad);
	value("level_2^32", domain + offsetof(struct kho_iommu_domain_ser, top_level), BIT64(32), bad);
	value("device_stands_twice", device + offsetof(struct kho_iommu_device_ser, devid),
	      peek(second + offsetof(struct kho_iommu_device_ser, devid)), bad);
	value("one_did_two_domains", device + offsetof(struct kho_iommu_device_ser, attachment_id),
	      peek(second + offsetof(struct kho_iommu_device_ser, attachment_id)), bad);
	value("did_2^32", device + offsetof(struct kho_iommu_device_ser, attachment_id), BIT64(32) | 2,
	      bad);
	value("another_did_than_the_table", device + offsetof(struct kho_iommu_device_ser, attachment_id),
	      77, "restore.entry_matches");
	value("did_beyond_the_unit", device + offsetof(struct kho_iommu_device_ser, attachment_id), 0xffff,
	      "restore.entry_matches");
	value("another_width_than_the_table", domain + offsetof(struct kho_iommu_domain_ser, top_level), 3,
	      "restore.entry_matches");
	value("first_stage", domain + offsetof(struct kho_iommu_domain_ser, vasz),
	      peek(domain + offsetof(struct kho_iommu_domain_ser, vasz)) | BIT64(32), bad);
	value("nobody_is_owner", device + offsetof(struct kho_iommu_device_ser, owner_token), 0, bad);
	value("domain_restored_already", domain + offsetof(struct kho_iommu_domain_ser, restored_domain),
	      w.fdt, bad);
	value("pasid_directory", device + offsetof(struct kho_iommu_device_ser, pasid_dir_pa), WORLD_NO_RAM,
	      bad);
}

void cases_run(struct cases_result *out)
{
	find_all();
	world_read(w.node, blob_was, sizeof(blob_was));
	announcement();
	root_fdt();
	radix();
	baton_node();
	tables();
	luo();
	memfd();
	records();
	running = NULL;
	*out = result;
}
