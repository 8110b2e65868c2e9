/* The DMA of all devices, one beat before every step of a kernel. */
#ifndef BATON_TEST_MODEL_DMA_H
#define BATON_TEST_MODEL_DMA_H

#include "tests/unit/model_world.h"

void dma_reset(const struct world *w);
void dma_add_target(uint16_t rid, iova_t iova, paddr_t pa);

#endif
