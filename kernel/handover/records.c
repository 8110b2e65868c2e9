/* LUO, files and IOMMU records: written from live state, and read back. */
#include "records.h"

#include <string.h>

#include "errno.h"
#include "kernel/console/printf.h"
#include "kernel/handover/carry.h"
#include "kernel/memory/scratch.h"
#include "kernel/stream/control.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "kho/luo.h"
#include "kho/memfd.h"
#include "platform/mem.h"
#include "platform/mmio.h"

#define FILES_PER_PORT	5		/* buffers, ring, control page; iommufd and vfio-pci */
#define MEMFDS_PER_PORT	3
#define MAX_FILES	(FILES_PER_PORT * PORT_MAX)

/* ---- writing ------------------------------------------------------------------------------- */

static int write_file(uint64_t token, paddr_t pa, uint64_t len, struct kho_radix *radix,
		      struct kho_pages *pages, struct kho_file *out, struct kho_refusal *why)
{
	struct kho_folios folios = {
		.pa = pa, .len = len, .flags = KHO_FOLIO_DIRTY | KHO_FOLIO_UPTODATE,
	};
	const struct kho_memfd memfd = { .size = len, .folios = &folios, .nr_folios = 1 };
	const size_t first = pages->nr;
	const int err = kho_memfd_write(&memfd, radix, pages, why);

	if (err)
		return err;
	str_format(out->compatible, sizeof(out->compatible), "%s", KHO_MEMFD_COMPATIBLE);
	out->data = pages->pa[first];
	out->token = token;
	return 0;
}

static int write_port(const struct port *p, struct kho_radix *radix, struct kho_pages *pages,
		      struct kho_file file[MEMFDS_PER_PORT], struct kho_refusal *why)
{
	const uint16_t stream = p->control->stream;
	struct port_region region[PORT_REGIONS];
	int err;

	port_regions(p->control, region);
	err = write_file(STREAM_FILE_TOKEN(stream, STREAM_FILE_BUFFERS), region[PORT_RX_BUFFERS].pa,
			 region[PORT_RX_BUFFERS].len, radix, pages, &file[0], why);
	if (!err)
		err = write_file(STREAM_FILE_TOKEN(stream, STREAM_FILE_RING), region[PORT_RX_RING].pa,
				 region[PORT_RX_RING].len, radix, pages, &file[1], why);
	if (!err)
		err = write_file(STREAM_FILE_TOKEN(stream, STREAM_FILE_CONTROL), p->control_pa, PAGE_SIZE,
				 radix, pages, &file[2], why);
	return err;
}

static int write_iommu(const struct iommu *mmu, const struct port *ports, size_t nr_ports,
		       struct kho_radix *radix, struct records *rec, struct kho_refusal *why)
{
	struct records_plain *plain = scratch_new(sizeof(*plain));
	int err;

	if (!plain)
		return -ENOMEM;
	records_describe(mmu, ports, nr_ports, plain);
	rec->nr_units = plain->iommu.nr_units;
	rec->nr_domains = plain->iommu.nr_domains;
	rec->nr_devices = plain->iommu.nr_devices;
	err = kho_iommu_records_write(&plain->iommu, radix, &rec->pages, &rec->placed, why);
	rec->records_end = rec->pages.nr;
	return err;
}

/* The files of the series: who owns a stream's page table, and its device. */
static int write_series_files(const struct iommu *mmu, const struct port *p, struct kho_radix *radix,
			      struct records *rec, struct kho_file file[2])
{
	const struct iommu_device *dev = NULL;
	const uint16_t stream = p->control->stream;
	struct kho_iommufd_hwpt hwpt;
	int err;

	for (size_t i = 0; i < mmu->nr_devices; i++)
		if (mmu->device[i].segment == p->nic.segment && mmu->device[i].rid == p->nic.rid)
			dev = &mmu->device[i];
	if (!dev)
		return -ENOENT;
	hwpt = (struct kho_iommufd_hwpt){
		.domain_pa = kho_iommu_domain_pa(&rec->pages, &rec->placed, dev->domain),
		.token = kho_iommu_owner_token(stream) };
	err = kho_iommufd_write(&hwpt, 1, STREAM_FILE_TOKEN(stream, STREAM_FILE_IOMMUFD), radix,
				&rec->pages, &file[0]);
	if (!err)
		err = kho_vfio_pci_write(p->nic.segment, p->nic.rid, true,
					 STREAM_FILE_TOKEN(stream, STREAM_FILE_VFIO), radix,
					 &rec->pages, &file[1]);
	return err;
}

