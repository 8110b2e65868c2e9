"""Seeded bugs in how a Linux is started, and in what a Linux has left."""
from typing import Tuple

from mutant import Edit, Mutant, Unit

BOOTPARAMS = "kernel/handover/bootparams.c"
CPIO = "kernel/handover/cpio.c"
KEXEC = "kernel/handover/kexec.c"
NODE = "kernel/handover/node.c"
PAYLOAD = "kernel/handover/payload.c"
SAVE = "kernel/handover/save.c"


def mutant(name: str, rule: str, file: str, old: str, new: str, dies: Unit) -> Mutant:
    return Mutant(name, rule, (Edit(file, old, new),), dies)


LINUX: Tuple[Mutant, ...] = (
    mutant("payload.digest_of_the_kernel_alone", "files for Linux are preserved with digests", PAYLOAD,
           "\tfor (unsigned i = 0; i < BOOT_FILES; i++)\n\t\tif (kho_crc32c(",
           "\tfor (unsigned i = 0; i < 1; i++)\n\t\tif (kho_crc32c(",
           Unit("test_payload", "test_changed")),
    mutant("payload.last_page_not_preserved", "M1: whole pages", PAYLOAD,
           "\t\t\t\t\t\t ALIGN_UP(p->file[i].len, PAGE_SIZE));",
           "\t\t\t\t\t\t ALIGN_DOWN(p->file[i].len, PAGE_SIZE));",
           Unit("test_payload", "test_preserved")),
    mutant("payload.first_byte_preserved_is_enough", "M1: every byte is preserved", PAYLOAD,
           "kho_map_covers(map, p->file[i].pa, p->file[i].len)", "kho_map_covers(map, p->file[i].pa, 1)",
           Unit("test_payload", "test_preserved")),
    mutant("payload.any_bytes_for_a_command_line", "hostile bytes", PAYLOAD,
           "(c < 0x20 || c > 0x7e)", "c < 0x01", Unit("test_payload", "test_cmdline")),
    mutant("payload.left_in_the_initrd", "what stays lies in pages of its own", PAYLOAD,
           "\t\tf->pa = pa;\n", "\t\t(void)pa;\n", Unit("test_payload", "test_cpio")),
    mutant("cpio.no_trailer_is_fine", "an archive that is cut short", CPIO,
           "\t\t\treturn -EBADMSG;", "\t\t\treturn found ? 0 : -EBADMSG;", Unit("test_cpio", "test_cut")),
    mutant("cpio.name_without_end", "hostile bytes: a name that runs on", CPIO,
           "&name) || name.p[name_size - 1])", "&name))", Unit("test_cpio", "test_refuses")),
    mutant("cpio.any_digit", "hostile bytes: numbers", CPIO,
           "if (p[i] >= '0' && p[i] <= '9')", "if (p[i] <= '9')", Unit("test_cpio", "test_refuses")),
    mutant("node.payload_anywhere", "F24: a range that wraps", NODE,
           "(f->len && !range_valid(f->pa, f->len))", "false", Unit("test_node", "test_payload")),
    mutant("kexec.initrd_of_the_file", "an initrd that only the kernel's file names", "kernel/handover/bootparams.c",
           "\tput_split(zero_page, BP_RAMDISK_SIZE, BP_EXT_RAMDISK_SIZE, in->initrd_size);\n",
           "\tif (in->initrd_size)\n\t\tput_split(zero_page, BP_RAMDISK_SIZE, BP_EXT_RAMDISK_SIZE, in->initrd_size);\n",
           Unit("test_bootparams", "test_initrd_in_the_file")),
    mutant("kexec.initrd_not_announced", "boot protocol: ramdisk_size", KEXEC,
           "\tin->initrd_size = image->initrd.len;\n", "", Unit("test_kexec", "test_linux")),
    mutant("kexec.initrd_over_the_tables", "parts never overlap", KEXEC,
           "\tmemcpy(mem_ptr(in->initrd), image->initrd.p, image->initrd.len);",
           "\tmemcpy(mem_ptr(in->initrd), image->initrd.p, image->initrd.len);\n"
           "\ttop->next += PAGE_SIZE;", Unit("test_kexec", "test_linux")),
    mutant("kexec.low_memory_not_mapped", "boot protocol: Linux reads the first MiB early", KEXEC,
           "err || !image->is_linux ? err", "err || image->is_linux ? err",
           Unit("test_kexec", "test_linux")),
    mutant("kexec.efi_none_is_told", "efi=none: efi_info is zero", KEXEC,
           "\tcase EFI_INFO_NONE:\n\t\treturn 0;", "\tcase EFI_INFO_NONE:\n\t\treturn runtime_map(bi, top, in);",
           Unit("test_kexec", "test_linux")),
    mutant("kexec.relay_ends_at_a_baton", "efi=relay: passed on by every generation", KEXEC,
           "\tif (!image->is_linux && bi->efi_relay.systab)\n\t\treturn relay_efi(&bi->efi_relay, top, in);\n",
           "", Unit("test_kexec", "test_efi_relay")),
    mutant("kexec.efi_first_without_a_map", "efi=first: only generation 0 has the map", KEXEC,
           "(!bi->efi_map.len || !bi->efi_systab)", "!bi->efi_systab",
           Unit("test_kexec", "test_linux_efi_first")),
    mutant("kexec.map_outside_the_list", "KASLR stays clear of the list alone", KEXEC,
           "in->efi_memmap = take_node(top, BOOTPARAMS_SETUP_NONE, len, &in->setup_data);",
           "in->efi_memmap = take(top, len);", Unit("test_kexec", "test_linux_efi_first")),
    mutant("jump.unit_left_on", "linux_kho=no: nothing is started over a unit that stays on", SAVE,
           "\tif (iommu_shut_down(r->mmu))\n\t\tverdict_end(",
           "\tif (iommu_shut_down(r->mmu) && !r->mmu)\n\t\tverdict_end(",
           Unit("test_model_handover_linux", "test_stuck")),
    mutant("jump.nothing_stopped", "linux_kho=no: every device is stopped before the jump", SAVE,
           "if (run_next_is_linux(r) && !r->cfg.linux_kho)", "if (run_next_is_linux(r) && r->cfg.linux_kho)",
           Unit("test_model_handover_linux", "test_stopped")),
    mutant("kexec.entered_with_5_levels", "boot protocol: XLF_5LEVEL", KEXEC,
           "paging_levels() == 5 &&", "paging_levels() == 6 &&", Unit("test_kexec", "test_linux_refused")),
    mutant("bootparams.address_beyond_all", "hostile bytes: pref_address", BOOTPARAMS,
           "\tif (b->pref >= MEMMAP_LIMIT)\n\t\treturn \"the image asks for an address that cannot be\";\n", "",
           Unit("test_kexec", "test_linux_refused")),
    mutant("bootparams.efi_without_a_map", "a Linux that keeps no map for others", BOOTPARAMS,
           " != EFI_SIGNATURE_64 || !bytes)", " != EFI_SIGNATURE_64)",
           Unit("test_bootparams", "test_efi_relay")),
    mutant("next.first_window_is_the_last", "the last Baton may have less scratch", "kernel/handover/next.c",
           "\t\terr = kexec_check(r->bi, &w, &image, why);", "\t\terr = kexec_check(r->bi, &r->window, &image, why);",
           Unit("test_model_next", "test_last_window")),
    mutant("next.one_hop_too_few", "the last Baton may have less scratch", "kernel/handover/next.c",
           "\tunsigned hops = r->cfg.generations - 2;", "\tunsigned hops = r->cfg.generations > 2 ? r->cfg.generations - 3 : 0;",
           Unit("test_model_next", "test_last_window")),
    mutant("prove.radix_not_digested", "M2: one digest over all radix nodes", "kernel/handover/prove.c",
           "\t\tcrc = kho_crc32c(crc, mem_ptr(map->nodes[i]), PAGE_SIZE);\n", "\t\tcrc += 0;\n",
           Unit("test_model_handover_broken", "test_refused")),
    mutant("kexec.command_line_of_any_length", "boot protocol: cmdline_size", KEXEC,
           "\tif (!err && strlen(image->cmdline) > bz->cmdline_size) {",
           "\tif (!err && strlen(image->cmdline) > bz->cmdline_size + 1) {",
           Unit("test_kexec", "test_linux_refused")),
    mutant("bootparams.cut_kernel", "refused by name: truncated", BOOTPARAMS,
           " || b->pm_len < 16ULL * get32(f, BP_SYSSIZE)", "", Unit("test_bootparams", "test_bzimage_refusals")),
    mutant("bootparams.relay_of_any_length", "hostile bytes: a map longer than its place", BOOTPARAMS,
           "relay->too_large |= map.len > sizeof(relay->map);",
           "relay->too_large |= map.len > 2 * sizeof(relay->map);",
           Unit("test_bootparams", "test_efi_relay")),
)
