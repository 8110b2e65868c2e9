/* The hostile device. */
#include "hostile.h"

#include "hostile_kind.h"
#include "kernel/machine/paging.h"
#include "kernel/report/ktap.h"
#include "platform/mmio.h"

static const struct hostile_kind *const kinds[] = { &hostile_edu, &hostile_testdev };

/* A memory BAR of 32 bits and nothing else: pci-testdev, for one, has ports besides. */
static bool has_bar_0_only(const struct pci_fn *fn)
{
	struct pci_bar bar;

	if (pci_bar(fn, 0, &bar) || bar.is_io || bar.is_64)
		return false;
	for (unsigned i = 1; i < 6; i++)
		if (pci_bar(fn, i, &bar) || bar.is_io || bar.base)
			return false;
	return true;
}

static const struct hostile_kind *kind_of(const struct pci_fn *fn)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i]->vendor == fn->vendor && kinds[i]->device == fn->device)
			return has_bar_0_only(fn) ? kinds[i] : NULL;
	return NULL;
}

bool hostile_supported(const struct pci_fn *fn)
{
	return kind_of(fn);
}

/* The function that hostile= names, if it is one of these. */
static const struct pci_fn *find(const struct run *r)
{
	const int i = r->cfg.has_hostile ? pci_find(r->mmu->fns, r->mmu->nr_fns, r->cfg.hostile.segment,
						    r->cfg.hostile.rid) : -1;

	return i >= 0 && hostile_supported(&r->mmu->fns[i]) ? &r->mmu->fns[i] : NULL;
}

struct device {
	const struct pci_fn *fn;
	const struct hostile_kind *kind;
	paddr_t regs;
};

static bool find_device(const struct run *r, struct device *d)
{
	struct pci_bar bar;

	d->fn = find(r);
	if (!d->fn || pci_bar(d->fn, 0, &bar))
		return false;
	d->kind = kind_of(d->fn);
	d->regs = bar.base;
	return paging_map_mmio(d->regs, d->kind->bar_bytes);
}

void hostile_prepare(struct run *r)
{
	struct device d;
	uint16_t command;
	bool ready;

	if (!find_device(r, &d))
		return;
	command = pci_read16(d.fn->segment, d.fn->rid, PCI_COMMAND);
	pci_write_control(d.fn->segment, d.fn->rid, PCI_COMMAND, (uint16_t)(command | PCI_COMMAND_MEMORY));
	ready = d.kind->answers(d.regs);
	if (ready)
		pci_bus_master(d.fn, true);
	platform_log("hostile: %s at %02x:%02x.%x %s", d.kind->name, PCI_BUS(d.fn->rid),
		     PCI_DEV(d.fn->rid), PCI_FN(d.fn->rid),
		     ready ? "is bus master without a domain" : "does not answer as one");
}

static paddr_t target(const struct run *r)
{
	struct port_region region[PORT_REGIONS];

	port_regions(r->port[0].control, region);
	return region[PORT_RX_BUFFERS].pa - PAGE_SIZE;
}

bool hostile_expected(const struct run *r, uint16_t rid, struct hostile_shot *shot)
{
	const struct pci_fn *fn = find(r);

	if (!fn || fn->rid != rid || !r->nr_ports)
		return false;	/* a NIC reads whatever descriptor comes next */
	*shot = (struct hostile_shot){ .addr = target(r), .is_read = false };
	return true;
}

void hostile_shoot(struct run *r)
{
	struct device d;

	/* One that did not answer is no bus master. */
	if (r->nr_ports && find_device(r, &d) && pci_is_bus_master(d.fn->segment, d.fn->rid))
		d.kind->shoot(d.regs, target(r));
}

void hostile_look(const struct run *r)
{
	struct device d;

	if (r->nr_ports && find_device(r, &d) && d.kind->take_result)
		check_eq(CHECK_HOSTILE_BLOCKED, "result of a shot", d.kind->take_result(d.regs),
			 d.kind->blocked);
}
