/* The last screen: one row per hand over, the stream, what failed. */
#ifndef BATON_SUMMARY_H
#define BATON_SUMMARY_H

#include "kernel/stream/account.h"

void summary_handovers(void);
void summary_stream(unsigned stream, const struct stream_account_ser *a);
void summary_failures(void);

#endif
