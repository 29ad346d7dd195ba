#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of this project that no compiler knows. Each prints what breaks it, and where.

rules.py RULE SOURCE_DIRECTORY BUILD_DIRECTORY
"""

import pathlib
import re
import statistics
import subprocess
import sys

SKIPPED = {"generated", "build", "node_modules", "__pycache__"}
PRODUCT = ("daemon/", "stations/", "api/", "clients/", "schema/")

# Which folder may include from which, besides itself. The order is that of the map: dependencies run downwards.
FOLDERS = {
    "daemon/base": set(),
    "stations": {"daemon/base"},
    "schema": set(),
    "daemon/store": {"daemon/base", "schema"},
    "daemon/jobs": {"daemon/base", "daemon/store", "stations", "schema"},
    "api": {"daemon/base", "daemon/store", "daemon/jobs", "stations", "schema"},
    "daemon": {"daemon/base", "daemon/store", "daemon/jobs", "stations", "api", "schema"},
    # HTTP only; the daemon's configuration (and the settings it fills) tells where the daemon is.
    "clients": {"daemon/base", "schema", "daemon/config.h", "daemon/jobs/settings.h"},
    # Simulated boards are a second reading of the documents: nothing of ours.
    "tests/boards": set(),
}

# A library of the outside that only some folders may know.
OUTSIDE = {
    "sqlite3.h": ("daemon/store/", "clients/flashfarm/audit", "tests/"),
    "microhttpd.h": ("api/", "tests/"),
    "gnutls/gnutls.h": ("api/tls",),
    "curl/curl.h": ("api/outgoing.c", "clients/", "tests/"),
    "libserialport.h": ("stations/", "tests/"),
    "gpiod.h": ("stations/", "tests/"),
    "jansson.h": ("daemon/store/", "daemon/jobs/", "api/", "clients/", "tests/", "daemon/"),
    "ini.h": ("daemon/config.c",),
}

SQL = re.compile(r'"\s*(SELECT\s|INSERT\s+(OR\s|INTO\s)|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|PRAGMA\s|CREATE\s+TABLE\s|'
                 r'BEGIN\s+IMMEDIATE|VACUUM\s)')
SQL_AT_HOME = ("daemon/store/", "clients/flashfarm/audit", "tests/")

MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

# Paths and hosts are named on purpose: those of the file hierarchy, those of standards, and this host.
ROOTS = {"bin", "dev", "etc", "lib", "nonexistent", "proc", "run", "sbin", "srv", "sys", "tmp", "usr", "var", "v1",
         "no", "nowhere", "jobs", "runs", "atmega8"}  # in tests: nothing, ends of addresses, a folder inside a package
PATH = re.compile(r"""(?:^|[\s"'=(`,])/([a-z][a-z0-9_]*)/[A-Za-z0-9_.]""")
HOSTS = {"127.0.0.1", "localhost", "[::1]", "html.spec.whatwg.org", "www.apache.org", "www.rfc-editor.org",
         "json-schema.org", "spec.openapis.org", "www.st.com",
         "ADDRESS", "host", "127"}  # examples, and the start of a pattern
URL = re.compile(r"https?://(\w[\w.\-]+|\[[0-9a-f:]+\])")


def files(root, *suffixes):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".clang-tidy", ".clang-format") for part in parts)
        if path.is_file() and not hidden and not SKIPPED & set(parts) and (not suffixes or path.suffix in suffixes):
            yield path, path.relative_to(root).as_posix()


def lines(root, *suffixes):
    for path, name in files(root, *suffixes):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or a corpus
        for number, line in enumerate(text.splitlines(), 1):
            yield name, number, line


def folder_of(name):
    fitting = [folder for folder in FOLDERS if name.startswith(folder + "/")]
    return max(fitting, key=len, default=None)


