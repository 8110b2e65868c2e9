/* Files in memory, written and read. */
#include "memfd.h"

#include <string.h>

#include "platform/mem.h"
#include "vmalloc.h"

#define FLAGS_KNOWN	(KHO_FOLIO_DIRTY | KHO_FOLIO_UPTODATE)
#define OFF_MAX		((uint64_t)INT64_MAX)	/* loff_t */

static const char memfd[] = "memfd";
static const char folio[] = "folio";

/* Pages of the file, of which the last may be partly used. */
static uint64_t file_pages(uint64_t size)
{
	return size / PAGE_SIZE + !!(size % PAGE_SIZE);
}

/* What is wrong with the fields of the file itself; NULL: nothing. */
static const char *file_fault(uint64_t pos, uint64_t size, uint32_t seals)
{
	if (pos > OFF_MAX)
		return "has a negative position";
	if (size > OFF_MAX)
		return "has a negative size";
	if (seals & ~KHO_SEALS_KNOWN)
		return "has unknown seals";
	return NULL;
}

/* What is wrong with a run of folios in a file of @pages pages in which everything before @from
 * is taken; NULL: nothing.  Its memory is not judged here. */
static const char *folios_fault(const struct kho_folios *f, uint64_t pages, uint64_t from)
{
	const uint64_t chunk = f->order <= KHO_MAX_ORDER ? PAGE_SIZE << f->order : 0;

	if (!chunk)
		return "is larger than any memory";
	if (f->pa < chunk || !IS_ALIGNED(f->pa, chunk) || !kho_addressable(f->pa, f->len))
		return "is at an address it cannot have";
	if (!f->len || !IS_ALIGNED(f->len, chunk))
		return "is not whole";
	if (!IS_ALIGNED(f->index, chunk / PAGE_SIZE))
		return "is not aligned in the file";
	if (f->index < from)
		return "lies before the one before it";
	/* Only the last one may reach beyond the end, and must begin before it. */
	if (f->index >= pages || f->len / PAGE_SIZE - chunk / PAGE_SIZE >= pages - f->index)
		return "lies behind the end of the file";
	if (f->flags & ~FLAGS_KNOWN)
		return "has unknown flags";
	return NULL;
}

static uint64_t end_index(const struct kho_folios *f)
{
	return f->index + f->len / PAGE_SIZE;
}

/* --- Writing --- */

static int check_plan(const struct kho_memfd *m, uint64_t *nr, struct kho_refusal *why)
{
	const uint64_t pages = file_pages(m->size);
	const char *fault = file_fault(m->pos, m->size, m->seals);
	uint64_t from = 0;

	if (fault)
		return kho_refuse(why, -EINVAL, memfd, fault, 0, m->size);
	*nr = 0;
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		fault = folios_fault(f, pages, from);
		if (fault)
			return kho_refuse(why, -EINVAL, folio, fault, f->pa, f->len);
		from = end_index(f);
		*nr += f->len >> (PAGE_SHIFT + f->order);
	}
	return 0;
}

/* Enter folios one by one, or take out the first @nr of them again. */
static void unpreserve_folios(const struct kho_memfd *m, struct kho_radix *radix, uint64_t nr)
{
	for (const struct kho_folios *f = m->folios; nr; f++)
		for (paddr_t pa = f->pa; nr && pa < f->pa + f->len; pa += PAGE_SIZE << f->order) {
			kho_unpreserve(radix, pa, f->order);
			nr--;
		}
}

static int preserve_folios(const struct kho_memfd *m, struct kho_radix *radix,
			   struct kho_refusal *why)
{
	uint64_t done = 0;

	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		for (paddr_t pa = f->pa; pa < f->pa + f->len; pa += PAGE_SIZE << f->order) {
			const int err = kho_preserve(radix, pa, f->order);

			if (err) {
				unpreserve_folios(m, radix, done);
				return kho_refuse(why, err, folio, "cannot be preserved", pa,
						  f->order);
			}
			done++;
		}
	}
	return 0;
}

static void fill_array(const struct kho_memfd *m, const paddr_t *page)
{
	size_t at = 0;

	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];
		const uint64_t step = BIT64(f->order);

		for (uint64_t p = 0; p < f->len / PAGE_SIZE; p += step, at++) {
			struct kho_folio_ser *array = mem_ptr(page[at / KHO_FOLIOS_PER_PAGE]);

			array[at % KHO_FOLIOS_PER_PAGE] = (struct kho_folio_ser){
				.head = FIELD_PREP(KHO_FOLIO_PFN, f->pa / PAGE_SIZE + p) |
					FIELD_PREP(KHO_FOLIO_FLAGS, f->flags),
				.index = f->index + p,
			};
		}
	}
}

