/* For machines.  Keys and forms are those of tests/fixtures/linux-7.3-kho/expected.json where they mean
 * the same: addresses are strings, counts are numbers. */
#include "print.h"

#include <libfdt.h>
#include <string.h>

#include "bootparams.h"
#include "json_out.h"
#include "kho/fdt.h"
#include "kho/memblock.h"
#include "kho/radix.h"
#include "platform/mem.h"
#include "sha256.h"

#define MAX_DEPTH	4	/* of an FDT; those of a handoff have two levels */

static void put_sum(const char *key, const void *p, size_t n)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, p, n);
	sha256_end(&s, sum);
	json_bytes(key, sum, sizeof(sum));
}

/* --- Announcement --- */

static uint32_t get32(struct span page, size_t off)
{
	uint32_t v = 0;

	span_u32(page, off, &v);
	return v;
}

static uint64_t get_split(struct span page, size_t lo, size_t hi)
{
	return get32(page, lo) | (uint64_t)get32(page, hi) << 32;
}

/* struct efi_info (Linux asm/bootparam.h). */
static void put_efi_info(struct span page)
{
	static const char *const key[] = { "loader_signature", "systab", "memdesc_size",
					   "memdesc_version", "memmap", "memmap_size", "systab_hi",
					   "memmap_hi" };

	json_open("efi_info", '{');
	for (size_t i = 0; i < ARRAY_SIZE(key); i++)
		json_hex(key[i], get32(page, BP_EFI_INFO + i * sizeof(uint32_t)));
	json_close('}');
}

static void put_e820(const struct dump *d)
{
	json_open("e820", '[');
	for (size_t i = 0; i < d->nr_e820; i++) {
		json_open(NULL, '{');
		json_hex("addr", d->e820[i].addr);
		json_hex("size", d->e820[i].size);
		json_number("type", d->e820[i].type);
		json_close('}');
	}
	json_close(']');
}

static void put_boot_params(const struct dump *d)
{
	const struct span page = span_of(mem_ptr(d->where.boot_params), BOOT_PARAMS_BYTES);
	uint16_t version = 0;
	uint8_t loader = 0, flags = 0;
	uint64_t rsdp = 0, setup = 0;
	size_t max;
	paddr_t pa;
	const char *cmdline = print_cmdline(d, &pa, &max);

	span_u16(page, BP_VERSION, &version);
	span_u8(page, BP_TYPE_OF_LOADER, &loader);
	span_u8(page, BP_LOADFLAGS, &flags);
	span_u64(page, BP_ACPI_RSDP_ADDR, &rsdp);
	span_u64(page, BP_SETUP_DATA, &setup);
	json_open("boot_params", '{');
	json_hex("addr", d->where.boot_params);
	json_hex("cmdline_addr", pa);
	if (cmdline)
		json_string("cmdline", cmdline, max);
	json_hex("hdr_version", version);
	json_hex("type_of_loader", loader);
	json_hex("loadflags", flags);
	json_open("ramdisk", '[');
	json_hex(NULL, get_split(page, BP_RAMDISK_IMAGE, BP_EXT_RAMDISK_IMAGE));
	json_hex(NULL, get_split(page, BP_RAMDISK_SIZE, BP_EXT_RAMDISK_SIZE));
	json_close(']');
	json_hex("acpi_rsdp_addr", rsdp);
	json_hex("setup_data", setup);
	put_efi_info(page);
	put_e820(d);
	json_close('}');
}

static void put_setup_data(const struct dump *d)
{
	json_open("setup_data", '[');
	for (size_t i = 0; i < d->nr_setup; i++) {
		const struct setup_node *n = &d->setup[i];

		json_open(NULL, '{');
		json_hex("pa", n->pa);
		json_number("type", n->type);
		json_number("len", n->len);
		json_bytes("data_hex", mem_ptr(n->pa + sizeof(struct kho_setup_header)), n->len);
		json_close('}');
	}
	json_close(']');
}

static void put_data(const struct dump *d)
{
	const struct kho_data *a = &d->h.data;

	json_open("kho_data", '{');
	json_hex("fdt_addr", a->fdt_pa);
	json_hex("fdt_size", a->fdt_size);
	json_hex("scratch_addr", a->scratch_pa);
	json_hex("scratch_size", a->scratch_size);
	json_close('}');
}

static void put_scratch(const struct kho_scratch *s)
{
	json_open("scratch", '[');
	for (size_t i = 0; i < s->nr; i++) {
		json_open(NULL, '{');
		json_hex("addr", s->entry[i].addr);
		json_hex("size", s->entry[i].size);
		json_close('}');
	}
	json_close(']');
}