static int write_luo(uint32_t generation, const struct foreign *foreign, struct kho_file *files,
		     size_t nr_files, enum kho_iommu_profile profile, size_t nr_iommufd,
		     struct kho_radix *radix, struct records *rec, struct kho_refusal *why)
{
	struct kho_session session = { .name = RECORDS_SESSION, .nr_files = nr_files };
	const size_t nr_flbs = 1 + foreign->luo.nr_flbs;
	const size_t nr_keys = MAX_FILES + foreign->luo.nr_sessions;
	struct kho_flb *flbs = scratch_new(nr_flbs * sizeof(*flbs));
	struct kho_luo luo = {
		.liveupdate_num = foreign->liveupdate_num + generation + 1, .sessions = &session,
		.nr_sessions = 1, .files = files, .nr_files = nr_files, .flbs = flbs, .nr_flbs = nr_flbs,
		.keys = scratch_new(nr_keys * sizeof(*luo.keys)), .max_keys = nr_keys,
	};

	if (!flbs || !luo.keys)
		return -ENOMEM;
	if (kho_iommu_flb(profile, rec->pages.pa[rec->placed.top], nr_iommufd, &flbs[0]))
		return -EINVAL;
	if (foreign->luo.nr_flbs)
		memcpy(&flbs[1], foreign->luo.flbs, foreign->luo.nr_flbs * sizeof(*flbs));
	rec->first_luo = rec->pages.nr;
	return kho_luo_write(&luo, &foreign->luo, radix, &rec->pages, why);
}

int records_write(const struct iommu *mmu, const struct port *ports, size_t nr_ports,
		  uint32_t generation, const struct foreign *foreign, enum kho_iommu_profile profile,
		  struct kho_radix *radix, struct records *rec)
{
	const bool series = profile == KHO_PROFILE_IOMMU_SERIES;
	struct kho_file *files = scratch_new(MAX_FILES * sizeof(*files));
	struct kho_refusal why = { .what = "records", .fault = "do not fit into scratch" };
	size_t nr_files = 0;
	int err = files ? 0 : -ENOMEM;

	rec->pages = (struct kho_pages){ .pa = rec->page, .max = RECORDS_MAX_PAGES };
	for (size_t i = 0; i < nr_ports && !err; i++, nr_files += MEMFDS_PER_PORT)
		err = write_port(&ports[i], radix, &rec->pages, &files[nr_files], &why);
	if (!err)
		err = write_iommu(mmu, ports, nr_ports, radix, rec, &why);
	for (size_t i = 0; series && i < nr_ports && !err; i++, nr_files += 2)
		err = write_series_files(mmu, &ports[i], radix, rec, &files[nr_files]);
	if (!err)
		err = write_luo(generation, foreign, files, nr_files, profile, series ? nr_ports : 0, radix,
				rec, &why);
	if (err) {
		platform_log("save: %s %s (%llx, %llx)", why.what, why.fault,
			     (unsigned long long)why.at, (unsigned long long)why.value);
		kho_pages_free(&rec->pages, 0);
	}
	return err;
}

/* ---- digests ------------------------------------------------------------------------------- */

static int digest_bytes(struct node *n, paddr_t pa, uint16_t len, enum node_digest_kind kind)
{
	if (n->nr_digests == NODE_MAX_DIGESTS)
		return -ENOSPC;
	n->digest[n->nr_digests++] = (struct node_digest_ser){
		.pa = pa, .crc32c = kho_crc32c(0, mem_ptr(pa), len), .kind = (uint16_t)kind, .owner = len,
	};
	return 0;
}

int records_digest(const struct records *rec, struct node *n)
{
	const struct kho_iommu_placed *at = &rec->placed;
	int err = 0;

	for (size_t i = 0; i < rec->pages.nr && !err; i++)
		err = i >= at->units && i < rec->records_end ?
			digest_bytes(n, rec->page[i], sizeof(struct kho_block_ser), NODE_DIGEST_HEADER) :
			prove_record_page(n, rec->page[i], NODE_DIGEST_METADATA, NODE_NO_OWNER);
	for (size_t i = 0; i < rec->nr_units && !err; i++)
		err = digest_bytes(n, kho_iommu_unit_pa(&rec->pages, at, i),
				   sizeof(struct kho_iommu_unit_ser), NODE_DIGEST_RECORD);
	for (size_t i = 0; i < rec->nr_domains && !err; i++)
		err = digest_bytes(n, kho_iommu_domain_pa(&rec->pages, at, i),
				   sizeof(struct kho_iommu_domain_ser), NODE_DIGEST_RECORD);
	for (size_t i = 0; i < rec->nr_devices && !err; i++)
		err = digest_bytes(n, kho_iommu_device_pa(&rec->pages, at, i),
				   sizeof(struct kho_iommu_device_ser), NODE_DIGEST_RECORD);
	return err;
}

static bool record_intact(void *ctx, paddr_t record, uint64_t len)
{
	const struct node *n = ctx;

	for (uint32_t i = 0; i < n->nr_digests; i++) {
		const struct node_digest_ser *d = &n->digest[i];

		if (d->kind == NODE_DIGEST_RECORD && d->pa == record && d->owner == len)
			return kho_crc32c(0, mem_ptr(record), len) == d->crc32c;
	}
	return false;
}

/* ---- reading -------------------------------------------------------------------------------- */

#define OWN_SESSIONS	8
#define OWN_FILES	64
#define OWN_CLAIMS	16384
#define OWN_FOLIOS	4096		/* runs, of one file */