static int write_pages(const struct kho_memfd *m, uint64_t nr, struct kho_pages *p)
{
	const size_t first = p->nr;
	const uint64_t array = DIV_ROUND_UP(nr, KHO_FOLIOS_PER_PAGE);
	struct kho_memfd_ser *ser;
	int err = kho_pages_alloc(p, 1 + array);

	if (err)
		return err;
	ser = mem_ptr(p->pa[first]);
	ser->pos = m->pos;
	ser->size = m->size;
	ser->seals = m->seals;
	ser->nr_folios = nr;
	fill_array(m, &p->pa[first + 1]);
	return kho_vmalloc_write(p, first + 1, array, &ser->folios);
}

int kho_memfd_write(const struct kho_memfd *m, struct kho_radix *radix, struct kho_pages *pages,
		    struct kho_refusal *why)
{
	const size_t first = pages->nr;
	uint64_t nr;
	int err = check_plan(m, &nr, why);

	if (err)
		return err;
	err = preserve_folios(m, radix, why);
	if (err)
		return err;
	err = write_pages(m, nr, pages);
	if (!err)
		err = kho_pages_preserve(pages, first, radix);
	if (err) {
		kho_pages_free(pages, first);
		unpreserve_folios(m, radix, nr);
		return kho_refuse(why, err, memfd, "finds no pages, or they cannot be preserved", 0,
				  nr);
	}
	return 0;
}

/* --- Reading --- */

/* Add a folio to the runs. */
static int add_folio(struct kho_memfd *m, const struct kho_folios *f, struct kho_refusal *why)
{
	struct kho_folios *last = m->nr_folios ? &m->folios[m->nr_folios - 1] : NULL;

	if (last && last->order == f->order && last->flags == f->flags &&
	    last->pa + last->len == f->pa && end_index(last) == f->index) {
		last->len += f->len;
		return 0;
	}
	if (m->nr_folios == m->max_folios)
		return kho_refuse(why, -ENOSPC, folio, "is one too many for the work memory", f->pa,
				  m->max_folios);
	m->folios[m->nr_folios++] = *f;
	return 0;
}

static int read_folio(struct kho_reader *r, struct kho_memfd *m, const struct kho_folio_ser *ser,
		      uint64_t *from, struct kho_refusal *why)
{
	struct kho_folios f = {
		.pa = FIELD_GET(KHO_FOLIO_PFN, ser->head) << PAGE_SHIFT, .index = ser->index,
		.flags = FIELD_GET(KHO_FOLIO_FLAGS, ser->head),
	};
	const char *fault;
	unsigned order;
	int err;

	if (!FIELD_GET(KHO_FOLIO_PFN, ser->head))
		return 0;
	err = kho_claim_chunk(r, folio, f.pa, &order, why);
	if (err)
		return err;
	f.order = order;
	f.len = PAGE_SIZE << order;
	fault = folios_fault(&f, file_pages(m->size), *from);
	if (fault)
		return kho_refuse(why, -EBADMSG, folio, fault, f.pa, f.index);
	*from = end_index(&f);
	return add_folio(m, &f, why);
}

static int read_array(struct kho_reader *r, struct kho_memfd *m, const struct kho_memfd_ser *ser,
		      struct kho_refusal *why)
{
	struct kho_vmalloc_walk w;
	const struct kho_folio_ser *array = NULL;
	uint64_t from = 0;
	int err = kho_vmalloc_begin(&w, r, &ser->folios, why);

	for (uint64_t i = 0; i < ser->nr_folios && !err; i++) {
		if (i % KHO_FOLIOS_PER_PAGE == 0) {
			paddr_t page;

			err = kho_vmalloc_next(&w, &page, why);
			if (err)
				break;
			array = mem_ptr(page);
		}
		err = read_folio(r, m, &array[i % KHO_FOLIOS_PER_PAGE], &from, why);
	}
	return err ? err : kho_vmalloc_end(&w, why);
}

int kho_memfd_read(struct kho_reader *r, paddr_t pa, struct kho_memfd *m, struct kho_refusal *why)
{
	const struct kho_memfd_ser *ser;
	const char *fault;
	int err = kho_claim_page(r, memfd, pa, why);

	if (err)
		return err;
	ser = mem_ptr(pa);
	m->pos = ser->pos;
	m->size = ser->size;
	m->seals = ser->seals;
	m->nr_folios = 0;
	fault = file_fault(ser->pos, ser->size, ser->seals);
	if (!fault && ser->flags)
		fault = "has unknown flags";
	/* Rounded up without a sum that could wrap. */
	if (!fault && ser->nr_folios / KHO_FOLIOS_PER_PAGE + !!(ser->nr_folios % KHO_FOLIOS_PER_PAGE) !=
		      ser->folios.total_pages)
		fault = "has a folio array of another size than it states";
	if (!fault && !ser->nr_folios != !ser->folios.first_pa)
		fault = "has folios but no array of them, or the reverse";
	if (fault)
		return kho_refuse(why, -EBADMSG, memfd, fault, pa, ser->nr_folios);
	return read_array(r, m, ser, why);
}
