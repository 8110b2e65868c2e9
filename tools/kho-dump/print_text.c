/* For people: the handoff as a tree. */
#include "print.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kho/fdt.h"
#include "platform/mem.h"

#define SHOWN	4096	/* characters of a foreign string */

typedef unsigned long long ull;

/* One line, indented. */
__attribute__((format(printf, 2, 3))) static void line(unsigned depth, const char *fmt, ...)
{
	va_list ap;

	printf("%*s", 2 * (int)depth, "");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* A foreign name, safe for a terminal; the next call but three uses the room again. */
static const char *safe(const char *s, size_t max)
{
	static char room[4][4 * SHOWN + 4];
	static unsigned turn;
	char *out = room[turn++ % 4], *p = out;
	size_t i;

	for (i = 0; i < MIN(max, (size_t)SHOWN) && s[i]; i++)
		p += s[i] < 0x20 || s[i] > 0x7e || s[i] == '\\' ? sprintf(p, "\\x%02x", (uint8_t)s[i])
							       : sprintf(p, "%c", s[i]);
	strcpy(p, i == SHOWN && i < max && s[i] ? "..." : "");
	return out;
}

/* Bytes in the largest unit that divides them. */
static const char *size(uint64_t n)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	static char room[4][32];
	static unsigned turn;
	char *out = room[turn++ % 4];
	unsigned u = 0;

	while (n && u + 1 < ARRAY_SIZE(unit) && n % 1024 == 0) {
		n /= 1024;
		u++;
	}
	sprintf(out, "%llu %s", (ull)n, unit[u]);
	return out;
}

/* --- Announcement, scratch --- */

static void print_announcement(const struct dump *d)
{
	size_t max;
	paddr_t pa;
	const char *cmdline;

	if (d->where.has_boot_params) {
		uint64_t ram = 0;

		cmdline = print_cmdline(d, &pa, &max);
		for (size_t i = 0; i < d->nr_ram; i++)
			ram += d->ram[i].len;
		line(0, "boot_params at 0x%llx: %zu E820 entries, %s of RAM in %zu ranges",
		     (ull)d->where.boot_params, d->nr_e820, size(ram), d->nr_ram);
		if (cmdline)
			line(1, "command line: %s", safe(cmdline, max));
		for (size_t i = 0; i < d->nr_setup; i++)
			line(1, "setup_data at 0x%llx: type %u%s, %u bytes", (ull)d->setup[i].pa,
			     d->setup[i].type,
			     d->setup[i].type == KHO_SETUP_KEXEC_KHO ? " (KHO)" : "",
			     d->setup[i].len);
	}
	if (d->has_data && !d->nr_ram)
		line(0, "no memory map: what is RAM was not checked");
}

static void print_scratch(const struct dump *d)
{
	line(1, "scratch array at 0x%llx: %zu areas", (ull)d->h.data.scratch_pa, d->h.scratch.nr);
	for (size_t i = 0; i < d->h.scratch.nr; i++) {
		const struct kho_scratch_entry *e = &d->h.scratch.entry[i];

		if (e->size)
			line(2, "0x%llx-0x%llx  %s", (ull)e->addr, (ull)(e->addr + e->size - 1),
			     size(e->size));
		else
			line(2, "0x%llx  empty", (ull)e->addr);
	}
}

/* --- Preserved memory --- */

static void print_map(const struct dump *d)
{
	const struct kho_map *m = &d->h.map;

	line(1, "preserved memory: %llu blocks, %s, in %zu ranges; radix tree at 0x%llx of %zu nodes",
	     (ull)m->entries, size(m->pages * PAGE_SIZE), m->nr_ranges, (ull)d->h.tree.radix_root,
	     m->nr_nodes);
	for (unsigned o = 0; o <= KHO_MAX_ORDER; o++)
		if (m->entries_of[o])
			line(2, "order %u: %llu", o, (ull)m->entries_of[o]);
	for (size_t i = 0; i < m->nr_extents; i++) {
		const struct kho_extent *e = &m->extents[i];

		line(2, "0x%llx-0x%llx  %llu of order %llu", (ull)e->pa,
		     (ull)(e->pa + kho_extent_len(e) - 1), (ull)e->count, (ull)e->order);
	}
}

/* --- Blobs --- */

static void print_property(unsigned depth, const char *name, struct span v)
{
	uint64_t n;

	if (print_is_string(v))
		line(depth, "%s = \"%s\"", safe(name, SIZE_MAX), safe((const char *)v.p, v.len));
	else if (v.len == sizeof(n) && span_u64(v, 0, &n))
		line(depth, "%s = 0x%llx", safe(name, SIZE_MAX), (ull)n);
	else
		line(depth, "%s = %zu bytes", safe(name, SIZE_MAX), v.len);
}

static void print_fdt_node(unsigned depth, struct span fdt, int node)
{
	int prop;

	fdt_for_each_property_offset(prop, fdt.p, node) {
		const char *name;
		int len;
		const void *p = fdt_getprop_by_offset(fdt.p, prop, &name, &len);

		if (p)
			print_property(depth, name, span_of(p, len));
	}
}

/* Two levels: none of a handoff's has more. */
static void print_fdt(unsigned depth, struct span fdt)
{
	int node;

	print_fdt_node(depth, fdt, 0);
	fdt_for_each_subnode(node, fdt.p, 0) {
		line(depth, "%s", safe(fdt_get_name(fdt.p, node, NULL), SIZE_MAX));
		print_fdt_node(depth + 1, fdt, node);
	}
}

