#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the image fuzzers, small files that reach every part of the readers, to corpus/."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def write(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def hex_record(kind, offset, data=b""):
    body = bytes((len(data), offset >> 8, offset & 255, kind)) + data
    return ":%s%02X\n" % (body.hex().upper(), -sum(body) & 255)


def srec(kind, address, data=b""):
    width = (2, 2, 3, 4, 2, 2, 3, 4, 3, 2)[kind]
    body = bytes((width + len(data) + 1,)) + address.to_bytes(width, "big") + data
    return "S%d%s%02X\n" % (kind, body.hex().upper(), ~sum(body) & 255)


def word(value):
    return value.to_bytes(4, "little")


def uf2_block(number, count, address, data, flags=0x2000, family=0xE48BFF56):
    head = (0x0A324655, 0x9E5D5157, flags, address, len(data), number, count, family)
    return b"".join(map(word, head)) + data.ljust(476, b"\0") + word(0x0AB16F30)


def elf(segments, entry=0x08000101):
    """segments: (type, virtual, physical, bytes, size in memory)"""
    at = 52 + 32 * len(segments)
    header = b"\x7fELF\1\1\1".ljust(16, b"\0") + b"\2\0\x28\0"
    header += b"".join(map(word, (1, entry, 52, 0, 0)))
    header += b"\x34\0\x20\0" + bytes((len(segments), 0)) + b"\x28\0\0\0\0\0"
    programs, contents = b"", b""
    for kind, virtual, physical, data, size in segments:
        programs += b"".join(map(word, (kind, at + len(contents), virtual, physical, len(data), size, 5, 4)))
        contents += data
    return header + programs + contents


def main():
    end = hex_record(1, 0)
    write("image_hex_fuzz", "linear", hex_record(4, 0, b"\x08\0") + hex_record(0, 0xFFFE, b"abcd")
          + hex_record(0, 2, b"ef") + hex_record(5, 0, b"\x08\0\1\1") + end)
    write("image_hex_fuzz", "segment", hex_record(2, 0, b"\x10\0") + hex_record(0, 0xFFFE, b"abcd")
          + hex_record(3, 0, b"\x12\x34\x56\x78") + end)
    write("image_hex_fuzz", "blanks",
          "\r\n  " + hex_record(0, 0, b"a").strip() + "\t\r\n" + end.lower() + "\n")
    write("image_hex_fuzz", "overlap", hex_record(0, 2, b"cd") + hex_record(0, 0, b"abc") + end)
    write("image_hex_fuzz", "comment", "; text\n" + hex_record(0, 0, b"a") + end)

    write("image_srec_fuzz", "s19", srec(0, 0, b"HDR") + srec(1, 0x10, b"ab") + srec(1, 0x12, b"cd")
          + srec(5, 2) + srec(9, 0x10))
    write("image_srec_fuzz", "s28", srec(2, 0x123456, b"ab") + srec(6, 1) + srec(8, 0x123456))
    write("image_srec_fuzz", "s37", srec(3, 0xFFFFFFF0, b"abcdefgh") + srec(3, 0x08000000, b"x") + srec(7, 0))
    write("image_srec_fuzz", "reserved", srec(1, 0, b"a") + srec(4, 0) + srec(9, 0))

    write("image_elf_fuzz", "two", elf(((1, 0x08000000, 0x08000000, b"code", 4),
                                        (1, 0x20000000, 0x08000004, b"data", 16))))
    write("image_elf_fuzz", "others", elf(((4, 0, 0, b"note", 4), (1, 0, 0x100, b"text", 4),
                                           (1, 0, 0x2000, b"", 64)), 0))
    write("image_elf_fuzz", "overlap", elf(((1, 0, 0x100, b"abcd", 4), (1, 0, 0x102, b"abcd", 4))))

    write("image_uf2_fuzz", "three",
          b"".join(uf2_block(i, 3, 0x10000000 + 16 * i, b"0123456789abcdef") for i in (2, 0, 1)))
    write("image_uf2_fuzz", "elsewhere", uf2_block(0, 2, 0, b"x", 1) + uf2_block(1, 2, 0x2000, b"abc", 0))
    write("image_uf2_fuzz", "container", uf2_block(0, 1, 0, b"file", 0x1000))
    write("image_uf2_fuzz", "md5", uf2_block(0, 1, 0x4000, b"a" * 452, 0xE000))

    for name, data in (("plain", bytes(range(64))), ("hex", (hex_record(0, 0, b"a") + end).encode()),
                       ("srec", (srec(1, 0, b"a") + srec(9, 0)).encode()),
                       ("elf", elf(((1, 0, 0, b"a", 1),))), ("uf2", uf2_block(0, 1, 0, b"a"))):
        write("image_binary_fuzz", name, word(0x08000000) + data)

    iac, will, do, sub, end = b"\xff", b"\xff\xfb", b"\xff\xfd", b"\xff\xfa\x2c", b"\xff\xf0"
    write("telnet_fuzz", "negotiation", b"\2" + will + b"\0" + do + b"\0" + do + b"\x2c" + b"banner" + iac + b"\xf1")
    write("telnet_fuzz", "answers", b"\0" + sub + b"\x65\0" + iac + iac + b"\1\0" + end + b"a" + iac + iac + b"b"
          + sub + b"\x69\x08" + end)
    write("telnet_fuzz", "purge", b"\3old" + sub + b"\x0c\1" + end + b"stale" + sub + b"\x6b\x30" + end + b"new")
    write("telnet_fuzz", "too-long", b"\1" + sub + bytes(300) + end + b"x" + sub + will + b"\3" + end)


if __name__ == "__main__":
    main()
