"""Which QEMU and which firmware to use, what they can do, and how they are called.

Nothing about a version is assumed: property names of intel-iommu changed twice, igb came late, so
both are asked of the program itself.  A feature that is not there is an Unsupported with a reason.
"""
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import debs  # noqa: E402  (found only once the path is set)

MAC = "52:54:00:12:34:56"
NIC_SLOT = 3
NIC_BDF = f"0000:00:{NIC_SLOT:02x}.0"
NIC_SID = NIC_SLOT << 3			# source-id on bus 0
DISK_SLOT = 8

# Our word for a feature -> the properties that versions of intel-iommu have called it.
IOMMU_SPELLINGS: Mapping[str, Tuple[str, ...]] = {
    "scalable": ("scalable-mode", "x-scalable-mode"),
    "first-stage": ("fsts", "x-flts"),
    "aw-bits": ("aw-bits",),
    "caching-mode": ("caching-mode",),
    "device-iotlb": ("device-iotlb",),
    "intremap": ("intremap",),
    "eim": ("eim",),
    "snoop-control": ("snoop-control",),
    "dma-translation": ("dma-translation",),
}


# Where the version that brought a device is worth telling.
DEVICE_SINCE: Mapping[str, str] = {"igb": "8.0", "iommu-testdev": "11.1"}


class Unsupported(Exception):
    """This QEMU cannot do what was asked; the text says what, for a SKIP line."""


class Missing(Exception):
    """There is no QEMU or firmware at all; the text is the sentence for the user."""


@dataclass
class Qemu:
    """One QEMU program with the directories it needs."""
    binary: str
    data: Sequence[str] = ()
    libraries: Sequence[str] = ()
    modules: Sequence[str] = ()
    loader: str = ""		# of a libc that is not the system's
    origin: str = "system"
    _help: Dict[str, str] = field(default_factory=dict, repr=False)

    def argv(self) -> List[str]:
        """The program with its data directories, before any option."""
        return (debs.command(self.binary, self.libraries, self.loader) +
                [word for d in self.data for word in ("-L", d)])

    def environment(self) -> Dict[str, str]:
        env = debs.environment(self.libraries, self.loader)
        if self.modules:
            env["QEMU_MODULE_DIR"] = self.modules[0]
        return env

    def ask(self, *args: str) -> str:
        """What the program prints; empty if it cannot be run."""
        key = " ".join(args)
        if key not in self._help:
            try:
                done = subprocess.run(self.argv() + list(args), env=self.environment(),
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)
                self._help[key] = done.stdout
            except (OSError, subprocess.TimeoutExpired):
                self._help[key] = ""
        return self._help[key]

    def version(self) -> str:
        match = re.search(r"version (\d+(?:\.\d+)+)", self.ask("--version"))
        return match.group(1) if match else ""

    def properties(self, device: str) -> Set[str]:
        """Property names of a device; empty if there is no such device.

        One device at a time: the whole list loads every module, and may stop at the first bad one.
        """
        return set(re.findall(r"^\s+([\w-]+)=", self.ask("-device", f"{device},help"), re.M))

    def has_device(self, device: str) -> bool:
        return bool(self.properties(device))

    def iommu_option(self, features: Mapping[str, str]) -> str:
        """The -device argument for the unit, in this version's spelling."""
        known = self.properties("intel-iommu")
        words = ["intel-iommu"]
        for feature, value in features.items():
            names = [n for n in IOMMU_SPELLINGS[feature] if n in known]
            if not names:
                raise Unsupported(f"QEMU {self.version()} has no {feature} in intel-iommu")
            words.append(f"{names[0]}={value}")
        return ",".join(words)


@dataclass(frozen=True)
class Firmware:
    """An OVMF build: code, and the variable store each run copies."""
    code: Path
    variables: Path
    origin: str = "system"


