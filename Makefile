# Baton.  `make help` lists the targets.  Every target that runs something ends with `status N`:
# 0 pass, 1 fail or findings, 2 bad usage or config, 3 something missing, 4 no verdict in time,
# 5 QEMU itself failed.

# ---- what a user may set ------------------------------------------------------------------
NIC         ?= e1000e
GENERATIONS ?= 3
RATE        ?= 4000
FRAMES      ?= 20000
DURATION    ?=
QEMU        ?=
OVMF        ?=
MEM         ?=
ACCEL       ?= tcg
PLAN        ?= handover
V           ?= 0
export NIC GENERATIONS RATE FRAMES DURATION QEMU OVMF MEM ACCEL PLAN

VERSION := 0.1

# ---- tools ---------------------------------------------------------------------------------
CLANG   ?= clang
LD_LLD  ?= ld.lld
OBJCOPY ?= llvm-objcopy
LLVM_AR ?= llvm-ar
PYTHON  ?= python3
B       := build
Q       := $(if $(filter 1,$(V)),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

WARN := -Wall -Wextra -Werror -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla \
	-Wimplicit-fallthrough -Wno-unused-command-line-argument

# ---- firmware image ------------------------------------------------------------------------
# A library room sees include/ and the seam; the rooms above see the libraries as well, by
# their path from the top.  A wall crossed is a build error.
LIB_ROOMS := vtd kho
SRC_LIB   := $(sort $(foreach r,$(LIB_ROOMS),$(wildcard $(r)/*.c)))
# A test build (FW_TEST=1) knows corrupt=: three files take the place of one.
SRC_ABOVE := $(sort $(wildcard efi/*.c kernel/*.c kernel/*/*.c))
ifeq ($(FW_TEST),1)
SRC_ABOVE := $(filter-out kernel/handover/corrupt.c,$(SRC_ABOVE)) tests/boot/corrupt.c \
	tests/boot/exception.c tests/boot/rmrr.c
FW_DEFS := -DBATON_TEST_BUILD
endif
SRC_ASM   := $(sort $(wildcard kernel/*.S kernel/*/*.S))

# The Linux target, for its place of the stack canary, which libfdt's objects use as well.
FW_COMMON := --target=x86_64-unknown-linux-gnu -g -ffreestanding -fpie -fvisibility=hidden \
	-mno-red-zone -ffile-prefix-map=$(CURDIR)=.
FW_CFLAGS := $(FW_COMMON) -std=gnu11 -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common -ffunction-sections \
	-fdata-sections -fshort-wchar -nostdlibinc -isystem kernel/seam/libc \
	-DBATON_VERSION='"$(VERSION)"' $(FW_DEFS) $(WARN)
# libfdt's header is on the system's include path; it alone is taken from there.
FDT_INC := $(B)/include/libfdt
LIBFDT_A ?= $(shell $(CLANG) -print-file-name=libfdt.a 2>/dev/null)
EFI_CFLAGS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI

# Runs before FS base points at our canary (docs/design.md, the image): no stack protector there.
EARLY := efi/% kernel/entry.c kernel/config.c kernel/console/printf.c kernel/machine/string.c \
	kernel/machine/cpu.c kernel/handover/bootparams.c kernel/memory/memmap.c \
	kernel/nic/nic.c
# Small, but for what runs per page, per byte or per frame.
HOT := vtd/pagetable.c kho/crc32c.c kho/sort.c kernel/stream/frame.c kernel/machine/string.c kernel/nic/port.c
opt = $(if $(filter $(HOT),$(1)),-O2,-Oz)
ssp = $(if $(filter $(EARLY),$(1)),-fno-stack-protector,-fstack-protector-strong)

FW_OBJ := $(SRC_LIB:%.c=$(B)/fw/%.o) $(SRC_ABOVE:%.c=$(B)/fw/%.o) $(SRC_ASM:%.S=$(B)/fw/%.o)

all: $(B)/baton.efi

# A target that runs something ends with `status N`; make itself knows only 2.
status = rc=$$?; echo "status $$rc"; exit $$rc

# Installs what is missing, or names it and stops (status 3).
.PHONY: all tools-build tools-check
tools-build:
	@sh tools/install.sh build || { $(status); }
tools-check:
	@sh tools/install.sh check || { $(status); }

$(B)/fw/vtd/%.o: vtd/%.c Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_CFLAGS) $(call opt,$<) $(call ssp,$<) -iquote include -iquote kernel/seam -MMD -c $< -o $@
$(B)/fw/kho/%.o: kho/%.c $(FDT_INC)/libfdt.h Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_CFLAGS) $(call opt,$<) $(call ssp,$<) -iquote include -iquote kernel/seam -isystem $(FDT_INC) -MMD -c $< -o $@
$(B)/fw/efi/%.o: efi/%.c Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_CFLAGS) $(call opt,$<) $(call ssp,$<) -iquote include -iquote . -iquote kernel/seam $(EFI_CFLAGS) -MMD -c $< -o $@
$(B)/fw/kernel/%.o: kernel/%.c $(FDT_INC)/libfdt.h Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_CFLAGS) $(call opt,$<) $(call ssp,$<) -iquote include -iquote . -iquote kernel/seam \
		$(if $(filter kernel/machine/string.c,$<),-fno-builtin) \
		$(if $(filter kernel/machine/runtime.c,$<),$(EFI_CFLAGS)) -MMD -c $< -o $@
