#!/usr/bin/env python3
"""A second reader of snapshots, written from FORMAT.md's words alone and sharing no code with libsnap.
Usage: reader.py FILE...  It checks every rule of sections 2 to 7 in all members; read_members() gives all values.
Needs Python 3.8 and the zstd program.  Exit status: 0 good, 2 not."""
import re, struct, subprocess, sys  # noqa: E401
from array import array
from functools import partial
from itertools import accumulate, repeat
from pathlib import Path
from types import SimpleNamespace

MASK, MAGIC = 2**64 - 1, 0x184D2A53
MAX_ROWS, MAX_RAW, MAX_STORED, MAX_STRING, MAX_BATCHES = 1048576, 1048576, 1052672, 262144, 64
SAMPLED, TOTALS_ONLY, NO_DIRECTORY, BATCHES = 2, 4, 32, 1
MAX_VALUES = 400_000_000  # this reader's own limit: it keeps all values in memory
Refusal = type("Refusal", (Exception,), {})
def require(condition, reason, at=None, answer="corrupt"):
    if not condition:
        raise Refusal("%s%s: %s" % ("" if at is None else "at byte %d: " % at, answer, reason))
understand = partial(require, answer="unsupported")
# Section 1: the hash, XXH64 with seed 0.
P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
def rotate(x, bits):
    return (x << bits | x >> 64 - bits) & MASK
def mix(lane, word):
    return rotate(lane + word * P2 & MASK, 31) * P1 & MASK
