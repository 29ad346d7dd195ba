# SPDX-License-Identifier: Apache-2.0
"""A client of flashfarmd for a manufacturing execution system: one file, nothing but Python's own library.

    farm = Client("http://127.0.0.1:8470", key_file="/var/lib/flashfarm/key")
    image = farm.upload("firmware.hex")
    job = farm.submit(chip="stm32f103xb", images=[image["id"]], stations="all", quantity=16, work_order="WO-4711")
    job = farm.wait(job["id"])
    for run in farm.runs(job=job["id"]):
        print(run["station"], run["outcome"], run["uid"])

In a factory an engineer releases a recipe once, and the manufacturing system orders it by name:

    farm.create_pool(name="boards", first=1, last=99999, format={"prefix": "SN", "digits": 6})
    draft = farm.create_recipe(name="controller", chip="stm32f103xb", images=[image["id"]], serial_pool="boards", …)
    farm.release(draft, reason="review 12")

    job = farm.submit(recipe="controller", quantity=500, trigger="on_insert", idempotency_key="WO-4711/1")
    farm.wait(job["id"])
    account = farm.reconcile(job["id"])     # serial -> pass, fail, unknown, …

mes_example.py beside this file does so, across a restart of the daemon. Whatever the daemon answers is given as it came, as dictionaries. A refusal is a Problem, a daemon that cannot be
reached an OSError.
"""

from __future__ import annotations

import base64
import configparser
import dataclasses
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import ssl
import time
import urllib.parse
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

Json = dict[str, Any]
ENDED = ("done", "cancelled")
NOT_BEGUN = "not begun"
PATIENCE = 5  # times that a 429 is waited for


class Problem(Exception):
    """The daemon refused: RFC 9457's title and detail, and the HTTP status."""

    def __init__(self, status: int, body: Json):
        self.status, self.body = status, body
        super().__init__(f"{body.get('title', 'refused')}: {body.get('detail', '')} (HTTP {status})")


@dataclasses.dataclass(frozen=True)
class Event:
    """A fact has the id of its place in the ledger; progress has none."""

    id: str | None
    name: str
    data: Json