def include_direction(root, _build):
    """An include runs downwards on the map, whatever the include paths would allow."""
    homes = {}
    for _, name in files(root, ".h"):
        homes.setdefault(name.rsplit("/", 1)[-1], set()).add(name)
    for name, number, line in lines(root, ".c", ".h"):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quoted, header = match[1] == '"', match[2]
        if header in OUTSIDE and not name.startswith(OUTSIDE[header]):
            yield f"{name}:{number}: {header} is not for this folder"
        folder = folder_of(name)
        candidates = homes.get(header.rsplit("/", 1)[-1], set())
        if not quoted or not folder or not candidates:
            continue
        allowed = FOLDERS[folder] | {folder}
        if not any(folder_of(home) in allowed or home in allowed for home in candidates):
            yield f"{name}:{number}: {folder} may not include {header} of {', '.join(sorted(candidates))}"


def sql_at_home(root, _build):
    """All SQL of the project is in daemon/store and schema; the auditor is a second reading of its own."""
    for name, number, line in lines(root, ".c", ".h"):
        if SQL.search(line) and not name.startswith(SQL_AT_HOME):
            yield f"{name}:{number}: SQL outside daemon/store: {line.strip()}"


def mutable_statics(root, build):
    """No object file of the product holds data that can change: what changes is passed in."""
    found = False
    for path in sorted(build.rglob("*.o")):
        name = path.relative_to(build).as_posix()
        if not name.startswith(PRODUCT) or "/CMakeFiles/" not in name:
            continue
        found = True
        table = subprocess.run(["objdump", "-t", str(path)], capture_output=True, text=True, check=True).stdout
        for line in table.splitlines():
            match = re.match(r"\S+ .{7} (\.data|\.bss|\.tdata|\.tbss)(\.(?!rel\.ro)\S*)?\s+[0-9a-f]+\s+(.*)", line)
            if match and match[3] != match[1] and not match[3].startswith(("__", ".")):
                yield f"{name}: {match[3]} in {match[1]} can change"
    if not found:
        yield f"{build}: no object files; build first"


def functions(root, _build):
    """Median at most 12 lines, 95 % at most 50, none over 80: a function fits a head and a screen."""
    sizes = []
    for path, name in files(root, ".c"):
        if not name.startswith(PRODUCT):
            continue
        start = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                sizes.append((number - start - 1, f"{name}:{start}"))
                start = None
    sizes.sort()
    if not sizes:
        yield "no functions found"
        return
    for size, where in sizes:
        if size > 80:
            yield f"{where}: {size} lines; expected at most 80"
    median = statistics.median(size for size, _ in sizes)
    most = sizes[int(len(sizes) * 0.95)][0]
    print(f"{len(sizes)} functions: median {median:.0f}, 95 % up to {most}, longest {sizes[-1][0]} lines")
    if median > 12 or most > 50:
        yield f"median {median}, 95 % {most}; expected at most 12 and 50"


def heads(root, _build):
    """Every source says under which licence it stands."""
    for path, name in files(root, ".c", ".h", ".py", ".sh", ".sql", ".mjs", ".ts", ".tsx"):
        # schema.sql is what a database says of itself, word by word.
        top = path.read_text(encoding="utf-8").splitlines()[:3]
        if name != "schema/schema.sql" and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(top):
            yield f"{name}: no SPDX line among the first three"


def words(root, _build):
    """No unfinished business, and no path or host that means something only where the author sat."""
    for name, number, line in lines(root):
        if name in ("LICENSE", "tests/lint/rules_test.py") or "/corpus/" in name or name.endswith(("package-lock.json", ".hex")):
            continue
        if MARKERS.search(line):
            yield f"{name}:{number}: a marker: {line.strip()[:80]}"
        script = name.endswith((".mjs", ".ts", ".tsx"))  # where /word/ is a regular expression
        for path in [] if script else PATH.findall(line):
            if path not in ROOTS:
                yield f"{name}:{number}: a path outside the file hierarchy: /{path}/"
        for host in URL.findall(line):
            if host not in HOSTS and not host.endswith(".example"):  # which nobody can own
                yield f"{name}:{number}: a host that is not on the list: {host}"


RULES = {"include-direction": include_direction, "sql-at-home": sql_at_home, "mutable-statics": mutable_statics,
         "functions": functions, "heads": heads, "words": words}


def main():
    rule, root, build = RULES[sys.argv[1]], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    findings = list(rule(root, build))
    for finding in findings:
        print(finding)
    print(f"{sys.argv[1]}: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
