/* Devices: reads, writes, and posted writes that are on their way for a while. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "platform/mem.h"

#define MAX_POSTED	16
#define MAX_POSTED_LEN	64

static struct posted {
	bool used;
	unsigned unit;
	uint16_t did;
	iova_t iova;
	paddr_t pa;
	uint8_t data[MAX_POSTED_LEN];
	size_t len;
} posted[MAX_POSTED];

void model_dma_reset(void)
{
	memset(posted, 0, sizeof(posted));
}

/* Protected regions (VT-d "Protected Memory Enable Register"): old units stop enforcing them
 * for remapped requests. */
static bool is_protected(const struct model_unit *u, paddr_t pa)
{
	if (!(u->pmen & SPEC_PMEN_PRS) || (u->t.major < 2 && (u->gsts & SPEC_GSTS_TES)))
		return false;
	return (pa >= u->plm[0] && pa <= (u->plm[1] | (MIB(2) - 1))) ||
	       (pa >= u->phm[0] && pa <= (u->phm[1] | (MIB(2) - 1)));
}

/* One access inside one page.  Return: as model_dma_write(). */
static int request(struct model_unit *u, uint16_t sid, iova_t iova, bool write, size_t len,
		   struct model_walk *w)
{
	const bool interrupt = iova - SPEC_INTR_BASE < SPEC_INTR_BYTES;

	*w = (struct model_walk){ .pa = ALIGN_DOWN(iova, PAGE_SIZE) };
	if (interrupt && write && len == 4) {
		u->interrupts++;
		return MODEL_DROPPED;
	}
	if (u->gsts & SPEC_GSTS_TES) {
		if (interrupt) {
			w->reason = model_ttm(u) == SPEC_TTM_SCALABLE ? SPEC_FAULT_S_INTR_OUTPUT
								     : SPEC_FAULT_INTR_OUTPUT;
			w->qualified = true;
		} else {
			*w = model_translate(u, sid, iova, write, true);
		}
		if (w->reason) {
			model_fault(u, sid, iova, write, w);
			return w->reason;
		}
	}
	w->pa += iova & (PAGE_SIZE - 1);
	if (is_protected(u, w->pa) || !model_is_ram(w->pa, len))
		return MODEL_DROPPED;
	if (model_is_freed(w->pa))
		model_violate(u, "DMA of %04x to %llx reaches page %llx, which has been freed", sid,
			      (unsigned long long)iova, (unsigned long long)w->pa);
	return 0;
}

static int transfer(unsigned unit, uint16_t sid, iova_t iova, bool write, uint8_t *data, size_t len)
{
	struct model_unit *u = model_unit(unit);

	while (len) {
		const size_t n = MIN(len, PAGE_SIZE - (iova & (PAGE_SIZE - 1)));
		struct model_walk w;
		const int rc = request(u, sid, iova, write, n, &w);

		if (rc)
			return rc;
		if (write)
			model_device_write(w.pa, data, n);
		else
			memcpy(data, mem_ptr(w.pa), n);
		iova += n;
		data += n;
		len -= n;
	}
	return 0;
}

int model_dma_write(unsigned unit, uint16_t rid, iova_t iova, const void *data, size_t len)
{
	return transfer(unit, rid, iova, true, (uint8_t *)data, len);
}

int model_dma_read(unsigned unit, uint16_t rid, iova_t iova, void *data, size_t len)
{
	return transfer(unit, rid, iova, false, data, len);
}

int model_dma_post(unsigned unit, uint16_t rid, iova_t iova, const void *data, size_t len)
{
	struct model_unit *u = model_unit(unit);
	struct model_walk w;
	const int rc = request(u, rid, iova, true, len, &w);

	if (rc)
		return rc;
	for (unsigned i = 0; i < MAX_POSTED; i++) {
		if (posted[i].used)
			continue;
		posted[i] = (struct posted){
			.used = true, .unit = unit, .did = w.did, .iova = iova, .pa = w.pa, .len = len,
		};
		memcpy(posted[i].data, data, len);
		return 0;
	}
	abort();	/* a test larger than the model */
}

static void land(struct posted *p)
{
	if (model_is_freed(p->pa))
		model_violate(model_unit(p->unit), "a posted write lands in page %llx, which has been "
			      "freed: it was not drained", (unsigned long long)p->pa);
	model_device_write(p->pa, p->data, p->len);
	p->used = false;
}

void model_dma_land(void)
{
	for (unsigned i = 0; i < MAX_POSTED; i++)
		if (posted[i].used)
			land(&posted[i]);
}

/* Requests that used what an invalidation removes complete before it does (VT-d 6.5.4). */
void model_drain(struct model_unit *u, unsigned g, uint16_t did, iova_t addr, unsigned am)
{
	for (unsigned i = 0; i < MAX_POSTED; i++) {
		struct posted *p = &posted[i];

		if (p->used && p->unit == u->index &&
		    (g == SPEC_G_GLOBAL || (p->did == did && (g == SPEC_G_DOMAIN || am >= 52 ||
							      p->iova - addr < PAGE_SIZE << am))))
			land(p);
	}
}