/* Work memory of one reading, from scratch: more where foreign sessions are carried on. */
struct reading {
	struct kho_reader reader;
	struct kho_range *claim;
	struct kho_folios *folio;
	size_t nr_claims, nr_folios;
	struct kho_luo luo;
	bool follow;
};

static bool take_arrays(struct reading *w, bool foreign)
{
	w->nr_claims = foreign ? PROVE_MAX_EXTENTS : OWN_CLAIMS;
	w->nr_folios = foreign && w->follow ? FOREIGN_MAX_FOLIOS : OWN_FOLIOS;
	w->claim = scratch_new(w->nr_claims * sizeof(*w->claim));
	w->folio = scratch_new(w->nr_folios * sizeof(*w->folio));
	return w->claim && w->folio &&
	       foreign_arrays(&w->luo, foreign ? FOREIGN_MAX_SESSIONS + 1 : OWN_SESSIONS,
			      foreign ? FOREIGN_MAX_FILES + OWN_FILES : OWN_FILES);
}

static int read_luo(struct reading *w, const struct kho_handoff *h, struct kho_refusal *why)
{
	const struct kho_subnode *node = kho_tree_find(&h->tree, KHO_NODE_LUO);

	if (!node)
		return kho_refuse(why, -EBADMSG, "sub-node LUO", "is missing", 0, 0);
	return kho_luo_read(&w->reader, kho_subnode_blob(node), &w->luo, why);
}

static int read_file(struct reading *w, const struct kho_file *file, bool ours, struct kho_refusal *why)
{
	struct kho_memfd memfd = { .folios = w->folio, .max_folios = w->nr_folios };

	if (!strcmp(file->compatible, KHO_MEMFD_COMPATIBLE))
		return kho_memfd_read(&w->reader, file->data, &memfd, why);
	if (!ours)
		return 0;
	if (!strcmp(file->compatible, KHO_IOMMUFD_COMPATIBLE) ||
	    !strcmp(file->compatible, KHO_VFIO_PCI_COMPATIBLE))
		return kho_claim_page(&w->reader, "file of the series", file->data, why);
	return kho_refuse(why, -EBADMSG, "file", "has a handler that is not ours", 0, file->token);
}

/* Session 0 is ours, as carry_read() saw. */
static int read_files(struct reading *w, struct kho_refusal *why)
{
	const size_t ours = w->luo.sessions[0].nr_files;
	int err = 0;

	for (size_t i = 0; i < (w->follow ? w->luo.nr_files : ours) && !err; i++)
		err = read_file(w, &w->luo.files[i], i < ours, why);
	return err;
}

static int read_iommu(struct reading *w, const struct node *n, struct records_plain *out,
		      struct kho_refusal *why)
{
	const struct kho_iommu_digests digests = {
		.intact = record_intact, .ctx = (void *)(uintptr_t)n };
	struct kho_iommu_verdicts verdicts = {
		.unit = out->unit_verdict, .domain = out->domain_verdict,
		.device = out->device_verdict };
	struct kho_iommu_place at;
	int err = kho_iommu_find(&w->luo, &at, why);

	if (err == -ENOENT)
		return kho_refuse(why, -EBADMSG, "FLB " KHO_IOMMU_FLB, "is missing", 0, 0);
	if (err)
		return err;
	out->iommu = (struct kho_iommu){
		.unit = out->unit, .max_units = NODE_MAX_UNITS, .domain = out->domain,
		.max_domains = NODE_MAX_DOMAINS, .device = out->device,
		.max_devices = NODE_MAX_DEVICES, .keys = out->key, .max_keys = RECORDS_MAX_KEYS,
	};
	return kho_iommu_records_read(&w->reader, &at, &digests, &out->iommu, &verdicts, why);
}

int records_read(const struct kho_handoff *h, const struct kho_limits *lim, const struct node *n,
		 bool follow, const struct records_plain **out, struct foreign *foreign,
		 struct kho_refusal *why)
{
	struct reading w = { .follow = follow };
	struct records_plain *plain = scratch_new(sizeof(*plain));
	int err;

	if (!plain || !take_arrays(&w, n->foreign.nr_extents != 0))
		return kho_refuse(why, -ENOMEM, "scratch", "is too small to read the records", 0,
				  sizeof(*plain));
	err = kho_reader_init(&w.reader, h, lim, w.claim, w.nr_claims, why);
	if (!err)
		err = read_luo(&w, h, why);
	if (!err && w.luo.liveupdate_num != n->foreign.liveupdate_num + n->generation + 1)
		err = kho_refuse(why, -EBADMSG, "liveupdate_num", "is not the writer's generation plus one",
				 0, w.luo.liveupdate_num);
	if (!err)
		err = carry_read(h, n, &w.luo, foreign, why);
	if (!err)
		err = read_files(&w, why);
	if (!err)
		err = read_iommu(&w, n, plain, why);
	if (!err)
		*out = plain;
	return err;
}
