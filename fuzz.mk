# make fuzz, make flips, make coverage.  Included by the Makefile, whose variables and `status` it
# uses.

# ---- fuzz targets: the host's objects once more, with libFuzzer's instrumentation -------------------
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
$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/fuzz/rooms.a
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer -MMD -MF $@.d $< $(B)/fuzz/rooms.a -lfdt -o $@
$(B)/fuzz/seeds/made: tests/fuzz/seeds.c $(B)/host/rooms.a fuzz.mk
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_SAN) -MMD -MF $(B)/fuzz/make_seeds.d -MT $@ $< $(B)/host/rooms.a \
		-lcmocka -lfdt -o $(B)/fuzz/make_seeds
	$(Q)$(B)/fuzz/make_seeds $(@D) && touch $@

.PHONY: fuzz
fuzz: $(FUZZ_BIN) $(B)/fuzz/seeds/made
	@$(PYTHON) tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --build $(B)/fuzz $(FUZZ_BIN); $(status)

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_BIN:=.d) $(B)/fuzz/make_seeds.d