$(B)/fw/tests/%.o: tests/%.c Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_CFLAGS) $(call opt,$<) $(call ssp,$<) -iquote include -iquote . -iquote kernel/seam -MMD -c $< -o $@
$(B)/fw/kernel/%.o: kernel/%.S Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FW_COMMON) -MMD -c $< -o $@

$(FDT_INC)/libfdt.h: Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)cp /usr/include/libfdt.h /usr/include/libfdt_env.h /usr/include/fdt.h $(@D)/

# The entry code knows relative relocations as RELR; linker.ld asserts that there are no others.
# -O2 lets a string be the tail of another.
$(B)/baton.elf: $(FW_OBJ) linker.ld
	$(Q)$(LD_LLD) -pie --no-dynamic-linker -z norelro -z text -z noexecstack -z max-page-size=4096 \
		--gc-sections -O2 --pack-dyn-relocs=relr --build-id=none --hash-style=sysv --fatal-warnings -T linker.ld \
		$(FW_OBJ) $(LIBFDT_A) -o $@

IMAGE_MAX := 262144
$(B)/baton.efi: $(B)/baton.elf
	$(Q)$(OBJCOPY) -O binary $< $@
	$(Q)size=$$(stat -c %s $@); echo "baton.efi: $$size bytes of $(IMAGE_MAX)"; \
		if [ $$size -gt $(IMAGE_MAX) ]; then echo "baton.efi: too large"; rm $@; exit 1; fi

# The same image with corrupt=, for the boot matrix only.
.PHONY: test-image
test-image: | tools-build
	@$(MAKE) --no-print-directory B=build/test FW_TEST=1 build/test/baton.efi

