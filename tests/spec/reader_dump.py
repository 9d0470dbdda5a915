#!/usr/bin/env python3
"""Prints every value of every column of a snapshot's last member, as `snap-dump --columns` does, by spec/reader.py alone."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spec"))
import reader  # noqa: E402

# A byte HH that is not UTF-8 becomes U+EFHH, and so do those of text that uses these itself.
SPECIAL = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff'
                     '\udc80-\udcff\uef80-\uefff]')


def escape(match):
    c = match.group()
    if "\udc80" <= c < "\ufe00":
        return "".join("\\uef%02x" % byte for byte in c.encode("utf-8", "surrogateescape"))
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"'}.get(c) or "\\u%04x" % ord(c)


def dump(m):
    for key, values in m.columns.items():
        known = reader.COLUMNS[key]
        if known.is_text:
            values = ('"%s"' % SPECIAL.sub(escape, v.decode("utf-8", "surrogateescape")) for v in values)
        sys.stdout.buffer.write(("%s.%s:\n" % (known.table, known.name) + "".join(map("- %s\n".__mod__, values))).encode())


dump(reader.read_members(Path(sys.argv[1]).read_bytes())[-1])