def xxh64(data):
    whole, h, lanes = len(data) & ~31, P5, [P1 + P2 & MASK, P2, 0, -P1 & MASK]
    for words in struct.iter_unpack("<4Q", memoryview(data)[:whole]):
        lanes = [*map(mix, lanes, words)]
    if whole:
        h = sum(map(rotate, lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            h = ((h ^ mix(0, lane)) * P1 + P4) & MASK
    h = (h + len(data)) & MASK
    for word, in struct.iter_unpack("<Q", data[whole:len(data) & ~7]):
        h = (rotate(h ^ mix(0, word), 27) * P1 + P4) & MASK
    if len(data) & 4:
        h = (rotate(h ^ int.from_bytes(data[len(data) & ~7:][:4], "little") * P1 & MASK, 23) * P2 + P3) & MASK
    for byte in data[len(data) & ~3:]:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32
# The registry, of which only the regular lines of tables and columns are needed.
TABLES, COLUMNS = {}, {}
for _line in (Path(__file__).parent / "registry.yaml").read_text().splitlines():
    if _line.startswith("  - id: "):
        _table = int(_line[8:])
    elif _line.startswith("    name: "):
        TABLES[_table] = _line[10:]
    elif _line.startswith("      - {"):
        _field = dict(re.findall(r'(\w+): "?([\w:]+)', _line))
        _kind, _, _refers = _field["unit"].partition(":")
        COLUMNS[_table, int(_field["id"])] = SimpleNamespace(
            table=TABLES[_table], name=_field["name"], is_text=_field["type"] == "text", unit=_kind, refers=_refers,
            default=int(_field.get("default", 0)), critical=_field["critical"] == "true", always="always" in _field)
# Section 6: encodings.
class Cursor:
    def __init__(self, data, sizes=None):
        self.data, self.at, self.sizes = data, 0, sizes
    def take(self, size):
        require(size <= len(self.data) - self.at, "a column's bytes end too early")
        self.at += size
        return self.data[self.at - size:self.at]
    def byte(self, most):
        require(self.take(1)[0] <= most, "a width or shift is too large")
        return self.data[self.at - 1]
    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                require((byte or not shift) and value <= MASK, "a varint is over-long")
                return value
        return require(False, "a varint is over-long")
    def planes(self, width, n, full=True):
        raw = self.take(width * n)
        require(not full or not width or any(raw[(width - 1) * n:]), "the highest plane is all zero")
        wide = bytearray(8 * n)
        for i in range(width):
            wide[i::8] = raw[i * n:(i + 1) * n]
        return struct.unpack("<%dQ" % n, wide)
def unzigzag(z):
    return z >> 1 ^ -(z & 1)
def decode_constant(c, n):
    return [c.varint()] * n
def decode_planes(c, n):
    shift = c.byte(63)
    values = [x << shift for x in c.planes(c.byte(8), n)]
    require(max(values) <= MASK, "bits are shifted out")
    return values
def decode_delta(c, n):
    first, shift = c.varint(), c.byte(63)
    return [x & MASK for x in accumulate(((z >> 1 ^ -(z & 1)) << shift for z in c.planes(c.byte(8), n - 1)), initial=first)]
def decode_dictionary(c, n):
    count = c.varint()
    require(1 <= count <= min(1024, n), "a dictionary's size is out of range")
    words = [c.varint() for _ in range(count)]
    require(all(a < b for a, b in zip(words, words[1:])), "a dictionary does not ascend")
    indexes = c.planes(1 if count <= 256 else 2, n, full=False)
    require(max(indexes) < count, "an index is beyond the dictionary")
    return [words[i] for i in indexes]
def decode_runs(c, n):
    count = c.varint()
    require(1 <= count <= n, "a number of runs is out of range")
    words, lengths = c.planes(c.byte(8), count), [x + 1 for x in c.planes(c.byte(8), count)]
    require(sum(lengths) == n, "lengths of runs do not add up to the rows")
    return [word for word, length in zip(words, lengths) for _ in range(length)]
def decode_steps(c, n):
    codes = c.take(n)
    require(max(codes) <= 3, "an unknown code of steps")
    require(c.varint() == codes.count(3), "a number of steps does not fit the codes")
    steps = map(unzigzag, c.planes(c.byte(8), codes.count(3)))
    values, previous, step = [], 0, 0
    for code in codes:
        step = next(steps) if code == 3 else step
        previous = (previous + step) & MASK if code >= 2 else previous
        values.append(previous if code else 0)
    return values
def decode_text(c, n):
    sizes = [c.varint() for _ in range(n)]
    require(max(sizes) <= MAX_STRING, "a string is too long")
    return [c.take(size) for size in sizes]
def decode_ranges(c, n):
    ranges, base, places = [(c.varint(), c.byte(1), c.byte(8)) for _ in range(c.varint())], 0, [repeat(0)]
    require(1 <= len(ranges) <= 255 and all(gap for gap, _, _ in ranges), "ranges are too many or none, or do not ascend")
    codes = c.take(n)
    require({*codes, 0} == {*range(len(ranges) + 1)}, "codes are not those of the ranges")
    for i, (gap, how, width) in enumerate(ranges, 1):
        base, places_of = base + gap, c.planes(width, codes.count(i))
        require(base <= MASK, "a range begins beyond 2^64")
        moved = accumulate(map(unzigzag, places_of), initial=base)
        places.append(iter([*moved][1:] if how else [base + x for x in places_of]))
    return [next(places[code]) & MASK for code in codes]
def decode_adjacent(c, n):
    added, least, mask = c.varint(), c.varint(), (1 << c.byte(63)) - 1
    require(c.sizes, "addresses have no block of sizes beside their own")
    rooms = accumulate((max(size + added + mask & MASK & ~mask, least) for size in c.sizes), initial=0)
    return [place + before & MASK for place, before in zip(decode_delta(c, n), rooms)]
DECODERS = (decode_constant, decode_planes, decode_delta, decode_dictionary, decode_runs, decode_steps, decode_text, decode_ranges, decode_adjacent)
# Section 4: a block's payload is one Zstandard frame (RFC 8878, 3.1.1), whose header says what is wanted here.
def check_frame(frame, raw_size, at):
    padded = frame + bytes(16)
    descriptor, single = padded[4], padded[4] >> 5 & 1
    size = (single, 2, 4, 8)[descriptor >> 6]
    require(padded[:4] == b"\x28\xb5\x2f\xfd", "a payload is not a Zstandard frame", at)
    require(descriptor & 15 == 4, "a frame has no checksum, wants a dictionary or has its reserved bit set", at)
    require(single or (1 << 7 + (padded[5] >> 3)) * (8 + (padded[5] & 7)) <= MAX_RAW, "a frame's window is too large", at)
    end = 6 - single + size
    content = int.from_bytes(padded[6 - single:end], "little") + (256 if size == 2 else 0)
    require(size and content == raw_size, "a frame's content size is not the raw size", at)
    header = 0
    while not header & 1:
        require(end + 3 <= len(frame), "a frame is cut short", at)
        header = int.from_bytes(frame[end:end + 3], "little")
        end += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
    require(end + 4 == len(frame), "a payload is not one frame", at)
def decompress(frames, sizes):  # all frames in one go: starting a program for each would take too long
    run = subprocess.run(["zstd", "-dcq"], input=b"".join(frames), capture_output=True, check=False)
    require(not frames or run.returncode == 0 and len(run.stdout) == sum(sizes), "a payload does not decompress")
    return [run.stdout[end - size:end] for end, size in zip(accumulate(sizes), sizes)]
# Sections 2 to 5: the parts of a snapshot.
def frame_at(data, at, end, tag, what):  # a skippable frame of this format, with the hash of all before it at its end
    require(at + 12 <= end, "no place for a " + what, at)
    magic, size = struct.unpack_from("<II", data, at)
    require(magic == MAGIC and data.startswith(tag, at + 8), "no " + what, at)
    least, most = {"header": (40, 4096), "directory": (16, end), "trailer": (72, 72)}[what]
    require(least <= size <= most and at + 8 + size <= end, "a %s of wrong size" % what, at)
    frame = data[at:at + 8 + size]
    require(xxh64(frame[:-8]) == int.from_bytes(frame[-8:], "little"), "the %s's hash is wrong" % what, at)
    return frame
def know_column(b, encoding, flags, at):
    b.known = COLUMNS.get((b.table, b.column))
    understand(encoding < len(DECODERS) if b.known else not flags & 1, "encoding %d, or its column, is not known" % encoding, at)
    b.decode = DECODERS[encoding] if b.known else None
    require(not b.known or (b.known.critical, b.known.is_text) == (bool(flags & 1), b.decode is decode_text),
            "a block's flags or encoding are not its column's", at)
    return b
def read_block(data, at, end, sequence):  # a block, or a batch, which has table 0
    b = SimpleNamespace(at=at, is_batch=data.startswith(b"SBAT", at + 8))
    size, tag, layout = (28, b"SBAT", "<HHQ") if b.is_batch else (56, b"SBLK", "<HHBBHQIIIIQ")
    head = data[at:min(at + size, end)]
    require(head[:16] == struct.pack("<II4sI", MAGIC, size - 8, tag, sequence) and len(head) == size, "no block", at)
    fields = struct.unpack(layout, head[16:])
    b.fields = (0, 0, 0, 1, 0, 0, 0, *fields[:2], 0, fields[2]) if b.is_batch else fields
    b.table, b.column, encoding, flags, reserved, b.first_row, b.rows, b.raw_size, b.stored_size, reserved2, b.hash = b.fields
    b.end = at + size + b.stored_size
    b.payload = data[at + size:b.end]
    require(b.end <= end and xxh64(head[:-8] + b.payload) == b.hash, "a block's hash is wrong", at)
    understand(flags < 2 and not reserved and not reserved2, "reserved bits of a block are set", at)
    require((b.is_batch or b.table and 1 <= b.rows <= MAX_ROWS) and 1 <= b.raw_size <= MAX_RAW
            and 1 <= b.stored_size <= MAX_STORED, "a size of a block is out of range", at)
    check_frame(b.payload, b.raw_size, at + size)
    return b if b.is_batch else know_column(b, encoding, flags, at)
def read_small(data, end):  # section 5.3: the snapshot that a small one stands for, read in its place
    size, tag = int.from_bytes(data[end - 4:end], "little"), struct.pack("<II8s", MAGIC, 20, b"SNAPHEAP")
    require(40 < size <= min(end, 65575) and data.startswith(tag, end - size), "no small snapshot", end - 12)
    header = struct.pack("<II8sHHIIIQ", MAGIC, 40, b"SNAPHEAP", 1, 1, BATCHES, 0, 0, 0)
    batch = struct.pack("<II4sI", MAGIC, 20, b"SBAT", 0) + data[end - size + 16:end - 12]
    header, at = header + struct.pack("<Q", xxh64(header)), 48 + len(batch)
    trailer = struct.pack("<II4sI6Q", MAGIC, 72, b"SEND", NO_DIRECTORY, at + 80, at, 1, 0, 0, 0)
    trailer += struct.pack("<Q", xxh64(header[-8:] + batch[20:28] + trailer))
    m = read_member(header + batch + trailer + struct.pack("<Q", xxh64(trailer)), at + 80)
    m.start = end - size
    return m
def read_member(data, end):  # the snapshot that ends at end: rows[(table, column)] and columns[(table, column)] of those that are understood
    if data[max(end - 12, 0):end - 4] == struct.pack("<II", MAGIC, 4):
        return read_small(data, end)
    require(end >= 80, "no place for a trailer", 0)
    m = SimpleNamespace(rows={}, columns={}, blocks=[], parts=[])
    trailer = frame_at(data, end - 80, end, b"SEND", "trailer")
    m.flags, size, directory_at, count, interval, _, _, identity = struct.unpack("<I7Q", trailer[12:72])
    understand(m.flags & ~NO_DIRECTORY < 16, "reserved flags of a trailer are set", end - 80)
    require(directory_at <= size <= end and (not interval or m.flags & SAMPLED), "a trailer's fields are wrong", end - 80)
    m.start, directory_at = end - size, end - size + directory_at
    header = frame_at(data, m.start, end - 80, b"SNAPHEAP", "header")
    major, _, required, _, reserved = struct.unpack("<HHIII", header[16:32])
    understand(major == 1 and required <= BATCHES and not reserved, "a header of a newer version", m.start)
    directory = b"" if m.flags & NO_DIRECTORY else frame_at(data, directory_at, end - 80, b"SDIR", "directory")
    require(directory_at + len(directory) == end - 80, "a directory of wrong size", directory_at)
    at = m.start + len(header)
    while at < directory_at:
        m.blocks += [read_block(data, at, directory_at, len(m.blocks))]
        at = m.blocks[-1].end
    require(at == directory_at and len(m.blocks) == count, "not as many blocks as the trailer says", at)
    m.hashes = [header[-8:], *(struct.pack("<Q", b.hash) for b in m.blocks), directory[-8:]]
    require(xxh64(b"".join(m.hashes) + trailer[:64]) == identity, "the identity is wrong", end - 80)
    read_columns(m)
    batches, entries = sum(b.is_batch for b in m.blocks), (struct.pack("<HHBBHQIIIIQ", *b.fields) for b in m.blocks)
    require(batches <= MAX_BATCHES * required, "more batches than the header allows", m.start)
    require(directory[12:-8] == struct.pack("<I", count) + b"".join(entries) if directory else batches == count == 1,
            "the directory's entries are not the blocks", directory_at)
    return m
def read_batch(b):  # section 6.1: the columns of a batch
    c, parts, table, rows, number = Cursor(b.raw), [], 0, 0, 0
    for _ in range(c.varint() or 1025):
        how = c.byte(255)
        if how & 64:
            table, rows, number = c.varint(), c.varint(), 0
        step, start, size = c.varint(), c.at, c.varint()
        number += step
        require(0 < table < 65536 and number < 65536 and (step or how & 64) and 0 < rows <= MAX_ROWS
                and (size or not how & 63) and len(parts) < 1024, "a batch's column is out of range", b.at)
        part = SimpleNamespace(table=table, column=number, rows=rows, first_row=0, at=b.at, size=size,
                               raw=None if how & 63 else b.raw[start:c.at])
        parts.append((part, how & 63, how >> 7))
    for part, *_ in parts:
        part.raw = part.raw or c.take(part.size)
    require(c.at == len(b.raw), "bytes are left over in a batch", b.at)
    b.fields = (*b.fields[:5], sum({1 << part.table if part.table < 64 else 1 for part, *_ in parts}), *b.fields[6:])
    return [know_column(part, encoding, flags, b.at) for part, encoding, flags in parts]
def read_columns(m):
    for b, b.raw in zip(m.blocks, decompress([b.payload for b in m.blocks], [b.raw_size for b in m.blocks])):
        inside = read_batch(b) if b.is_batch else [b]
        b.in_index, m.parts = {18 < part.table < 40 or part.table == 41 for part in inside}, m.parts + inside
    for b in m.parts:
        require(b.first_row == m.rows.get((b.table, b.column), 0), "a block's first row is wrong", b.at)
        m.rows[b.table, b.column] = b.first_row + b.rows
    require(sum(m.rows.values()) <= MAX_VALUES, "more than %d values" % MAX_VALUES, answer="over the limit")
    places = {(b.table, b.column, b.first_row, b.rows) for b in m.parts}
    for b in sorted((b for b in m.parts if b.decode), key=lambda b: (b.table, b.column) == (11, 0)):  # after their sizes
        has_sizes = (b.table, b.column) == (11, 0) and (11, 1, b.first_row, b.rows) in places
        cursor = Cursor(b.raw, m.columns[11, 1][b.first_row:b.first_row + b.rows] if has_sizes else None)
        m.columns.setdefault((b.table, b.column), [] if b.known.is_text else array("Q")).extend(b.decode(cursor, b.rows))
        require(cursor.at == len(b.raw), "bytes are left over in %s.%s" % (b.known.table, b.known.name), b.at)
    m.columns = dict(sorted(m.columns.items()))
# Section 7: what must hold between the tables.
def values_of(m, table, name):  # all values, the default where the column is absent
    key, known = next((k, c) for k, c in COLUMNS.items() if (c.table, c.name) == (table, name))
    return m.columns[key] if key in m.columns else array("Q", [known.default]) * m.count[table]
def check_counts(m):
    m.count = dict.fromkeys(TABLES.values(), 0)
    for (table, _), rows in m.rows.items():
        name = TABLES.get(table, "")
        m.count[name] = m.count.get(name) or rows
        require(not name or m.count[name] == rows, "columns of %s differ in their number of rows" % name)
    for key, known in COLUMNS.items():
        require(not known.always or not m.count[known.table] or key in m.columns, known.table + " without " + known.name)
def check_ids(m):
    for known, values in ((COLUMNS[key], values) for key, values in m.columns.items()):
        where = "%s.%s: " % (known.table, known.name)
        if known.unit in ("id", "optional"):
            require(max(values) <= m.count[known.refers] and (known.unit == "optional" or min(values)), where + "an id is beyond its table, or none")
        for label in set(values) if known.unit == "label" else ():
            limit = {0: m.count["strings"], 1: MASK, 2: m.count["objects"], 3: 0}[label & 3]
            require(label >> 2 <= limit and (label & 1 or label >> 2), where + "a label is beyond its table")
def has_circle(above):
    for _ in range(len(above).bit_length()):
        above = [above[row] for row in above]
    return any(above)
def check_names(m):
    require(len(set(values_of(m, "properties", "key"))) == m.count["properties"], "a property is there twice")
    for table in ("stacks", "index_nodes", "index_steps", "index_roots", "index_type_steps", "index_owners"):
        require(all(parent <= row for row, parent in enumerate(values_of(m, table, "parent"))), "a parent is later in " + table)
    require(not has_circle([0, *values_of(m, "frames", "inlined_into")]), "frames are inlined into each other")
def check_objects(m):  # returns the objects' types and shapes
    slots, tails = values_of(m, "shapes", "slot_count"), values_of(m, "shapes", "tail")
    require(sum(slots) == m.count["slots"] and max(tails, default=0) <= 2, "slots are not those of all shapes, or an unknown kind of tail")
    rows, lengths = values_of(m, "runs", "rows"), values_of(m, "tails", "length")
    require(all(rows) and sum(rows) == m.count["objects"], "a run has no rows, or all runs have not those of objects")
    shapes, with_tail, references, labelled = array("Q"), 0, 0, 0
    for shape, n in zip(values_of(m, "runs", "shape"), rows):
        shapes.extend(array("Q", [shape]) * n)
        references += slots[shape - 1] * n
        if tails[shape - 1]:
            elements = sum(lengths[with_tail:with_tail + n])
            with_tail, references = with_tail + n, references + elements
            labelled += elements if tails[shape - 1] == 2 else 0
    require(len(lengths) in (0, with_tail), "tails has not a row for each object with a tail")
    require((references, labelled) == (m.count["references"], m.count["tail_labels"]), "there is not a row for each slot and element")
    addresses, counts = values_of(m, "objects", "address"), values_of(m, "objects", "count")
    require(len(set(addresses) - {0}) == sum(map(bool, addresses)), "an address is there twice")
    require(all(count == 1 or bool(address) is not bool(count) for address, count in zip(addresses, counts)), "a count does not fit the address")
    many = {row for row, count in enumerate(counts, 1) if count > 1}
    require(not many or many.isdisjoint(values_of(m, "references", "target")), "a reference leads to many objects")
    return array("Q", map([0, *values_of(m, "shapes", "type")].__getitem__, shapes)), shapes
def check_totals(m, types, shapes):
    rows = list(zip(*(values_of(m, "totals", name) for name in ("dimension", "key", "bytes", "count"))))
    require(all(a[:2] < b[:2] for a, b in zip(rows, rows[1:])), "totals do not ascend")
    sums = {}
    for dimension, key, size, count in rows:
        sums.setdefault(dimension, {})[key] = (size, count)
    require(not rows or list(sums.get(0, ())) == [0], "totals have no sum of all, or several")
    for dimension, table in ((1, "types"), (2, "stacks"), (3, "threads"), (6, "shapes"), (7, "buckets of sizes")):
        require(max(sums.get(dimension, [0])) <= m.count.get(table, 64), "a total's key is beyond its " + table)
    require(all(tuple(map(sum, zip(*each.values()))) == sums[0][0] for each in sums.values()), "totals do not add up")
    if m.flags & TOTALS_ONLY:
        return require(not any(m.count[TABLES[i]] for i in (7, 8, *range(10, 17))), "totals only, but there are objects")
    sizes, counts, *by = (values_of(m, "objects", x) for x in ("size", "count", "stack", "thread", "domain", "generation"))
    sizes_of_all = [size * count for size, count in zip(sizes, counts)]
    for dimension, keys in enumerate(([0] * len(sizes), types, *by, shapes, map(int.bit_length, sizes))):
        found = {}
        for key, size, count in zip(keys, sizes_of_all, counts):
            total, number = found.get(key, (0, 0))
            found[key] = (total + size, number + count)
        said, found = ({key: total for key, total in each.items() if total != (0, 0)} for each in (sums.get(dimension, {}), found))
        require(said == found if dimension in sums else set(found) <= {0} or not rows, "objects do not add up to their totals")
def check_tops(m, dominators, keeps, least):
    tops = list(zip(*(values_of(m, "index_tops", name) for name in ("object", "retained", "dominator", "largest"))))
    most = sorted((-keep, row) for row, (above, keep) in enumerate(zip(dominators, keeps), 1) if above != row and keep >= least)
    left = {0: 0, **{top: retained for top, retained, _, _ in tops}}
    require([(-left[top], top) for top, *_ in tops if left[top] >= least] == most, "tops are not those that retain most")
    for top, retained, above, largest in tops:
        is_so = (retained, above) == (keeps[top - 1], dominators[top - 1]) and (not largest or dominators[largest - 1] == top)
        require(is_so and top != above in left, "a top is not as its object is")
        left[above] -= retained * (retained >= least)
    for top, part, size in zip(*(values_of(m, "index_top_parts", name) for name in ("top", "part", "bytes"))):
        require((not top) == (part == 2) and (not top or tops[top - 1][1] >= least), "what hangs on no top has one, or the other way about")
        left[tops[top - 1][0] if top else 0] -= size * (not part)
    require(not m.count["index_top_parts"] or not any(left[top] for top, retained, *_ in tops if retained >= least), "parts do not add up")
def check_index(m):  # section 7.5: that it was made of this snapshot, that its trees have no circles, and what can be added up
    split = [True in b.in_index for b in m.blocks].index(True)
    facts, n = dict(zip(values_of(m, "index", "fact"), values_of(m, "index", "value"))), m.count["objects"]
    require(all(b.in_index == {True} for b in m.blocks[split:]) and m.count["index_objects"] == n
            and facts.get(0) == xxh64(b"".join(m.hashes[:split + 1])), "an index of another snapshot")
    of_objects = [values_of(m, "index_objects", name) for name in ("dominator", "held", "parent", "cycle")]
    bytes_of = list(map(int.__mul__, values_of(m, "objects", "size"), values_of(m, "objects", "count")))
    above, parents, reached, tops = [0], [0], 0, 0
    for row, (size, dominator, held, parent, _) in enumerate(zip(bytes_of, *of_objects), 1):
        is_reached = dominator != row
        require(size + held <= MASK and (is_reached or not held and not parent), "an object holds or has what it cannot")
        above.append(dominator * is_reached)
        parents.append((parent or dominator) * is_reached)
        reached, tops = reached + is_reached, tops + (size + held if not dominator else 0)
    require(not has_circle(above) and not has_circle(parents), "dominators or parents go in a circle")
    require(tops <= MASK and (reached, tops) == (facts.get(1, 0), facts.get(2, 0)), "roots retain not what they reach")
    spans, maps = -(-n // 65536), -(-m.count["references"] // 65536) - (-n // 65536)
    told = [sum(values_of(m, *name)) for name in (("index_cycles", "objects"), ("index_types", "parts"), ("index_types", "steps"))]
    require(told == [n - of_objects[3].count(0), m.count["index_type_parts"], m.count["index_type_steps"]], "cycles, parts or steps do not add up")
    require(m.count["index_spans"] in (0, spans) and m.count["index_maps"] in (0, 64 * maps), "spans or maps are not whole")
    check_tops(m, of_objects[0], list(map(int.__add__, bytes_of, of_objects[1])), facts.get(8) or MASK + 1)
    parts, *amounts = (values_of(m, "index_classes", name) for name in ("parts", "bytes", "count"))
    tree_of = [0, *accumulate(part != before for part, before in zip(parts, [-1, *parts]))]
    sums = [[sum(bytes_of), sum(values_of(m, "objects", "count")), facts.get(2, 0)], *([0, 0, 0] for _ in range(tree_of[-1]))]
    nodes = list(zip(*(values_of(m, "index_nodes", name) for name in ("class", "parent", "retained"))))
    for tree, size, count in zip(tree_of[1:], *amounts):
        sums[tree] = [sums[tree][0] + size, sums[tree][1] + count, 0]
    for of_class, parent, retained in nodes:
        require(not parent or tree_of[nodes[parent - 1][0]] == tree_of[of_class], "a node's parent is of another tree")
        sums[tree_of[of_class]][2] += 0 if parent else retained
    require(all(tree == sums[0] for tree in sums), "a tree's classes are not all objects, or its nodes not what is reached")
def read_members(data):
    members, end = [], len(data)  # first to last; each ends where the next begins
    while end or not members:
        m = read_member(data, end)
        check_counts(m), check_ids(m), check_names(m), check_totals(m, *check_objects(m))
        any(True in b.in_index for b in m.blocks) and check_index(m)
        members, end = [m] + members, m.start
    return members
def main(names, status=0):
    for name in names:
        try:
            read_members(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
        except (Refusal, OSError) as e:
            status = print("reader.py: %s: %s" % (name, e), file=sys.stderr) or 2
    return status
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
