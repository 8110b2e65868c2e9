#!/usr/bin/env python3
"""Fetch packages of other Debian suites without touching the system.

The test matrix wants a QEMU with igb, one with iommu-testdev, and a firmware that boots in half the
time; the stable release has none of them.  They come from Debian's own archive through a private apt
state: own sources, own lists, own cache, all under the user's cache directory.  Packages are unpacked
there and never installed.  The archive's address is the one the system uses already; only the suite
name changes.

    debs.py [--cached] [--refresh] [qemu] [ovmf] [qemu-11] [linux-source] [kexec-tools]

prints one JSON object: what was asked for (all but the last two, if nothing was) -> version, tree and
paths, or null when the system's own package is new enough.  --cached never goes to the network.
Status 3: it cannot be had, with one sentence that says why.
"""
import argparse
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DPKG_STATUS = Path("/var/lib/dpkg/status")
LAYOUT = 2			# of the cache; raised when a cached tree can no longer be used as it is
EXIT_MISSING = 3


class Unavailable(Exception):
    """Something cannot be had; the text is the one sentence for the user."""


class Source(NamedTuple):
    """One archive address with one suite, as the system's own sources name them."""
    uri: str
    suite: str


@dataclass(frozen=True)
class Wanted:
    """What to fetch, and for which releases of the system."""
    name: str
    package: str
    suite: str			# "{codename}" stands for the system's own release
    for_codenames: tuple	# elsewhere the system's own package is used
    with_dependencies: bool
    proof: str			# path inside the tree that must exist
    # Releases whose libc is too old for it: all of it is fetched there, libc and loader included.
    own_libc_for: tuple = ()
    # Large and for one target alone: never fetched unless it is named.
    if_named: bool = False


WANTED = {
    # Debian 13 and later have QEMU >= 10 themselves; 12 has it in backports only.
    "qemu": Wanted("qemu", "qemu-system-x86", "{codename}-backports", ("bookworm",), True,
                   "usr/bin/qemu-system-x86_64"),
    # Architecture: all and without dependencies, so it runs on any release.
    "ovmf": Wanted("ovmf", "ovmf", "trixie", ("bookworm",), False,
                   "usr/share/OVMF/OVMF_CODE_4M.fd"),
    # The first with iommu-testdev.  Last, so that it stands in nobody's way if it cannot be had.
    "qemu-11": Wanted("qemu-11", "qemu-system-x86", "trixie-backports", ("bookworm", "trixie"), True,
                      "usr/bin/qemu-system-x86_64", own_libc_for=("bookworm",)),
    # What `make check-linux` builds its kernels from.
    "linux-source": Wanted("linux-source", "linux-source-7.3", "trixie-backports",
                           ("bookworm", "trixie"), False, "usr/src/linux-source-7.3.tar.xz",
                           if_named=True),
    # `kexec -s` for its guests; with every library, since they have none.
    "kexec-tools": Wanted("kexec-tools", "kexec-tools", "{codename}", ("bookworm", "trixie"), True,
                          "usr/sbin/kexec", own_libc_for=("bookworm", "trixie"), if_named=True),
}
PROGRAMS = ("qemu-system-x86", "kexec-tools")
# What the boot matrix runs with.
BY_DEFAULT = tuple(name for name, wanted in WANTED.items() if not wanted.if_named)


def cache_dir() -> Path:
    """The user's cache directory for Baton (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "baton"


# --- the system's own sources -----------------------------------------------------------------

def os_release(path: Path = Path("/etc/os-release")) -> Dict[str, str]:
    """The variables of os-release(5), quotes removed."""
    found = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            key, sep, value = line.partition("=")
            if sep:
                found[key.strip()] = value.strip().strip("\"'")
    return found


def parse_deb822(text: str) -> Iterator[Source]:
    """Entries of a *.sources file (sources.list(5), "DEB822-STYLE FORMAT")."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: Dict[str, str] = {}
        last = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and last:
                fields[last] += " " + line.strip()
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite)


