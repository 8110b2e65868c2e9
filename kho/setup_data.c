/* The setup_data node that announces a handoff. */
#include "setup_data.h"

#include <string.h>

struct kho_setup_node kho_setup_node(paddr_t next, const struct kho_data *data)
{
	return (struct kho_setup_node){
		.header = { .next = next, .type = KHO_SETUP_KEXEC_KHO, .len = sizeof(*data) },
		.data = *data,
	};
}

int kho_setup_data_read(struct span payload, struct kho_data *out, struct kho_refusal *why)
{
	if (payload.len < sizeof(*out))
		return kho_refuse(why, -EBADMSG, "KHO setup_data", "is too short", 0, payload.len);
	memcpy(out, payload.p, sizeof(*out));
	return 0;
}
