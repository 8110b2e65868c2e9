/* One test NIC with its memory, its domain and its stream: what is started in generation 0,
 * handed over, and adopted.  Buffers, rings and guards lie in keep pages; the control page says
 * where (kernel/stream/control.h). */
#ifndef BATON_PORT_H
#define BATON_PORT_H

#include "base.h"
#include "boot_info.h"
#include "kernel/config.h"
#include "kernel/machine/iommu.h"
#include "kernel/nic/nic.h"
#include "kernel/stream/control.h"

#define PORT_MAX		4		/* streams of one run */
#define PORT_RX_ENTRIES		4096		/* a second of the default rate */
#define PORT_TX_ENTRIES		128
#define PORT_STRIDE		2048
#define PORT_BUFFER_BYTES	1536		/* a frame is at most 1500 */
#define PORT_GUARD_BYTES	(PORT_STRIDE - PORT_BUFFER_BYTES)

struct port {
	struct nic nic;
	size_t fn;			/* index into iommu.fns */
	paddr_t control_pa;
	struct stream_control_ser *control;	/* live: the account is kept in it */

	uint32_t rdh_verified;		/* receive head when adopting was proved */
	uint64_t bad_descriptors;	/* with error bits, or not a whole frame */
	paddr_t bad_guard;		/* first guard word found changed; 0: none */
	uint64_t next_heartbeat_us;
};

/* The four regions of a port; a guard page stands on both sides of each. */
struct port_region {
	paddr_t pa;
	iova_t iova;
	uint64_t len;		/* bytes, whole pages */
	uint64_t perm;		/* VTD_SS_R, VTD_SS_W: the least that the device needs */
};
enum { PORT_RX_BUFFERS, PORT_RX_RING, PORT_TX_BUFFERS, PORT_TX_RING, PORT_REGIONS };
void port_regions(const struct stream_control_ser *c, struct port_region region[PORT_REGIONS]);

/**
 * port_select() - which NICs to test (docs/on-a-server.md)
 * @fns: indices into @mmu->fns, at most PORT_MAX
 * @why: on failure what was found and what to do
 *
 * nic= takes that function and no other.  Else, where it is allowed, every supported function
 * that is not the one we were booted from and carries no management traffic.
 * Return: how many, or -ENOENT.
 */
int port_select(const struct iommu *mmu, const struct baton_config *cfg, const struct boot_info *bi,
		size_t fns[PORT_MAX], char *why, size_t size);

/* Reset the NIC, allocate and map everything, attach it.  Nothing runs yet.  @stream is the
 * number of its stream, from 1. @share: a port whose domain it shall share, if one unit serves both;
 * NULL: none.
 * Return: 0; -ENOMEM; -ETIMEDOUT; -ENODEV; as iommu_attach(). */
int port_prepare(struct port *p, struct iommu *mmu, const struct boot_info *bi, size_t fn,
		 uint16_t stream, const struct port *share);

/* Bus master on, rings on.  Return: as nic_start(). */
int port_start(struct port *p, struct iommu *mmu);

/* Map all regions of a port into a domain.  Return: as vtd_ss_map(). */
int port_map(const struct stream_control_ser *c, struct vtd_ss *ss);

/* Take every frame that has landed, account for it, hand buffers back.  Return: frames seen. */
unsigned port_poll(struct port *p);

/* Send a heartbeat if one is due, or at once. */
void port_heartbeat(struct port *p, bool now);

/* Hand every polled buffer but the last back and finish all transmits. */
int port_settle(struct port *p);

/* Write ring positions and the time into the control page: the last poll. */
void port_record(struct port *p, uint32_t generation);

/**
 * port_adopt() - take over a port without a write to the device
 * @control_pa: a page that was preserved, checked by stream_control_check()
 * @why:        what does not fit
 *
 * Return: 0; -EBADMSG.
 */
int port_adopt(struct port *p, struct iommu *mmu, paddr_t control_pa, const char **why);

/* Look at every guard page and every guard behind a buffer. */
void port_check_guards(struct port *p);

#endif
