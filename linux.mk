# make check-linux: real Linux kernels hand over to Baton and take over from it.  Included by the
# Makefile, whose variables and `status` it uses.

# The program in the guests: static, with the code that the firmware reads frames and handoffs with.
AGENT_SRC := $(wildcard tests/linux/*.c) kernel/stream/frame.c kernel/stream/account.c kernel/stream/control.c \
	kernel/handover/node.c kho/crc32c.c kho/blob.c kho/fdt.c kho/metadata.c
AGENT_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -iquote include -iquote tests/host -iquote .

$(B)/linux/obj/%.o: %.c Makefile linux.mk | tools-build
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(AGENT_CFLAGS) -MMD -c $< -o $@
$(B)/linux/agent: $(AGENT_SRC:%.c=$(B)/linux/obj/%.o)
	$(Q)$(CLANG) -static $^ -lfdt -o $@

.PHONY: check-linux tools-linux
tools-linux:
	@sh tools/install.sh linux || { $(status); }
check-linux: tools-linux $(B)/baton.efi test-image $(B)/tools/frames $(B)/linux/agent
	@$(PYTHON) tests/linux/matrix.py; $(status)

-include $(AGENT_SRC:%.c=$(B)/linux/obj/%.d)
