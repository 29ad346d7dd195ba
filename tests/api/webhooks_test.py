#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Webhooks against receivers that are good, slow, deaf, wrong, gone and back, and a daemon that is killed.

Usage: webhooks_test.py FLASHFARMD FLASHFARM-SIM"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from daemon_under_test import Boards, Daemon, add_settings

FLASHFARMD, FLASHFARM_SIM = sys.argv[1:3]
LIMIT_S = 90
PATIENCE_S = 15  # the daemon gives a receiver 20 s to answer
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {what}", flush=True)
    return good


def same(got, want, what):
    return check(got == want, f"{what}: got {got!r}, want {want!r}")


class Receiver:
    """Answers what `answer` says for each request, and keeps what it has taken (2xx) in order of arrival."""

    def __init__(self, port=0, tls=None):
        self.answer = lambda taken: 204
        self.requests, self.taken = [], []
        self.news = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answer(len(receiver.taken))
                if status is None:
                    self.close_connection = True
                    return
                request = (dict(self.headers), body, self.path)
                with receiver.news:
                    receiver.requests.append(request)
                    if 200 <= status < 300:
                        receiver.taken.append(request)
                    receiver.news.notify_all()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                with receiver.news:
                    receiver.requests.append((dict(self.headers), b"", "GET " + self.path))
                self.send_error(404)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # a connection of a daemon that was killed

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/hook"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def wait(self, good, what):
        with self.news:
            if not self.news.wait_for(lambda: good(self), LIMIT_S):
                check(False, f"{what} did not come in {LIMIT_S} s: {len(self.taken)} taken of {len(self.requests)}")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def signature_is_good(request, secret):
    """As a receiver checks it: a few lines after the published scheme."""
    headers, body, _ = request
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return (headers["webhook-signature"] == "v1," + base64.b64encode(wanted).decode()
            and abs(time.time() - int(headers["webhook-timestamp"])) < 300)


class Farm:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="flashfarm-hook-")
        self.boards = Boards(FLASHFARM_SIM, self.directory, "stm32f103xb=1")
        self.config = os.path.join(self.directory, "flashfarm.conf")
        add_settings(self.config, webhook_hosts="127.0.0.1 other.example:8080")
        # No proxy of the environment may stand between: this one would swallow everything.
        os.environ["http_proxy"] = os.environ["HTTP_PROXY"] = os.environ["all_proxy"] = "http://127.0.0.1:1"
        self.daemon = Daemon(FLASHFARMD, self.config)

    def restart(self, number):
        self.daemon.stop(number)
        self.daemon = Daemon(FLASHFARMD, self.config)

    def create(self, receiver, **more):
        answer = self.daemon.ask("POST", "/v1/webhooks", {"url": receiver.url} | more)
        same(answer.status, 201, f"a webhook: {answer.body!r}")
        return answer.json

    def webhook(self, wanted):
        return next((w for w in self.daemon.ask("GET", "/v1/webhooks").json["items"] if w["id"] == wanted), None)

    def wait_webhook(self, wanted, good, what):
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            webhook = self.webhook(wanted)
            if good(webhook):
                return webhook
            time.sleep(0.02)
        check(False, f"{what}: {webhook}")
        return webhook

    def facts(self, count):
        """So many facts that nothing but the record is needed for."""
        for i in range(count):
            answer = self.daemon.ask("POST", "/v1/stations/A1/" + ("disable", "enable")[i % 2])
            same(answer.status, 200, "a fact")

    def ledger(self, first=1):
        records = []
        while first is not None:
            page = self.daemon.ask("GET", f"/v1/ledger?from={first}&limit=1000").json
            records += page["items"]
            first = page["next"]
        return records

    def head(self):
        return self.daemon.ask("GET", "/v1/ledger/head").json["sequence"]

    def remove(self, webhook):
        same(self.daemon.ask("DELETE", "/v1/webhooks/" + webhook["id"]).status, 204, "removal")

    def close(self):
        if self.daemon.process.poll() is None:
            self.daemon.stop(signal.SIGKILL)
        self.boards.close()
        shutil.rmtree(self.directory)


def delivered(receiver, farm, first, topics, killed=False):
    """What was taken, compared with the ledger from `first` on: every fact, in order, each as the ledger has it; and
    none twice, unless the daemon was killed, when it may not have known that one was taken."""
    with receiver.news:
        taken = list(receiver.taken)
    records = {r["sequence"]: r for r in farm.ledger(first)}
    wanted = [s for s, r in records.items() if r["kind"].startswith(topics)]
    ids = [int(headers["webhook-id"]) for headers, _, _ in taken]
    unique = list(dict.fromkeys(ids)) if killed else ids
    same(unique, wanted[:len(unique)], "every fact of the topics, in ledger order")
    for (_, body, _), sequence in zip(taken, ids):
        message, record = json.loads(body), records[sequence]
        same(message, {"sequence": sequence, "type": record["kind"], "timestamp": record["utc"], "data": record["body"]},
             "a fact as the ledger has it")


