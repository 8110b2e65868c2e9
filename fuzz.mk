# make fuzz, make flips, make coverage.  Included by the Makefile, whose variables and `status` it
# uses.

# ---- fuzz targets: the host's objects once more, with libFuzzer's instrumentation -------------
FUZZ_SECONDS ?= 60
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -DBATON_VERSION='"$(VERSION)"' $(WARN) \
	-iquote include -iquote tests/host -iquote .
FUZZ_OBJ := $(HOST_SRC:%.c=$(B)/fuzz/obj/%.o)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

$(B)/fuzz/obj/%.o: %.c Makefile fuzz.mk | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -MMD -c $< -o $@
$(B)/fuzz/rooms.a: $(FUZZ_OBJ)
	$(Q)rm -f $@; $(LLVM_AR) rcs $@ $(FUZZ_OBJ)
# What a target sees of the calls of a reader that makes its own limits.
FUZZ_WRAP_foreign := memmap_is_ram kho_map_covers kho_crc32c
FUZZ_WRAP_window := memmap_is_ram
$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/fuzz/rooms.a fuzz.mk
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer $(FUZZ_WRAP_$*:%=-Wl,--wrap=%) -MMD -MF $@.d $< \
		$(B)/fuzz/rooms.a -lfdt -o $@
$(B)/fuzz/seeds/made: tests/fuzz/seeds.c $(B)/host/rooms.a fuzz.mk
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -MMD -MF $(B)/fuzz/make_seeds.d -MT $@ $< $(B)/host/rooms.a \
		-lcmocka -lfdt -o $(B)/fuzz/make_seeds
	$(Q)$(B)/fuzz/make_seeds $(@D) && touch $@

.PHONY: fuzz
fuzz: $(FUZZ_BIN) $(B)/fuzz/seeds/made
	@$(PYTHON) tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --build $(B)/fuzz $(FUZZ_BIN); $(status)

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_BIN:=.d) $(B)/fuzz/make_seeds.d

# ---- flips: both sides of a hand-over on the host, and every bit of what lies between ---------
# Objects of their own: optimised, since millions of handoffs are read; without what is not called.
FLIPS_CFLAGS := -std=gnu11 -O2 -g -fno-omit-frame-pointer -ffunction-sections -fdata-sections \
	$(FUZZ_SAN) -DBATON_VERSION='"$(VERSION)"' $(WARN) -iquote include -iquote tests/host -iquote . \
	-iquote tests/unit
