"""Mutants of kho-dump: what it says of a handoff in an image of memory."""
from typing import Tuple

from mutant import Mutant, Tool, mutant

DUMP = "tools/kho-dump"
LUO, IMAGE, MEMBLOCK = f"{DUMP}/luo.c", f"{DUMP}/image.c", "kho/memblock.c"

TOOLS: Tuple[Mutant, ...] = (
    mutant("dump.status", "findings end with status 1", f"{DUMP}/main.c",
           "return d.nr_findings ? STATUS_FINDINGS : STATUS_OK;", "return STATUS_OK;",
           Tool("Written.test_each_rule")),
    mutant("dump.first_rule_only", "a refused LUO is gone through to its end", LUO,
           "\t\tdump_luo_all(d, r, kho_subnode_blob(n));\n", "\t\tfindings = d->nr_findings;\n",
           Tool("Written.test_all_of_luo")),
    mutant("dump.memfds_not_compared", "one memory for two memfds", LUO,
           "\tcheck_claimed(d, &all);\n", "\tall.nr = 0;\n\tcheck_claimed(d, &all);\n",
           Tool("Written.test_memfds_share_memory")),
    mutant("dump.record_first_fault", "a record's second fault", LUO,
           "\tdump_records(d);\n", "", Tool("Written.test_all_at_once")),
    mutant("dump.table_not_covered", "M1: a table that is not preserved", f"{DUMP}/records.c",
           "if (!kho_map_covers(&d->h.map, table, PAGE_SIZE))", "if (!table)",
           Tool("Written.test_all_at_once")),
    mutant("dump.region_not_covered", "K6: a reserve_mem region that is not preserved", MEMBLOCK,
           "if (!r.size || !kho_map_covers(map, r.start, r.size))", "if (!r.size || !map->nr_ranges)",
           Tool("Linux.test_region_not_preserved")),
    mutant("dump.image_overlaps", "bytes that the image has twice", IMAGE,
           "if (runs[i].pa - runs[i - 1].pa < runs[i - 1].len)", "if (runs[i].pa < runs[i - 1].pa)",
           Tool("Manifests.test_refused")),
    mutant("dump.image_not_joined", "neighbours in memory, not in the file", IMAGE,
           "if (out.p + out.len != r[i].p)", "if (out.p > r[i].p + r[i].len + PAGE_SIZE * n * 4096)",
           Tool("Manifests.test_adjacent_segments_in_any_order")),
    mutant("dump.image_has_start", "I0: a blob of which the image has the beginning", IMAGE,
           "return !len || (r && len <= r->len - (pa - r->pa));", "return !len || r;",
           Tool("Written.test_cut_short")),
)