static void print_memfd(const struct kho_memfd *m)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->nr_folios; i++)
		bytes += m->folios[i].len;
	line(5, "memfd: %s, position %llu, seals 0x%x; %s of memory in %zu runs, %s", size(m->size),
	     (ull)m->pos, m->seals, size(bytes), m->nr_folios,
	     print_content_there(m) ? "all in the image" : "not all in the image");
}

static void print_luo(const struct dump *d)
{
	const struct kho_luo *l = &d->luo;

	line(3, "live update number %llu, %zu sessions, %zu files, %zu FLBs", (ull)l->liveupdate_num,
	     l->nr_sessions, l->nr_files, l->nr_flbs);
	for (size_t i = 0; i < l->nr_sessions; i++) {
		const struct kho_session *s = &l->sessions[i];

		line(3, "session \"%s\": %zu files", safe(s->name, sizeof(s->name)), s->nr_files);
		for (size_t k = s->first_file; k < s->first_file + s->nr_files; k++) {
			const struct kho_file *f = &l->files[k];

			line(4, "file 0x%llx: %s, data 0x%llx", (ull)f->token,
			     safe(f->compatible, sizeof(f->compatible)), (ull)f->data);
			if (d->has_memfd[k])
				print_memfd(&d->memfd[k]);
		}
	}
	for (size_t i = 0; i < l->nr_flbs; i++)
		line(3, "FLB \"%s\": data 0x%llx, %llu files depend on it",
		     safe(l->flbs[i].name, sizeof(l->flbs[i].name)), (ull)l->flbs[i].data,
		     (ull)l->flbs[i].count);
}

static void print_iommu(const struct dump *d)
{
	const struct kho_iommu *io = &d->iommu;

	line(3, "IOMMU records: %zu units, %zu domains, %zu devices", io->nr_units, io->nr_domains,
	     io->nr_devices);
	for (size_t i = 0; i < io->nr_units; i++)
		line(4, "unit %zu: registers at 0x%llx, root table 0x%llx%s", i,
		     (ull)io->unit[i].register_base, (ull)io->unit[i].root_table,
		     io->unit[i].deleted ? ", deleted" : "");
	for (size_t i = 0; i < io->nr_domains; i++)
		line(4, "domain %zu: %s-stage tables at 0x%llx, %u levels, %u bits%s", i,
		     io->domain[i].first_stage ? "first" : "second", (ull)io->domain[i].top_table,
		     io->domain[i].top_level + 1u, io->domain[i].vasz,
		     io->domain[i].deleted ? ", deleted" : "");
	for (size_t i = 0; i < io->nr_devices; i++) {
		const struct kho_iommu_device *x = &io->device[i];

		line(4, "device %04x:%02x:%02x.%x: DID %u, domain %zd, unit %zd, owner 0x%llx%s",
		     x->pci_domain, x->devid >> 8, x->devid >> 3 & 0x1f, x->devid & 7, x->did,
		     (ssize_t)x->domain, (ssize_t)x->unit, (ull)x->owner_token,
		     x->deleted ? ", deleted" : "");
	}
}

static void print_subnode(const struct dump *d, const struct kho_subnode *n)
{
	struct span fdt;

	line(2, "%s: %llu bytes at 0x%llx", safe(n->name, sizeof(n->name)), (ull)n->size,
	     (ull)n->pa);
	if (!strcmp(n->name, KHO_NODE_METADATA) && d->has_metadata)
		line(3, "release \"%s\", %u hand overs so far",
		     safe(d->metadata.previous_release, sizeof(d->metadata.previous_release)),
		     d->metadata.kexec_count);
	else if (!strcmp(n->name, KHO_NODE_LUO) && d->has_luo) {
		print_luo(d);
		if (d->has_iommu)
			print_iommu(d);
	} else if (dump_blob_fdt(d, n, &fdt))
		print_fdt(3, fdt);
}

static void print_finding(const struct finding *f)
{
	printf("%s: %s %s", f->id, f->what, f->fault);
	if (f->at)
		printf(", at 0x%llx", (ull)f->at);
	if (f->value)
		printf(" (0x%llx)", (ull)f->value);
	putchar('\n');
}

void print_text(const struct dump *d)
{
	print_announcement(d);
	if (d->has_data)
		line(0, "handoff: root FDT at 0x%llx, buffer of %s", (ull)d->h.data.fdt_pa,
		     size(d->h.data.fdt_size));
	if (d->has_scratch)
		print_scratch(d);
	if (d->has_tree) {
		line(1, "%zu sub-nodes", d->h.tree.nr);
		for (size_t i = 0; i < d->h.tree.nr; i++)
			print_subnode(d, &d->h.tree.node[i]);
	}
	if (d->has_map)
		print_map(d);
	if (!d->nr_findings)
		return;
	print_finding(&d->finding[0]);
	if (d->nr_findings > 1)
		printf("and %zu more findings, which --check prints\n", d->nr_findings - 1);
}

void print_findings(const struct dump *d)
{
	for (size_t i = 0; i < d->nr_findings; i++)
		print_finding(&d->finding[i]);
	printf("%zu findings%s\n", d->nr_findings,
	       d->nr_findings == DUMP_FINDINGS_MAX ? " or more" : "");
}
