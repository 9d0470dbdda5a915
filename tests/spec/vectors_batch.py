"""Vectors of batches (sections 4.1 and 6.1), and of snapshots without a directory."""
import struct

from vector_bytes import MAGIC, Batch, Column, snapshot, varint, xxh64
from vector_tiny import bad, good, tiny, tiny_columns, unsupported


def in_batch(columns, raw=None, **fields):
    """A snapshot of one batch, and what is wrong with it in fields."""
    return snapshot([Batch(columns, raw, **fields)], alone=True)


def batch(name, says, raw=None, columns=(Column("timeline.time", [1, 2]),), **fields):
    bad("batch-" + name, "Section 4.1: " + says if raw is None else "Section 6.1: " + says, in_batch(list(columns), raw, **fields))


TIME, COUNT = Column("timeline.time", [1, 2, 3]), Column("timeline.count", [7, 7, 7], "constant")
good("batch", "Section 6.1: two objects that refer to each other, and a root, all in one batch; so there is no directory.",
     snapshot([Batch(tiny_columns())], alone=True))
good("batch-and-blocks", "Section 6.1: what is small is in a batch, the rest in blocks.",
     snapshot([Batch(tiny_columns(drop=["objects.size", "references.target"])),
               Column("objects.size", [24, 24]), Column("references.target", [2, 1])]))
good("batch-directory", "Section 5.1: one batch, and a directory although none is needed.", snapshot([Batch(tiny_columns())]))
good("batches", "Section 6.1: two batches, and a table that is in both.", snapshot([Batch([TIME]), Batch([COUNT])]))
good("batch-constant", "Section 6.1: a constant's value stands in its entry.",
     in_batch([Column("timeline.time", [2**64 - 1] * 3, "constant"), COUNT]))
good("batch-continued", "Section 6.1: the first rows of a column are in a batch, the others in a block.",
     snapshot([Batch([TIME]), Column("timeline.time", [4, 5], set_first=3), Column("timeline.count", [7] * 5, "constant")]))
good("batch-unknown", "Section 6.1: columns in a batch that this version does not know, and that are not critical, are skipped.",
     in_batch([TIME, Column("18.77", [1, 2, 3], 50, b"whatever"), Column("18.78", [9] * 3, 0, b"\x09"), Column("900.0", [1]),
               Column("900.3", [1])]))
good("no-batch", "Section 3: there may be batches, but there are none.", tiny(header={"minor": 1, "required": 1}))
batch("frame-size", "a frame size other than 20.", frame_size=19)
batch("tag", "another tag.", tag=b"SBAX")
batch("sequence", "a sequence that is not 0.", sequence=1)
batch("hash", "a hash that does not agree.", hash=1)
batch("raw-size-0", "a raw size of 0.", raw_size=0)
batch("raw-size", "a raw size that is not the content size.", raw_size=9)
batch("stored-size-0", "a stored size of 0.", stored_size=0)
batch("stored-size", "a stored size that is not the payload's.", stored_size=9)
batch("frame-checksum", "a frame whose own checksum is wrong.", frame={"checksum": 0x12345678})
bad("batch-undeclared", "Section 3: a batch, but the header does not say that there may be one.",
    snapshot([Batch([TIME])], header={"required": 0}))
bad("batch-undeclared-alone", "Section 3: nothing but a batch, but the header does not say that there may be one.",
    snapshot([Batch([TIME])], header={"required": 0}, alone=True))
bad("batch-as-block", "Section 4: a block of table 0.", snapshot([TIME, Column("0.0", [1], raw=b"\0\1\1")]))
bad("batch-entry-tables", "Section 5.1: an entry with other tables than the batch has.",
    snapshot([Batch([TIME], entry=lambda e: e[:8] + b"\2" + e[9:])]))
bad("batch-entry-no-tables", "Section 5.1: an entry without tables.",
    snapshot([Batch([TIME], entry=lambda e: e[:8] + bytes(8) + e[16:])]))
