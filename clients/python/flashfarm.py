# SPDX-License-Identifier: Apache-2.0
"""A client of flashfarmd for a manufacturing execution system: one file, nothing but Python's own library.

    farm = Client("http://127.0.0.1:8470", key_file="/var/lib/flashfarm/key")
    image = farm.upload("firmware.hex")
    job = farm.submit(chip="stm32f103xb", images=[image["id"]], stations="all", quantity=16, work_order="WO-4711")
    job = farm.wait(job["id"])
    for run in farm.runs(job=job["id"]):
        print(run["station"], run["outcome"], run["uid"])

Whatever the daemon answers is given as it came, as dictionaries. A refusal is a Problem, a daemon that cannot be
reached an OSError.
"""

from __future__ import annotations

import configparser
import dataclasses
import http.client
import json
import os
import pathlib
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO

Json = dict[str, Any]
ENDED = ("done", "cancelled")


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
                 timeout_s: float = 90):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"url is {url!r}; expected http://ADDRESS:PORT")
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._address = parts.netloc
        self._timeout_s = timeout_s
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
        return cls("http://" + daemon.get("listen", "127.0.0.1:8470"),
                   key_file=daemon.get("key_file") or os.path.join(state, "key"))

    # -- orders

    def upload(self, path: str | os.PathLike[str], address: int | None = None) -> Json:
        """Sends a firmware file; `address` says where a raw binary goes."""
        query = {"name": os.path.basename(path)} | ({} if address is None else {"address": hex(address)})
        with open(path, "rb") as file:
            return self._call("POST", "/v1/images?" + urllib.parse.urlencode(query), file,
                              {"Content-Type": "application/octet-stream",
                               "Content-Length": str(os.fstat(file.fileno()).st_size)})

    def submit(self, *, idempotency_key: str | None = None, tries: int = 3, **order: Any) -> Json:
        """Orders a job; an answer that is lost on the way does not order twice."""
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

    # -- records

    def runs(self, **filters: Any) -> Iterator[Json]:
        """Newest first: job, serial, uid, image, work_order, station, outcome, from_, to."""
        query = {name.rstrip("_"): value for name, value in filters.items() if value is not None}
        return self.list("/v1/runs?" + urllib.parse.urlencode(query))

    def unit(self, serial_or_uid: str) -> Json:
        return self.get("/v1/units/" + urllib.parse.quote(serial_or_uid, safe=""))

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
        connection = self._connect(self._address, timeout=limit_s)
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

    def _call(self, method: str, path: str, body: bytes | BinaryIO | None, headers: dict[str, str]) -> Json:
        connection = self._connect(self._address, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, self._headers | headers)
            response = connection.getresponse()
            answer = _json(response.read())
        finally:
            connection.close()
        if response.status >= 300:
            raise Problem(response.status, answer)
        return answer


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
