#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the image readers with srec_cat and objcopy, bit for bit.

    image_oracle.py IMAGE_DUMP [SEED]

Real firmware files from Debian packages and random sparse images are taken apart by srec_cat (through
srec_info, one range at a time); then the same image, converted by srec_cat, objcopy, ld and a UF2 writer of
this script's own to every format, must come out of our readers with the same ranges, bytes and entry. At the
end, damaged files: what our readers still accept, srec_cat must read the same way.
"""
import glob
import os
import random
import re
import subprocess
import sys
import tempfile
import zlib

ARDUINO = "/usr/share/arduino/hardware/arduino/avr/bootloaders"
MICROBIT = "/usr/share/firmware-microbit-micropython/firmware.hex"
UBERTOOTH = "/usr/share/ubertooth/firmware"
ARM = "arm-none-eabi-"

# (path pattern, files at least, package)
REAL_FILES = (
    (ARDUINO + "/**/*.hex", 10, "arduino-core-avr"),
    (MICROBIT, 1, "firmware-microbit-micropython"),
    (UBERTOOTH + "/*.*", 4, "ubertooth-firmware"),
)
TOOLS = (("srec_cat", "srecord"), ("srec_info", "srecord"), ("objcopy", "binutils"),
         (ARM + "objcopy", "binutils-arm-none-eabi"), (ARM + "ld", "binutils-arm-none-eabi"))


class Image:
    """Ranges as [(address, bytes)], sorted and not touching, and the entry or None."""

    def __init__(self, ranges, entry=None):
        self.ranges, self.entry = ranges, entry

    def text(self):
        lines = [] if self.entry is None else ["entry %08X" % self.entry]
        lines += ["range %08X %d %08X" % (address, len(data), zlib.crc32(data))
                  for address, data in self.ranges]
        return "\n".join(lines)


class Oracle:
    def __init__(self, image_dump, folder, seed):
        self.image_dump, self.folder, self.random = image_dump, folder, random.Random(seed)
        self.compared = self.refused = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("%s\n%s" % (" ".join(command), done.stderr))
        return done.stdout

    def ours(self, path, base="-"):
        """(dump without its first line, format, bytes of all ranges), or the sentence of the refusal."""
        out = self.path("ours.bin")
        done = subprocess.run([self.image_dump, path, base, out], capture_output=True, text=True)
        if done.returncode == 1:
            return done.stderr.strip()
        if done.returncode != 0:
            sys.exit("image_dump %s: %d\n%s" % (path, done.returncode, done.stderr))
        head, _, rest = done.stdout.partition("\n")
        with open(out, "rb") as file:
            return rest.strip(), head.split()[1], file.read()

    def expect(self, path, form, image, base="-", family=None):
        want = image.text()
        if family is not None:
            want = "family %08X\n%s" % (family, want)
        got = self.ours(path, base)
        if got != (want, form, b"".join(data for _, data in image.ranges)):
            shown = got if isinstance(got, str) else "format %s\n%s" % (got[1], got[0])
            sys.exit("%s: expected\nformat %s\n%s\nfound\n%s" % (path, form, want, shown))
        self.compared += 1

    def theirs(self, path, form):
        """The image as srec_info and srec_cat see it; None where they refuse it."""
        info = subprocess.run(["srec_info", path, "-" + form], capture_output=True, text=True)
        if info.returncode != 0:
            return None
        entry = re.search(r"Execution Start Address: ([0-9A-F]+)", info.stdout)
        ranges = []
        for first, last in re.findall(r"([0-9A-F]{4,8}) - ([0-9A-F]{4,8})", info.stdout):
            start, end = int(first, 16), int(last, 16) + 1
            out = self.path("theirs.bin")
            cut = subprocess.run(["srec_cat", path, "-" + form, "-crop", str(start), str(end),
                                  "-offset", str(-start), "-o", out, "-binary"], capture_output=True)
            if cut.returncode != 0:
                return None
            with open(out, "rb") as file:
                ranges.append((start, file.read()))
        return Image(ranges, int(entry.group(1), 16) if entry else None)

    # Conversions ------------------------------------------------------------------------------------------

    def hex_from_ranges(self, image, name):
        out, command = self.path(name), ["srec_cat"]
        for i, (address, data) in enumerate(image.ranges):
            with open(self.path("part%d.bin" % i), "wb") as file:
                file.write(data)
            command += [self.path("part%d.bin" % i), "-binary", "-offset", str(address)]
        if image.entry is not None:
            command += ["-execution-start-address=%d" % image.entry]
        self.run(*command, "-o", out, "-intel")
        return out

    def by_srec_cat(self, source, image):
        """Every address width that reaches far enough. srec_cat leaves out the end record of an S-record file
        when it knows no start address, so it is always told one."""
        last = image.ranges[-1][0] + len(image.ranges[-1][1]) - 1
        entry = image.entry if image.entry else 0
        out = self.path("by_srec_cat")
        for width in (2, 3, 4):
            if max(last, entry) < 1 << 8 * width:
                self.run("srec_cat", source, "-intel", "-execution-start-address=%d" % entry, "-o", out,
                         "-motorola", "-address-length=%d" % width, "-obs=%d" % self.random.randint(1, 200))
                self.expect(out, "srec", Image(image.ranges, image.entry or None))
        self.run("srec_cat", source, "-intel", "-o", out, "-intel", "-obs=%d" % self.random.randint(1, 200))
        self.expect(out, "intel-hex", image)
        if max(last, entry) < 1 << 20 and entry < 1 << 16:
            self.run("srec_cat", source, "-intel", "-o", out, "-intel", "-address-length=3")
            self.expect(out, "intel-hex", image)

    def by_objcopy(self, source, image):
        out, back = self.path("by_objcopy"), self.path("and_back")
        for option in ((), ("--srec-forceS3",), ("--srec-len=%d" % self.random.randint(1, 100),)):
            self.run("objcopy", "-I", "ihex", "-O", "srec", *option, source, out)
            self.expect(out, "srec", Image(image.ranges, image.entry or None))
            self.run("objcopy", "-I", "srec", "-O", "ihex", out, back)
            self.expect(back, "intel-hex", Image(image.ranges, image.entry or None))

    def by_linker(self, source, image):
        """ELF whose physical addresses are the image's, and whose virtual ones are others."""
        part, script, out = self.path("part.o"), self.path("part.ld"), self.path("linked")
        entry = image.entry if image.entry else 0
        self.run(ARM + "objcopy", "-I", "ihex", "-O", "elf32-littlearm", source, part)
        sections = re.findall(r"^\s*\d+ (\.sec\d+)\s+[0-9a-f]+\s+([0-9a-f]+)",
                              self.run(ARM + "objdump", "-h", part), re.MULTILINE)
        with open(script, "w") as file:
            file.write("ENTRY(start_here)\nstart_here = 0x%x;\nSECTIONS {\n" % entry)
            for i, (name, address) in enumerate(sections):
                file.write("%s 0x%x : AT(0x%s) { *(%s) }\n" % (name, 0x20000000 + (i << 20), address, name))
            file.write("}\n")
        self.run(ARM + "ld", "-n", "-T", script, "-o", out, part)
        self.expect(out, "elf", Image(image.ranges, entry or None))

    def by_uf2(self, image):
        """Blocks of a random payload, in random order, some of them not for the flash."""
        size, family = self.random.randint(1, 119) * 4, self.random.getrandbits(32) | 1
        chunks = [(address + at, data[at:at + size]) for address, data in image.ranges
                  for at in range(0, len(data), size)]
        chunks += [None] * self.random.randint(0, 3)
        self.random.shuffle(chunks)
        blocks = []
        for number, chunk in enumerate(chunks):
            flags, (address, data) = (0x2000, chunk) if chunk else (0x2001, (0, b"elsewhere"))
            words = (0x0A324655, 0x9E5D5157, flags, address, len(data), number, len(chunks), family)
            blocks.append(b"".join(word.to_bytes(4, "little") for word in words) + data.ljust(476, b"\0")
                          + (0x0AB16F30).to_bytes(4, "little"))
        self.random.shuffle(blocks)
        with open(self.path("made.uf2"), "wb") as file:
            file.write(b"".join(blocks))
        self.expect(self.path("made.uf2"), "uf2", Image(image.ranges), family=family)

    def by_binary(self, image):
        for address, data in image.ranges:
            with open(self.path("plain.bin"), "wb") as file:
                file.write(data)
            self.expect(self.path("plain.bin"), "binary", Image([(address, data)]), base=hex(address))

    def all_ways(self, source, image):
        self.expect(source, "intel-hex", image)
        self.by_srec_cat(source, image)
        self.by_objcopy(source, image)
        self.by_linker(source, image)
        self.by_uf2(image)
        self.by_binary(image)

    # What is compared ---------------------------------------------------------------------------------------

    def real_hex(self, path):
        image = self.theirs(path, "intel")
        if image and not self.contradicts_itself(path):
            self.all_ways(path, image)
            return
        said = self.ours(path)
        if not isinstance(said, str) or "given a second time" not in said:
            sys.exit("%s: srec_cat refuses it, ours says: %s" % (path, said))
        self.refused += 1

    def contradicts_itself(self, path):
        done = subprocess.run(["srec_cat", path, "-intel", "-o", self.path("unused.srec")],
                              capture_output=True)
        return done.returncode != 0

    def real_binary(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if not isinstance(self.ours(path), str):
            sys.exit("%s: a binary without base was not refused" % path)
        self.expect(path, "binary", Image([(0x4000, data)]), base="0x4000")
        made = self.path("of_binary.hex")
        self.run("objcopy", "-I", "binary", "-O", "ihex", "--change-addresses=0x4000", path, made)
        self.expect(made, "intel-hex", Image([(0x4000, data)], 0x4000))

    def random_image(self):
        top = self.random.choice((0x10000, 0x100000, 0x1000000, 0x20000000))
        ranges, at = [], self.random.randrange(top // 2)
        for _ in range(self.random.randint(1, 6)):
            data = self.random.randbytes(self.random.choice((1, 3, 17, 256, 5000)))
            if at + len(data) > top:
                break
            ranges.append((at, data))
            at += len(data) + self.random.choice((1, 15, 4096, top // 8))
        ranges = ranges or [(0, b"\x5a")]
        image = Image(ranges, self.random.choice((None, ranges[0][0] or None)))
        self.all_ways(self.hex_from_ranges(image, "random.hex"), image)

    def damaged(self, source, form):
        """One or two characters of a good file changed, or a line taken out, doubled or moved."""
        with open(source) as file:
            lines = file.read().splitlines()
        for _ in range(self.random.randint(1, 2)):
            i, j = self.random.randrange(len(lines)), self.random.randrange(len(lines))
            kind = self.random.randrange(6)
            if kind == 0:
                del lines[i]
            elif kind == 1:
                lines.insert(j, lines[i])
            elif kind == 2:
                lines[i], lines[j] = lines[j], lines[i]
            else:
                at = self.random.randrange(len(lines[i]) or 1)
                lines[i] = lines[i][:at] + self.random.choice("0123456789ABCDEFabcdefS: ") + lines[i][at + 1:]
            lines = lines or [""]
        bad = self.path("damaged")
        with open(bad, "w") as file:
            file.write("\n".join(lines) + "\n")
        got = self.ours(bad)
        if isinstance(got, str):
            self.refused += 1
            return
        image = self.theirs(bad, form)
        if image is None or self.without_entry(image.text()) != self.without_entry(got[0]):
            sys.exit("%s: ours is\n%s\nsrec_cat's is\n%s" % (bad, got[0], image and image.text()))
        self.compared += 1

    @staticmethod
    def without_entry(text):
        return re.sub(r"entry .*\n", "", text)


def check_installed():
    missing = {package for tool, package in TOOLS
               if not any(os.access(os.path.join(folder, tool), os.X_OK) for folder in os.get_exec_path())}
    missing |= {package for pattern, least, package in REAL_FILES
                if len(glob.glob(pattern, recursive=True)) < least}
    if missing:
        sys.exit("install these Debian packages first: " + " ".join(sorted(missing)))


def main():
    check_installed()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle(sys.argv[1], folder, seed)
        for pattern, _, package in REAL_FILES:
            files = [path for path in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(path)]
            for path in files:
                (oracle.real_hex if path.endswith(".hex") else oracle.real_binary)(path)
            print("%s: %d files" % (package, len(files)))
        for _ in range(25):
            oracle.random_image()
        source = ARDUINO + "/atmega8/ATmegaBOOT.hex"
        oracle.run("objcopy", "-I", "ihex", "-O", "srec", source, oracle.path("to_damage.srec"))
        for _ in range(75):
            oracle.damaged(source, "intel")
            oracle.damaged(oracle.path("to_damage.srec"), "motorola")
        print("%d images the same, %d files refused, seed %d" % (oracle.compared, oracle.refused, seed))


if __name__ == "__main__":
    main()