FLIPS_SRC := $(SRC_LIB) tests/host/arena.c $(wildcard tests/flips/*.c) kernel/config.c \
	kernel/console/printf.c kernel/handover/accept.c kernel/handover/bootparams.c \
	kernel/handover/carry.c kernel/handover/cpio.c kernel/handover/foreign.c kernel/handover/kexec.c \
	kernel/handover/next.c kernel/handover/node.c kernel/handover/outgoing.c \
	kernel/handover/payload.c \
	kernel/handover/picture.c \
	kernel/handover/prove.c kernel/handover/records.c \
	kernel/handover/records_plain.c kernel/handover/restore.c \
	kernel/handover/restore_match.c \
	kernel/handover/save.c $(IOMMU_SRC) \
	kernel/memory/memmap.c kernel/memory/window.c kernel/nic/port.c kernel/report/ktap.c \
	$(wildcard kernel/stream/*.c)
FLIPS_OBJ := $(FLIPS_SRC:%.c=$(B)/flips/obj/%.o)
# The checks are counted by the program; what ktap.c has beside them is the real thing.
FLIPS_OWN := check_ok check_eq check_skip ktap_print ktap_phase_failed
FLIPS_WRAP := memmap_is_ram port_poll port_settle kho_crc32c

$(B)/flips/obj/%.o: %.c Makefile fuzz.mk | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FLIPS_CFLAGS) $(if $(filter kho/crc32c.c,$<),-fno-sanitize=all) \
		$(if $(filter kernel/report/ktap.c,$<),$(foreach f,$(FLIPS_OWN),-D$(f)=ktap_own_$(f))) \
		-MMD -c $< -o $@
$(B)/flips/flips: $(FLIPS_OBJ)
	$(Q)$(CLANG) $(FLIPS_CFLAGS) -Wl,--gc-sections $(FLIPS_WRAP:%=-Wl,--wrap=%) $(FLIPS_OBJ) -lcmocka -lfdt -o $@

FLIPS_EVERY ?= 1
.PHONY: flips
flips: $(B)/flips/flips
	@$(B)/flips/flips --every $(FLIPS_EVERY) --verbose && \
		$(B)/flips/flips --every $(FLIPS_EVERY) --verbose --scalable; $(status)

-include $(FLIPS_OBJ:.o=.d)

# ---- coverage by the unit tests of the libraries, and of the rooms that deal with what is foreign; all
# other objects are the host's
COVERAGE_LEAST ?= 90
COV_ROOMS := $(LIB_ROOMS) kernel/handover kernel/memory
COV_CFLAGS := -fprofile-instr-generate -fcoverage-mapping
COV_BIN := $(TEST_SRC:tests/unit/%.c=$(B)/cov/unit/%)

$(B)/cov/host/%.o: %.c Makefile fuzz.mk | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(COV_CFLAGS) -iquote include -iquote tests/host -iquote . -MMD -c $< -o $@
$(B)/cov/model/%.o: %.c Makefile fuzz.mk | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(COV_CFLAGS) $(MODEL_IMAGE) $(if $(filter kernel/memory/keep.c,$<),$(MODEL_KEEP)) \
		-iquote include -iquote tests/model -iquote . -MMD -c $< -o $@
# Their objects in place of those in the archives that are copied.
COV_HOST_SRC := $(filter $(COV_ROOMS:%=%/%),$(HOST_SRC))
COV_HOST_OBJ := $(COV_HOST_SRC:%.c=$(B)/cov/host/%.o) $(filter-out $(COV_HOST_SRC:%.c=$(B)/host/%.o),$(HOST_OBJ))
COV_MODEL_SRC := $(filter $(COV_ROOMS:%=%/%),$(MODEL_SRC))
COV_MODEL_OBJ := $(COV_MODEL_SRC:%.c=$(B)/cov/model/%.o) \
	$(filter-out $(COV_MODEL_SRC:%.c=$(B)/model/%.o),$(MODEL_OBJ))
$(B)/cov/rooms.a: $(COV_HOST_OBJ)
	$(Q)rm -f $@; $(LLVM_AR) rcs $@ $(COV_HOST_OBJ)
$(B)/cov/model.a: $(COV_MODEL_OBJ)
	$(Q)rm -f $@; $(LLVM_AR) rcs $@ $(COV_MODEL_OBJ)
$(B)/cov/unit/%: tests/unit/%.c $(B)/cov/rooms.a
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -fprofile-instr-generate -iquote include -iquote tests/host -iquote . \
		-MMD -MF $@.d $< $(B)/cov/rooms.a -lcmocka -lfdt -o $@
$(B)/cov/unit/test_model_%: tests/unit/test_model_%.c $(B)/cov/model.a
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -fprofile-instr-generate -iquote include -iquote tests/model -iquote . \
		-MMD -MF $@.d $< $(B)/cov/model.a -lcmocka -lfdt -o $@

.PHONY: coverage
coverage: $(COV_BIN)
	@$(PYTHON) tests/fuzz/coverage.py --build $(B)/cov --least $(COVERAGE_LEAST) \
		--rooms "$(COV_ROOMS)" $(COV_BIN); $(status)

-include $(COV_HOST_SRC:%.c=$(B)/cov/host/%.d) $(COV_MODEL_SRC:%.c=$(B)/cov/model/%.d) $(COV_BIN:=.d)
