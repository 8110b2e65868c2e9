"""Reading QEMU's trace: a run that is as it should be, then each thing that must not happen."""
import dataclasses
import unittest
from typing import List, Optional

import qemu
import witness

NIC = frozenset({qemu.NIC_SID})
ENDS_WITH_FAULT = witness.Expect(fault_sids=NIC, fault_reasons=frozenset({5, 6}))

# As QEMU prints it with -msg timestamp=on; the times are what the cases below refer to.
GOOD = """\
900@9.000000:pci_cfg_write edu 00:0a.0 @0x4 <- 0x7
900@9.000001:pci_cfg_write edu 00:0a.0 @0x3c <- 0x0
900@10.000001:vtd_switch_address_space Device 00:03.0 switching address space (iommu enabled=0)
900@11.000000:e1000e_core_ctrl_sw_reset Doing SW reset
900@11.100000:vtd_reg_write_gcmd status 0x0 value 0x40000000
900@11.100001:vtd_reg_dmar_root addr 0x4000000 scalable 0
900@11.200000:vtd_reg_write_gcmd status 0x40000000 value 0x4000000
900@11.200001:vtd_inv_qi_enable enabled 1
900@11.300000:vtd_reg_write_gcmd status 0x44000000 value 0x84000000
900@11.300001:vtd_dmar_enable enable 1
900@11.300002:vtd_switch_address_space Device 00:03.0 switching address space (iommu enabled=1)
900@11.400000:e1000e_core_ctrl_sw_reset Doing SW reset
900@20.000000:vtd_dmar_fault sid 0x18 fault 5 addr 0x100004000 write 1
900@21.000000:vtd_reg_write_gcmd status 0xc4000000 value 0x4000000
900@21.000001:vtd_dmar_enable enable 0
900@21.000002:vtd_switch_address_space Device 00:03.0 switching address space (iommu enabled=0)
900@21.100000:e1000e_core_ctrl_sw_reset Doing SW reset
"""

BEGIN, END = 12.0, 18.0


def problems(text: str, expect: witness.Expect = ENDS_WITH_FAULT) -> List[str]:
    return witness.disagreements(witness.read(text), expect, BEGIN, END)


def with_line(line: str) -> str:
    """The good trace with one more event while the stream runs."""
    lines = GOOD.splitlines()
    return "\n".join(lines[:12] + ["900@15.000000:" + line] + lines[12:]) + "\n"


class Facts(unittest.TestCase):
    def test_good(self) -> None:
        trace = witness.read(GOOD)
        self.assertEqual(trace.enables, [11.3])
        self.assertEqual(trace.disables, [21.0])
        self.assertEqual(trace.roots, [0x4000000])
        self.assertEqual(trace.nic_off, [])
        self.assertEqual(trace.queue_enables, 1)
        self.assertEqual(trace.nic_resets, [11.0, 11.4, 21.1])
        self.assertEqual(trace.faults, [(20.0, 0x18, 5, 0x100004000, True)])
        self.assertEqual(problems(GOOD), [])

    def test_without_times(self) -> None:
        text = "\n".join(line.split(":", 1)[1] for line in GOOD.splitlines())
        trace = witness.read(text)
        self.assertEqual((len(trace.enables), len(trace.disables)), (1, 1))

    def test_times_of_day(self) -> None:
        text = ("1970-01-01T00:00:11.300000Z vtd_reg_write_gcmd status 0x0 value 0x80000000\n"
                "2026-11-25T21:13:32Z vtd_reg_write_gcmd status 0x80000000 value 0x0\n"
                "2026-11-25T21:13:32.000001Z vtd_dmar_fault sid 0x18 fault 5 addr 0x1000 write 1\n")
        trace = witness.read(text)
        self.assertEqual((trace.enables, trace.disables), ([11.3], [1795641212.0]))
        self.assertAlmostEqual(trace.faults[0].time, 1795641212.000001, 6)

    def test_other_lines_are_ignored(self) -> None:
        self.assertEqual(witness.read("qemu-system-x86_64: warning: x\nvtd_other y\n").events, 0)