@dataclass(frozen=True)
class Machine:
    """One machine to boot; everything that decides the command line but the files of a run."""
    nic: Optional[str] = "e1000e"
    more_nics: Sequence[str] = ()	# each with a wire of its own
    memory: str = "1G"
    # None: no unit.  aw-bits is always given: its default is 39 or 48, by version.
    iommu: Optional[Mapping[str, str]] = field(default_factory=lambda: {"aw-bits": "48"})
    accel: str = "tcg"
    disk: str = "virtio"		# or "ahci"
    display: Optional[str] = None	# a display device; without one there is no framebuffer
    devices: Sequence[str] = ()	# -device arguments besides; QEMU must know each
    cpu: str = "max"
    processors: int = 1
    version: Tuple[int, ...] = ()	# QEMU must be that new
    extra: Sequence[str] = ()

    def nics(self) -> List[str]:
        """Models, by wire."""
        return ([self.nic] if self.nic else []) + list(self.more_nics)


@dataclass(frozen=True)
class Kernel:
    """A bzImage that is started in place of what is on the disk."""
    image: Path
    initrd: Path
    cmdline: str
    uefi: bool = False		# by OVMF, else by SeaBIOS


@dataclass(frozen=True)
class Files:
    """The files of one run."""
    disk: Path
    variables: Path
    serial: Path
    trace: Path
    events: Path
    sockets: Path			# a short directory
    kernel: Optional[Kernel] = None

    def nic_socket(self, wire: int) -> Path:
        """QEMU binds this one."""
        return self.sockets / f"q{wire}"

    def peer_socket(self, wire: int) -> Path:
        """And sends to this one."""
        return self.sockets / f"h{wire}"


def fetch_wider() -> Optional[str]:
    """Bring the newer QEMUs and OVMF into the cache.  None, or the reason why not."""
    try:
        for name in debs.BY_DEFAULT:
            debs.get(name)
    except (debs.Unavailable, OSError) as reason:
        return str(reason)
    return None


def find_qemus() -> List[Qemu]:
    """QEMU= alone if given; else the system's own, then those from the user's cache, oldest first."""
    own = os.environ.get("QEMU", "")
    if own:
        if shutil.which(own) is None:
            raise Missing(f"QEMU={own} is not a program")
        return [Qemu(own, origin="QEMU=")]
    found = []
    if shutil.which("qemu-system-x86_64"):
        found.append(Qemu("qemu-system-x86_64"))
    for name in ("qemu", "qemu-11"):
        record = debs.get(name, network=False)
        if record:
            found.append(Qemu(str(record["binary"]), record["data"], record["libraries"],
                              record["modules"], str(record.get("loader", "")), origin="cache"))
    if not found:
        raise Missing("no qemu-system-x86_64; install qemu-system-x86, or give QEMU=")
    return found


def find_firmware() -> Firmware:
    """OVMF= if given; else the newer one from the cache, which boots in half the time."""
    own = os.environ.get("OVMF", "")
    if own:
        code = Path(own) / "OVMF_CODE_4M.fd" if Path(own).is_dir() else Path(own)
        variables = code.with_name(code.name.replace("CODE", "VARS"))
        if not code.is_file() or not variables.is_file() or code == variables:
            raise Missing(f"OVMF={own} names no OVMF_CODE*.fd with OVMF_VARS*.fd beside it")
        return Firmware(code, variables, "OVMF=")
    record = debs.get("ovmf", network=False)
    if record:
        return Firmware(Path(str(record["code"])), Path(str(record["vars"])), "cache")
    for suffix in ("_4M", ""):
        code = Path(f"/usr/share/OVMF/OVMF_CODE{suffix}.fd")
        variables = Path(f"/usr/share/OVMF/OVMF_VARS{suffix}.fd")
        if code.is_file() and variables.is_file():
            return Firmware(code, variables)
    raise Missing("no OVMF under /usr/share/OVMF; install ovmf, or give OVMF=")


def choose(candidates: Sequence[Qemu], machine: Machine) -> Qemu:
    """The first QEMU that can be this machine."""
    reason = Unsupported("no QEMU")
    for qemu in candidates:
        try:
            supports(qemu, machine)
            return qemu
        except Unsupported as error:
            reason = error
    raise reason


