"""A writer of snapshots for make_vectors.py: independent, from FORMAT.md's words alone, and it can also break every rule.

Payloads are Zstandard frames with raw blocks, so that the bytes do not depend on any version of Zstandard."""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spec"))
sys.dont_write_bytecode = True
from reader import COLUMNS, xxh64  # noqa: E402  (the hash and the registry, nothing else)

MAGIC = 0x184D2A53
IDS = {"%s.%s" % (c.table, c.name): key for key, c in COLUMNS.items()}
ENCODINGS = ("constant", "planes", "delta", "dictionary", "runs", "steps", "text", "ranges", "adjacent")


# ---- encodings (section 6) ----
def varint(v):
    out = bytearray()
    while v >= 128:
        out.append(v & 127 | 128)
        v >>= 7
    return bytes(out + bytes([v]))


def width_of(values):
    return (max(values, default=0).bit_length() + 7) // 8


def planes(values, width):
    return b"".join(bytes(v >> 8 * i & 255 for v in values) for i in range(width))


def sized(values):
    return bytes([width_of(values)]) + planes(values, width_of(values))


def zigzag(v):
    return v * 2 if v >= 0 else -v * 2 - 1


def as_constant(values):
    assert len(set(values)) == 1
    return varint(values[0])


def as_planes(values, shift=0):
    return bytes([shift]) + sized([v >> shift for v in values])


def as_delta(values, shift=0):
    return varint(values[0]) + bytes([shift]) + sized([zigzag((b - a) >> shift) for a, b in zip(values, values[1:])])


def as_dictionary(values):
    words = sorted(set(values))
    return (varint(len(words)) + b"".join(map(varint, words))
            + planes([words.index(v) for v in values], 1 if len(words) <= 256 else 2))


def as_runs(values):
    runs = []
    for v in values:
        if runs and runs[-1][0] == v:
            runs[-1][1] += 1
        else:
            runs.append([v, 1])
    return varint(len(runs)) + sized([v for v, _ in runs]) + sized([n - 1 for _, n in runs])


def as_steps(values):
    codes, steps, previous, step = bytearray(), [], 0, 0
    for v in values:
        if v == 0:
            codes.append(0)
            continue
        if v == previous:
            codes.append(1)
        elif v == previous + step:
            codes.append(2)
        else:
            codes.append(3)
            step = v - previous
            steps.append(zigzag(step))
        previous = v
    return bytes(codes) + varint(len(steps)) + sized(steps)


def as_text(strings):
    return b"".join(varint(len(s)) for s in strings) + b"".join(strings)


ENCODERS = (as_constant, as_planes, as_delta, as_dictionary, as_runs, as_steps, as_text, None, None)


# ---- a payload (section 4) ----
def zstd_frame(raw, checksum=None, checksum_flag=True, content=None, reserved=0, dictionary=None, window=None, kind=0,
               cut=0, extra=b"", no_content=False):
    content = len(raw) if content is None else content
    size = 4 if window is None and content > 65535 + 256 else 2 if content > 255 or window is not None else 1
    if window is not None and size == 2 and content < 256:
        size = 4
    single = window is None
    descriptor = {1: 0, 2: 1, 4: 2}[size] << 6 | single << 5 | reserved << 3 | bool(checksum_flag) << 2
    descriptor |= 1 if dictionary is not None else 0
    out = b"\x28\xb5\x2f\xfd"
    if no_content:
        descriptor, out = 4, out + bytes([4, 0])  # no size, window of 1 KiB
    else:
        out += bytes([descriptor]) + (b"" if single else bytes([window]))
        out += b"" if dictionary is None else bytes([dictionary])
        out += (content - 256 if size == 2 else content).to_bytes(size, "little")
    if kind == 1:  # one byte that is repeated
        assert len(set(raw)) == 1
        out += (1 | 1 << 1 | len(raw) << 3).to_bytes(3, "little") + raw[:1]
    else:
        out += (1 | kind << 1 | len(raw) << 3).to_bytes(3, "little") + raw
    if checksum_flag:
        out += struct.pack("<I", xxh64(raw) & 0xffffffff if checksum is None else checksum)
    return out[:len(out) - cut] + extra


# ---- a snapshot (sections 2 to 5); every field can be given another value ----
class Column:
    """Rows of one column as one block, or several."""

    def __init__(self, name, values, encoding=None, raw=None, cuts=(), **fields):
        self.name, self.values, self.raw, self.fields = name, values, raw, fields
        self.key = IDS.get(name) or tuple(map(int, name.split(".")))
        known = COLUMNS.get(self.key)
        text = bool(values) and isinstance(values[0], bytes)
        self.encoding = encoding if encoding is not None else "text" if text else "planes"
        self.critical = bool(known and known.critical)
        self.bounds = [0, *cuts, len(values)]

    def blocks(self):
        for a, b in zip(self.bounds, self.bounds[1:]):
            number = self.encoding if isinstance(self.encoding, int) else ENCODINGS.index(self.encoding)
            raw = self.raw if self.raw is not None else ENCODERS[number](self.values[a:b])
            yield dict(name=self.name, table=self.key[0], column=self.key[1], encoding=number, flags=int(self.critical),
                       first=a, rows=b - a, raw=raw, **self.fields)