class Disagreements(unittest.TestCase):
    def expect_one(self, text: str, part: str,
                   expect: witness.Expect = ENDS_WITH_FAULT) -> None:
        found = problems(text, expect)
        self.assertTrue(any(part in p for p in found), found)

    def test_empty_trace(self) -> None:
        self.assertEqual(problems(""), ["the trace is empty"])

    def test_gcmd_built_from_zero_drops_translation(self) -> None:
        text = with_line("vtd_reg_write_gcmd status 0xc4000000 value 0x40000000")
        self.expect_one(text, "switched off")

    def test_off_and_on_again(self) -> None:
        text = with_line("vtd_reg_write_gcmd status 0xc4000000 value 0x4000000\n"
                         "900@15.1:vtd_reg_write_gcmd status 0x44000000 value 0x84000000")
        self.expect_one(text, "switched on 2 times")

    def test_never_switched_off_at_the_end(self) -> None:
        text = "\n".join(GOOD.splitlines()[:13]) + "\n"
        self.expect_one(text, "switched off 0 times")

    def test_root_moved(self) -> None:
        self.expect_one(with_line("vtd_reg_dmar_root addr 0x5000000 scalable 0"), "root pointer set 2")

    def test_root_set_again_to_the_same(self) -> None:
        self.expect_one(with_line("vtd_reg_dmar_root addr 0x4000000 scalable 0"), "root pointer set 2")

    def test_root_that_must_move(self) -> None:
        text = with_line("vtd_reg_dmar_root addr 0x5000000 scalable 0")
        twice = dataclasses.replace(ENDS_WITH_FAULT, roots=2)
        self.assertEqual(problems(text, twice), [])
        self.expect_one(GOOD, "root pointer set 1", twice)

    def test_no_root(self) -> None:
        text = "\n".join(l for l in GOOD.splitlines() if "dmar_root" not in l)
        self.expect_one(text, "root pointer set 0")

    def test_nic_untranslated(self) -> None:
        text = with_line("vtd_switch_address_space Device 00:03.0 switching address space "
                         "(iommu enabled=0)")
        self.expect_one(text, "untranslated")

    def test_other_device_untranslated_is_not_ours(self) -> None:
        text = with_line("vtd_switch_address_space Device 00:04.0 switching address space "
                         "(iommu enabled=0)")
        self.assertEqual(problems(text), [])

    def test_nic_reset_in_the_stream(self) -> None:
        self.expect_one(with_line("e1000e_core_ctrl_sw_reset Doing SW reset"), "NIC reset 1 times")

    def test_fault_in_the_stream(self) -> None:
        self.expect_one(with_line("vtd_dmar_fault sid 0x18 fault 5 addr 0x1000 write 1"),
                        "1 faults while the stream ran, first at 0x1000")

    def test_fault_of_another_device(self) -> None:
        self.expect_one(with_line("vtd_dmar_fault sid 0xfa fault 2 addr 0x1000 write 0"),
                        "source-id 0x00fa")

    def test_fault_of_another_reason(self) -> None:
        self.expect_one(with_line("vtd_dmar_fault sid 0x18 fault 12 addr 0x1000 write 0"),
                        "fault reason 0xc")

    def test_fault_needed(self) -> None:
        text = "\n".join(l for l in GOOD.splitlines() if "dmar_fault" not in l)
        self.assertEqual(problems(text), [])
        self.expect_one(text, "no fault was seen", witness.Expect(faults_needed=True))

    def test_fault_of_one_device_needed(self) -> None:
        needed = witness.Expect(fault_sids=frozenset({0x18, 0x50}), fault_reasons=frozenset({5, 2}),
                                faults_needed=True, sids_needed=frozenset({0x50}))
        self.expect_one(GOOD, "no fault of source-id 0x0050", needed)
        text = with_line("vtd_dmar_fault sid 0x50 fault 2 addr 0x1000 write 1")
        self.assertEqual(problems(text, needed), [])

    def test_shots(self) -> None:
        def fired(*results: int) -> str:
            return with_line("\n900@15.1:".join(
                f"iommu_testdev_dma_result DMA completed result={r:#x}" for r in results))
        two = witness.Expect(fault_sids=NIC, fault_reasons=frozenset({5, 6}), shots=2)
        self.assertEqual(problems(fired(0xdead0002, 0xdead0002), two), [])
        self.expect_one(fired(0xdead0002), "fired 1 times, expected 2", two)
        self.expect_one(GOOD, "fired 0 times, expected 2", two)
        self.expect_one(fired(0xdead0002, 0), "ended with 0x0", two)
        self.expect_one(fired(0xdead0004, 0xdead0002), "ended with 0xdead0004", two)
        self.expect_one(with_line("iommu_testdev_dma_result done"), "not understood", two)

    def test_must_stay_off(self) -> None:
        self.expect_one(GOOD, "translation was switched on", witness.Expect(enabled=False))

    def test_must_come_on(self) -> None:
        text = "\n".join(GOOD.splitlines()[:6])
        self.expect_one(text, "never switched on")
        self.assertEqual(problems(text, witness.Expect(enabled=False)), [])

    def test_bus_master_stays_on(self) -> None:
        expect = witness.Expect(fault_sids=NIC, fault_reasons=frozenset({5}),
                                masters=frozenset({"00:0a.0"}))
        self.assertEqual(problems(GOOD, expect), [])
        off = "pci_cfg_write edu 00:0a.0 @0x4 <- 0x3"
        self.expect_one(with_line(off), "bus master of 00:0a.0 went off", expect)
        self.assertEqual(problems(with_line(off)), [])
        self.assertEqual(problems(GOOD + "900@21.0:" + off, expect), [])
        self.expect_one(GOOD.replace("@0x4 <- 0x7", "@0x4 <- 0x3"), "no bus master", expect)
        self.expect_one(GOOD.replace("@0x4 <- 0x7", "@0x6 <- 0x7"), "no bus master", expect)

    def test_unknown_format_is_said(self) -> None:
        self.expect_one(with_line("vtd_reg_write_gcmd state=1"), "not understood")


