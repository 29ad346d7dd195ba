# SPDX-License-Identifier: Apache-2.0
"""A client of a board behind --remote: as much of RFC 2217 as it takes to move modem lines in order with the bytes."""
import socket
import time

IAC, SB, SE, WILL, COM_PORT, SET_BAUD, SET_CONTROL = b"\xff", b"\xfa", b"\xf0", b"\xfb", b"\x2c", b"\x01", b"\x05"
DTR, RTS = {True: b"\x08", False: b"\x09"}, {True: b"\x0b", False: b"\x0c"}


class Wired:
    """The interface of farm.Line, over TCP."""

    def __init__(self, farm, name):
        port = int(farm.state(name)[1]["port"].rsplit(":", 1)[1])
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(IAC + WILL + COM_PORT)
        self.raw = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def lines(self, dtr=None, rts=None):
        """DTR first, where both are given: two requests, as most clients make them."""
        codes = ([DTR[dtr]] if dtr is not None else []) + ([RTS[rts]] if rts is not None else [])
        self.socket.sendall(b"".join(IAC + SB + COM_PORT + SET_CONTROL + code + IAC + SE for code in codes))

    def baud(self, rate):
        self.socket.sendall(IAC + SB + COM_PORT + SET_BAUD + rate.to_bytes(4, "big").replace(IAC, IAC + IAC) + IAC + SE)

    def send(self, data):
        self.socket.sendall(bytes(data).replace(IAC, IAC + IAC))

    def plain(self):
        """What has come without the telnet in it."""
        data, at = b"", 0
        while at < len(self.raw):
            if self.raw[at:at + 1] != IAC:
                data += self.raw[at:at + 1]
                at += 1
            elif self.raw[at + 1:at + 2] == IAC:
                data += IAC
                at += 2
            elif self.raw[at + 1:at + 2] == SB:
                at = self.raw.find(IAC + SE, at) + 2
                if at < 2:
                    break
            else:
                at += 3
        return data

    def read_until(self, end, timeout_s=5.0):
        """All that has come since the last call, as soon as it holds end; or what came in that time."""
        limit = time.monotonic() + timeout_s
        while end not in self.plain() and time.monotonic() < limit:
            self.socket.settimeout(max(0.001, limit - time.monotonic()))
            try:
                part = self.socket.recv(4096)
            except TimeoutError:
                break
            if not part:
                break
            self.raw += part
        data, self.raw = self.plain(), b""
        return data
