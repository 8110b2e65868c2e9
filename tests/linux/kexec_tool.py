"""Debian's `kexec`, for guests that have no library: the program, its loader and what it is linked with."""
import re
import subprocess
from pathlib import Path
from typing import Dict

import debs

NEEDED = re.compile(r"^\s*\S+ => (\S+) \(0x", re.M)
LOADER, PROGRAM = "ld.so", "kexec"		# names in the guest's root directory


def files() -> Dict[str, bytes]:
    """Name -> contents.  Raises debs.Unavailable."""
    found = debs.get("kexec-tools")
    if not found:
        raise debs.Unavailable("kexec-tools is known for Debian 12 and 13 only")
    loader, program = Path(str(found["loader"])), Path(str(found["binary"]))
    libraries = ":".join(str(path) for path in found["libraries"])	# type: ignore[attr-defined]
    listed = subprocess.run([str(loader), "--library-path", libraries, "--list", str(program)],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    wanted = [Path(path) for path in NEEDED.findall(listed)]
    if not wanted:
        raise debs.Unavailable(f"{program} names no library it needs")
    return {LOADER: loader.read_bytes(), PROGRAM: program.read_bytes(),
            **{path.name: path.read_bytes() for path in wanted}}