/* --- FDTs --- */

static void put_header(struct span fdt)
{
	json_open("header", '{');
	json_number("totalsize", fdt_totalsize(fdt.p));
	json_number("off_dt_struct", fdt_off_dt_struct(fdt.p));
	json_number("off_dt_strings", fdt_off_dt_strings(fdt.p));
	json_number("off_mem_rsvmap", fdt_off_mem_rsvmap(fdt.p));
	json_number("version", fdt_version(fdt.p));
	json_number("last_comp_version", fdt_last_comp_version(fdt.p));
	json_number("size_dt_strings", fdt_size_dt_strings(fdt.p));
	json_number("size_dt_struct", fdt_size_dt_struct(fdt.p));
	json_close('}');
}

static void put_value(const char *name, struct span v)
{
	uint64_t n;

	if (print_is_string(v))
		json_string(name, (const char *)v.p, v.len);
	else if (v.len == sizeof(n) && span_u64(v, 0, &n))
		json_hex(name, n);
	else
		json_bytes(name, v.p, v.len);
}

static void put_properties(const char *key, struct span fdt, int node,
			   void (*put)(const char *name, struct span v))
{
	int prop;

	json_open(key, '{');
	fdt_for_each_property_offset(prop, fdt.p, node) {
		const char *name;
		int len;
		const void *p = fdt_getprop_by_offset(fdt.p, prop, &name, &len);

		if (p)
			put(name, span_of(p, len));
	}
	json_close('}');
}

static void put_hex(const char *name, struct span v)
{
	json_bytes(name, v.p, v.len);
}

static void put_node(const char *key, struct span fdt, int node, unsigned depth)
{
	int child;

	json_open(key, '{');
	json_string("name", fdt_get_name(fdt.p, node, NULL), SIZE_MAX);
	put_properties("props", fdt, node, put_value);
	put_properties("props_raw_hex", fdt, node, put_hex);
	json_open("children", '[');
	if (depth < MAX_DEPTH)
		fdt_for_each_subnode(child, fdt.p, node)
			put_node(NULL, fdt, child, depth + 1);
	json_close(']');
	json_close('}');
}

static void put_root(const struct dump *d, bool sums)
{
	const struct span fdt = span_of(mem_ptr(d->h.data.fdt_pa), d->h.tree.fdt_bytes);

	json_open("kho_fdt", '{');
	put_header(fdt);
	put_node("tree", fdt, 0, 0);
	if (sums)
		put_sum("sha256", fdt.p, fdt.len);
	json_close('}');
}

/* --- Preserved memory --- */

static void put_list_sum(const struct kho_map *m)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < m->nr_extents; i++)
		for (uint64_t k = 0; k < m->extents[i].count; k++) {
			const paddr_t pa = m->extents[i].pa + (k << (PAGE_SHIFT + m->extents[i].order));
			const uint32_t order = m->extents[i].order;

			sha256_add(&s, &pa, sizeof(pa));
			sha256_add(&s, &order, sizeof(order));
		}
	sha256_end(&s, sum);
	json_bytes("sha256_of_sorted_list", sum, sizeof(sum));
}

static void put_radix(const struct dump *d, bool sums)
{
	const struct kho_map *m = &d->h.map;

	json_open("radix", '{');
	json_hex("root", d->h.tree.radix_root);
	json_number("levels", KHO_RADIX_LEVELS);
	json_open("nodes", '[');
	for (size_t i = 0; i < d->nr_node; i++) {
		json_open(NULL, '{');
		json_hex("pa", d->node[i].pa);
		json_number("level", d->node[i].level);
		json_close('}');
	}
	json_close(']');
	json_number("nodes_preserved_in_tree", 0);	/* else it is refused */
	json_number("preserved_count", m->entries);
	json_number("preserved_bytes", m->pages * PAGE_SIZE);
	json_open("count_by_order", '{');
	for (unsigned o = 0; o <= KHO_MAX_ORDER; o++) {
		const char order[] = { '0' + o / 10, '0' + o % 10, 0 };

		if (m->entries_of[o])
			json_number(o < 10 ? order + 1 : order, m->entries_of[o]);
	}
	json_close('}');
	json_open("preserved_runs", '[');
	for (size_t i = 0; i < m->nr_extents; i++) {
		json_open(NULL, '{');
		json_number("order", m->extents[i].order);
		json_hex("phys", m->extents[i].pa);
		json_number("count", m->extents[i].count);
		json_close('}');
	}
	json_close(']');
	if (sums)
		put_list_sum(m);
	json_close('}');
}

