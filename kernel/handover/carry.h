/* The foreign part of our own handoffs: what another kernel once handed over, written unchanged by every
 * generation and found again by the next. */
#ifndef BATON_CARRY_H
#define BATON_CARRY_H

#include "kernel/handover/foreign.h"
#include "kernel/handover/node.h"
#include "kho/radix.h"
#include "kho/read.h"

/**
 * carry_take() - what of a handoff of another kernel is to be carried on
 * @replaced: pages that every kernel writes anew, [@nr_replaced]
 * @f:        LUO is set; extents, in scratch, and sub-nodes are added
 *
 * Return: 0; -ENOMEM scratch; -ENOSPC it cannot be written beside what is ours; with @why.
 */
int carry_take(const struct kho_handoff *h, const struct kho_range *replaced, size_t nr_replaced,
	       struct foreign *f, struct kho_refusal *why);

/* Order of the pages that the list of @f takes; nothing is listed if there are no extents. */
unsigned carry_list_order(const struct foreign *f);

/**
 * carry_write() - preserve what is foreign, and tell the node
 * @list: keep pages of carry_list_order(), for the list of extents; preserved as well
 *
 * Return: 0; as kho_preserve().
 */
int carry_write(const struct foreign *f, paddr_t list, struct kho_radix *radix, struct node *n);

/**
 * carry_read() - find the foreign part of a handoff of ours
 * @h:   as read
 * @n:   its node
 * @luo: its LUO, as read: our session first and alone in its block, then the foreign ones
 * @f:   set; points into @luo, and into preserved memory
 * @why: set on refusal
 *
 * Every listed extent is preserved as it is listed, and neither the list nor the blocks of foreign
 * sessions and files have changed.  Return: 0; -EBADMSG with @why.
 */
int carry_read(const struct kho_handoff *h, const struct node *n, const struct kho_luo *luo,
	       struct foreign *f, struct kho_refusal *why);

/* Whether a handoff hands on what was received, all of it. */
bool carry_same(const struct foreign *a, const struct foreign *b);

#endif
