/* Registers of the machine's NICs, 82574. */
#ifndef BATON_TEST_MODEL_NIC_H
#define BATON_TEST_MODEL_NIC_H

#include "base.h"
#include "kernel/nic/nic.h"

#define NIC_BAR(i)	(UINT64_C(0xc0000000) + NIC_BAR0_BYTES * (i))

void nic_reset_all(void);
uint32_t nic_register_read(paddr_t addr);
void nic_register_write(paddr_t addr, uint32_t v);

#endif