class Client:
    """One daemon. Safe to share between threads: every call has a connection of its own."""

    def __init__(self, url: str, key: str | None = None, key_file: str | os.PathLike[str] | None = None,
                 timeout_s: float = 90, ca_file: str | os.PathLike[str] | None = None, reconnect_s: float = 0):
        """`ca_file`: who vouches for the daemon's certificate; the system's list when it is left out.
        `reconnect_s`: how long a call that can be repeated waits for a daemon that is away."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"url is {url!r}; expected http://ADDRESS:PORT")
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._address = parts.netloc
        self._timeout_s = timeout_s
        self._reconnect_s = reconnect_s
        self._headers = {}
        if key_file is not None:
            key = _first_key(pathlib.Path(key_file).read_text(encoding="utf-8"))
        if key:
            self._headers["Authorization"] = "Bearer " + key

    @classmethod
    def of_config(cls, path: str | os.PathLike[str]) -> Client:
        """The daemon that runs with this configuration, on this host."""
        config = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",), strict=False)
        with open(path, encoding="utf-8") as file:
            config.read_file(file)
        daemon = config["daemon"] if config.has_section("daemon") else {}
        state = daemon.get("state", "/var/lib/flashfarm")
        certificate = daemon.get("tls_certificate") or None
        return cls(("https://" if certificate else "http://") + daemon.get("listen", "127.0.0.1:8470"),
                   key_file=daemon.get("key_file") or os.path.join(state, "key"), ca_file=certificate)

    # -- orders

    def upload(self, path: str | os.PathLike[str], address: int | None = None) -> Json:
        """Sends a firmware file; `address` says where a raw binary goes."""
        query = {"name": os.path.basename(path)} | ({} if address is None else {"address": hex(address)})
        with open(path, "rb") as file:
            return self._call("POST", "/v1/images?" + urllib.parse.urlencode(query), file,
                              {"Content-Type": "application/octet-stream",
                               "Content-Length": str(os.fstat(file.fileno()).st_size)})

    def sign(self, image: str, signature: str | os.PathLike[str]) -> Json:
        """Adds a detached signature, a .minisig file, to an image."""
        with open(signature, "rb") as file:
            return self._call("POST", f"/v1/images/{image}/signatures", file.read(), {"Content-Type": "text/plain"})

    def dry_run(self, **order: Any) -> Json:
        """What would be done, how long it takes at least, and what looks wrong. Orders nothing."""
        return self.post("/v1/jobs", order | {"dry_run": True})

    def submit(self, *, idempotency_key: str | None = None, tries: int = 3, **order: Any) -> Json:
        """Orders a job; an answer that is lost on the way does not order twice.

        A key of one's own, made from the order's number, keeps that promise even if this program dies.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        for left in reversed(range(tries)):
            try:
                return self._call("POST", "/v1/jobs", json.dumps(order).encode(), headers)
            except (OSError, http.client.HTTPException):
                if not left:
                    raise
                time.sleep(0.3)
        raise ValueError("tries must be at least 1")

    def job(self, number: int) -> Json:
        return self.get(f"/v1/jobs/{number}")

    def command(self, number: int, what: str) -> Json:
        """`what` is cancel, hold or resume."""
        return self.post(f"/v1/jobs/{number}/{what}")

    def scan(self, station: str, code: str, position: str | None = None) -> Json:
        """A code was read from the board that lies at the station, or from its panel."""
        return self.post(f"/v1/stations/{_quote(station)}/scan", {"code": code, "position": position})

    def wait(self, number: int, timeout_s: float = 3600, until: tuple[str, ...] = ENDED) -> Json:
        """The job once it is in one of these states. Hears of it by events, so it is not late."""
        deadline = time.monotonic() + timeout_s
        for event in self.events("job.state", idle=True, timeout_s=timeout_s):
            if event is None or event.data.get("id") == number:
                job = self.job(number)
                if job["state"] in until:
                    return job
            if time.monotonic() > deadline:
                break
        raise TimeoutError(f"job {number} is not {' or '.join(until)} after {timeout_s} s")

    # -- serial pools

    def pools(self) -> Iterator[Json]:
        return self.list("/v1/serial-pools")

    def pool(self, name: str) -> Json:
        return self.get("/v1/serial-pools/" + _quote(name))

    def create_pool(self, **pool: Any) -> Json:
        return self.post("/v1/serial-pools", pool)

    def pool_command(self, name: str, what: str, reason: str, **more: Any) -> Json:
        """`what` is open, close, or burn with `count`."""
        return self.post(f"/v1/serial-pools/{_quote(name)}/{what}", {"reason": reason} | more)

    def serials(self, pool: str, state: str | None = None) -> Iterator[Json]:
        return self.list(f"/v1/serial-pools/{_quote(pool)}/serials" + _query({"state": state}))

    def serial(self, text: str) -> Json:
        return self.get("/v1/serials/" + _quote(text))

    def settle(self, serial: str, state: str, reason: str) -> Json:
        """A person decides on a number in doubt: pass, fail or burned."""
        return self.post(f"/v1/serials/{_quote(serial)}/settle", {"state": state, "reason": reason})

    # -- recipes

    def recipes(self, name: str | None = None, state: str | None = None) -> Iterator[Json]:
        return self.list("/v1/recipes" + _query({"name": name, "state": state}))

    def recipe(self, name: str, version: int) -> Json:
        return self.get(f"/v1/recipes/{_quote(name)}/{version}")

    def create_recipe(self, **content: Any) -> Json:
        """The next version of that name, as a draft."""
        return self.post("/v1/recipes", content)

    def replace_recipe(self, recipe: Json, **content: Any) -> Json:
        """Refused with 412 when somebody has changed the draft since `recipe` was read."""
        return self._change("PUT", recipe, "", content)

    def lint(self, recipe: Json) -> list[Json]:
        return self.get(_recipe_path(recipe) + "/lint")["findings"]

    def release(self, recipe: Json, reason: str = "") -> Json:
        return self._change("POST", recipe, "/release", {"reason": reason})

    def retire(self, recipe: Json, reason: str = "") -> Json:
        return self._change("POST", recipe, "/retire", {"reason": reason})

    def _change(self, method: str, recipe: Json, what: str, body: Json) -> Json:
        return self._call(method, _recipe_path(recipe) + what, json.dumps(body).encode(),
                          {"Content-Type": "application/json", "If-Match": f'"{recipe["fact"]}"'})

    # -- records

    def runs(self, **filters: Any) -> Iterator[Json]:
        """Newest first: job, serial, uid, image, work_order, station, outcome, by, recipe, pool, from_, to."""
        return self.list("/v1/runs" + _query({name.rstrip("_"): value for name, value in filters.items()}))

    def unit(self, serial_or_uid: str) -> Json:
        return self.get("/v1/units/" + _quote(serial_or_uid))

    def reconcile(self, job: int, serials: Iterable[str] = ()) -> dict[str, str]:
        """What has become of every number that the job has used, and of every serial that was ordered: its state
        (`pass`, `fail`, `unknown`, …), or `not begun`. Asked of the record, not of what was heard on the way."""
        account = dict.fromkeys(serials, NOT_BEGUN)
        for run in self.runs(job=job):
            for number in run.get("numbers") or ():
                account.setdefault(number["text"], NOT_BEGUN)
        for text in account:
            try:
                account[text] = self.serial(text)["state"]
            except Problem as problem:
                if problem.status != 404:
                    raise
        return account

    def list(self, path: str) -> Iterator[Json]:
        """The items of a list, page after page."""
        cursor = None
        while True:
            more = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
            page = self.get(path + ("&" if "?" in path else "?") + urllib.parse.urlencode(more))
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    # -- events

    def events(self, topics: str | None = None, last_event_id: str | None = None, *, idle: bool = False,
               timeout_s: float = float("inf")) -> Iterator[Event | None]:
        """Facts and progress as they happen, for ever or for `timeout_s`.

        Goes on by itself behind the last fact after a break. With `idle`, None is given at every (re)connection
        and at every sign of life, so that the caller may look around.
        """
        path = "/v1/events" + ("?" + urllib.parse.urlencode({"topics": topics}) if topics else "")
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
            try:
                for event in self._stream(path, headers, deadline):
                    if time.monotonic() > deadline:
                        return
                    if event is not None and event.id is not None:
                        last_event_id = event.id
                    if event is not None or idle:
                        yield event
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))

    def _stream(self, path: str, headers: dict[str, str], deadline: float) -> Iterator[Event | None]:
        # The daemon gives a sign of life every 15 s.
        limit_s = max(0.01, min(45, deadline - time.monotonic()))
        connection = self._connection(limit_s)
        try:
            connection.request("GET", path, headers=self._headers | headers)
            response = connection.getresponse()
            if response.status != 200:
                if response.status == 503:
                    return
                raise Problem(response.status, _json(response.read()))
            yield from _read_events(response)
        finally:
            connection.close()

    # -- plain calls

    def get(self, path: str) -> Json:
        return self._call("GET", path, None, {})

    def post(self, path: str, body: Json | None = None) -> Json:
        if body is None:
            return self._call("POST", path, b"", {})
        return self._call("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self._address, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(self._address, timeout=timeout_s)

    def _call(self, method: str, path: str, body: bytes | BinaryIO | None, headers: dict[str, str]) -> Json:
        repeatable = method == "GET" or "Idempotency-Key" in headers
        deadline = time.monotonic() + (self._reconnect_s if repeatable else 0)
        busy = 0
        while True:
            try:
                status, answer, retry_s = self._ask(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                if time.monotonic() >= deadline:
                    raise
                status, answer, retry_s = 0, {}, 0.3
            if status == 429 and busy < PATIENCE and not hasattr(body, "read"):
                busy += 1  # nothing was done, and it says when to come back; but a file cannot be sent twice
            elif status >= 300 and not (status == 503 and time.monotonic() < deadline):
                raise Problem(status, answer)
            elif 0 < status < 300:
                return answer
            time.sleep(retry_s)

    def _ask(self, method: str, path: str, body: bytes | BinaryIO | None,
             headers: dict[str, str]) -> tuple[int, Json, float]:
        connection = self._connection(self._timeout_s)
        try:
            connection.request(method, path, body, self._headers | headers)
            response = connection.getresponse()
            return response.status, _json(response.read()), float(response.headers.get("Retry-After") or 1)
        finally:
            connection.close()


def webhook_is_genuine(secret: str, headers: Mapping[str, str], body: bytes, tolerance_s: float = 300) -> bool:
    """For a receiver of webhooks: whether the daemon that shares this secret has sent it, just now.

    A fact may come more than once: drop those whose `webhook-id` you have had. They come in order.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    signed = f"{sent.get('webhook-id')}.{sent.get('webhook-timestamp')}.".encode() + body
    wanted = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    given = [word.removeprefix("v1,") for word in sent.get("webhook-signature", "").split() if word.startswith("v1,")]
    try:
        fresh = abs(time.time() - int(sent["webhook-timestamp"])) <= tolerance_s
    except (KeyError, ValueError):
        return False
    return fresh and any(hmac.compare_digest(word, base64.b64encode(wanted).decode()) for word in given)


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _query(parameters: Mapping[str, Any]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return "?" + urllib.parse.urlencode(given) if given else ""


def _recipe_path(recipe: Json) -> str:
    return f"/v1/recipes/{_quote(recipe['name'])}/{recipe['version']}"


def _first_key(text: str) -> str:
    """The key of "NAME KEY" or "KEY" on the first line that is no comment."""
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[1] if len(words) > 1 else words[0]
    raise ValueError("the key file holds no key")


def _json(data: bytes) -> Json:
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return {"detail": data[:200].decode(errors="replace")}


def _read_events(stream: BinaryIO) -> Iterator[Event | None]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html; the daemon ends lines with LF."""
    fields: dict[str, list[str]] = {}
    for raw in iter(stream.readline, b""):
        name, _, value = raw.decode().rstrip("\r\n").partition(":")
        if name:
            fields.setdefault(name, []).append(value.removeprefix(" "))
        elif not raw.strip():
            if "data" in fields:
                yield Event(fields.get("id", [None])[-1], fields.get("event", ["message"])[-1],
                            json.loads("\n".join(fields["data"])))
            fields = {}
        else:
            yield None
