"""Bugs in how the image becomes a running kernel, and in what it makes at run time to be small."""
from typing import Tuple

import stanzas
from mutant import Compile, Edit, Judged, Mutant, Unit, mutant

HEADER = "kernel/header.S"
BOOTS, = stanzas.by_name(["handover.e1000e"])

IMAGE: Tuple[Mutant, ...] = (
    mutant("image.relr_bitmap_step", "RELR: a bitmap stands for 63 words", HEADER,
           "\tadd\t$(63 * 8), %rdi\n", "\tadd\t$(64 * 8), %rdi\n", Judged(BOOTS)),
    mutant("image.relr_word_of_address", "RELR: a bitmap begins behind the address", HEADER,
           "\tadd\t$8, %rdi\t", "\tadd\t$0, %rdi\t", Judged(BOOTS)),
    # The load bias would be in the next kernel's file, and be added once more.
    Mutant("image.pristine_after_relocation", "the pristine copy is taken before anything changes", (
        Edit(HEADER, "\trep movsb\n\n\tlea\timage_start", "\tlea\timage_start"),
        Edit(HEADER, "\n6:\n.endm\n", """
6:
\tlea\ttext_start(%rip), %rsi
\tlea\tpristine_start(%rip), %rdi
\tlea\tfile_end(%rip), %rcx
\tsub\t%rsi, %rcx
\trep movsb
.endm
""")), Judged(BOOTS)),
    mutant("image.odd_relocation", "RELR cannot express an odd address", "kernel/machine/cpu.c",
           "__attribute__((packed, aligned(2)))", "__attribute__((packed))",
           Compile("build/baton.efi", "a relocation that RELR cannot express")),
    mutant("image.header_cut_short", "the setup header is whole in the next kernel's file",
           "kernel/handover/kexec.c", "header_template, header_template_size);",
           "header_template, header_template_size - 8);",
           Unit("test_kexec", "test_own_file")),
    mutant("crc32c.table_of_the_table", "each table is the one before and a byte more", "kho/crc32c.c",
           "table[0][crc & 0xff] ^ crc >> 8;\n\t\t}", "table[0][crc & 0x7f] ^ crc >> 8;\n\t\t}",
           Unit("test_crc32c", "test_tables")),
)