bad("batch-entry-rows", "Section 5.1: an entry of a batch with a row count.",
    snapshot([Batch([TIME], entry=lambda e: e[:16] + b"\1" + e[17:])]))
bad("batch-entry-critical", "Section 5.1: an entry of a batch that is not critical.",
    snapshot([Batch([TIME], entry=lambda e: e[:5] + b"\0" + e[6:])]))
bad("batches-many", "Section 9: 65 batches.", snapshot([Batch([Column("900.%d" % i, [1])]) for i in range(65)]))
bad("no-directory-block", "Section 5.2: no directory, and a block that is no batch.",
    snapshot([TIME], header={"minor": 1, "required": 1}, alone=True))
bad("no-directory-batches", "Section 5.2: no directory, but two batches.", snapshot([Batch([TIME]), Batch([COUNT])], alone=True))
bad("no-directory-empty", "Section 5.2: no directory, and no batch either.",
    snapshot([], header={"minor": 1, "required": 1}, alone=True))
bad("no-directory-count", "Section 5.2: no directory, and a block count other than 1.",
    snapshot([Batch([TIME])], trailer={"flags": 32, "count": 2}, alone=True))
bad("no-directory-but-one", "Section 5.2: the flag says that there is no directory, but there is.",
    snapshot([Batch([TIME])], trailer={"flags": 32}))


def small(columns=(TIME,), end=None, size=None, **fields):
    """A small snapshot of one batch, or what is said of it instead."""
    _, (_, head), (what, frame), _ = in_batch(list(columns), **fields)
    head = struct.pack("<II8s", MAGIC, fields.get("frame_size", 20), fields.get("tag", b"SNAPHEAP")) + head[16:]
    end = struct.pack("<III", MAGIC, 4, size or len(head) + len(frame) + 12) if end is None else end
    return [("header of a small snapshot (section 5.3)", head), (what, frame), ("end of a small snapshot (section 5.3)", end)]


good("small", "Section 5.3: two objects that refer to each other, and a root, in a small snapshot.", small(tiny_columns()))
good("small-series", "Section 2: a small snapshot between two others.", tiny() + small() + snapshot([TIME]))
bad("small-frame-size", "Section 5.3: a frame size other than 20.", small(frame_size=21))
bad("small-tag", "Section 5.3: another tag.", small(tag=b"SNAPHEAQ"))
bad("small-hash", "Section 5.3: a hash that does not agree.", small(hash=1))
bad("small-hash-of-itself", "Section 5.3: a hash of the small snapshot's bytes, and not of the batch's.",
    small(hash=xxh64(struct.pack("<II8s", MAGIC, 20, b"SNAPHEAP") + small()[0][1][16:20] + small()[1][1])))
bad("small-raw-size", "Section 5.3: a raw size that is not the content size.", small(raw_size=9))
bad("small-stored-size", "Section 5.3: a stored size that is not the payload's.", small(stored_size=9))
bad("small-frame-checksum", "Section 5.3: a frame whose own checksum is wrong.", small(frame={"checksum": 0x12345678}))
bad("small-no-end", "Section 5.3: without its end the snapshot was cut short.", small()[:-1])
bad("small-end-cut", "Section 5.3: the last byte is missing.", small(end=struct.pack("<III", MAGIC, 4, 64)[:-1]))
bad("small-end-magic", "Section 5.3: the end's magic number is another.", small(end=struct.pack("<III", MAGIC - 1, 4, 64)))
bad("small-end-size-0", "Section 5.3: a snapshot of no bytes.", small(end=struct.pack("<III", MAGIC, 4, 0)))
bad("small-end-size", "Section 5.3: a snapshot larger than the file.", small(size=1000))
bad("small-trailer", "Section 5.3: a small snapshot's header, and a trailer.", small()[:2] + in_batch([TIME])[-1:])
bad("small-end-of-another", "Section 5.3: a header, a batch, and a small snapshot's end.",
    in_batch([TIME])[:3] + [("end of a small snapshot (section 5.3)", struct.pack("<III", MAGIC, 4, 112))])