def parse_classic(text: str) -> Iterator[Source]:
    """Entries of a *.list file (sources.list(5), "ONE-LINE-STYLE FORMAT")."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)", line)
        if match:
            yield Source(match.group(1), match.group(2))


def system_sources(etc_apt: Path = Path("/etc/apt")) -> List[Source]:
    """Everything the system's apt reads packages from."""
    found: List[Source] = []
    parts = etc_apt / "sources.list.d"
    for path in [etc_apt / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            found.extend(parse_classic(path.read_text(encoding="utf-8", errors="replace")))
    for path in sorted(parts.glob("*.sources")):
        found.extend(parse_deb822(path.read_text(encoding="utf-8", errors="replace")))
    return found


def sources_for(codename: str, suite: str, system: List[Source], whole_release: bool) -> List[Source]:
    """The private sources: @suite at the address of @codename, and for dependencies its release.

    A release's updates and security suites come from where the system has its own.
    """
    own = [s for s in system if s.suite == codename]
    if not own:
        raise Unavailable(f"no apt source names the suite {codename}, so Debian's archive address "
                          "is not known; add one under /etc/apt/sources.list.d")
    wanted = Source(own[0].uri, suite)
    found = [wanted]
    for uri, name in system if whole_release else []:
        base, dash, kind = name.partition("-")
        if base != codename:
            continue
        source = Source(uri, suite.partition("-")[0] + dash + kind)
        # What else the system has is known to be there for its own release only.
        if source not in found and (source.suite == name or kind in ("", "updates", "security")):
            found.append(source)
    return found


# --- the private apt state --------------------------------------------------------------------

class Apt:
    """apt-get with a state, lists and cache of its own.

    @status says what is there already: the system's packages, which are only read, or nothing.
    """

    def __init__(self, state: Path, sources: List[Source], status: Path = DPKG_STATUS) -> None:
        self.archives = state / "archives"
        self.options = {
            "Dir::State": str(state),
            "Dir::State::lists": str(state / "lists"),
            "Dir::State::status": str(status),
            "Dir::Cache": str(state),
            "Dir::Cache::archives": str(self.archives),
            "Dir::Etc::sourcelist": str(state / "sources.list"),
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            # dpkg's own lock is for those who install; the lock on our cache is enough here.
            "Debug::NoLocking": "true",
            # The cache belongs to the user, the unprivileged fetcher could not write to it.
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "APT::Get::List-Cleanup": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # Indexes that other tools on the system may have asked for; large and of no use here.
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        }
        for directory in (state / "lists" / "partial", self.archives / "partial"):
            directory.mkdir(parents=True, exist_ok=True)
        lines = [f"deb [signed-by={KEYRING}] {s.uri} {s.suite} main\n" for s in sources]
        (state / "sources.list").write_text("".join(lines), encoding="utf-8")

    def run(self, *args: str, cwd: Optional[Path] = None) -> None:
        """One apt-get command; its first error line becomes the sentence on failure."""
        command = ["apt-get", "-q", "-y"]
        for key, value in self.options.items():
            command += ["-o", f"{key}={value}"]
        done = subprocess.run(command + list(args), stdin=subprocess.DEVNULL, cwd=cwd,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "LC_ALL": "C"}, check=False)
        if done.returncode != 0:
            errors = [l[2:].strip() for l in done.stdout.splitlines() if l.startswith("E:")]
            reason = errors[0] if errors else f"status {done.returncode}"
            raise Unavailable(f"apt-get {args[0]}: {reason}")


# --- trees ------------------------------------------------------------------------------------

def library_dirs(tree: Path) -> List[Path]:
    """Where unpacked packages keep shared libraries, for LD_LIBRARY_PATH."""
    triplet = f"{platform.machine()}-linux-gnu"
    return [d for d in (tree / "usr/lib" / triplet, tree / "lib" / triplet) if d.is_dir()]


def loader(tree: Path) -> str:
    """The dynamic loader, if the tree has a libc of its own."""
    return next((str(path) for directory in library_dirs(tree)
                 for path in sorted(directory.glob("ld-linux-*.so.*"))), "")


def command(binary: str, libraries: Sequence[str], own_loader: str) -> List[str]:
    """How a program of a tree is started: a libc works only with the loader it came with."""
    if not own_loader:
        return [binary]
    return [own_loader, "--library-path", ":".join(libraries), binary]


