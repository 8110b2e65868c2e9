/* What a kernel that is not Baton hands over: read in full and reported by generation 0, and carried on
 * unchanged by this and all later generations. */
#ifndef BATON_FOREIGN_H
#define BATON_FOREIGN_H

#include "boot_info.h"
#include "kho/luo.h"
#include "kho/map.h"
#include "kho/read.h"
#include "kho/tree.h"

#define FOREIGN_MAX_SESSIONS	1024
#define FOREIGN_MAX_FILES	4096
#define FOREIGN_MAX_FOLIOS	65536		/* runs, of one file */

/* All zero where there is nothing foreign.  Arrays are in scratch. */
struct foreign {
	uint64_t liveupdate_num;	/* as it was received; every hop from there adds one */
	uint32_t kexec_count;
	struct kho_subnode node[KHO_MAX_SUBNODES];	/* other root sub-nodes, oldest first */
	size_t nr_nodes;
	struct kho_luo luo;		/* sessions, files and FLBs */
	const struct kho_extent *extent;	/* sorted: what is preserved again, each chunk with its order */
	size_t nr_extents;
	uint32_t extents_crc32c, carried_crc32c;	/* as generation 0 found it, see node.h */
};

/**
 * foreign_read() - validate a whole handoff of another kernel, and report it
 * @h:   set: as it was found; its map is in scratch
 * @f:   set: what is to be carried on
 * @why: set on refusal
 *
 * Reads only, and takes memory from scratch only.  Lines `foreign:` say what is found, as it is found.
 * The data of a file whose handler is not known is not followed.
 * Return: 0; a negative error with @why.
 */
int foreign_read(const struct boot_info *bi, struct kho_handoff *h, struct foreign *f,
		 struct kho_refusal *why);

/* Arrays for reading a LUO, from scratch.  Return: false if there is none left. */
bool foreign_arrays(struct kho_luo *l, size_t sessions, size_t files);

#endif
