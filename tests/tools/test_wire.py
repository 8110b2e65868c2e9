"""The relay between the frame sender and a network interface, on sockets that need no root."""
import errno
import socket
import struct
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import wire  # noqa: E402

NIC = bytes.fromhex("525400123456")


def heartbeat(ethertype: int = 0x88B5, magic: bytes = b"BATN", version: int = 1,
              flags: int = 0x04) -> bytes:
    """A frame as kernel/stream/frame.h pictures it, as far as the relay looks."""
    return b"\xff" * 6 + NIC + struct.pack(">H", ethertype) + magic + bytes((version, flags)) + \
        bytes(44)


class Heartbeats(unittest.TestCase):
    def test_source_address(self) -> None:
        self.assertEqual(wire.heartbeat_from(heartbeat()), "52:54:00:12:34:56")

    def test_other_frames(self) -> None:
        cases = {
            "another_ethertype": heartbeat(ethertype=0x0800),
            "another_magic": heartbeat(magic=b"BATM"),
            "another_version": heartbeat(version=2),
            "a_stream_frame": heartbeat(flags=0x02),
            "cut_short": heartbeat()[:19],
        }
        for name, frame in cases.items():
            with self.subTest(name):
                self.assertIsNone(wire.heartbeat_from(frame))


class Relay(unittest.TestCase):
    def test_both_ways(self) -> None:
        """Frames pass whole; a sender that is not there yet is no error."""
        far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with tempfile.TemporaryDirectory() as d, far, near, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            done = threading.Event()
            ours.bind(f"{d}/wire")
            for s in (far, sender):
                s.settimeout(10)
            early = b"before the sender is there"
            far.send(early)
            thread = threading.Thread(target=wire.relay, args=(near, ours, f"{d}/frames",
                                                               lambda: not done.is_set()))
            thread.start()
            try:
                while near.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    pass
            except BlockingIOError:
                pass		# it was taken; dropped, unless the sender comes in that very moment
            try:
                sender.bind(f"{d}/frames")
                sender.sendto(b"to the NIC" * 100, f"{d}/wire")
                self.assertEqual(far.recv(2048), b"to the NIC" * 100)
                far.send(b"to the sender" * 100)
                got = sender.recv(2048)
                self.assertEqual(sender.recv(2048) if got == early else got,
                                 b"to the sender" * 100)
            finally:
                done.set()
                thread.join(10)
            self.assertFalse(thread.is_alive())

    def test_full_queue_is_waited_for(self) -> None:
        full = OSError(errno.ENOBUFS, "No buffer space available")
        interface = mock.Mock()
        interface.send.side_effect = [full, full, 3]
        wire.put(interface, b"abc", lambda: True)
        self.assertEqual(interface.send.call_count, 3)

    def test_full_queue_ends_with_the_sender(self) -> None:
        interface = mock.Mock()
        wire.put(interface, b"abc", lambda: False)
        interface.send.assert_not_called()

    def test_interface_that_went_down(self) -> None:
        interface = mock.Mock()
        interface.send.side_effect = OSError(errno.ENETDOWN, "Network is down")
        with self.assertRaises(OSError):
            wire.put(interface, b"abc", lambda: True)


class Usage(unittest.TestCase):
    def test_no_interface_named(self) -> None:
        with mock.patch("sys.stderr"):
            self.assertEqual(wire.main(["wire.py"]), wire.USAGE)

    def test_sender_not_built(self) -> None:
        with mock.patch("sys.stderr"), mock.patch.object(wire, "SENDER", Path("/nowhere/frames")):
            self.assertEqual(wire.main(["wire.py", "lo"]), wire.MISSING)

    def test_interface_is_not_there(self) -> None:
        with mock.patch("sys.stderr"), mock.patch.object(wire, "SENDER", Path(__file__)):
            self.assertEqual(wire.main(["wire.py", "no-such-interface"]), wire.USAGE)


if __name__ == "__main__":
    unittest.main()
