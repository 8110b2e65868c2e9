"""Does Baton speak the formats that the kernel at hand was compiled with?  Names, versions, numbers and
sizes, read from the headers that lie beside the built kernel, against those of kho/ and of the agent.
"""
import re
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

TOP = Path(__file__).resolve().parents[2]
ABI = "include/linux/kho/abi"
LUO_CALLS = "include/uapi/linux/liveupdate.h"

Reader = Callable[[str], Optional[str]]


def string(name: str) -> Reader:
    """A macro that is a string."""
    return lambda text: _first(rf'^[ \t]*#[ \t]*define[ \t]+{name}[ \t]+"([^"]*)"', text)


def number(name: str) -> Reader:
    """A macro or an enumerator that is a number."""
    return lambda text: _number(_first(
        rf"(?:^[ \t]*#[ \t]*define[ \t]+{name}[ \t]+|\b{name}[ \t]*=[ \t]*)(0[xX][0-9a-fA-F]+|\d+)\b", text))


def array(struct: str, member: str) -> Reader:
    """The length of an array of characters inside a struct, a name of another macro resolved."""
    def read(text: str) -> Optional[str]:
        body = _first(rf"struct {struct}\s*\{{(.*?)\n\}}", text, re.S)
        length = _first(rf"\b{member}\[([^\]]+)\]", body or "")
        return _number(length) if length and length.isdigit() else number(length or "-")(text)
    return read


def members(struct: str) -> Reader:
    """How many members a struct has, arrays as one."""
    def read(text: str) -> Optional[str]:
        body = _first(rf"struct {struct}\s*\{{(.*?)\n\}}", text, re.S)
        if body is None:
            return None
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        return str(sum(declaration.count(",") + 1 for declaration in re.findall(r"[^;{}]+;", body)))
    return read


def call(name: str) -> Reader:
    """The number of an ioctl, by its macro _IO(type, number)."""
    def read(text: str) -> Optional[str]:
        nr = _first(rf"#define\s+{name}\s*\\?\s*_IO\(\w+,\s*(\w+)\)", text)
        return None if nr is None else _number(nr) if nr[0].isdigit() else _resolve(nr, text)
    return read


def _resolve(name: str, text: str) -> Optional[str]:
    """An enumerator that may be another one's name."""
    value = _first(rf"\b{name}\s*=\s*(\w+)", text)
    return None if value is None else _number(value) if value[0].isdigit() else _resolve(value, text)


def _first(pattern: str, text: str, flags: int = 0) -> Optional[str]:
    match = re.search(pattern, text, re.M | flags)
    return match.group(1) if match else None


def _number(text: Optional[str]) -> Optional[str]:
    return None if text is None else str(int(text, 0))


class Pair(NamedTuple):
    """One thing both must say alike."""
    what: str
    theirs: Tuple[str, Reader]	# header of the kernel
    ours: Tuple[str, Reader]	# file of this tree


OURS, AGENT = "kho/abi.h", "tests/linux/luo.c"