static void put_subtrees(const struct dump *d, bool sums)
{
	json_open("subtrees", '{');
	for (size_t i = 0; i < d->h.tree.nr; i++) {
		const struct kho_subnode *n = &d->h.tree.node[i];
		const bool preserved = d->has_map && kho_map_covers(&d->h.map, n->pa, n->size);

		json_open(n->name, '{');
		json_hex("pa", n->pa);
		json_number("size", n->size);
		if (d->has_map)
			json_bool("page_preserved", preserved);
		if (sums && preserved && image_has(n->pa, n->size))
			put_sum("sha256", mem_ptr(n->pa), n->size);
		json_close('}');
	}
	json_close('}');
}

static void put_metadata(const struct kho_metadata *m)
{
	json_open("kexec_metadata", '{');
	json_number("version", KHO_METADATA_VERSION);
	json_string("previous_release", m->previous_release, sizeof(m->previous_release));
	json_number("kexec_count", m->kexec_count);
	json_close('}');
}

/* The chunks that a region of reserve_mem= is made of. */
static void put_blocks(const struct kho_map *m, paddr_t start, uint64_t size)
{
	json_open("blocks", '[');
	for (size_t i = 0; i < m->nr_extents; i++) {
		const struct kho_extent *e = &m->extents[i];
		const uint64_t step = PAGE_SIZE << e->order;

		if (e->pa + kho_extent_len(e) <= start)
			continue;
		if (e->pa - start >= size && e->pa >= start)
			break;
		for (uint64_t k = e->pa < start ? (start - e->pa) / step : 0;
		     k < e->count && e->pa + k * step - start < size; k++) {
			json_open(NULL, '{');
			json_hex("phys", e->pa + k * step);
			json_number("order", e->order);
			json_close('}');
		}
	}
	json_close(']');
}

static void put_memblock(const struct dump *d)
{
	const struct kho_subnode *n = kho_tree_find(&d->h.tree, KHO_NODE_MEMBLOCK);
	struct span fdt;
	int node;

	if (!n || !dump_blob_fdt(d, n, &fdt))
		return;
	json_open("memblock", '{');
	put_header(fdt);
	put_node("tree", fdt, 0, 0);
	json_open("reserve_mem", '[');
	fdt_for_each_subnode(node, fdt.p, 0) {
		uint64_t start, size;

		if (kho_fdt_u64(fdt, node, "start", &start) || kho_fdt_u64(fdt, node, "size", &size))
			continue;
		json_open(NULL, '{');
		json_string("name", fdt_get_name(fdt.p, node, NULL), SIZE_MAX);
		json_hex("start", start);
		json_hex("size", size);
		if (size && kho_map_covers(&d->h.map, start, size))
			put_blocks(&d->h.map, start, size);
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

/* --- LUO --- */

/* A chain that was validated. */
static void put_chain(const char *key, paddr_t at)
{
	json_open(key, '[');
	while (at) {
		const struct kho_block_ser *b = mem_ptr(at);

		json_open(NULL, '{');
		json_hex("pa", at);
		json_hex("next", b->next_pa);
		json_number("count", b->count);
		json_close('}');
		at = b->next_pa;
	}
	json_close(']');
}

static void put_vmalloc(const struct kho_vmalloc_ser *v)
{
	json_open("vmalloc", '{');
	json_hex("first", v->first_pa);
	json_number("total_pages", v->total_pages);
	json_number("flags", v->flags);
	json_number("order", v->order);
	if (v->first_pa) {
		uint64_t left = v->total_pages;

		json_open("chunks", '[');
		for (paddr_t at = v->first_pa; at;
		     at = ((const struct kho_vmalloc_chunk_ser *)mem_ptr(at))->next_pa)
			json_hex(NULL, at);
		json_close(']');
		json_open("pages", '[');
		for (paddr_t at = v->first_pa; at && left;) {
			const struct kho_vmalloc_chunk_ser *c = mem_ptr(at);

			for (unsigned i = 0; i < KHO_VMALLOC_SLOTS && left; i++, left--)
				json_hex(NULL, c->piece_pa[i]);
			at = c->next_pa;
		}
		json_close(']');
	}
	json_close('}');
}

static void put_folios(const struct kho_memfd *m)
{
	uint64_t of[KHO_MAX_ORDER + 1] = { 0 };

	for (size_t i = 0; i < m->nr_folios; i++)
		of[m->folios[i].order] += m->folios[i].len >> (PAGE_SHIFT + m->folios[i].order);
	json_open("folio_orders", '{');
	for (unsigned o = 0; o <= KHO_MAX_ORDER; o++) {
		const char order[] = { '0' + o / 10, '0' + o % 10, 0 };

		if (of[o])
			json_number(o < 10 ? order + 1 : order, of[o]);
	}
	json_close('}');
	json_open("folios", '[');
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		for (uint64_t p = 0; p < f->len / PAGE_SIZE; p += BIT64(f->order)) {
			json_open(NULL, '{');
			json_hex("pfn", f->pa / PAGE_SIZE + p);
			json_number("flags", f->flags);
			json_number("index", f->index + p);
			json_number("order", f->order);
			json_close('}');
		}
	}
	json_close(']');
}

static void add_zeros(struct sha256 *s, uint64_t n)
{
	static const uint8_t zeros[PAGE_SIZE];

	for (uint64_t step; n; n -= step) {
		step = MIN(n, PAGE_SIZE);
		sha256_add(s, zeros, step);
	}
}

/* What reading the file would give; holes are zeros. */
static void put_content_sum(const struct kho_memfd *m)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		add_zeros(&s, MIN(f->index * PAGE_SIZE, m->size) - s.len);
		for (uint64_t at = 0; at < f->len && s.len < m->size; at += PAGE_SIZE)
			sha256_add(&s, mem_ptr(f->pa + at), MIN(PAGE_SIZE, m->size - s.len));
	}
	add_zeros(&s, m->size - s.len);
	sha256_end(&s, sum);
	json_bytes("content_sha256", sum, sizeof(sum));
}

