# SPDX-License-Identifier: Apache-2.0
"""A small master of stations/protocols/rs485_isp.md for the acceptance of the simulated units.

It was written by the same hand as the units, so what both misread of the specification stays unseen; only the test
vectors of the specification, and flashfarm's own driver, are by others.
"""
import select
import socket
import time

from farm import Line

ESCAPE = 0x1B
CHANGE_ADDRESS, ERASE, WRITE, READ, PROTECT, COMPLETE, DESCRIBE, CHECKSUM, JOIN, GROUP_STATUS, LEAVE = range(1, 12)


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def packet(address, command, data=b""):
    body = bytes([address, 1 + len(data), command]) + bytes(data)
    return body + crc16(body).to_bytes(2, "big")


def word(value):
    return value.to_bytes(2, "big")


class EscapedLine(Line):
    """wakeup = escape, on a pty."""

    def data(self, frames):
        self.send(bytes(frames).replace(b"\x1b", b"\x1b\x1b"))

    def address(self, address):
        self.send(b"\x1b\x01" + (b"\x1b\x1b" if address == ESCAPE else bytes([address])))

    def autobaud(self, characters=b"\x55" * 4):
        self.send(characters)

    def frames(self, count, timeout_s):
        got = b""
        while len(got) < count:
            byte = self.read(1, timeout_s)
            if byte == b"\x1b":
                byte = self.read(1, timeout_s)
            if not byte:
                break
            got += byte
        return got


class RemoteLine:
    """wakeup = parity, through RFC 2217: settings go in order with the bytes, so nothing has to be waited for."""
    MARK, SPACE = 4, 5

    def __init__(self, port, baud=115200):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.got = b""
        self.raw = b""
        self.socket.sendall(b"\xff\xfb\x2c")
        self.set_baud(baud)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, code, value):
        self.socket.sendall(b"\xff\xfa\x2c" + bytes([code]) + value.replace(b"\xff", b"\xff\xff") + b"\xff\xf0")

    def set_baud(self, baud):
        self.request(1, baud.to_bytes(4, "big"))

    def set_parity(self, parity):
        self.request(3, bytes([parity]))

    def hold_low(self, seconds):
        self.request(5, b"\x05")
        time.sleep(seconds)
        self.request(5, b"\x06")

    def send(self, data):
        self.socket.sendall(bytes(data).replace(b"\xff", b"\xff\xff"))

    def data(self, frames):
        self.set_parity(self.SPACE)
        self.send(frames)

    def address(self, address):
        self.set_parity(self.MARK)
        self.send(bytes([address]))

    def autobaud(self, characters=b"\x55" * 4):
        self.data(characters)

    def strip(self):
        """Takes telnet's own out of what came."""
        while self.raw:
            if self.raw[0] != 0xFF:
                end = self.raw.find(b"\xff")
                end = len(self.raw) if end < 0 else end
                self.got += self.raw[:end]
                self.raw = self.raw[end:]
            elif self.raw[1:2] == b"\xff":
                self.got += b"\xff"
                self.raw = self.raw[2:]
            elif self.raw[1:2] == b"\xfa":
                end = self.raw.find(b"\xff\xf0")
                if end < 0:
                    return
                self.raw = self.raw[end + 2:]
            elif len(self.raw) >= 3:
                self.raw = self.raw[3:]
            else:
                return

    def frames(self, count, timeout_s):
        end = time.monotonic() + timeout_s
        while len(self.got) < count:
            ready, _, _ = select.select([self.socket], [], [], max(0.0, end - time.monotonic()))
            part = self.socket.recv(4096) if ready else b""
            if not part:
                break
            self.raw += part
            self.strip()
        got, self.got = self.got[:count], self.got[count:]
        return got


class Master:
    """timeout_s is for what may stay silent; it must be longer than a unit takes."""

    def __init__(self, line, timeout_s=0.1):
        self.line = line
        self.timeout_s = timeout_s

    def roll_call(self, address):
        self.line.address(address)
        return self.line.frames(1, self.timeout_s)

    def answer(self, timeout_s):
        head = self.line.frames(2, timeout_s)
        return head + self.line.frames(head[1] + 2, 1.0) if len(head) == 2 else head

    def exchange(self, request, timeout_s=0.5):
        self.line.data(request)
        return self.answer(timeout_s)

    def ask(self, address, command, data=b"", timeout_s=0.5):
        """Status and data; None when nothing right came."""
        got = self.exchange(packet(address, command, data), timeout_s)
        if len(got) < 6 or crc16(got) or got[0] != address or got[2] != command | 0x80:
            return None
        return got[3], got[4:-2]

    def to_group(self, group, command, data=b""):
        self.line.data(packet(0, command, bytes([group]) + bytes(data)))
