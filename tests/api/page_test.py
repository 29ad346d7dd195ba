#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard as the daemon serves it: headers, packing, caching, size, and that nothing in it comes from elsewhere.

Usage: page_test.py FLASHFARMD SOURCES"""
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile

from daemon_under_test import Daemon

LIMIT_BYTES = 200 * 1024  # packed, all files together
FILES = {"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8", "/app.css": "text/css; charset=utf-8"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
          "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
          "trusted-types 'none'")
PLAIN_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
           "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
# Names of XML vocabularies look like addresses, and are what a view library makes SVG with.
VOCABULARIES = re.compile(r"https?://www\.w3\.org/(1999/xhtml|1999/xlink|2000/svg|1998/Math/MathML|XML/1998/namespace|2000/xmlns/)")
ADDRESS = re.compile(r"(?:https?:)?//[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}[^\s\"'`)]*|@import|\bwss?:")
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print(f"FAIL {what}", flush=True)
    return good


def same(got, want, what):
    return check(got == want, f"{what}: got {got!r}, want {want!r}")


def start(program, directory):
    config = os.path.join(directory, "flashfarm.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"[daemon]\nlisten = 127.0.0.1:0\nstate = {directory}/state\n")
    os.makedirs(os.path.join(directory, "state"), mode=0o700, exist_ok=True)
    return Daemon(program, config)


def ask(daemon, path, accepted=None, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.ask(method, path, headers={**headers, "Accept-Encoding": accepted}, key=False)


def check_headers(answer, policy, where):
    same(answer.headers.get("Content-Security-Policy"), policy, f"policy of {where}")
    for name, want in HEADERS.items():
        same(answer.headers.get(name), want, f"{name} of {where}")
    permissions = answer.headers.get("Permissions-Policy", "")
    for feature in ("camera", "geolocation", "microphone", "serial", "usb"):
        check(f"{feature}=()" in permissions.split(", "), f"{feature} in Permissions-Policy of {where}")
    check("Set-Cookie" not in answer.headers, f"a cookie of {where}")


def check_packing(daemon, path):
    """Packed only for who says that he unpacks, and then the same."""
    plain = ask(daemon, path)
    same(plain.headers.get("Content-Encoding"), None, f"{path} for who says nothing")
    for accepted in ("gzip", "deflate, GZIP;q=0.5", "*", "br;q=1, x-gzip"):
        packed = ask(daemon, path, accepted)
        same(packed.headers.get("Content-Encoding"), "gzip", f"{path} for {accepted!r}")
        same(gzip.decompress(packed.body), plain.body, f"{path} unpacked")
        check(packed.headers["ETag"] != plain.headers["ETag"], f"{path}: two contents, two ETags")
    for accepted in ("gzip;q=0", "br, deflate", "", "gzip;q=0.0, *", "nogzip", "*;q=0"):
        answer = ask(daemon, path, accepted)
        same((answer.headers.get("Content-Encoding"), answer.body), (None, plain.body), f"{path} for {accepted!r}")
    same(packed.headers["Content-Length"], str(len(packed.body)), f"length of {path}")
    return len(packed.body)


def check_caching(daemon, path):
    """Each content is asked for again, and not sent again; an ETag is good for the content that it was given with."""
    for accepted in (None, "gzip"):
        first = ask(daemon, path, accepted)
        etag = first.headers["ETag"]
        same(first.headers.get("Cache-Control"), "no-cache", f"Cache-Control of {path}")
        same(first.headers.get("Vary"), "Accept-Encoding", f"Vary of {path}")
        for given in (etag, f'"other", W/{etag}', "*"):
            again = ask(daemon, path, accepted, If_None_Match=given)
            same((again.status, again.body), (304, b""), f"{path} with {given}")
            same(again.headers.get("ETag"), etag, f"ETag of {path} with {given}")
        same(ask(daemon, path, accepted, If_None_Match='"other"').status, 200, f"{path} that has changed")
        other = ask(daemon, path, None if accepted else "gzip").headers["ETag"]
        same(ask(daemon, path, accepted, If_None_Match=other).status, 200, f"{path} that is there in another packing")


def check_head(daemon, path):
    for accepted in (None, "gzip"):
        got, head = ask(daemon, path, accepted), ask(daemon, path, accepted, "HEAD")
        same((head.status, head.body), (200, b""), f"HEAD {path}")
        for name in ("Content-Length", "Content-Type", "Content-Encoding", "ETag", "Content-Security-Policy"):
            same(head.headers.get(name), got.headers.get(name), f"{name} of HEAD {path}")


def check_addresses(text, where):
    found = ADDRESS.findall(VOCABULARIES.sub("", text))
    same(found, [], f"addresses in {where}")


def check_page(daemon, sources):
    total = 0
    for path, kind in FILES.items():
        answer = ask(daemon, path)
        same((answer.status, answer.headers["Content-Type"]), (200, kind), path)
        check_headers(answer, POLICY, path)
        check_headers(ask(daemon, path, If_None_Match="*"), POLICY, f"{path} (304)")
        check_addresses(answer.body.decode(), path)
        total += check_packing(daemon, path)
        check_caching(daemon, path)
        check_head(daemon, path)
    check(5000 < total <= LIMIT_BYTES, f"the page has {total} bytes packed; at most {LIMIT_BYTES} are allowed")
    check_markup(ask(daemon, "/").body.decode())
    check_sources(sources)


def check_markup(html):
    """The one document: its script and style are the two files, and nothing is written into it that the policy forbids."""
    same(set(re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", html)) - {"data:,"}, {"/app.js", "/app.css"}, "what is loaded")
    check(not re.search(r"<script(?![^>]*\bsrc=)", html), "a script inside the document")
    check(not re.search(r"<style|\sstyle=|\son\w+=", html), "style or handler inside the document")
    check(re.search(r"<html[^>]* lang=", html), "the language is said")
    check("<title>" in html and 'name="viewport"' in html, "title and viewport")


def check_sources(sources):
    folder = os.path.join(sources, "clients", "dashboard", "src")
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "generated"]
        for name in names:
            with open(os.path.join(place, name), encoding="utf-8") as file:
                text = file.read()
            code = re.sub(r"(^|\s)//.*$", "", text, flags=re.M) if name.endswith((".ts", ".tsx")) else text
            seen += 1
            check_addresses(code, name)
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
                check(word not in code, f"{word} in {name}")
    check(seen > 15, f"{seen} sources were looked at")


def check_plain(daemon):
    """A daemon without the dashboard says what it is, and that it has no more."""
    answer = ask(daemon, "/", "gzip")
    same((answer.status, answer.type, answer.headers.get("Content-Encoding")), (200, "text/html", None), "the plain page")
    check("REST interface" in answer.body.decode() and "/openapi.json" in answer.body.decode(), "what it says")
    check_headers(answer, PLAIN_POLICY, "the plain page")
    same((ask(daemon, "/", method="HEAD").status, ask(daemon, "/", method="HEAD").body), (200, b""), "HEAD of the plain page")
    for path in ("/app.js", "/app.css"):
        answer = ask(daemon, path)
        same((answer.status, answer.json["detail"]), (404, "this daemon was built without the dashboard"), path)


def serve(program, check_it, *arguments):
    directory = tempfile.mkdtemp(prefix="flashfarm-page-")
    daemon = start(program, directory)
    try:
        check_it(daemon, *arguments)
    finally:
        daemon.stop()
        shutil.rmtree(directory)


def main():
    program, sources = sys.argv[1:3]
    built = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    print(built.strip())
    serve(program, check_page, sources)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