def environment(libraries: Sequence[str], own_loader: str) -> Dict[str, str]:
    """And what it needs there: without a loader of its own, where the libraries are."""
    paths = {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries and not own_loader else {}
    return {**os.environ, **paths}


def describe(wanted: Wanted, version: str, tree: Path) -> Dict[str, object]:
    """What a user of the tree needs to know, as it is printed."""
    found: Dict[str, object] = {"version": version, "tree": str(tree), "layout": LAYOUT}
    if wanted.package in PROGRAMS:
        found["binary"] = str(tree / wanted.proof)
        found["data"] = [str(d) for d in (tree / "usr/share/qemu", tree / "usr/share/seabios")
                         if d.is_dir()]
        found["libraries"] = [str(d) for d in library_dirs(tree)]
        found["loader"] = loader(tree)
        # QEMU looks under /usr first, where another version's modules may lie.
        found["modules"] = [str(d / "qemu") for d in library_dirs(tree) if (d / "qemu").is_dir()]
    elif wanted.name == "ovmf":
        found["code"] = str(tree / wanted.proof)
        found["vars"] = str(tree / "usr/share/OVMF/OVMF_VARS_4M.fd")
    elif wanted.name == "linux-source":
        found["archive"] = str(tree / wanted.proof)
    return found


def usable(wanted: Wanted, found: object) -> bool:
    """True if a cached tree is whole and, for a program, still runs on this system."""
    if not isinstance(found, dict) or found.get("layout") != LAYOUT or "tree" not in found:
        return False
    if not (Path(str(found["tree"])) / wanted.proof).is_file():
        return False
    if "binary" not in found:
        return True
    libraries, own_loader = list(found.get("libraries", [])), str(found.get("loader", ""))
    try:
        done = subprocess.run([*command(str(found["binary"]), libraries, own_loader), "--version"],
                              env=environment(libraries, own_loader), timeout=30, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def deb_field(deb: Path, field: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", str(deb), field], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def merge_usr(tree: Path) -> None:
    """Programs under /usr, where packages of older releases still have them in /sbin."""
    for name in ("bin", "sbin"):
        if (tree / name).is_dir() and not (tree / name).is_symlink():
            shutil.copytree(tree / name, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(tree / name)


def unpack(debs: List[Path], tree: Path) -> None:
    """All packages into one tree, which appears whole or not at all."""
    partial = tree.with_name(tree.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(tree, ignore_errors=True)
    partial.mkdir(parents=True)
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(partial)], check=True)
    merge_usr(partial)
    partial.rename(tree)


def fetch(wanted: Wanted, codename: str, cache: Path) -> Dict[str, object]:
    """Download and unpack one wanted package; the caller holds the lock."""
    suite = wanted.suite.format(codename=codename)
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{wanted.package} of {suite} needs {tool}, which is not here")
    if not KEYRING.is_file():
        raise Unavailable(f"{wanted.package} of {suite} needs Debian's archive keyring; install "
                          "debian-archive-keyring")
    state = cache / "apt" / wanted.name
    shutil.rmtree(state / "archives", ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True)
    nothing = state / "status"
    nothing.touch()
    apt = Apt(state, sources_for(codename, suite, system_sources(), wanted.with_dependencies),
              nothing if codename in wanted.own_libc_for else DPKG_STATUS)
    apt.run("update", "--error-on=any")
    if wanted.with_dependencies:
        # Against the system's own status only what is missing here comes along.
        apt.run("install", "--download-only", "--no-install-recommends", "--reinstall",
                "-t", suite, wanted.package)
    else:
        apt.run("download", f"{wanted.package}/{suite}", cwd=apt.archives)
    debs = sorted(apt.archives.glob("*.deb"))
    main = [d for d in debs if d.name.startswith(wanted.package + "_")]
    if not main:
        raise Unavailable(f"apt-get brought no {wanted.package} from {suite}")
    version = deb_field(main[0], "Version")
    tree = cache / f"{wanted.name}-{re.sub(r'[^A-Za-z0-9.+~-]', '_', version)}"
    unpack(debs, tree)
    shutil.rmtree(apt.archives, ignore_errors=True)
    found = describe(wanted, version, tree)
    if not usable(wanted, found):
        raise Unavailable(f"{wanted.package} {version} of {suite} was unpacked but does not run here")
    return found


def cached(wanted: Wanted, cache: Path) -> Optional[Dict[str, object]]:
    """What an earlier run left, if it can still be used."""
    try:
        found = json.loads((cache / f"{wanted.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if usable(wanted, found) else None


def get(name: str, network: bool = True, refresh: bool = False) -> Optional[Dict[str, object]]:
    """One wanted thing, from the cache or the archive; None when the system's own is the one."""
    wanted = WANTED[name]
    release = os_release()
    codename = release.get("VERSION_CODENAME", "")
    if codename not in wanted.for_codenames:
        return None
    cache = cache_dir()
    found = None if refresh else cached(wanted, cache)
    if found or not network:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Somebody else may have fetched it while we waited.
        found = None if refresh else cached(wanted, cache)
        if not found:
            found = fetch(wanted, codename, cache)
            record = cache / f"{wanted.name}.json"
            partial = record.with_suffix(".partial")
            partial.write_text(json.dumps(found) + "\n", encoding="utf-8")
            partial.rename(record)
    return found


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Fetch packages of other Debian suites, privately.")
    parser.add_argument("--cached", action="store_true", help="never go to the network")
    parser.add_argument("--refresh", action="store_true", help="fetch again")
    parser.add_argument("names", nargs="*", metavar="|".join(WANTED))
    options = parser.parse_args(argv)
    unknown = [n for n in options.names if n not in WANTED]
    if unknown:
        parser.error(f"unknown name {unknown[0]}; known: {', '.join(WANTED)}")
    try:
        result = {name: get(name, not options.cached, options.refresh)
                  for name in options.names or BY_DEFAULT}
    except Unavailable as reason:
        print(f"debs: {reason}", file=sys.stderr)
        return EXIT_MISSING
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"debs: {error}", file=sys.stderr)
        return EXIT_MISSING
    json.dump(result, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