static void put_memfd(const struct dump *d, paddr_t pa, const struct kho_memfd *m, bool sums)
{
	const struct kho_memfd_ser *ser = mem_ptr(pa);
	const bool there = print_content_there(m);

	json_open("memfd", '{');
	json_hex("ser_pa", pa);
	json_number("pos", m->pos);
	json_number("size", m->size);
	json_number("seals", m->seals);
	json_number("flags", ser->flags);
	json_number("nr_folios", ser->nr_folios);
	put_vmalloc(&ser->folios);
	put_folios(m);
	json_bool("content_in_image", there);
	/* A file of holes can be larger than any memory. */
	if (sums && there && m->size <= d->h.map.pages * PAGE_SIZE + GIB(1))
		put_content_sum(m);
	json_close('}');
}

static void put_session(const struct dump *d, size_t i, paddr_t files_pa, bool sums)
{
	const struct kho_session *s = &d->luo.sessions[i];

	json_open(NULL, '{');
	json_string("name", s->name, sizeof(s->name));
	json_hex("files_pa", files_pa);
	json_number("count", s->nr_files);
	json_open("files", '[');
	for (size_t k = s->first_file; k < s->first_file + s->nr_files; k++) {
		const struct kho_file *f = &d->luo.files[k];

		json_open(NULL, '{');
		json_string("compatible", f->compatible, sizeof(f->compatible));
		json_hex("data", f->data);
		json_hex("token", f->token);
		if (d->has_memfd[k])
			put_memfd(d, f->data, &d->memfd[k], sums);
		json_close('}');
	}
	json_close(']');
	put_chain("file_blocks", files_pa);
	json_close('}');
}

static void put_sessions(const struct dump *d, bool sums)
{
	size_t i = 0;

	json_open("sessions", '[');
	for (paddr_t at = d->luo.sessions_pa; at;) {
		const struct kho_block_ser *b = mem_ptr(at);
		const struct kho_session_ser *ser = (const void *)(b + 1);

		for (uint64_t k = 0; k < b->count; k++)
			put_session(d, i++, ser[k].files_pa, sums);
		at = b->next_pa;
	}
	json_close(']');
}

static void put_flbs(const struct kho_luo *l, paddr_t pa)
{
	const struct kho_flbs_ser *header;

	json_open("flbs", '[');
	for (size_t i = 0; i < l->nr_flbs; i++) {
		json_open(NULL, '{');
		json_string("name", l->flbs[i].name, sizeof(l->flbs[i].name));
		json_hex("data", l->flbs[i].data);
		json_number("count", l->flbs[i].count);
		json_close('}');
	}
	json_close(']');
	put_chain("session_blocks", l->sessions_pa);
	if (!pa)
		return;
	header = mem_ptr(pa);
	json_open("flb_header", '{');
	json_number("pgcnt", header->pgcnt);
	json_number("count", header->count);
	json_close('}');
}

