#!/usr/bin/env python3
"""The frame sender on a real wire: a relay between tools/frames and a network interface (root).

    wire.py IFACE [options of frames, but for --bind, --peer and --mac]

Waits for Baton's first heartbeat on the interface, learns the NIC's address from it, starts
build/tools/frames and carries frames both ways until that ends.  The status is the sender's; 2 the
interface cannot be used, 3 the sender was not built.
"""
import errno
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, List, Optional

SENDER = Path(__file__).resolve().parents[1] / "build/tools/frames"
USAGE, MISSING = 2, 3

# kernel/stream/frame.h
ETHERTYPE = 0x88B5
MAGIC, VERSION, HEARTBEAT = b"BATN", 1, 0x04

# linux/if_packet.h, which Python's socket module does not have.
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1

LARGEST = 2048
POLL = 0.1
RETRY = 0.00025			# as the sender's own tick after a refused frame


def heartbeat_from(frame: bytes) -> Optional[str]:
    """The NIC's address, if this is a heartbeat of Baton's."""
    if len(frame) < 20 or frame[12:14] != struct.pack(">H", ETHERTYPE):
        return None
    if frame[14:18] != MAGIC or frame[18] != VERSION or not frame[19] & HEARTBEAT:
        return None
    return frame[6:12].hex(":")


def open_wire(interface: str) -> socket.socket:
    """Frames of our type on the interface, whoever they are for.

    Heartbeats go to the sender's own address, which is not the interface's: promiscuous.
    """
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    try:
        wire.bind((interface, ETHERTYPE))
        wire.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                        struct.pack("IHH8s", socket.if_nametoindex(interface), PACKET_MR_PROMISC,
                                    0, b""))
    except OSError:
        wire.close()
        raise
    return wire


def put(wire: socket.socket, frame: bytes, alive: Callable[[], bool]) -> None:
    """Onto the wire.  A queue that is full is waited for: the sender notices by its own socket
    filling up, and offers its next frame again."""
    while alive():
        try:
            wire.send(frame)
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(RETRY)


def relay(wire: socket.socket, ours: socket.socket, sender: str, alive: Callable[[], bool]) -> None:
    """Carry frames both ways while the sender is there; @sender is the path of its socket."""
    while alive():
        for ready in select.select([wire, ours], [], [], POLL)[0]:
            frame = ready.recv(LARGEST)
            if ready is ours:
                put(wire, frame, alive)
                continue
            try:
                ours.sendto(frame, sender)
            except (FileNotFoundError, ConnectionRefusedError):
                pass		# it starts, or is done


def serve(wire: socket.socket, mac: str, options: List[str]) -> int:
    """Start the sender and relay for it.  Return: its status."""
    with tempfile.TemporaryDirectory(prefix="baton-wire-") as directory, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(f"{directory}/wire")
        argv = [str(SENDER), "--bind", f"{directory}/frames", "--peer", f"{directory}/wire",
                "--mac", mac, *options]
        with subprocess.Popen(argv) as sender:
            try:
                relay(wire, ours, f"{directory}/frames", lambda: sender.poll() is None)
            finally:
                sender.terminate()
        return sender.returncode


def main(argv: List[str]) -> int:
    if len(argv) < 2 or argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return USAGE
    if not SENDER.is_file():
        print(f"wire: {SENDER} is not there; run make build/tools/frames", file=sys.stderr)
        return MISSING
    try:
        wire = open_wire(argv[1])
    except OSError as error:
        print(f"wire: {argv[1]}: {error.strerror}", file=sys.stderr)
        return USAGE
    with wire:
        print(f"wire: waiting for a heartbeat on {argv[1]}", flush=True)
        try:
            mac = None
            while mac is None:
                mac = heartbeat_from(wire.recv(LARGEST))
            print(f"wire: Baton's NIC is {mac}", flush=True)
            return serve(wire, mac, argv[2:])
        except OSError as error:
            print(f"wire: {argv[1]}: {error.strerror}", file=sys.stderr)
            return USAGE
        except KeyboardInterrupt:
            return USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv))