# ---- host builds: libraries and pure kernel files under sanitizers --------------------------
HOST_CFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DBATON_VERSION='"$(VERSION)"' $(WARN)
IOMMU_SRC := $(wildcard kernel/machine/iommu*.c)
# Kernel files that need no processor of their own; what they call and is not here, the tests fake.
HOST_KERNEL := $(wildcard kernel/stream/*.c) kernel/config.c kernel/console/printf.c \
	kernel/console/font.c kernel/console/framebuffer.c kernel/handover/bootparams.c \
	kernel/handover/carry.c kernel/handover/cpio.c kernel/handover/foreign.c kernel/handover/kexec.c \
	kernel/handover/node.c kernel/handover/payload.c kernel/handover/picture.c \
	kernel/handover/prove.c kernel/handover/records_plain.c kernel/handover/restore.c \
	kernel/handover/restore_match.c \
	kernel/memory/memmap.c kernel/memory/scratch.c \
	kernel/memory/window.c kernel/machine/acpi.c $(IOMMU_SRC) kernel/machine/pci.c \
	kernel/machine/pci_features.c kernel/machine/pci_usb.c kernel/nic/common.c kernel/nic/e1000e.c kernel/nic/igb.c \
	kernel/nic/nic.c kernel/nic/port.c kernel/report/ktap.c $(wildcard kernel/selftest/hostile*.c)
HOST_SRC := $(SRC_LIB) $(HOST_KERNEL) tests/host/arena.c
HOST_OBJ := $(HOST_SRC:%.c=$(B)/host/%.o)
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c))
TEST_BIN := $(TEST_SRC:tests/unit/%.c=$(B)/host/unit/%)

$(B)/host/vtd/%.o: vtd/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -MMD -c $< -o $@
$(B)/host/kho/%.o: kho/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -MMD -c $< -o $@
$(B)/host/kernel/%.o: kernel/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -iquote . -MMD -c $< -o $@
$(B)/host/tests/host/%.o: tests/host/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -MMD -c $< -o $@
$(B)/host/rooms.a: $(HOST_OBJ)
	$(Q)rm -f $@; $(LLVM_AR) rcs $@ $(HOST_OBJ)
$(B)/host/unit/%: tests/unit/%.c $(B)/host/rooms.a
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -iquote . -MMD -MF $@.d $< $(B)/host/rooms.a -lcmocka -lfdt -o $@

# The strict model brings a seam of its own: what runs on it is compiled once more, against it.  For
# the hand-over tests that is both sides as a whole, and a kernel's variables can be put back.
MODEL_KERNEL := $(sort $(HOST_KERNEL) $(wildcard kernel/selftest/*.c) kernel/machine/aer.c \
	kernel/memory/keep.c kernel/traffic.c \
	$(filter-out kernel/handover/corrupt.c,$(wildcard kernel/handover/*.c)))
MODEL_SRC := $(SRC_LIB) $(MODEL_KERNEL) $(wildcard tests/model/*.c tests/unit/model_*.c)
MODEL_OBJ := $(MODEL_SRC:%.c=$(B)/model/%.o)
MODEL_IMAGE := -include tests/unit/model_image.h
# The model keeps the book of pages, in front of the kernel's allocator or its own.
MODEL_KEEP := -Dmem_alloc_pages=keep_take_pages -Dmem_free_pages=keep_give_pages

$(B)/model/vtd/%.o: vtd/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(MODEL_IMAGE) -iquote include -iquote tests/model -MMD -c $< -o $@
$(B)/model/kho/%.o: kho/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(MODEL_IMAGE) -iquote include -iquote tests/model -MMD -c $< -o $@
$(B)/model/kernel/%.o: kernel/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(MODEL_IMAGE) $(if $(filter kernel/memory/keep.c,$<),$(MODEL_KEEP)) \
		-iquote include -iquote tests/model -iquote . -MMD -c $< -o $@
$(B)/model/tests/model/%.o: tests/model/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/model -MMD -c $< -o $@
$(B)/model/tests/unit/%.o: tests/unit/%.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/model -iquote . -MMD -c $< -o $@
$(B)/model/model.a: $(MODEL_OBJ)
	$(Q)rm -f $@; $(LLVM_AR) rcs $@ $(MODEL_OBJ)
$(B)/host/unit/test_model_%: tests/unit/test_model_%.c $(B)/model/model.a
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/model -iquote . -MMD -MF $@.d $< $(B)/model/model.a -lcmocka -lfdt -o $@

# ---- tools for this machine ------------------------------------------------------------------
TOOL_CFLAGS := -std=gnu11 -O2 -g $(WARN) -iquote include -iquote tests/host -iquote .
$(B)/tools/frames: tools/frames.c kernel/stream/frame.c kho/crc32c.c Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(TOOL_CFLAGS) tools/frames.c kernel/stream/frame.c kho/crc32c.c -o $@

# kho-dump reads with the libraries, through a seam of its own; once more with sanitizers for its tests.
DUMP_SRC := $(wildcard tools/kho-dump/*.c) $(wildcard kho/*.c)
DUMP_INC := -iquote include -iquote tools/kho-dump -iquote .
# What tests/tools/test_kho_dump.py runs; the last one writes the handoffs that are read.
DUMP_TESTED := $(B)/tools/kho-dump $(B)/host/kho-dump $(B)/host/make_handoff
$(B)/host/make_handoff: tests/tools/make_handoff.c $(B)/host/rooms.a
	$(Q)$(CLANG) $(HOST_CFLAGS) -iquote include -iquote tests/host -iquote . -MMD -MF $@.d $< $(B)/host/rooms.a -lfdt -o $@
$(B)/tools/kho-dump: $(DUMP_SRC:%.c=$(B)/tools/obj/%.o)
	$(Q)$(CLANG) $^ -lfdt -o $@
$(B)/tools/obj/%.o: %.c Makefile | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) -std=gnu11 -O2 -g $(WARN) $(DUMP_INC) -MMD -c $< -o $@
$(B)/host/kho-dump: $(DUMP_SRC:%.c=$(B)/host/dump/%.o)
	$(Q)$(CLANG) $(HOST_CFLAGS) $^ -lfdt -o $@
$(B)/host/dump/%.o: %.c Makefile | tools-check
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(HOST_CFLAGS) $(DUMP_INC) -MMD -c $< -o $@

# ---- running and testing ------------------------------------------------------------------------
.PHONY: run unit check tools-run help clean
tools-run:
	@sh tools/install.sh run || { $(status); }

run: tools-run $(B)/baton.efi $(B)/tools/frames
	@$(PYTHON) tests/boot/run.py; $(status)

unit: tools-check $(TEST_BIN) $(DUMP_TESTED)
	@$(PYTHON) tests/unit/run.py $(TEST_BIN); $(status)

check: tools-run tools-check $(B)/baton.efi test-image $(B)/tools/frames $(B)/flips/flips $(TEST_BIN) $(DUMP_TESTED)
	@$(PYTHON) tests/check.py $(TEST_BIN); $(status)

# Many hand-overs in one run, frames on two NICs all the while.
.PHONY: soak
soak: GENERATIONS := $(if $(filter command line environment,$(origin GENERATIONS)),$(GENERATIONS),100)
soak: tools-run $(B)/baton.efi $(B)/tools/frames
	@$(PYTHON) tests/boot/soak.py --generations $(GENERATIONS); $(status)

clean:
	rm -rf build

help:
	@echo "make            build/baton.efi"
	@echo "make run        boot it in QEMU with a frame sender; progress, verdict, logs"
	@echo "make check      all tests; ends with N passed, N failed, N skipped"
	@echo "make unit       the host tests alone, in seconds"
	@echo "make build/tools/kho-dump   prints a handoff from an image of physical memory (--help)"
	@echo "make check-linux   real Linux kernels hand over to Baton and take over from it; builds them once"
	@echo "make bench      figures: sizes, instructions, times"
	@echo "make soak       100 hand-overs in one run (GENERATIONS=N), frames on two NICs"
	@echo "make mutants    seeded bugs, each of which a test must notice (about 20 minutes)"
	@echo "make flips      every bit of a handoff's metadata, one at a time (FLIPS_EVERY=N: every Nth)"
	@echo "make fuzz       the readers of foreign bytes, FUZZ_SECONDS=60 each"
	@echo "make coverage   lines of vtd/, kho/, kernel/handover/, kernel/memory/ that the host tests reach"
	@echo "make clean      remove build/"
	@echo
	@echo "Variables (defaults): NIC=$(NIC) (or several: e1000e,igb) GENERATIONS=$(GENERATIONS) RATE=$(RATE) FRAMES=$(FRAMES)"
	@echo "  DURATION= (seconds; sets FRAMES = RATE x DURATION) QEMU= OVMF= MEM= (1G; 2G with handoff_to=linux)"
	@echo "  ACCEL=$(ACCEL) (or kvm) PLAN=$(PLAN) V=0 (1 shows commands)"

include bench.mk fuzz.mk linux.mk mutants.mk

-include $(FW_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(MODEL_OBJ:.o=.d) $(TEST_BIN:=.d) \
	$(DUMP_SRC:%.c=$(B)/tools/obj/%.d) $(DUMP_SRC:%.c=$(B)/host/dump/%.d) \
	$(B)/host/make_handoff.d