def test_none(farm):
    """Who has no webhooks has no file for them."""
    farm.restart(signal.SIGTERM)
    farm.facts(1)
    check(not os.path.exists(os.path.join(farm.directory, "state", "webhooks.json")), "no webhooks.json without a webhook")


def test_order_and_signature(farm):
    receiver = Receiver()
    webhook = farm.create(receiver, topics=["station."])
    start = webhook["delivered"] + 1
    farm.facts(30)
    receiver.wait(lambda r: len(r.taken) >= 30, "thirty facts")
    farm.wait_webhook(webhook["id"], lambda w: w["delivered"] >= farm.head() - 1, "the cursor is at the end")
    delivered(receiver, farm, start, ("station.",))
    check(all(signature_is_good(r, webhook["secret"]) for r in receiver.taken), "signatures")
    check(not signature_is_good((receiver.taken[0][0], receiver.taken[0][1] + b" ", ""), webhook["secret"]),
          "a changed body is noticed")
    same({r[0]["Content-Type"] for r in receiver.taken}, {"application/json"}, "type")
    farm.remove(webhook)
    count = len(receiver.requests)
    other = farm.create(receiver, topics=["station."], secret="whsec_" + base64.b64encode(b"k" * 24).decode())
    farm.facts(2)
    receiver.wait(lambda r: len(r.requests) >= count + 2, "a fact to the second")
    check(signature_is_good(receiver.taken[-1], other["secret"]), "a secret of one's own")
    farm.remove(other)
    receiver.close()


def test_from_the_beginning(farm):
    """All facts that ever were, passed over those that are not asked for."""
    receiver = Receiver()
    webhook = farm.create(receiver, topics=["daemon."], **{"from": 1})
    receiver.wait(lambda r: r.taken, "daemon.started")
    same(json.loads(receiver.taken[0][1])["type"], "daemon.started", "the first fact")
    farm.wait_webhook(webhook["id"], lambda w: w["delivered"] >= farm.head() - 2, "the cursor passes over the others")
    farm.remove(webhook)
    receiver.close()


def test_failing_receiver(farm):
    """500, redirections, cut connections: each is tried again, nothing is skipped, nothing overtakes."""
    receiver = Receiver()
    wrong = [500, 302, None]
    receiver.answer = lambda taken: wrong.pop() if wrong else 204
    webhook = farm.create(receiver, topics=["station."])
    start = webhook["delivered"] + 1
    farm.facts(4)
    failing = farm.wait_webhook(webhook["id"], lambda w: w["failures"] >= 2, "failures are shown")
    check(failing["last_error"], "and why")
    receiver.wait(lambda r: len(r.taken) >= 4, "four facts after three failures")
    delivered(receiver, farm, start, ("station.",))
    same({path for _, _, path in receiver.requests}, {"/hook"}, "no redirection is followed")
    same(farm.wait_webhook(webhook["id"], lambda w: w["failures"] == 0, "reached again")["last_error"], None, "error")
    farm.remove(webhook)
    receiver.close()


def test_deaf_receiver(farm):
    """One that takes connections and never answers, and one that refuses them, slow nobody."""
    deaf = socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    receiver = Receiver()
    hooks = [farm.daemon.ask("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{p}/", "topics": ["station."]}).json
             for p in (deaf.getsockname()[1], port)]
    hooks.append(farm.create(receiver, topics=["station."]))
    began = time.monotonic()
    farm.facts(20)
    receiver.wait(lambda r: len(r.taken) >= 20, "facts beside a deaf receiver")
    check(time.monotonic() - began < PATIENCE_S, "nobody waits for the deaf one")
    # Nor does the daemon's stop wait for it.
    began = time.monotonic()
    farm.restart(signal.SIGTERM)
    check(time.monotonic() - began < PATIENCE_S, "a deaf receiver does not hold the stop")
    for webhook in hooks:
        farm.remove(webhook)
    deaf.close()
    receiver.close()


def test_killed_daemon(farm):
    """Receiver away, daemon killed and started again, again and again: every fact once it is back, in order."""
    receiver = Receiver()
    port = receiver.port
    webhook = farm.create(receiver, topics=["station.", "daemon."])
    start = webhook["delivered"] + 1
    farm.facts(3)
    receiver.wait(lambda r: len(r.taken) >= 3, "the first facts")
    taken = receiver.taken
    receiver.close()
    farm.facts(3)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        farm.restart(number)
        farm.facts(2)
    receiver = Receiver(port)
    receiver.taken = taken
    wanted = sum(r["kind"].startswith(("station.", "daemon.")) for r in farm.ledger(start))
    receiver.wait(lambda r: len({h["webhook-id"] for h, _, _ in r.taken}) >= wanted, "all facts after the kills")
    delivered(receiver, farm, start, ("station.", "daemon."), killed=True)
    check(all(signature_is_good(r, webhook["secret"]) for r in receiver.taken), "the same secret as before")

    # Killed in the midst of sending: what was not yet known to be taken comes again, and nothing is lost.
    for _ in range(3):
        farm.facts(10)
        farm.restart(signal.SIGKILL)
    wanted = sum(r["kind"].startswith(("station.", "daemon.")) for r in farm.ledger(start))
    receiver.wait(lambda r: len({h["webhook-id"] for h, _, _ in r.taken}) >= wanted, "all facts")
    delivered(receiver, farm, start, ("station.", "daemon."), killed=True)
    farm.remove(webhook)
    receiver.close()