class Batch:
    """Columns in one block (section 6.1)."""

    def __init__(self, columns, raw=None, **fields):
        self.columns, self.raw, self.fields = columns, raw, fields

    def blocks(self):
        entries, bytes_, table, number = varint(len(self.columns)), b"", 0, 0
        tables = 0
        for column in self.columns:
            b, = column.blocks()
            new = b["table"] != table
            entries += bytes([b["encoding"] | new << 6 | b.get("set_flags", b["flags"]) << 7])
            entries += varint(b["table"]) + varint(b.get("set_rows", b["rows"])) if new else b""
            entries += varint(b["column"] - (0 if new else number))
            entries += b["raw"] if b["encoding"] == 0 else varint(b.get("length", len(b["raw"])))
            bytes_ += b["raw"] if b["encoding"] != 0 else b""
            table, number = b["table"], b["column"]
            tables |= 1 << table if table < 64 else 1
        raw = entries + bytes_ if self.raw is None else self.raw
        names = ", ".join(c.name for c in self.columns)
        yield dict(name=names, table=0, column=0, encoding=0, flags=1, first=tables, rows=0, raw=raw, **self.fields)


def batch_bytes(b, sequence):
    """Returns header, payload and the directory's entry."""
    frame = b.get("payload")
    frame = zstd_frame(b["raw"], **b.get("frame", {})) if frame is None else frame
    sizes = b.get("raw_size", len(b["raw"])), b.get("stored_size", len(frame))
    head = struct.pack("<II4sIHH", b.get("magic", MAGIC), b.get("frame_size", 20), b.get("tag", b"SBAT"),
                       b.get("sequence", sequence), *sizes)
    head += struct.pack("<Q", b.get("hash", xxh64(head + frame)))
    entry = struct.pack("<HHBBHQIIII", 0, 0, 0, 1, 0, b["first"], 0, *sizes, 0) + head[-8:]
    return head, frame, entry


def block_bytes(b, sequence):
    """Returns header, payload and the directory's entry."""
    if b["table"] == 0 and "rows" in b and b["rows"] == 0:
        return batch_bytes(b, sequence)
    frame = b.get("payload")
    frame = zstd_frame(b["raw"], **b.get("frame", {})) if frame is None else frame
    head = struct.pack("<II4sIHHBBHQIIII", b.get("magic", MAGIC), b.get("frame_size", 48), b.get("tag", b"SBLK"),
                       b.get("sequence", sequence), b["table"], b["column"], b["encoding"], b.get("set_flags", b["flags"]),
                       b.get("reserved", 0), b.get("set_first", b["first"]), b.get("set_rows", b["rows"]),
                       b.get("raw_size", len(b["raw"])), b.get("stored_size", len(frame)), b.get("reserved2", 0))
    head += struct.pack("<Q", b.get("hash", xxh64(head + frame)))
    return head, frame, head[16:]


def describe(b, count):
    if b["rows"] == 0:
        return "block %d: a batch of %s (section 4.1)" % (count, b["name"])
    encoding = ENCODINGS[b["encoding"]] if b["encoding"] < len(ENCODINGS) else "encoding %d" % b["encoding"]
    return "block %d: %s, %s, %d rows from %d (section 4)" % (count, b["name"], encoding, b["rows"], b["first"])


def snapshot(columns, header=None, directory=None, trailer=None, between=b"", alone=False):
    """A list of (what it is, bytes).  alone: there is no directory."""
    h, d, t = header or {}, directory or {}, trailer or {}
    if any(isinstance(c, Batch) for c in columns):
        h = {"minor": 1, "required": 1, **h}
    if alone:
        t = {"flags": 32, **t}
    extra = h.get("extra", b"")
    head = struct.pack("<II8sHHIIIQ", h.get("magic", MAGIC), h.get("frame_size", 40 + len(extra)),
                       h.get("tag", b"SNAPHEAP"), h.get("major", 1), h.get("minor", 0), h.get("required", 0),
                       h.get("optional", 0), h.get("reserved", 0), h.get("spare", 0)) + extra
    head += struct.pack("<Q", h.get("hash", xxh64(head)))
    parts = [("header (section 3)", head)]
    hashes, entries, size, count = head[-8:], b"", len(head), 0
    for column in columns:
        for b in column.blocks():
            block, frame, entry = block_bytes(b, count)
            parts.append((describe(b, count), block))
            parts.append(("its payload: a Zstandard frame around %d bytes" % len(b["raw"]), frame))
            if between and count == 0:
                parts.append(("bytes that belong to nothing", between))
                size += len(between)
            hashes += block[-8:]
            entries += b.get("entry", bytes)(entry)
            size += len(block) + len(frame)
            count += 1
    entries = d.get("entries", entries)
    body = struct.pack("<II4sI", d.get("magic", MAGIC), d.get("frame_size", 16 + len(entries)), d.get("tag", b"SDIR"),
                       d.get("count", count)) + entries
    body += struct.pack("<Q", d.get("hash", xxh64(body)))
    if alone:
        body = b""
    else:
        parts.append(("directory (section 5.1)", body))
        hashes += body[-8:]
    tail = struct.pack("<II4sI6Q", t.get("magic", MAGIC), t.get("frame_size", 72), t.get("tag", b"SEND"), t.get("flags", 0),
                       t.get("size", size + len(body) + 80), t.get("directory", size), t.get("count", count),
                       t.get("interval", 0), t.get("unknown", 0), t.get("spare", 0))
    tail += struct.pack("<Q", t.get("identity", xxh64(hashes + tail)))
    parts.append(("trailer (section 5.2)", tail + struct.pack("<Q", t.get("hash", xxh64(tail)))))
    return parts