static void put_luo(const struct dump *d, bool sums)
{
	struct kho_luo_ser ser;

	memcpy(&ser, mem_ptr(kho_tree_find(&d->h.tree, KHO_NODE_LUO)->pa), sizeof(ser));
	json_open("luo", '{');
	json_string("compatible", ser.compatible, sizeof(ser.compatible));
	json_number("liveupdate_num", d->luo.liveupdate_num);
	json_hex("sessions_pa", ser.sessions_pa);
	json_hex("flbs_pa", ser.flbs_pa);
	put_sessions(d, sums);
	put_flbs(&d->luo, ser.flbs_pa);
	json_close('}');
}

/* --- IOMMU records --- */

static void put_units(const struct kho_iommu *io, const struct kho_iommu_verdicts *v)
{
	json_open("units", '[');
	for (size_t i = 0; i < io->nr_units; i++) {
		json_open(NULL, '{');
		json_hex("pa", v->unit[i].pa);
		json_bool("deleted", io->unit[i].deleted);
		json_hex("register_base", io->unit[i].register_base);
		json_hex("root_table", io->unit[i].root_table);
		json_close('}');
	}
	json_close(']');
}

static void put_domains(const struct kho_iommu *io, const struct kho_iommu_verdicts *v)
{
	json_open("domains", '[');
	for (size_t i = 0; i < io->nr_domains; i++) {
		json_open(NULL, '{');
		json_hex("pa", v->domain[i].pa);
		json_bool("deleted", io->domain[i].deleted);
		json_hex("top_table", io->domain[i].top_table);
		json_number("top_level", io->domain[i].top_level);
		json_number("vasz", io->domain[i].vasz);
		json_bool("first_stage", io->domain[i].first_stage);
		json_close('}');
	}
	json_close(']');
}

static void put_index(const char *key, size_t i)
{
	if (i != KHO_IOMMU_NONE)
		json_number(key, i);
}

static void put_devices(const struct kho_iommu *io, const struct kho_iommu_verdicts *v)
{
	json_open("devices", '[');
	for (size_t i = 0; i < io->nr_devices; i++) {
		const struct kho_iommu_device *x = &io->device[i];

		json_open(NULL, '{');
		json_hex("pa", v->device[i].pa);
		json_bool("deleted", x->deleted);
		json_number("pci_domain", x->pci_domain);
		json_hex("devid", x->devid);
		json_number("did", x->did);
		json_hex("owner_token", x->owner_token);
		put_index("domain", x->domain);
		put_index("unit", x->unit);
		json_hex("pasid_dir", x->vtd.pasid_dir);
		json_number("max_pasid", x->vtd.max_pasid);
		json_bool("ats_enabled", x->vtd.ats_enabled);
		json_bool("ats_supported", x->vtd.ats_supported);
		json_close('}');
	}
	json_close(']');
}

static void put_iommu(const struct dump *d)
{
	json_open("iommu", '{');
	put_units(&d->iommu, &d->verdicts);
	put_domains(&d->iommu, &d->verdicts);
	put_devices(&d->iommu, &d->verdicts);
	json_close('}');
}

static void put_findings(const struct dump *d)
{
	json_open("findings", '[');
	for (size_t i = 0; i < d->nr_findings; i++) {
		const struct finding *f = &d->finding[i];

		json_open(NULL, '{');
		json_string("id", f->id, SIZE_MAX);
		json_string("what", f->what, SIZE_MAX);
		json_string("fault", f->fault, SIZE_MAX);
		json_hex("at", f->at);
		json_hex("value", f->value);
		json_close('}');
	}
	json_close(']');
}

void print_json(const struct dump *d, bool sums)
{
	json_open(NULL, '{');
	if (d->where.has_boot_params) {
		put_boot_params(d);
		put_setup_data(d);
	}
	if (d->has_data)
		put_data(d);
	if (d->has_scratch)
		put_scratch(&d->h.scratch);
	if (d->has_tree)
		put_root(d, sums);
	if (d->has_map)
		put_radix(d, sums);
	if (d->has_tree)
		put_subtrees(d, sums);
	if (d->has_metadata)
		put_metadata(&d->metadata);
	if (d->has_tree)
		put_memblock(d);
	if (d->has_luo)
		put_luo(d, sums);
	if (d->has_iommu)
		put_iommu(d);
	put_findings(d);
	json_close('}');
}