def supports(qemu: Qemu, machine: Machine) -> None:
    """Raise Unsupported, with the reason, if this QEMU cannot be the machine."""
    if not qemu.version():
        raise Unsupported(f"{qemu.binary} does not run")
    if tuple(int(n) for n in qemu.version().split(".")) < tuple(machine.version):
        least = ".".join(str(n) for n in machine.version)
        raise Unsupported(f"QEMU {qemu.version()} is older than {least}")
    for device in machine.nics() + [d.partition(",")[0] for d in machine.devices]:
        if not qemu.has_device(device):
            since = DEVICE_SINCE.get(device)
            hint = f" (needs {since} or newer)" if since else ""
            raise Unsupported(f"QEMU {qemu.version()} has no {device}{hint}")
    if machine.iommu is not None:
        qemu.iommu_option(machine.iommu)


def mac(wire: int) -> str:
    """The address of the NIC on a wire."""
    return MAC[:-2] + f"{int(MAC[-2:], 16) + wire:02x}"


def nic_slot(wire: int) -> int:
    """Its device number on bus 0."""
    return NIC_SLOT + wire


def option_path(path: Path) -> str:
    """A path inside a QEMU option, where a comma ends the value unless it is doubled."""
    return str(path).replace(",", ",,")


def start_options(firmware: Firmware, machine: Machine, files: Files) -> List[str]:
    """What the machine starts: a kernel at once, or firmware with a disk to boot from."""
    flash = ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={option_path(firmware.code)}",
             "-drive", f"if=pflash,unit=1,format=raw,file={option_path(files.variables)}"]
    if files.kernel:
        return [*(flash if files.kernel.uefi else ()), "-kernel", str(files.kernel.image),
                "-initrd", str(files.kernel.initrd), "-append", files.kernel.cmdline]
    disk = ("ide-hd,drive=boot,bus=ide.0" if machine.disk == "ahci"
            else f"virtio-blk-pci,drive=boot,addr={DISK_SLOT:#x}")
    # What is written goes nowhere: AHCI disks cannot be read-only.
    return [*flash, "-drive", f"if=none,id=boot,format=raw,snapshot=on,file={option_path(files.disk)}",
            "-device", f"{disk},bootindex=0"]


def command(qemu: Qemu, firmware: Firmware, machine: Machine, files: Files,
            trace_events: Sequence[str]) -> List[str]:
    """The whole command line."""
    # With KVM the unit remaps interrupts only if the irqchip is split.
    options = "q35,kernel-irqchip=split" if machine.accel.startswith("kvm") else "q35"
    argv = qemu.argv() + [
        "-name", "baton", "-nodefaults", "-no-user-config", "-no-reboot",
        "-machine", options, "-accel", machine.accel, "-cpu", machine.cpu, "-m", machine.memory,
        "-smp", str(machine.processors),
        "-display", "none", "-monitor", "none",
        "-serial", f"file:{option_path(files.serial)}",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    ]
    if machine.iommu is not None:
        argv += ["-device", qemu.iommu_option(machine.iommu)]
    argv += start_options(firmware, machine, files)
    for wire, nic in enumerate(machine.nics()):
        argv += [
            "-netdev", f"dgram,id=wire{wire},"
                       f"local.type=unix,local.path={option_path(files.nic_socket(wire))},"
                       f"remote.type=unix,remote.path={option_path(files.peer_socket(wire))}",
            # No option ROM: its driver would start DMA before we are there.
            "-device", f"{nic},netdev=wire{wire},romfile=,mac={mac(wire)},addr={nic_slot(wire):#x}",
        ]
    if machine.display:
        argv += ["-device", machine.display]
    for device in machine.devices:
        argv += ["-device", device]
    if trace_events:
        files.events.write_text("\n".join(trace_events) + "\n", encoding="utf-8")
        argv += ["-trace", f"events={option_path(files.events)}", "-D", str(files.trace),
                 "-msg", "timestamp=on"]
    return argv + list(machine.extra)
