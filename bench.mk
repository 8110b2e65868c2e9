# make bench: the figures of docs/design.md, each with its budget.  Included by the Makefile, whose
# variables and `status` it uses.

# As the firmware compiles it, for this machine: without sanitizers, since its instructions are
# counted, and without -g, since older valgrinds stop at DWARF 5.
BENCH_CFLAGS := -std=gnu11 -O2 $(WARN) -iquote include -iquote tests/host -iquote .
BENCH_MAP_SRC := tests/bench/map_bench.c vtd/pagetable.c
BENCH_MAP_HDR := $(wildcard vtd/*.h include/*.h tests/host/platform/*.h)

$(B)/bench/map_bench: $(BENCH_MAP_SRC) $(BENCH_MAP_HDR) Makefile bench.mk | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BENCH_CFLAGS) $(BENCH_MAP_SRC) -o $@

.PHONY: bench
bench: tools-run tools-check $(B)/baton.efi test-image $(B)/tools/frames $(B)/bench/map_bench
	@$(PYTHON) tests/bench/bench.py --build $(B); $(status)
