#!/usr/bin/env python3
"""Archives in cpio's "newc" format, as Linux unpacks them (Documentation/driver-api/early-userspace/
buffer-format.rst): the guests' initramfs, and the files that a firmware finds in an initrd.

Made without any tool and without root, so device nodes are possible.
"""
import dataclasses
import shutil
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

DIRECTORY, REGULAR, CHARACTER = 0o040000, 0o100000, 0o020000
ALIGN = 4		# of header with name, and of contents
TRAILER = "TRAILER!!!"

BUSYBOX = "/bin/busybox"	# of busybox-static
CONSOLE, NULL = (5, 1), (1, 3)	# Linux Documentation/admin-guide/devices.txt

# Everything the agent looks at is mounted here; it is process 1 then.
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t debugfs debugfs /sys/kernel/debug
exec /agent </dev/console >/dev/console 2>&1
"""


class Missing(Exception):
    """busybox is not there, or needs shared libraries; the text is the sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One member of an archive."""
    name: str			# without a slash in front
    mode: int
    data: bytes = b""
    device: Sequence[int] = (0, 0)	# major and minor of a CHARACTER


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGN)


def _member(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if entry.mode & DIRECTORY else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def archive(entries: Sequence[Entry]) -> bytes:
    """The archive; a directory must come before what is in it."""
    members = [_member(n, entry) for n, entry in enumerate(entries, 1)]
    return b"".join(members) + _member(0, Entry(TRAILER, 0))


def of_files(files: Mapping[str, bytes]) -> bytes:
    """An archive of plain files with the directories they need."""
    entries: List[Entry] = []
    made = set()
    for name, data in files.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if directory not in made:
                made.add(directory)
                entries.append(Entry(directory, DIRECTORY | 0o755))
        entries.append(Entry(name, REGULAR | 0o644, data))
    return archive(entries)


def busybox() -> bytes:
    """The program itself, which must need no shared library."""
    found = BUSYBOX if Path(BUSYBOX).is_file() else shutil.which("busybox")
    if found is None:
        raise Missing("busybox is missing; install busybox-static")
    data = Path(found).read_bytes()
    if b"/ld-linux" in data or b"/ld-musl" in data:
        raise Missing(f"{found} needs shared libraries; install busybox-static")
    return data


def guest(agent: bytes, files: Optional[Mapping[str, bytes]] = None) -> bytes:
    """The initramfs of a guest: shell, mounts, agent, and @files in the root directory."""
    entries = [Entry(name, DIRECTORY | 0o755) for name in ("bin", "dev", "proc", "sys")]
    entries += [Entry("dev/console", CHARACTER | 0o600, device=CONSOLE),
                Entry("dev/null", CHARACTER | 0o666, device=NULL),
                Entry("bin/busybox", REGULAR | 0o755, busybox()),
                Entry("init", REGULAR | 0o755, INIT.encode()),
                Entry("agent", REGULAR | 0o755, agent)]
    entries += [Entry(name, REGULAR | 0o755, data) for name, data in (files or {}).items()]
    return archive(entries)


def for_firmware(kernel: bytes, initrd: bytes, cmdline: str) -> bytes:
    """What Linux gives Baton as initrd: the kernel to go on with, under the names of its ESP."""
    return of_files({"baton/bzImage": kernel, "baton/initrd": initrd, "baton/cmdline": cmdline.encode()})
