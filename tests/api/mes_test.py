#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clients/python: the whole client against the daemon, and mes_example.py across a daemon that is killed in the midst
of an order and started again.

Usage: mes_test.py FLASHFARMD FLASHFARM-SIM"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from daemon_under_test import Boards, Daemon

CLIENTS = pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"
sys.path.insert(0, str(CLIENTS))
import flashfarm  # noqa: E402  pylint: disable=wrong-import-position

FLASHFARMD, FLASHFARM_SIM = sys.argv[1:3]
BOARDS = 8
LIMIT_S = 120
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {what}", flush=True)
    return good


def same(got, want, what):
    return check(got == want, f"{what}: got {got!r}, want {want!r}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Farm:
    """A daemon that comes back at the same address, with boards that take as long as real ones."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="flashfarm-mes-")
        self.boards = Boards(FLASHFARM_SIM, self.directory, f"stm32f103xb={BOARDS + 2}", "--pace")
        self.config = os.path.join(self.directory, "flashfarm.conf")
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        self.url = f"http://127.0.0.1:{free_port()}"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^listen\s*=.*$", "listen = " + self.url[7:], text, flags=re.M))
        self.daemon = Daemon(FLASHFARMD, self.config)
        self.engineer = flashfarm.Client.of_config(self.config)

    def key_file(self, name, role):
        path = os.path.join(self.directory, name + ".key")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{name} {self.engineer.post('/v1/keys', {'name': name, 'roles': [role]})['key']}\n")
        return path

    def close(self):
        if self.daemon.process.poll() is None:
            self.daemon.stop(signal.SIGKILL)
        self.boards.close()
        shutil.rmtree(self.directory)


def firmware(farm):
    path = os.path.join(farm.directory, "fw.bin")
    with open(path, "wb") as file:
        file.write((0x20001000).to_bytes(4, "little") + (0x08000101).to_bytes(4, "little") + bytes(range(256)) * 24)
    return path


def test_client(farm):
    """Pools, recipes, orders and their account, each by the client's own words."""
    client = farm.engineer
    image = client.upload(firmware(farm), address=0x08000000)
    pool = client.create_pool(name="boards", first=1, last=100, format={"prefix": "SN", "digits": 4})
    same([p["name"] for p in client.pools()], ["boards"], "pools")
    same(client.pool_command("boards", "burn", "a test", count=2)["counts"]["burned"], 2, "burned")
    client.pool_command("boards", "close", "a test")
    same(client.pool_command("boards", "open", "a test")["state"], "open", "opened")
    same(pool["left"], 100, "left")
    content = {"name": "simple", "chip": "stm32f103xb", "images": [image["id"]], "serial_pool": "boards",
               "fields": [{"name": "serial", "address": "0x0801fc00", "width": 16, "encoding": "ascii",
                           "source": {"pool": "boards"}}]}
    draft = client.create_recipe(**content)
    changed = client.replace_recipe(draft, **content, description="second thought")
    try:
        client.replace_recipe(draft, **content)
        check(False, "an old recipe overwrites a newer one")
    except flashfarm.Problem as problem:
        same(problem.status, 412, "an old recipe")
    same(client.lint(changed), [], "findings")
    released = client.release(changed, reason="review 1")
    same((released["state"], client.recipe("simple", 1)["state"]), ("released", "released"), "released")
    same([r["version"] for r in client.recipes(name="simple", state="released")], [1], "recipes")
    order = {"recipe": "simple", "stations": [f"A{BOARDS + 1}", f"A{BOARDS + 2}"], "trigger": "immediate",
             "work_order": "MO-1"}
    same(client.dry_run(**order)["units"], 2, "units of a dry run")
    job = client.submit(idempotency_key="MO-1/1", **order)
    same(client.submit(idempotency_key="MO-1/1", **order)["id"], job["id"], "the same order")
    same(client.wait(job["id"], timeout_s=LIMIT_S)["state"], "done", "the job")
    account = client.reconcile(job["id"], ["SN9999"])
    same(sorted(account.items()), [("SN0003", "pass"), ("SN0004", "pass"), ("SN9999", flashfarm.NOT_BEGUN)], "account")
    same({s["serial"] for s in client.serials("boards", "pass")}, {"SN0003", "SN0004"}, "serials of the pool")
    same(client.settle("SN0004", "burned", "scrapped")["state"], "burned", "settled")
    same(client.serial("SN0004")["reason"], "scrapped", "the reason")
    same(len(list(client.runs(job=job["id"], pool="boards", recipe="simple/1", outcome="pass"))), 2, "runs")
    same(client.retire(client.recipe("simple", 1), reason="superseded")["state"], "retired", "retired")
    return image["id"]


def test_genuine():
    """The receiver's check, against the example of Standard Webhooks."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = {"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
               "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    long_ago = float("inf")
    check(flashfarm.webhook_is_genuine(secret, headers, body, long_ago), "a good signature")
    check(not flashfarm.webhook_is_genuine(secret, headers, body), "one of years ago")
    check(not flashfarm.webhook_is_genuine(secret, headers, body + b" ", long_ago), "another body")
    check(not flashfarm.webhook_is_genuine(secret, headers | {"Webhook-Id": "x"}, body, long_ago), "another id")
    check(not flashfarm.webhook_is_genuine(secret, {}, body, long_ago), "none at all")


class Example:
    """mes_example.py as a process, and what it has said."""

    def __init__(self, farm, key_file, work_order):
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(CLIENTS / "mes_example.py"), "--server", farm.url, "--key-file", key_file,
             "--recipe", "controller", "--work-order", work_order, "--quantity", str(BOARDS),
             "--stations", ",".join(f"A{i}" for i in range(1, BOARDS + 1))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    def count(self, pattern):
        return sum(bool(re.search(pattern, line)) for line in self.lines)

    def wait(self, pattern, count):
        with self.news:
            return self.news.wait_for(lambda: self.count(pattern) >= count, LIMIT_S)

    def end(self):
        status = self.process.wait(LIMIT_S)
        self.reader.join(LIMIT_S)
        self.process.stdout.close()
        return status


def test_example(farm, image):
    """Killed while boards are being written, and again; the order is done all the same, and every serial is accounted
    for, once."""
    client = farm.engineer
    draft = client.create_recipe(
        name="controller", chip="stm32f103xb", images=[image],
        fields=[{"name": "serial", "address": "0x0801fc00", "width": 24, "encoding": "ascii", "source": {"unit": "serial"}},
                {"name": "mac", "address": "0x0801fc18", "width": 6, "encoding": "bytes", "source": {"unit": "mac"}}],
        checks=[{"name": "crc", "address": "0x0801fc20", "algorithm": "crc-32",
                 "range": {"address": "0x0801fc00", "size": 32}}])
    client.release(draft)
    key_file = farm.key_file("mes", "mes")
    example = Example(farm, key_file, "WO-4711")
    try:
        for seen in (1, BOARDS // 2 + 1):
            if not check(example.wait(r"^\d+ started ", seen), "units are begun"):
                return
            farm.daemon.stop(signal.SIGKILL)
            time.sleep(1)  # the client must find nobody for a while
            farm.daemon = Daemon(FLASHFARMD, farm.config)
        status = example.end()
    finally:
        if example.process.poll() is None:
            example.process.kill()
            example.end()
    serials = [f"WO-4711-{i:04}" for i in range(1, BOARDS + 1)]
    said = {line.split(" ")[0]: line.split(" ")[1] for line in example.lines if line.startswith("WO-4711-")}
    if not same((status, said), (0, dict.fromkeys(serials, "pass")), "the example's account"):
        print("\n".join(example.lines))
    check(example.count("the daemon is back") >= 2, "it has heard of both restarts")
    ids = [int(line.split(" ")[0]) for line in example.lines if re.match(r"\d+ ", line)]
    same(ids, sorted(set(ids)), "facts in order, none twice")
    passed = [(run["serial"], run["uid"]) for run in client.runs(work_order="WO-4711", outcome="pass")]
    same(sorted(serial for serial, _ in passed), serials, "one good run for each serial")
    same(len({uid for _, uid in passed}), BOARDS, "one board for each serial")
    same([j["state"] for j in client.list("/v1/jobs?work_order=WO-4711")], ["done"], "one job")
    same(next(client.list("/v1/jobs?work_order=WO-4711"))["by"], "mes", "ordered by the MES")
    # The same order again orders nothing, and tells the same account.
    again = Example(farm, key_file, "WO-4711")
    same(again.end(), 0, "the same order again")
    same(len(list(client.list("/v1/jobs?work_order=WO-4711"))), 1, "still one job")


def run(test, *arguments):
    before = failures
    result = test(*arguments)
    print(f"{'ok  ' if failures == before else 'FAIL'} {test.__name__}", flush=True)
    return result


def main():
    farm = Farm()
    try:
        run(test_genuine)
        image = run(test_client, farm)
        run(test_example, farm, image)
    finally:
        if failures:
            print("".join(farm.daemon.log[-40:]))
        farm.close()
    return 1 if failures else 0


sys.exit(main())