# Two NICs become bus masters under translation; at the end one is stopped by each way.
MASTERS = """\
900@11.000000:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x7
900@11.000001:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x7
900@11.000002:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x3
900@11.000003:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x3
900@11.000004:pci_cfg_write ich9-ahci 00:1f.2 @0x4 <- 0x3
900@11.100000:vtd_reg_dmar_root addr 0x4000000 scalable 0
900@11.300000:vtd_reg_write_gcmd status 0x44000000 value 0x84000000
900@11.400000:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x407
900@11.400001:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x407
900@11.400002:memory_region_ops_write cpu 0 mr 0x5 addr 0xfebc2818 value 0xfe size 4 name 'e1000e-mmio'
900@15.000000:memory_region_ops_write cpu 0 mr 0x1 addr 0xcf8 value 0x80001804 size 4 name 'pci-conf-idx'
900@15.000001:memory_region_ops_write cpu 0 mr 0x2 addr 0xcfc value 0x403 size 4 name 'pci-conf-data'
900@15.000002:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x403
900@15.000003:memory_region_ops_write cpu 0 mr 0x3 addr 0xb0020004 value 0x403 size 4 name 'pcie-mmcfg-mmio'
900@15.000004:pci_cfg_write e1000e 00:04.0 @0x4 <- 0x403
"""


class Masters(unittest.TestCase):
    def problems(self, text: str, *off: str, by_port: Optional[bool] = None) -> List[str]:
        expect = witness.Expect(disables=0, masters_off=frozenset(off), off_by_port=by_port)
        return witness.disagreements(witness.read(text), expect)

    def test_all_off(self) -> None:
        self.assertEqual(self.problems(MASTERS, "00:03.0", "00:04.0"), [])

    def test_one_is_left(self) -> None:
        text = MASTERS[:MASTERS.rindex("900@")]
        self.assertEqual(self.problems(text, "00:03.0", "00:04.0"), ["00:04.0 is still bus master"])

    def test_whoever_it_is(self) -> None:
        text = MASTERS + "900@16.0:pci_cfg_write ich9-ahci 00:1f.2 @0x4 <- 0x7\n"
        self.assertEqual(self.problems(text, "00:03.0"), ["00:1f.2 is still bus master"])

    def test_on_again(self) -> None:
        text = MASTERS + "900@16.0:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x407\n"
        self.assertEqual(self.problems(text, "00:03.0"), ["00:03.0 is still bus master"])

    def test_other_registers_do_not_count(self) -> None:
        text = MASTERS + ("900@16.0:pci_cfg_write e1000e 00:03.0 @0x5 <- 0x4\n"
                          "900@16.1:pci_cfg_write e1000e 00:03.0 @0x44 <- 0x4\n")
        self.assertEqual(self.problems(text, "00:03.0"), [])

    def test_firmware_alone_had_it_on(self) -> None:
        text = "\n".join(l for l in MASTERS.splitlines() if "0x407" not in l)
        self.assertEqual(self.problems(text, "00:03.0"),
                         ["00:03.0 was never bus master under translation"])
        self.assertEqual(self.problems(MASTERS, "00:05.0"),
                         ["00:05.0 was never bus master under translation"])

    def test_how(self) -> None:
        self.assertEqual(self.problems(MASTERS, "00:03.0", by_port=True), [])
        self.assertEqual(self.problems(MASTERS, "00:04.0", by_port=False), [])
        self.assertEqual(self.problems(MASTERS, "00:03.0", by_port=False),
                         ["bus master of 00:03.0 was taken away through ports"])
        self.assertEqual(self.problems(MASTERS, "00:04.0", by_port=True),
                         ["bus master of 00:04.0 was taken away through ECAM"])

    def test_off_twice_counts_the_first(self) -> None:
        text = MASTERS + "900@16.0:pci_cfg_write e1000e 00:03.0 @0x4 <- 0x400\n"
        self.assertEqual(self.problems(text, "00:03.0", by_port=True), [])

    def test_not_asked_for(self) -> None:
        self.assertEqual(self.problems(MASTERS[:MASTERS.rindex("900@")]), [])

    def test_unknown_format_is_said(self) -> None:
        self.assertEqual(self.problems(MASTERS + "900@16.0:pci_cfg_write e1000e 3 @4\n", "00:03.0"),
                         ["trace line not understood: e1000e 3 @4"])


if __name__ == "__main__":
    unittest.main()
