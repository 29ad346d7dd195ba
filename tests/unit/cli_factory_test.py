#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flashfarm as a factory uses it, against the real daemon and simulated boards: serial pools, recipes, signatures,
keys and people, backups and evidence, TLS.

cli_factory_test.py FLASHFARM FLASHFARMD FLASHFARM_SIM [unittest arguments]
"""

import csv
import ctypes
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "boards"))

from farm import Farm  # noqa: E402  pylint: disable=wrong-import-position

FLASHFARM = FLASHFARMD = FLASHFARM_SIM = ""
CHIP = "stm32f103xb"
BASE = 0x08000000
SERIAL_AT = 0x1FC00  # in flash
LIMIT_S = 60
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def firmware(seed):
    """Begins with a stack pointer and a reset vector, as the lint expects it of a recipe."""
    return struct.pack("<II", 0x20001000, BASE + 0x101) + bytes((seed * i + seed) & 0xFF for i in range(1, 1500))


class Daemon:
    """The daemon on a configuration, until it is stopped."""

    def __init__(self, config):
        # It ends with the test, however that ends.
        self.process = subprocess.Popen([FLASHFARMD, "--config", config], stderr=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
        self.url = None
        for line in self.process.stderr:
            found = re.search(r" serves \d+ stations at (\S+)", line)
            if found:
                self.url = found.group(1)
                break
        if not self.url:
            raise SystemExit(f"flashfarmd does not start: {self.process.wait(LIMIT_S)}")

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode


class Line:
    """One host with eight boards for all tests; each test has boards, pools and people of its own."""

    def __init__(self):
        self.boards = Farm(FLASHFARM_SIM, f"{CHIP}=8", "--listen", "127.0.0.1:0")
        self.dir = self.boards.dir
        os.mkdir(self.path("trusted"))
        config = self.path("flashfarm.conf")
        with open(config, encoding="utf-8") as file:
            text = file.read()
        with open(config, "w", encoding="utf-8") as file:
            file.write(text.replace("[daemon]\n", f"[daemon]\ntrusted_keys = {self.path('trusted')}\n"
                                                  "webhook_hosts = 127.0.0.1:9\n", 1))
        self.daemon = Daemon(config)
        self.key = self.path("state/key")

    def path(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        with self.boards:
            self.daemon.stop()


class Case(unittest.TestCase):
    line: Line

    def path(self, name):
        return self.line.path(name)

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content if isinstance(content, bytes) else content if isinstance(content, str) else
                       json.dumps(content))
        return self.path(name)

    def cli(self, *words, code=0, key=None, **environment):
        known = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "FLASHFARM_SERVER": self.line.daemon.url,
                 "FLASHFARM_KEY_FILE": key or self.line.key}
        known.update(environment)
        done = subprocess.run([FLASHFARM, *words], env={name: value for name, value in known.items() if value},
                              capture_output=True, text=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"flashfarm {' '.join(words)}\n{done.stdout}{done.stderr}")
        return done

    def ask(self, *words, **more):
        return json.loads(self.cli(*words, "--json", **more).stdout)

    def flash(self, station):
        return self.line.boards.dump(station)

    def order(self, name, stations, **more):
        """A job file with a place for the serial and a CRC behind it."""
        self.write(name + ".bin", firmware(len(name)))
        pool = more.pop("pool", name)
        return {"chip": CHIP, "images": [name + ".bin"], "address": hex(BASE), "serial_pool": pool,
                "fields": [{"name": "serial", "address": BASE + SERIAL_AT, "width": 12, "encoding": "ascii", "pad": 0,
                            "source": {"pool": pool}}],
                "checks": [{"name": "crc", "address": BASE + SERIAL_AT + 12, "algorithm": "crc-32",
                            "range": {"address": BASE + SERIAL_AT, "size": 12}}]} | (
                    {"stations": stations} if stations else {}) | more

    def make_key(self, name, *roles):
        path = self.path(name + ".key")
        words = [word for role in roles for word in ("--role", role)]
        self.cli("key", name, "create", *words, "--output", path)
        return path


class Pools(Case):
    def test_life_of_a_pool(self):
        made = self.ask("pool", "life", "create", "--first", "100", "--last", "199", "--prefix", "L", "--suffix", "Z",
                        "--digits", "4", "--base", "16", "--check", "mod97", "--date", "YYWW", "--warn", "10,20",
                        "--reason", "a test")
        self.assertEqual(made["format"], {"prefix": "L", "suffix": "Z", "digits": 4, "base": 16, "check": "mod97",
                                          "date": "YYWW"})
        self.assertEqual((made["first"], made["last"], made["left"], made["issued"]), (100, 199, 100, 0))
        self.assertEqual(made["warn_percent"], [10, 20])
        self.assertIn("Already exists", self.cli("pool", "life", "create", "--last", "9", code=4).stderr)
        self.assertIn("needs --reason", self.cli("pool", "life", "close", code=2).stderr)
        self.assertEqual(self.ask("pool", "life", "close", "--reason", "lunch")["state"], "closed")
        self.assertEqual(self.ask("pool", "life", "open", "--reason", "fed")["reason"], "fed")
        burned = self.ask("pool", "life", "burn", "--count", "25", "--reason", "lost labels")
        self.assertEqual((burned["counts"]["burned"], burned["left"], burned["warning"]), (25, 75, 20))
        self.assertRegex(self.cli("pools").stdout, r"(?m)^life +serial +open +75 +25 +0 +0 +0 +25 +0 +0 +0 +20$")
        self.assertRegex(self.cli("pool", "life").stdout, r"(?m)^counts +reserved 0, .*burned 25")
        self.assertIn("no numbers", self.cli("pool", "life", "serials").stdout)
        self.cli("pool", "nowhere", code=4)
        self.cli("pool", "life", "burn", "--count", "76", "--reason", "more than there are", code=4)

    def test_addresses(self):
        made = self.ask("pool", "mac", "create", "--kind", "eui48", "--first", "00:1A:2B:00:00:00", "--last",
                        "00:1A:2B:00:00:1F", "--step", "4", "--separator", "-")
        self.assertEqual((made["left"], made["first"]), (8, 0x001A2B000000))
        local = ("pool", "local", "create", "--kind", "eui48", "--first", "02:00:00:00:00:00", "--last",
                 "02:00:00:00:00:0F")
        self.cli(*local, code=4)
        self.assertEqual(self.ask(*local, "--local")["left"], 16)

    def test_keys_by_reference(self):
        os.mkdir(self.path("keys"))
        for number in range(3):
            self.write(f"keys/device-{number}", os.urandom(16))
        made = self.ask("pool", "device-keys", "create", "--kind", "key", "--keys", self.path("keys"))
        self.assertEqual((made["kind"], made["left"]), ("key", 3))
        self.assertIn("Already exists", self.cli("pool", "twice", "create", "--kind", "key", "--keys",
                                                 self.path("keys"), code=4).stderr)


class Units(Case):
    def test_serials(self):
        """A number goes into flash with its CRC, stays with the board, and is found again."""
        self.cli("pool", "units", "create", "--last", "9", "--prefix", "U-", "--digits", "6", "--check", "mod10")
        jobs = self.write("jobs.json", self.order("units", ["A1", "A2"], work_order="W-UNITS"))
        self.assertIn("job", self.cli("submit", jobs).stderr)
        serials = self.ask("pool", "units", "serials", "--state", "pass")["items"]
        self.assertEqual({item["serial"] for item in serials}, {"U-0000015", "U-0000023"})
        for item in serials:
            run = self.ask("trace", item["serial"])["runs"][0]
            place = self.flash(run["station"])[SERIAL_AT:SERIAL_AT + 16]
            self.assertEqual(place[:12], item["serial"].encode().ljust(12, b"\0"))
            self.assertEqual(struct.unpack("<I", place[12:])[0], zlib.crc32(place[:12]))
        text = self.cli("trace", "U-0000015").stdout
        self.assertRegex(text, r"(?m)^unit serial U-0000015, uid [0-9a-f]{24}, 1 run$")
        self.assertRegex(text, r"(?m)^  numbers +U-0000015 of units$")
        self.assertEqual(len(self.ask("runs", "--pool", "units", "--by", "local")["items"]), 2)
        lines = list(csv.DictReader(self.cli("runs", "--pool", "units", "--csv").stdout.splitlines()))
        self.assertEqual({line["serial"] for line in lines}, {"U-0000015", "U-0000023"})
        self.assertEqual(len(self.cli("runs", "--pool", "units", "--csv", "--limit", "1").stdout.splitlines()), 2)

        again = self.cli("submit", jobs, code=1)
        self.assertRegex(again.stdout, "aborted +wrong-board .*has shipped as U-00000")
        rework = ("program", self.path("units.bin"), "--address", hex(BASE), "--chip", CHIP, "--stations", "A1,A2",
                  "--serial-pool", "units", "--quiet")
        self.cli(*rework, code=1)
        self.assertIn("U-0000015", self.cli(*rework, "--rework", "returned by the customer").stdout)
        self.assertEqual(self.ask("pool", "units")["issued"], 2)
        self.assertRegex(self.cli("trace", "U-0000015").stdout, r"(?m)^  rework +returned by the customer$")

        settled = self.ask("serial", "U-0000015", "settle", "burned", "--reason", "scrapped")
        self.assertEqual((settled["state"], settled["reason"]), ("burned", "scrapped"))
        self.assertIn("is burned", self.cli("serial", "U-0000015", "settle", "pass", "--reason", "no", code=4).stderr)
        self.cli("serial", "U-9", code=4)

    def test_dry_run(self):
        self.cli("pool", "dry", "create", "--last", "1")
        self.write("dry.bin", firmware(3))
        words = ("program", self.path("dry.bin"), "--address", hex(BASE), "--chip", CHIP, "--serial-pool", "dry",
                 "--work-order", "W-DRY", "--dry-run", "--stations")
        before = self.flash("A3")
        self.assertRegex(self.cli(*words, "A3").stdout, r"(?m)^A3 +stm32-uart +115200 +0\.\d{3} s$")
        self.assertEqual(self.ask(*words, "A3")["findings"], [])
        done = self.cli(*words, "A3,A4", code=1)
        self.assertRegex(done.stdout, r"(?m)^error +pool-short ")
        self.assertEqual(self.ask("runs", "--work-order", "W-DRY")["items"], [])
        self.assertEqual(self.ask("pool", "dry")["issued"], 0)
        self.assertEqual(self.flash("A3"), before)

    def test_scan(self):
        """The code chooses the unit, and starts it."""
        self.write("scan.bin", firmware(5))
        image = self.ask("upload", self.path("scan.bin"), "--address", hex(BASE))[0]["id"]
        order = {"chip": CHIP, "images": [image], "stations": ["A7"], "trigger": "on_start", "board_code": "P-[0-9]+",
                 "units": [{"serial": "MES-1", "code": "P-1"}, {"serial": "MES-2", "code": "P-2"}], "quantity": 1,
                 "fields": [{"name": "serial", "address": BASE + SERIAL_AT, "width": 5, "encoding": "ascii",
                             "source": {"unit": "serial"}}]}
        self.cli("scan", "A7", "P-2", code=4)
        with subprocess.Popen([FLASHFARM, "submit", self.write("scan.json", order), "--json"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={"PATH": os.environ["PATH"], "FLASHFARM_SERVER": self.line.daemon.url,
                                   "FLASHFARM_KEY_FILE": self.line.key}) as child:
            deadline = time.monotonic() + LIMIT_S
            while self.ask("station", "A7")["state"] != "waiting" and time.monotonic() < deadline:
                pass
            self.cli("scan", "A7", "X-1", code=4)
            self.assertEqual(self.ask("scan", "A7", "P-2")["name"], "A7")
            result = json.loads(child.communicate(timeout=LIMIT_S)[0])
        self.assertEqual([(run["serial"], run["code"], run["outcome"]) for run in result["items"]],
                         [("MES-2", "P-2", "pass")])
        self.assertEqual(self.flash("A7")[SERIAL_AT:SERIAL_AT + 5], b"MES-2")


class Recipes(Case):
    def test_life_of_a_recipe(self):
        self.cli("pool", "rp", "create", "--last", "99", "--prefix", "R", "--digits", "6")
        content = self.order("recipe", None, pool="rp")
        path = self.write("recipe.json", content)
        saved = self.ask("recipe", "controller", "save", path)
        self.assertEqual((saved["version"], saved["state"]), (1, "draft"))
        self.assertEqual(len(saved["content"]["images"][0]), 64)
        self.cli("program", "--recipe", "controller", "--stations", "A5", code=4)
        self.assertIn("nothing speaks against it", self.cli("recipe", "controller/1", "lint").stdout)
        bad = self.write("bad.json", content | {"fields": content["fields"] + [
            {"name": "two", "address": BASE + 16, "width": 1, "encoding": "ascii",
             "source": {"constant": "x"}}]})
        self.cli("recipe", "controller/1", "save", bad)
        self.assertRegex(self.cli("recipe", "controller/1", "lint", code=1).stdout, r"(?m)^error +field-over-code ")
        self.assertIn("field-over-code", self.cli("recipe", "controller/1", "release", code=4).stderr)
        self.cli("recipe", "controller/1", "save", path)
        released = self.ask("recipe", "controller/1", "release", "--reason", "review 12")
        self.assertEqual((released["state"], released["hash"]), ("released", saved["hash"]))
        self.assertIn("released and cannot be changed", self.cli("recipe", "controller/1", "save", path, code=4).stderr)
        self.assertRegex(self.cli("recipes", "--state", "released").stdout, r"(?m)^controller +1 +released ")
        self.assertNotIn("controller", self.cli("recipes", "--state", "draft").stdout)

        operator = self.make_key("op", "operator")
        self.cli("program", "--recipe", "controller", "--stations", "A5", "--quiet", key=operator)
        run = self.ask("runs", "--recipe", "controller/1")["items"][0]
        self.assertEqual((run["outcome"], run["serial"], run["by"], run["recipe"]["hash"]),
                         ("pass", "R000001", "op", saved["hash"]))
        self.assertRegex(self.cli("trace", "R000001").stdout, rf"(?m)^  recipe +controller/1, {saved['hash']}$")
        adhoc = self.write("adhoc.json", {"chip": CHIP, "images": saved["content"]["images"], "stations": ["A6"]})
        self.assertIn("Not allowed", self.cli("submit", adhoc, key=operator, code=4).stderr)
        self.cli("recipe", "controller/1", "retire", "--reason", "there is a better one")
        self.assertIn("retired", self.cli("program", "--recipe", "controller/1", code=4).stderr)

    @unittest.skipUnless(shutil.which("minisign"), "minisign is not installed")
    def test_signature(self):
        secret, public = self.path("release.key"), self.path("trusted/release.pub")
        subprocess.run(["minisign", "-G", "-W", "-p", public, "-s", secret], check=True, capture_output=True)
        image = self.write("signed.bin", firmware(9))
        subprocess.run(["minisign", "-S", "-W", "-s", secret, "-m", image, "-t", "board 1.4"], check=True,
                       capture_output=True)
        recipe = self.write("signed.json", {"chip": CHIP, "images": ["signed.bin"], "address": hex(BASE),
                                            "signature": {"required": True}})
        self.cli("recipe", "signed", "save", recipe)
        self.assertRegex(self.cli("recipe", "signed/1", "lint", code=1).stdout, r"(?m)^error +unsigned ")
        other = self.write("other.bin", firmware(11))
        self.cli("upload", other, "--address", hex(BASE))
        self.cli("sign", other, image + ".minisig", code=4)
        signature = self.ask("sign", image, image + ".minisig")
        self.assertEqual((signature["key_name"], signature["comment"]), ("release", "board 1.4"))
        self.cli("recipe", "signed/1", "lint")


class Access(Case):
    def test_keys(self):
        path = self.make_key("mes-7", "mes")
        with open(path, encoding="utf-8") as file:
            secret = file.read().strip()
        self.assertRegex(secret, "^ff_[a-z0-9]{10}_")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.ask("whoami", key=path)["roles"], ["mes"])
        refused = self.cli("pool", "x", "create", "--last", "9", key=path, code=4)
        self.assertIn("this is for the roles engineer; mes-7 has mes", refused.stderr)
        self.cli("keys", key=path, code=4)
        listed = self.cli("keys", "--json").stdout
        self.assertNotIn(secret, listed)
        row = [item for item in json.loads(listed)["items"] if item["name"] == "mes-7"][0]
        self.cli("key", "mes-7", "create", "--role", "mes", "--output", path, code=2)  # nor is a key made then
        self.assertEqual(len([i for i in self.ask("keys")["items"] if i["name"] == "mes-7"]), 1)
        self.cli("key", "nobody", "create", "--role", "boss", "--output", self.path("no.key"), code=4)
        self.assertFalse(os.path.exists(self.path("no.key")))
        shown = self.cli("key", "shown", "create", "--role", "auditor", "--expires", "2099-01-01T00:00:00Z")
        self.assertRegex(shown.stdout, r"(?m)^key +ff_")
        self.cli("key", row["id"], "revoke")
        self.assertIn("HTTP 401", self.cli("whoami", key=path, code=4).stderr)

    def test_people(self):
        old, new = self.write("old", "correct horse battery\n"), self.write("new", "staple battery horse\n")
        self.cli("user", "eva", "add", "--role", "engineer", "--role", "auditor", "--password-file", old)
        self.assertRegex(self.cli("users").stdout, r"(?m)^eva +engineer,auditor ")
        self.assertEqual(self.ask("user", "eva", "roles", "--role", "operator")["roles"], ["operator"])
        own = ("user", "eva", "password", "--password-file", new, "--old-password-file")
        weak = self.make_key("weak", "operator")
        self.assertIn("not right", self.cli(*own, new, key=weak, code=4).stderr)
        self.cli(*own, old, key=weak)
        self.assertIn("not right", self.cli(*own, old, key=weak, code=4).stderr)
        self.cli("user", "eva", "password", "--password-file", old, key=weak, code=4)
        self.cli("user", "eva", "password", "--password-file", old)  # an admin sets it
        self.assertIn("nobody to ask", self.cli("user", "ann", "add", "--role", "mes", code=2).stderr)
        self.cli("user", "eva", "remove")
        self.cli("user", "eva", "remove", code=4)

    def test_password_is_not_shown(self):
        leader, follower = pty.openpty()
        child = subprocess.Popen([FLASHFARM, "user", "tom", "add", "--role", "mes"], stdin=follower, stdout=follower,
                                 stderr=follower, env={"FLASHFARM_SERVER": self.line.daemon.url,
                                                       "FLASHFARM_KEY_FILE": self.line.key})
        os.close(follower)
        seen = b""
        for question in (b"new password: ", b"once more: "):
            while not seen.endswith(question):
                self.assertTrue(select.select([leader], [], [], LIMIT_S)[0], seen)
                seen += os.read(leader, 1000)
            os.write(leader, b"a secret of eighteen\n")
        try:
            while part := os.read(leader, 1000):
                seen += part
        except OSError:
            pass
        os.close(leader)
        self.assertEqual(child.wait(LIMIT_S), 0, seen)
        self.assertNotIn(b"secret", seen)
        self.cli("user", "tom", "remove")

    def test_webhooks(self):
        self.assertIn("webhook_hosts", self.cli("webhook", "http://127.0.0.1:10/x", "add", code=4).stderr)
        secret = self.path("hook.secret")
        made = self.ask("webhook", "http://127.0.0.1:9/x", "add", "--topics", "run.,job.", "--output", secret)
        self.assertNotIn("secret", made)
        self.assertEqual(made["topics"], ["run.", "job."])
        self.assertEqual(stat.S_IMODE(os.stat(secret).st_mode), 0o600)
        with open(secret, encoding="utf-8") as file:
            self.assertRegex(file.read(), "^whsec_.{32,}\n$")
        self.assertRegex(self.cli("webhooks").stdout, rf"(?m)^{made['id']} +http://127.0.0.1:9/x +run.,job. +active ")
        self.cli("webhook", made["id"], "remove")
        self.cli("webhook", made["id"], "remove", code=4)


class Evidence(Case):
    def damage(self, path, what, by):
        with open(path, "rb") as file:
            content = file.read()
        self.assertEqual(len(what), len(by))
        self.assertIn(what, content)
        return self.write("damaged", content.replace(what, by))

    def test_evidence(self):
        self.cli("pool", "proven", "create", "--last", "9", "--prefix", "E", "--digits", "5")
        self.cli("submit", self.write("e.json", self.order("proven", ["A8"])))
        backup = self.path("copy.db")
        made = self.ask("backup", "--output", backup)
        self.assertEqual(os.path.getsize(backup), made["size"])
        self.assertRegex(self.cli("backups").stdout, rf"(?m)^{re.escape(made['name'])} ")
        public, note = self.path("line.pub"), self.path("line.note")
        self.cli("audit", "key", public)
        self.assertIn("in order", self.cli("audit", "verify", backup, "--public-key", public).stdout)
        self.cli("audit", "verify", self.damage(backup, b'"work_order":', b'"work_orDer":'), code=5)
        self.cli("backup", "--output", backup, code=2)
        self.cli("audit", "checkpoint", note)
        cut = self.cli("audit", "verify", backup, "--public-key", public, "--witness", note, code=5)
        self.assertIn("the end was cut off", cut.stdout)

        bundle = self.path("bundle")
        self.cli("audit", "export", bundle)
        self.cli("audit", "check", bundle, "--public-key", public)
        self.cli("audit", "check", self.damage(bundle, b"E00001", b"E00002"), "--public-key", public, code=5)
        proof = self.path("E00001.proof")
        self.cli("audit", "prove", "E00001", proof)
        self.assertIn("E00001", self.cli("audit", "check", proof, "--public-key", public).stdout)
        self.cli("audit", "check", self.damage(proof, b'"outcome":"pass"', b'"outcome":"fail"'), "--public-key",
                 public, code=5)
        self.cli("audit", "prove", "E99999", self.path("no.proof"), code=4)
        self.assertFalse(os.path.exists(self.path("no.proof")))


class Tls(Case):
    def certificate(self, name, *more):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-keyout", self.path(name + ".key.pem"), "-out", self.path(name + ".pem"), *more],
                       check=True, capture_output=True)
        os.chmod(self.path(name + ".key.pem"), 0o600)
        return self.path(name + ".pem")

    def test_trust(self):
        named = ("-subj", "/CN=line1.example", "-addext", "subjectAltName=DNS:line1.example,DNS:localhost")
        certificate, other = self.certificate("line", *named), self.certificate("other", *named)
        ann = self.certificate("ann", "-subj", "/CN=ann/OU=auditor")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        state = self.path("tls-state")
        text = (f"[daemon]\nlisten = 127.0.0.1:{port}\nstate = {state}\ntls_certificate = {certificate}\n"
                f"tls_key = {self.path('line.key.pem')}\ntls_client_ca = {ann}\n")
        config = self.write("tls.conf", text)
        daemon = Daemon(config)
        self.addCleanup(daemon.stop)
        at_home = {"FLASHFARM_SERVER": "", "FLASHFARM_KEY_FILE": ""}
        self.assertEqual(self.ask("whoami", "--config", config, **at_home)["name"], "local")
        # The certificate of the configuration is the only one that counts, whatever name another one has.
        impostor = self.write("impostor.conf", text.replace(certificate, other))
        self.assertIn("is not trusted", self.cli("whoami", "--config", impostor, code=3, **at_home).stderr)
        remote = {"FLASHFARM_SERVER": f"https://localhost:{port}", "FLASHFARM_KEY_FILE": state + "/key"}
        self.assertIn("--ca FILE", self.cli("whoami", code=3, **remote).stderr)
        self.cli("whoami", "--ca", other, code=3, **remote)
        self.cli("whoami", "--ca", certificate, **remote)
        self.cli("whoami", FLASHFARM_CA=certificate, **remote)
        remote["FLASHFARM_SERVER"] = f"https://127.0.0.1:{port}"  # which is no name of the certificate
        self.cli("whoami", "--ca", certificate, code=3, **remote)
        who = self.ask("whoami", "--config", config, "--certificate", ann, "--certificate-key",
                       self.path("ann.key.pem"), **at_home)
        self.assertEqual((who["name"], who["roles"], who["how"]), ("ann", ["auditor"], "certificate"))


if __name__ == "__main__":
    FLASHFARM, FLASHFARMD, FLASHFARM_SIM = (os.path.abspath(sys.argv.pop(1)) for _ in range(3))
    Case.line = Line()
    try:
        unittest.main(verbosity=1, exit=False).result.wasSuccessful() or sys.exit(1)
    finally:
        Case.line.close()