def test_gone(farm):
    """410 disables, which is a fact; it stays so, and can be taken up again where it was."""
    receiver = Receiver()
    receiver.answer = lambda taken: 204 if taken < 2 else 410
    webhook = farm.create(receiver, topics=["station."])
    farm.facts(4)
    disabled = farm.wait_webhook(webhook["id"], lambda w: w["state"] == "disabled", "disabled by 410")
    check("410" in disabled["reason"], disabled["reason"])
    facts = [r["body"] for r in farm.ledger() if r["kind"] == "webhook.state" and r["body"]["id"] == webhook["id"]]
    same([(f["state"], f["by"]) for f in facts], [("active", "local"), ("disabled", "daemon")], "facts of it")
    check("secret" not in json.dumps(facts), "no secret in the record")
    farm.restart(signal.SIGKILL)
    count = len(receiver.requests)
    farm.facts(2)
    same(farm.webhook(webhook["id"])["state"], "disabled", "disabled after a restart")
    same(len(receiver.requests), count, "the disabled one sends nothing")
    receiver.answer = lambda taken: 204
    again = farm.create(receiver, topics=["station."], **{"from": farm.webhook(webhook["id"])["delivered"] + 1})
    receiver.wait(lambda r: len(r.taken) >= 6, "what was missed")
    delivered(receiver, farm, webhook["delivered"] + 1, ("station.",), killed=True)
    for one in (webhook, again):
        farm.remove(one)
    receiver.close()


def test_certificate(farm):
    """A receiver that cannot prove who it is gets nothing."""
    files = [os.path.join(farm.directory, name) for name in ("receiver.pem", "receiver.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0],
                    "-keyout", files[1]], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*files)
    receiver = Receiver(tls=tls)
    webhook = farm.create(receiver, topics=["station."])
    farm.facts(1)
    failing = farm.wait_webhook(webhook["id"], lambda w: w["failures"] >= 1, "a failure")
    check("certificate" in (failing["last_error"] or ""), failing["last_error"])
    same(receiver.requests, [], "nothing is sent to a stranger")
    farm.remove(webhook)
    receiver.close()


def test_file(farm):
    """Secrets are readable by the daemon alone, and lost ones disable what needs them."""
    receiver = Receiver()
    webhook = farm.create(receiver, topics=["station."])
    path = os.path.join(farm.directory, "state", "webhooks.json")
    same(os.stat(path).st_mode & 0o777, 0o600, "mode of webhooks.json")
    with open(path, encoding="utf-8") as file:
        check(webhook["secret"].removeprefix("whsec_") in file.read(), "the secret is kept before the answer")
    farm.daemon.stop()
    os.remove(path)
    farm.daemon = Daemon(FLASHFARMD, farm.config)
    disabled = farm.wait_webhook(webhook["id"], lambda w: w and w["state"] == "disabled", "a webhook without secret")
    check("secret" in disabled["reason"], disabled["reason"])
    farm.remove(webhook)
    receiver.close()


def test_allow_list(farm):
    """What the configuration does not allow any more is disabled at the next start."""
    receiver = Receiver()
    webhook = farm.create(receiver, topics=["station."])
    same(farm.daemon.ask("POST", "/v1/webhooks", {"url": "http://other.example:81/"}).status, 422, "another port")
    same(farm.daemon.ask("POST", "/v1/webhooks", {"url": "http://127.0.0.1.evil.example/"}).status, 422, "another host")
    with open(farm.config, encoding="utf-8") as file:
        text = file.read()
    with open(farm.config, "w", encoding="utf-8") as file:
        file.write(text.replace("webhook_hosts = 127.0.0.1 other", "webhook_hosts = other"))
    farm.daemon.stop()
    count = len(receiver.requests)
    farm.daemon = Daemon(FLASHFARMD, farm.config)
    farm.facts(2)
    disabled = farm.wait_webhook(webhook["id"], lambda w: w and w["state"] == "disabled", "a host that is not allowed")
    check("webhook_hosts" in disabled["reason"], disabled["reason"])
    same(len(receiver.requests), count, "nothing is sent there any more")
    receiver.close()


def main():
    farm = Farm()
    try:
        for test in (test_none, test_order_and_signature, test_from_the_beginning, test_failing_receiver, test_deaf_receiver,
                     test_killed_daemon, test_gone, test_certificate, test_file, test_allow_list):
            before = failures
            test(farm)
            print(f"{'ok  ' if failures == before else 'FAIL'} {test.__name__}", flush=True)
        same(farm.daemon.stop(), 0, "exit status")
    finally:
        if failures:
            print("".join(farm.daemon.log[-30:]))
        farm.close()
    return 1 if failures else 0


sys.exit(main())
