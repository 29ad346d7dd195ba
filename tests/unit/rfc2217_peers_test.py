#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remote ports against servers that others wrote: pyserial's PortManager, Debian's ser2net, a plain TCP echo.

    rfc2217_peers_test.py PORT_RFC2217_TEST

The program given is our client: it opens a port and plays acts (see its head).
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
import unittest

try:
    import serial.rfc2217
except ImportError:  # a Python beside Debian's does not see Debian's packages
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import serial.rfc2217
    except ImportError:
        serial = None

CLIENT = ""
EVERY_BYTE = bytes(range(256)) + b"\xff\xff\xff"


def play(name, *acts):
    """The client's end: 0 or 1, and what it printed."""
    ended = subprocess.run([CLIENT, name, *acts], capture_output=True, text=True, timeout=30, check=False)
    if ended.stderr:
        print(ended.stderr, file=sys.stderr)
    return ended.returncode, ended.stdout


def pump(read, write):
    """Moves bytes until either end is closed."""
    try:
        while data := read():
            write(data)
    except OSError:
        pass


class Board:
    """Stands for a serial.Serial with a board behind it, and remembers what came to it, in order. Data is
    echoed."""

    cts = dsr = ri = cd = True
    baud_limit = 1000000

    def __init__(self):
        object.__setattr__(self, "heard", [])
        object.__setattr__(self, "send", None)
        for name, value in (("baudrate", 9600), ("bytesize", 8), ("parity", "N"), ("stopbits", 1), ("dtr", False),
                            ("rts", False), ("break_condition", False), ("xonxoff", False), ("rtscts", False)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name, value):
        if name == "baudrate" and value > self.baud_limit:
            raise ValueError("too fast")
        object.__setattr__(self, name, value)
        if name not in ("send", "xonxoff", "rtscts"):
            self.heard.append((name, value))

    def write(self, byte):
        self.heard.append((byte, self.parity))
        self.send(byte)

    def reset_input_buffer(self):
        self.heard.append(("purge", "received"))

    def reset_output_buffer(self):
        self.heard.append(("purge", "sent"))


class PortManagerServer:
    """One connection, one board."""

    def __init__(self):
        self.board = Board()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = "rfc2217:127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            manager = serial.rfc2217.PortManager(self.board, Connection(peer))
            self.board.send = lambda byte: peer.sendall(b"".join(manager.escape(byte)))

            def pass_on(data):
                for byte in manager.filter(data):
                    self.board.write(byte)
            pump(lambda: peer.recv(4096), pass_on)

    def close(self):
        self.thread.join(20)
        self.listener.close()


class Connection:
    """What PortManager writes to."""

    def __init__(self, peer):
        self.write = peer.sendall


