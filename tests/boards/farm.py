# SPDX-License-Identifier: Apache-2.0
"""What the acceptance scripts share: a flashfarm-sim in a folder of its own, its control socket, checks that count."""
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time

READY_TIMEOUT_S = 20


class Farm:
    """A running simulator; ends with the block it is used in."""

    def __init__(self, program, boards, *options, control="control"):
        self.dir = tempfile.mkdtemp(prefix="flashfarm-boards-")
        self.dumps = os.path.join(self.dir, "dumps")
        os.mkdir(self.dumps)
        self.process = subprocess.Popen(
            [program, "--boards", boards, "--dir", self.dir, "--with-parent", *options],
            stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], READY_TIMEOUT_S)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("ready "):
            raise SystemExit(f"flashfarm-sim did not get ready: {line!r}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(READY_TIMEOUT_S)
        self.socket.connect(os.path.join(self.dir, control))
        self.replies = self.socket.makefile("r")
        self.lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        self.status = self.process.wait(READY_TIMEOUT_S)
        self.process.stdout.close()
        shutil.rmtree(self.dir)

    def port(self, name):
        return os.path.join(self.dir, name)

    def ask(self, *words):
        with self.lock:
            self.socket.sendall((" ".join(words) + "\n").encode())
            return self.replies.readline().rstrip("\n")

    def state(self, name):
        """The phase, and the rest as a dictionary."""
        words = self.ask("state", name).split()
        return words[1], dict(word.split("=", 1) for word in words[2:])

    def wait_for(self, name, what, value, timeout_s=5.0):
        """Until the board's state shows it; False when it never does. phase is the first word."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            phase, rest = self.state(name)
            if (phase if what == "phase" else rest[what]) == value:
                return True
            time.sleep(0.005)
        return False

    def dump(self, name):
        path = os.path.join(self.dumps, name)
        assert self.ask("dump", name, path) == "ok"
        with open(path, "rb") as file:
            return file.read()


class Checks:
    def __init__(self):
        self.failed = 0
        self.count = 0
        self.lock = threading.Lock()

    def check(self, good, what):
        with self.lock:
            self.count += 1
            if not good:
                self.failed += 1
                print(f"FAILED: {what}", file=sys.stderr, flush=True)
        return good

    def equal(self, got, want, what):
        return self.check(got == want, f"{what}: got {got!r}, want {want!r}")

    def finish(self):
        print(f"{self.count} checks, {self.failed} failed")
        raise SystemExit(1 if self.failed else 0)


class Line:
    """A raw client of one port. Speaks bytes, not commands: the tests write the protocol out."""

    def __init__(self, path, baud=115200):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        speed = getattr(termios, f"B{baud}")
        settings = termios.tcgetattr(self.fd)
        settings[0] = settings[1] = settings[3] = 0
        settings[4] = settings[5] = speed
        termios.tcsetattr(self.fd, termios.TCSAFLUSH, settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def set_input_flags(self, flags):
        settings = termios.tcgetattr(self.fd)
        settings[0] = flags
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def send(self, data):
        os.write(self.fd, bytes(data))

    def read(self, count, timeout_s=5.0):
        """count bytes, or fewer when the time is over or the line is gone."""
        data, end = b"", time.monotonic() + timeout_s
        while len(data) < count:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                break
            try:
                part = os.read(self.fd, count - len(data))
            except OSError:
                break
            if not part:
                break
            data += part
        return data

    def ask(self, data, count, timeout_s=5.0):
        self.send(data)
        return self.read(count, timeout_s)
