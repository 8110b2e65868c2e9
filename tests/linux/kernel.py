#!/usr/bin/env python3
"""The Linux kernels that judge our handoffs: built once from Debian's source package, then cached.

    kernel.py [bystander] [iommu]

prints one JSON object: flavour -> bzImage, config and the headers that define the handoff's formats, of
the source it was built from.  A kernel is built again when the package or its configuration changes.
Status 3: the source or a tool cannot be had, with one sentence; 1: the build failed, with its log.
"""
import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import debs  # noqa: E402  (found only once the path is set)

# Both speak KHO.  The bystander leaves NIC and IOMMU alone, so that DMA goes on while it boots.
FLAVOURS: Dict[str, Sequence[str]] = {
    "bystander": ("base.config",),
    "iommu": ("base.config", "iommu.config"),
}
# Formats of a handoff and of boot_params, as this kernel was compiled with.
ABI_HEADERS = ("include/linux/kho/abi", "include/uapi/linux/liveupdate.h",
               "arch/x86/include/uapi/asm/setup_data.h", "arch/x86/include/uapi/asm/bootparam.h")
FILES_PER_KERNEL = {"bystander": 1150, "iommu": 1350}	# compiled, about: for progress only
EXIT_FAILED, EXIT_MISSING = 1, 3


class BuildFailed(Exception):
    """make did not succeed; the text names its log."""


def say(text: str) -> None:
    print(f"kernel: {text}", file=sys.stderr, flush=True)


def fragments(flavour: str) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in FLAVOURS[flavour])


def place(flavour: str, version: str) -> Path:
    """Where a built kernel lies: by version of the package and by configuration."""
    digest = hashlib.sha256(fragments(flavour).encode()).hexdigest()[:12]
    return debs.cache_dir() / f"linux-{re.sub(r'[^A-Za-z0-9.+~-]', '_', version)}-{flavour}-{digest}"


def describe(flavour: str, tree: Path) -> Dict[str, str]:
    return {"flavour": flavour, "bzImage": str(tree / "bzImage"), "config": str(tree / "config"),
            "headers": str(tree / "headers")}


def unpack(archive: str, version: str) -> Path:
    """The source tree, which is removed when the kernels are built."""
    tree = debs.cache_dir() / f"linux-tree-{version}"
    if not (tree / "Makefile").is_file():
        say(f"unpacking {Path(archive).name}")
        partial = tree.with_name(tree.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        subprocess.run(["tar", "--strip-components=1", "-xJf", archive, "-C", str(partial)],
                       check=True)
        partial.rename(tree)
    return tree


def make(tree: Path, objects: Path, log: Path, *targets: str) -> Iterable[str]:
    """The lines that make prints, as they come; all of them go to @log."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL",
                                                                     "NIC", "ARCH", "V", "B", "O")}
    with open(log, "a", encoding="utf-8") as out, \
            subprocess.Popen(["make", "-C", str(tree), f"O={objects}", f"-j{os.cpu_count() or 1}",
                              *targets], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env={**environment, "LC_ALL": "C"}) as process:
        assert process.stdout
        for line in process.stdout:
            out.write(line)
            yield line
    if process.returncode:
        raise BuildFailed(f"make {' '.join(targets)} failed; its log is {log}")


def check_config(flavour: str, config: str) -> None:
    """Every option that was asked for is as it was asked for."""
    lines = set(config.splitlines())
    wanted = {}
    for line in fragments(flavour).splitlines():
        match = re.match(r"(?:# )?(CONFIG_\w+)", line)
        if match:
            wanted[match.group(1)] = line
    for name, line in wanted.items():
        if line in lines or (line.startswith("# ") and not any(l.startswith(name + "=") for l in lines)):
            continue
        raise BuildFailed(f"{flavour}: this source does not take `{line}`; see {HERE}")


def build(flavour: str, tree: Path, target: Path) -> None:
    """One kernel; @target appears whole or not at all."""
    objects = debs.cache_dir() / f"linux-objects-{flavour}"
    partial = target.with_name(target.name + ".partial")
    log = debs.cache_dir() / f"linux-build-{flavour}.log"
    for old in (objects, partial):
        shutil.rmtree(old, ignore_errors=True)
    objects.mkdir(parents=True)
    partial.mkdir(parents=True)
    log.write_text("", encoding="utf-8")
    for _ in make(tree, objects, log, "tinyconfig"):
        pass
    with open(objects / ".config", "a", encoding="utf-8") as config:
        config.write(fragments(flavour))
    for _ in make(tree, objects, log, "olddefconfig"):
        pass
    check_config(flavour, (objects / ".config").read_text(encoding="utf-8"))
    start = shown = time.monotonic()
    done = 0
    for line in make(tree, objects, log, "bzImage"):
        done += line.lstrip().startswith(("CC ", "AS "))
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            say(f"{flavour}: {done} of about {FILES_PER_KERNEL[flavour]} files, "
                f"{int(shown - start)} s")
    shutil.copy(objects / "arch/x86/boot/bzImage", partial / "bzImage")
    shutil.copy(objects / ".config", partial / "config")
    for header in ABI_HEADERS:
        source, to = tree / header, partial / "headers" / header
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            shutil.copy(source, to)
    partial.rename(target)
    shutil.rmtree(objects)
    say(f"{flavour}: built in {int(time.monotonic() - start)} s")


def get(flavours: Sequence[str]) -> Dict[str, Dict[str, str]]:
    """Every kernel asked for, from the cache or built now.

    Raises debs.Unavailable without the source, BuildFailed.
    """
    source = debs.get("linux-source")
    if not source:
        raise debs.Unavailable("linux-source-7.3 is known for Debian 12 and 13 only")
    version = str(source["version"])
    places = {f: place(f, version) for f in flavours}
    with open(debs.cache_dir() / "linux-lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [f for f in flavours if not (places[f] / "bzImage").is_file()]
        if missing:
            for tool in ("gcc", "bc", "bison", "flex", "make", "tar", "xz"):
                if shutil.which(tool) is None:
                    raise debs.Unavailable(f"a kernel cannot be built without {tool}")
            say(f"building Linux {version} ({', '.join(missing)}): once, some minutes each")
            tree = unpack(str(source["archive"]), version)
            for flavour in missing:
                build(flavour, tree, places[flavour])
            shutil.rmtree(tree)
    return {f: describe(f, places[f]) for f in flavours}


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Build and cache the kernels of check-linux.")
    parser.add_argument("flavours", nargs="*", metavar="|".join(FLAVOURS))
    options = parser.parse_args(argv)
    unknown = [f for f in options.flavours if f not in FLAVOURS]
    if unknown:
        parser.error(f"unknown flavour {unknown[0]}")
    try:
        found = get(options.flavours or list(FLAVOURS))
    except debs.Unavailable as reason:
        say(str(reason))
        return EXIT_MISSING
    except BuildFailed as reason:
        say(str(reason))
        return EXIT_FAILED
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