@unittest.skipIf(serial is None, "python3-serial is not installed")
class PortManager(unittest.TestCase):
    def setUp(self):
        self.server = PortManagerServer()
        self.addCleanup(self.server.close)

    def play(self, *acts):
        code, output = play(self.server.name, *acts)
        self.server.close()
        return code, output

    def heard(self):
        """What came after the settings of open."""
        heard = self.server.board.heard
        return heard[heard.index(("stopbits", 1)) + 1:]

    def test_order(self):
        code, output = self.play("line=9600:M:1", "send=42", "line=9600:S:1", "send=0102ff", "modem=10",
                                 "line=9600:M:1", "send=43", "break=1", "break=0", "modem=01",
                                 "line=250000:E:2", "send=44", "expect=420102ff4344")
        self.assertEqual(code, 0, output)
        self.assertEqual(self.heard(), [
            ("baudrate", 9600), ("parity", "M"), (b"\x42", "M"), ("parity", "S"), (b"\x01", "S"), (b"\x02", "S"),
            (b"\xff", "S"), ("dtr", True), ("rts", False), ("parity", "M"), (b"\x43", "M"),
            ("break_condition", True), ("break_condition", False), ("dtr", False), ("rts", True),
            ("baudrate", 250000), ("parity", "E"), ("stopbits", 2), (b"\x44", "E")])

    def test_every_byte(self):
        code, output = self.play("send=" + EVERY_BYTE.hex(), "expect=" + EVERY_BYTE.hex())
        self.assertEqual(code, 0, output)

    def test_discard(self):
        code, output = self.play("send=616263", "discard", "send=64", "expect=64")
        self.assertEqual(code, 0, output)
        self.assertEqual(self.heard()[3], ("purge", "received"))

    def test_refused_baud(self):
        code, output = self.play("line=2000000:N:1")
        self.assertEqual(code, 1)
        self.assertIn("2000000 baud cannot be set, the server chose 115200", output)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listening(port):
    """Whether somebody listens, without a connection that would count as a user."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return wanted in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii")


@unittest.skipUnless(shutil.which("ser2net"), "ser2net is not installed")
class Ser2net(unittest.TestCase):
    """In front of a pty, which has settings, but neither modem lines nor parity: those it answers as it likes,
    or not at all."""

    def start(self, accepter):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port = free_port()
        file = pathlib.Path(folder.name, "ser2net.yaml")
        file.write_text(f"%YAML 1.1\n---\nconnection: &board\n  accepter: {accepter},127.0.0.1,{port}\n"
                        f"  connector: serialdev,{os.ttyname(self.slave)},9600n81,local\n", encoding="ascii")
        # Without lock files, which are in a folder that not everybody may write to.
        server = subprocess.Popen(["ser2net", "-n", "-u", "-c", str(file)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.heard, self.settings = b"", None
        echo = threading.Thread(target=pump, args=(lambda: os.read(self.master, 4096), self.echo))
        echo.start()

        def stop():
            server.terminate()
            server.wait(10)
            os.close(self.slave)  # the last user: the echo's read ends
            echo.join(10)
            os.close(self.master)
        self.addCleanup(stop)
        until = time.monotonic() + 10
        while not listening(port):
            self.assertIsNone(server.poll(), "ser2net has ended")
            self.assertLess(time.monotonic(), until, "ser2net does not listen")
            time.sleep(0.01)
        return f"127.0.0.1:{port}"

    def echo(self, data):
        self.heard += data
        self.settings = termios.tcgetattr(self.slave)  # now: ser2net restores them at the end
        os.write(self.master, data)

    def test_settings_and_data(self):
        address = self.start("telnet(rfc2217),tcp")
        code, output = play("rfc2217:" + address, "line=19200:N:2", "send=" + EVERY_BYTE.hex(),
                            "expect=" + EVERY_BYTE.hex(), "modem=10", "modem=01", "break=1", "break=0", "discard",
                            "send=78", "expect=78")
        self.assertEqual(code, 0, output)
        self.assertEqual(self.heard, EVERY_BYTE + b"x")
        self.assertEqual(self.settings[5], termios.B19200)
        self.assertTrue(self.settings[2] & termios.CSTOPB)

    def test_again(self):
        """A connection that has ended leaves the port to the next."""
        address = self.start("telnet(rfc2217),tcp")
        for _ in range(3):
            until = time.monotonic() + 10  # ser2net closes the device before it lets the next one in
            code, output = 1, "-16"
            while code and "-16" in output and time.monotonic() < until:
                code, output = play("rfc2217:" + address, "line=9600:N:1", "send=6f6b", "expect=6f6b")
            self.assertEqual(code, 0, output)

    def test_without_com_port(self):
        address = self.start("telnet,tcp")
        code, output = play("rfc2217:" + address)
        self.assertEqual(code, 1)
        self.assertIn("has no COM-PORT option (RFC 2217): use tcp:" + address, output)

    def test_raw(self):
        code, output = play("tcp:" + self.start("tcp"), "send=" + EVERY_BYTE.hex(), "expect=" + EVERY_BYTE.hex())
        self.assertEqual(code, 0, output)
        self.assertEqual(self.heard, EVERY_BYTE)


class RawEcho(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        self.addCleanup(self.listener.close)
        self.addCleanup(self.thread.join, 20)

    def serve(self):
        peer, _ = self.listener.accept()
        with peer:
            pump(lambda: peer.recv(4096), peer.sendall)

    def test_tcp(self):
        code, output = play("tcp:" + self.address, "line=9600:E:1", "send=" + EVERY_BYTE.hex(),
                            "expect=" + EVERY_BYTE.hex())
        self.assertEqual(code, 0, output)

    def test_rfc2217(self):
        """It agrees to every option in its way, and is found out all the same."""
        start = time.monotonic()
        code, output = play("rfc2217:" + self.address)
        self.assertEqual(code, 1)
        self.assertIn("it is no RFC 2217 server: use tcp:" + self.address, output)
        self.assertLess(time.monotonic() - start, 2)


if __name__ == "__main__":
    CLIENT = sys.argv.pop(1)
    unittest.main(verbosity=2)