bad("small-and-batch", "Section 5.3: a second batch before the end.",
    small()[:2] + in_batch([COUNT])[1:3] + small(size=64 + sum(len(data) for _, data in in_batch([COUNT])[1:3]))[2:])
bad("small-within", "Section 5.3: a small snapshot's header in the place of a batch's.",
    in_batch([TIME])[:1] + small()[:2] + in_batch([TIME])[-1:])
batch("empty", "no columns.", b"\0")
batch("few-entries", "more columns than entries.", b"\2\x40\x12\2\0\1")
batch("many-columns", "1,025 columns.", varint(1025) + b"\x40" + varint(900) + b"\1\0\1" + b"\0\1\1" * 1024)
batch("no-table", "the first entry begins no table.", b"\1\2\0\1")
batch("table-0", "a column of table 0.", b"\1\x40\0\1\0\1")
batch("table-large", "a table over 65,535.", b"\1\x40" + varint(65536) + b"\1\0\1")
batch("column-0-again", "an entry that does not begin a table has step 0.", b"\2\x40\x12\2\0\1\0\0\1")
batch("column-large", "a column over 65,535.", b"\2\x40" + varint(900) + b"\2\1\1\0" + varint(65535) + b"\1")
batch("column-wraps", "a column that is 1 modulo 2^64 only.", b"\2\x40\x12\2\2\1\0" + varint(2**64 - 1) + b"\1")
batch("rows-0", "no rows.", b"\1\x40\x12\0\0\1")
batch("rows-many", "more than 1,048,576 rows.", b"\1\x40\x12" + varint(1048577) + b"\0\1")
batch("size-0", "a column of no bytes.", b"\1\x41" + varint(900) + b"\1\0\0")
batch("size-beyond", "a column of more bytes than are left.", b"\1\x41\x12\1\0\4\0\1\1")
batch("size-large", "a column of 2^64 − 1 bytes.", b"\1\x41\x12\1\0" + varint(2**64 - 1) + b"\0\1\1")
batch("left-over", "a byte is left over.", b"\1\x40\x12\2\0\1\0")
batch("varint", "a varint with a needless last byte.", b"\1\x40\x92\0\2\0\1")
batch("encoding", "a column whose bytes break the rules of its encoding.", b"\1\x41\x12\2\0\2\0\1")
bad("batch-critical", "Section 6.1: a column that is not critical says that it is.",
    in_batch([Column("timeline.time", [1], set_flags=1)]))
bad("batch-not-critical", "Section 6.1: a column that is critical does not say so.",
    in_batch([Column("strings.text", [b"a"], set_flags=0)]))
bad("batch-text", "Section 6.1: text in a column of integers.", in_batch([Column("timeline.time", [b"a"], "text")]))
bad("batch-rows-differ", "Section 7: a table with other rows in a batch than in a block.",
    snapshot([Batch([TIME]), Column("timeline.count", [1, 2])]))
bad("batch-column-twice", "Section 6.1: a column twice in a batch.", in_batch([TIME, Column("900.0", [1]), TIME]))
bad("batch-column-in-two", "Section 6.1: a column in two batches.", snapshot([Batch([TIME]), Batch([TIME])]))
bad("batch-after-block", "Section 6.1: a column in a batch that has rows before.", snapshot([TIME, Batch([TIME])]))
unsupported("batch-critical-column", "Section 6.1: an unknown column in a batch that is critical.",
            in_batch([TIME, Column("18.77", [1, 2, 3], set_flags=1)]))
unsupported("batch-encoding", "Section 6.1: an unknown encoding of a column that is known.",
            in_batch([Column("timeline.time", [1, 2, 3], 50, b"??")]))
unsupported("no-directory-and-more", "Section 5.2: a reserved flag beside that of a snapshot without a directory.",
            snapshot([Batch([TIME])], trailer={"flags": 32 | 64}, alone=True))