PAIRS: Tuple[Pair, ...] = (
    Pair("root FDT", (f"{ABI}/kexec_handover.h", string("KHO_FDT_COMPATIBLE")), (OURS, string("KHO_COMPATIBLE"))),
    Pair("property of the radix tree", (f"{ABI}/kexec_handover.h", string("KHO_FDT_MEMORY_MAP_PROP_NAME")),
         (OURS, string("KHO_PROP_MAP"))),
    Pair("property of a blob's address", (f"{ABI}/kexec_handover.h", string("KHO_SUB_TREE_PROP_NAME")),
         (OURS, string("KHO_PROP_DATA"))),
    Pair("property of a blob's size", (f"{ABI}/kexec_handover.h", string("KHO_SUB_TREE_SIZE_PROP_NAME")),
         (OURS, string("KHO_PROP_BLOB_SIZE"))),
    Pair("node of LUO", (f"{ABI}/luo.h", string("LUO_KHO_ENTRY_NAME")), (OURS, string("KHO_NODE_LUO"))),
    Pair("LUO", (f"{ABI}/luo.h", string("LUO_ABI_COMPATIBLE")), (OURS, string("KHO_LUO_COMPATIBLE"))),
    Pair("members of luo_ser", (f"{ABI}/luo.h", members("luo_ser")), (OURS, members("kho_luo_ser"))),
    Pair("name of a file's handler", (f"{ABI}/luo.h", array("luo_file_ser", "compatible")),
         (OURS, array("kho_file_ser", "compatible"))),
    Pair("name of an FLB", (f"{ABI}/luo.h", array("luo_flb_ser", "name")), (OURS, array("kho_flb_ser", "name"))),
    Pair("name of a session", (LUO_CALLS, number("LIVEUPDATE_SESSION_NAME_LENGTH")),
         (OURS, array("kho_session_ser", "name"))),
    Pair("members of a block's header", (f"{ABI}/block.h", members("kho_block_header_ser")),
         (OURS, members("kho_block_ser"))),
    Pair("memfd", (f"{ABI}/memfd.h", string("MEMFD_LUO_FH_COMPATIBLE")), (OURS, string("KHO_MEMFD_COMPATIBLE"))),
    Pair("members of memfd_luo_ser", (f"{ABI}/memfd.h", members("memfd_luo_ser")),
         (OURS, members("kho_memfd_ser"))),
    Pair("node of kexec-metadata", (f"{ABI}/kexec_metadata.h", string("KHO_METADATA_NODE_NAME")),
         (OURS, string("KHO_NODE_METADATA"))),
    Pair("version of kexec-metadata", (f"{ABI}/kexec_metadata.h", number("KHO_KEXEC_METADATA_VERSION")),
         (OURS, number("KHO_METADATA_VERSION"))),
    Pair("setup_data", ("arch/x86/include/uapi/asm/setup_data.h", number("SETUP_KEXEC_KHO")),
         (OURS, number("KHO_SETUP_KEXEC_KHO"))),
    Pair("node of reserve_mem", (f"{ABI}/memblock.h", string("MEMBLOCK_KHO_FDT")),
         ("kho/memblock.h", string("KHO_NODE_MEMBLOCK"))),
    Pair("reserve_mem's root", (f"{ABI}/memblock.h", string("MEMBLOCK_KHO_NODE_COMPATIBLE")),
         ("kho/memblock.c", string("COMPATIBLE"))),
    Pair("reserve_mem region", (f"{ABI}/memblock.h", string("RESERVE_MEM_KHO_NODE_COMPATIBLE")),
         ("kho/memblock.c", string("REGION_COMPATIBLE"))),
    Pair("type of LUO's calls", (LUO_CALLS, number("LIVEUPDATE_IOCTL_TYPE")), (AGENT, number("LIVEUPDATE_TYPE"))),
    Pair("call to create a session", (LUO_CALLS, call("LIVEUPDATE_IOCTL_CREATE_SESSION")),
         (AGENT, call("CREATE_SESSION"))),
    Pair("call to retrieve a session", (LUO_CALLS, call("LIVEUPDATE_IOCTL_RETRIEVE_SESSION")),
         (AGENT, call("RETRIEVE_SESSION"))),
    Pair("call to preserve a file", (LUO_CALLS, call("LIVEUPDATE_SESSION_PRESERVE_FD")),
         (AGENT, call("PRESERVE_FD"))),
    Pair("call to retrieve a file", (LUO_CALLS, call("LIVEUPDATE_SESSION_RETRIEVE_FD")),
         (AGENT, call("RETRIEVE_FD"))),
)


def read(file: Path, reader: Reader) -> Optional[str]:
    return reader(file.read_text(encoding="utf-8")) if file.is_file() else None


def differences(headers: Path, top: Path = TOP) -> List[str]:
    """One sentence for each thing that is not the same, or not found."""
    found = []
    for pair in PAIRS:
        theirs = read(headers / pair.theirs[0], pair.theirs[1])
        ours = read(top / pair.ours[0], pair.ours[1])
        if theirs is None:
            found.append(f"{pair.what}: not found in the kernel's {pair.theirs[0]}")
        elif ours is None:
            found.append(f"{pair.what}: not found in {pair.ours[0]}")
        elif theirs != ours:
            found.append(f"{pair.what}: the kernel says {theirs} ({pair.theirs[0]}), "
                         f"Baton {ours} ({pair.ours[0]})")
    return found
