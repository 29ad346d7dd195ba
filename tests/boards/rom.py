# SPDX-License-Identifier: Apache-2.0
"""AN3155 written out for the acceptance scripts: requests as bytes, on a raw Line."""
import functools
import operator

from farm import Line

ACK, NACK = b"\x79", b"\x1f"
BASE = 0x08000000
SILENCE_S = 0.2  # long enough for an unpaced board to have answered


def xor(data):
    return functools.reduce(operator.xor, data, 0)


def summed(data):
    return bytes(data) + bytes([xor(data)])


def opcode(code):
    return bytes([code, code ^ 0xFF])


def address(at):
    return summed(at.to_bytes(4, "big"))


class Rom(Line):
    def sync(self):
        return self.ask(b"\x7f", 1)

    def silent(self, data=b"\x7f"):
        return self.ask(data, 1, SILENCE_S) == b""

    def code(self, code):
        return self.ask(opcode(code), 1)

    def refuses(self, *groups):
        """Every group but the last is acknowledged, the last refused."""
        answers = [self.ask(group, 1) for group in groups]
        return answers == [ACK] * (len(groups) - 1) + [NACK]

    def accepts(self, *groups):
        return [self.ask(group, 1) for group in groups] == [ACK] * len(groups)

    def read_memory(self, at, count):
        if not self.accepts(opcode(0x11), address(at), opcode(count - 1)):
            return None
        return self.read(count)

    def write(self, at, data):
        """The three answers of Write Memory, as far as it gets."""
        if not self.accepts(opcode(0x31), address(at)):
            return NACK
        return self.ask(summed(bytes([len(data) - 1]) + bytes(data)), 1)

    def erase(self, *pages):
        return self.accepts(opcode(0x43), summed(bytes([len(pages) - 1, *pages])))

    def extended_erase(self, *pages):
        words = b"".join(page.to_bytes(2, "big") for page in (len(pages) - 1, *pages))
        return self.accepts(opcode(0x44), summed(words))

    def special_erase(self, code):
        return self.accepts(opcode(0x44), summed(code.to_bytes(2, "big")))

    def get_id(self):
        answer = self.ask(opcode(0x02), 5)
        return int.from_bytes(answer[2:4], "big") if len(answer) == 5 else None


def opened(farm, name, baud=115200):
    return Rom(farm.port(name), baud)


def synced(farm, name, baud=115200):
    """A fresh board acknowledges the first 0x7F, one that was synchronised before refuses the second."""
    rom = Rom(farm.port(name), baud)
    if rom.ask(b"\x7f", 1, SILENCE_S) != ACK and rom.sync() != NACK:
        raise SystemExit(f"{name} does not answer")
    return rom
