/* The setup_data node that announces a handoff in boot_params.
 * Linux: arch/x86/include/uapi/asm/setup_data.h, arch/x86/kernel/kexec-bzimage64.c. */
#ifndef BATON_KHO_SETUP_DATA_H
#define BATON_KHO_SETUP_DATA_H

#include "abi.h"
#include "refusal.h"
#include "span.h"

/* The node: @next is the physical address of the one behind it, 0 for the last. */
struct kho_setup_node kho_setup_node(paddr_t next, const struct kho_data *data);

/**
 * kho_setup_data_read() - read the payload of a node of type KHO_SETUP_KEXEC_KHO
 * @payload: the bytes behind the node's header
 * @out:     where the handoff is; the addresses are not checked here
 * @why:     set on refusal
 *
 * Return: 0; -EBADMSG shorter than the payload Linux defines.  (Linux does not check.)
 */
int kho_setup_data_read(struct span payload, struct kho_data *out, struct kho_refusal *why);

#endif
