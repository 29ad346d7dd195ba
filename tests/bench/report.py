# SPDX-License-Identifier: Apache-2.0
"""Tables in plain text, numbers about numbers, and checks that count."""
import sys


class Report:
    """What is printed, and the same as data for --json."""

    def __init__(self):
        self.results, self.wrong = {}, []

    def table(self, title, head, rows, notes=()):
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        print(f"\n{title}")
        for row in [head, ["-" * width for width in widths], *rows]:
            cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in
                     enumerate(zip(row, widths))]
            print("  " + "  ".join(cells).rstrip())
        for note in notes:
            print(f"  {note}")
        sys.stdout.flush()

    def sane(self, good, what):
        """Something that must hold whatever the machine: not a matter of speed."""
        if not good:
            self.wrong.append(what)
            print(f"NOT SANE: {what}", file=sys.stderr)
        return good


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def at_share(values, share):
    """Of sorted values."""
    return values[int((len(values) - 1) * share)] if values else float("nan")


def spread(values):
    """'15.63 (15.61-15.66)'"""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def milliseconds(seconds):
    return f"{seconds * 1e3:.2f}" if seconds < 0.1 else f"{seconds * 1e3:.0f}"


def percent(share):
    return f"{share * 100:.1f} %"
