"""The FAT image a machine boots from, made by mkfs.fat and mtools; nothing is mounted."""
import os
import shutil
import subprocess
from pathlib import Path
from typing import Mapping

SIZE_KIB = 4096		# room for the image (256 KiB at most), small enough to be made at once
SPARE_KIB = 2048	# what must be left, for tables and clusters
SBIN = "/usr/sbin:/sbin"


class ImageError(Exception):
    """A tool is missing or failed; the text is the sentence for the user."""


def tool(name: str) -> str:
    """Where a tool is; mkfs.fat is not on an ordinary user's path."""
    found = shutil.which(name) or shutil.which(name, path=SBIN)
    if found is None:
        package = "dosfstools" if name == "mkfs.fat" else "mtools"
        raise ImageError(f"{name} is missing; install {package}")
    return found


def run(*argv: str) -> None:
    env = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C"}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{Path(argv[0]).name}: {done.stdout.strip() or done.returncode}")


def config_text(config: Mapping[str, str]) -> str:
    """baton.cfg (docs/configuration.md)."""
    return "".join(f"{key}={value}\n" for key, value in config.items())


def make(path: Path, files: Mapping[str, bytes]) -> None:
    """A FAT file system without a partition table, as firmware accepts it.

    @files maps names such as "EFI/BOOT/BOOTX64.EFI" to contents.
    """
    path.unlink(missing_ok=True)
    needed = sum(len(data) for data in files.values()) // 1024 + SPARE_KIB
    run(tool("mkfs.fat"), "--invariant", "-n", "BATON", "-C", str(path), str(max(SIZE_KIB, needed)))
    made = set()
    staged = path.with_suffix(".part")
    for name, data in files.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if directory not in made:
                run(tool("mmd"), "-i", str(path), f"::{directory}")
                made.add(directory)
        staged.write_bytes(data)
        run(tool("mcopy"), "-i", str(path), str(staged), f"::{name}")
    staged.unlink(missing_ok=True)
