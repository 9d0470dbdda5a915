#!/usr/bin/env python3
"""Writes spec/vectors/*.hex.

    make_vectors.py FOLDER  writes them all
    make_vectors.py --binaries FOLDER FILE...  writes the bytes of each .hex to FOLDER"""
import struct
import sys
import textwrap
from pathlib import Path

sys.dont_write_bytecode = True
import vectors_batch  # they add theirs
import vectors_index
from vector_bytes import Column, as_delta, as_planes, planes, sized, snapshot, varint, zigzag, zstd_frame
from vector_tiny import (NO_LABEL, STRINGS, VECTORS, bad, column, good, index, key, label, only, time, tiny,
                         unsupported)


# ---- good ----
good("tiny", "Two objects that refer to each other, and a root.", tiny())
good("empty", "A snapshot without any table: header, directory of no blocks, trailer.", snapshot([]))
good("constant", "Section 6, encoding 0: every value is the varint.", time([2**64 - 1] * 5, "constant"))
good("planes", "Section 6, encoding 1: three planes, no shift.", time([0, 1, 0x10203, 0xff, 0x400], "planes"))
good("planes-shift", "Section 6, encoding 1: all values are multiples of 16.",
     only("timeline.time", [0x7f0000001230, 0x7f0000001240, 0x7f0000005550], 1,
          as_planes([0x7f0000001230, 0x7f0000001240, 0x7f0000005550], 4)))
good("planes-zero", "Section 6, encoding 1: width 0, every value is 0.", time([0, 0, 0], "planes"))
good("planes-wide", "Section 6, encoding 1: width 8.", time([2**64 - 1, 1, 2**63], "planes"))
good("delta", "Section 6, encoding 2: differences of both signs.", time([1000, 1010, 990, 990, 5000], "delta"))
good("delta-shift", "Section 6, encoding 2: differences in steps of 8.",
     time([4096, 4104, 4080, 8192], 2, as_delta([4096, 4104, 4080, 8192], 3)))
good("delta-one", "Section 6, encoding 2: one row has no differences, so width 0.", time([77], "delta"))
good("delta-wraps", "Section 6, encoding 2: arithmetic is modulo 2^64.",
     time([2**64 - 1, 1], 2, varint(2**64 - 1) + b"\0" + sized([zigzag(2)])))
good("dictionary", "Section 6, encoding 3: three values, one byte for each row.", time([5, 900, 5, 5, 70000, 900], "dictionary"))
good("dictionary-wide", "Section 6, encoding 3: 257 values need two planes; the second may be zero for many rows.",
     time([i * 3 for i in range(257)], "dictionary"))
good("dictionary-zero-plane", "Section 6, encoding 3: two planes, and the top one is all zero, which is allowed here.",
     time([7] * 257, 3, varint(257) + b"".join(varint(i) for i in range(257)) + planes([7] * 257, 2)))
good("runs", "Section 6, encoding 4: three runs.", time([9] * 4 + [0] + [300] * 2, "runs"))
good("steps", "Section 6, encoding 5: every code, and a zero that changes nothing.",
     time([100, 100, 100, 108, 116, 0, 124, 60, 0, 0, 60, 2**63], "steps"))
good("ranges", "Section 6, encoding 7: offsets in one range, differences in another, in both directions, and zeros.",
     time([0, 100, 2**40 + 5, 103, 2**40 + 2, 0, 100, 2**40 + 300], 7,
          b"\x02" + varint(100) + b"\x00\x01" + varint(2**40 - 100) + b"\x01\x02" + bytes([0, 1, 2, 1, 2, 0, 1, 2])
          + planes([0, 3, 0], 1) + planes([zigzag(5), zigzag(-3), zigzag(298)], 2)))
good("ranges-width-0", "Section 6, encoding 7: values that are all where their range begins.",
     time([7, 0, 9, 7], 7, b"\x02\x07\x00\x00\x02\x01\x00\x01\x00\x02\x01"))
ADDRESSES, ADJACENT = [0x1000, 0x1020, 0x1060, 0x1090, 0x1000090, 0xff0], [1, 50, 33, 40, 8, 0]


def adjacent(raw, addresses=ADDRESSES, sizes=(ADJACENT, "planes"), drop=(), cuts=(), of="objects.address"):
    """Objects whose addresses are encoded so; sizes: or their encoding, or where they are cut."""
    columns = {"types.name": [1], "strings.text": [b"T"], "shapes.type": [1], "runs.shape": [1], "runs.rows": [len(ADJACENT)]}
    return snapshot([Column(name, values) for name, values in columns.items()]
                    + [Column(of, addresses, 8, raw)]
                    + [Column("objects.size", *sizes, cuts=cuts) for _ in range("objects.size" not in drop)])


def as_adjacent(added, least, shift, addresses, sizes):
    places, room = [], 0
    for address, size in zip(addresses, sizes):
        places.append((address - room) % 2**64)
        room += max(least, -(-(size + added) // 2**shift) * 2**shift)
    differences = [b - a for a, b in zip(places, places[1:])]
    return (varint(added) + varint(least) + bytes([shift]) + varint(places[0]) + b"\0"
            + sized([zigzag((d + 2**63) % 2**64 - 2**63) for d in differences]))


good("adjacent", "Section 6, encoding 8: most begin where the one before ends, which takes 8 more, in steps of 16, and 32 at least.",
     adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT)))
good("adjacent-before", "Section 6, encoding 8: sizes that follow in another encoding, and nothing but them is added.",
     adjacent(as_adjacent(0, 0, 0, ADDRESSES, [24] * 6), sizes=([24] * 6, "constant")))
good("text", "Section 6, encoding 6: an empty string, bytes that are not UTF-8, control bytes, all kept.",
     only("strings.text", [b"", b"abc", b"\xff\xfe\xc3", "Größe \U0001f600".encode(), b"\x1b[31m\n\t\"\\\0", b"\xee\xbe\x80"],
          "text"))
good("rle-frame", "Section 4: a frame with a block that repeats one byte is as good as any other.",
     snapshot([Column("timeline.time", [0, 0, 0], 1, b"\x00\x00", frame={"kind": 1})]))
good("two-blocks", "Section 4: a column in three blocks of different encodings' choice.",
     snapshot([Column("timeline.time", list(range(10)), "planes", cuts=(3, 4)),
               Column("timeline.count", [7] * 10, "constant", cuts=(5,))]))
good("series", "Section 2: two members, back to back.",
     tiny() + snapshot([Column("timeline.time", [1, 2, 3])]))
good("long-header", "Section 3: a later minor version's header with eight more bytes.",
     tiny(header={"minor": 1, "extra": b"whatever"}))
good("spare", "Sections 3 and 5.2: spare fields and optional features are ignored.",
     tiny(header={"spare": 2**63, "optional": 5}, trailer={"spare": 99}))
good("unknown-column", "Section 4: a column that this version does not know, and that is not critical, is skipped.",
     tiny(more=[Column("11.77", [1, 2])]))
good("unknown-table", "Section 4: a table that this version does not know, and that is not critical, is skipped.",
     tiny(more=[Column("900.0", [1, 2, 3, 4])]))
good("unknown-kinds", "Section 10: kinds that this version does not know are kept as numbers.",
     tiny(change={"slots.label": [label(4)]},
          more=[Column("slots.kind", [31]), Column("types.kind", [200]), Column("roots.kind", [99])]))
good("partial", "Section 5.2: the writer knows that something is missing.", tiny(trailer={"flags": 1, "unknown": 3}))
good("sampled", "Section 5.2: sampled, one sample for 512 KiB.", tiny(trailer={"flags": 2, "interval": 524288}))
good("names", "Section 7.1: modules, frames inlined into later ones, stacks, threads.", snapshot([
    Column("strings.text", [b"/usr/bin/app", b"00c0ffee", b"main", b"main.c", b"min", b"worker"]),
    Column("modules.path", [1]), Column("modules.build_id", [2]), Column("modules.base", [0x400000]),
    Column("modules.size", [4096]),
    Column("frames.function", [5, 3, 0]), Column("frames.file", [4, 4, 0]), Column("frames.line", [3, 12, 0]),
    Column("frames.module", [1, 1, 1]), Column("frames.offset", [0x40, 0x40, 0x99]),
    Column("frames.inlined_into", [2, 0, 0]),
    Column("stacks.parent", [0, 1, 1]), Column("stacks.frame", [2, 1, 3]), Column("stacks.flags", [1, 0, 0]),
    Column("threads.id", [4711, 4712]), Column("threads.name", [0, 6])]))
SHAPES = [
    Column("strings.text", [b"List", b"Map", b"Leaf", b"owner", b"meta", b"x"]),
    Column("types.name", [1, 2, 3]),
    # List: a slot and indexed elements; Map: a labelled tail; Leaf: two slots
    Column("shapes.type", [1, 2, 3]), Column("shapes.slot_count", [1, 0, 2]), Column("shapes.tail", [1, 2, 0]),
    Column("shapes.tail_kind", [1, 0, 0]),
    Column("slots.kind", [0, 0, 16]), Column("slots.label", [label(4), label(4), NO_LABEL]),
    Column("runs.shape", [1, 2, 3]), Column("runs.rows", [2, 1, 2]),
    Column("objects.address", [0x10, 0x20, 0x30, 0x40, 0x50]), Column("objects.size", [16, 32, 48, 8, 8]),
    Column("tails.length", [3, 0, 4]),
    # owners of the lists, elements of the first; the map's; slot 0 then slot 1 of both leaves
    Column("references.target", [5, 5, 4, 0, 5, 4, 5, 1, 2, 1, 2, 3, 0]),
    Column("tail_labels.kind", [5, 6, 0, 2]), Column("tail_labels.label", [index(0), key(4), label(6), NO_LABEL]),
    Column("totals.dimension", [0, 1, 1, 1, 6, 6, 6, 7, 7, 7]), Column("totals.key", [0, 1, 2, 3, 1, 2, 3, 4, 5, 6]),
    Column("totals.bytes", [112, 48, 48, 16, 48, 48, 16, 16, 16, 80]), Column("totals.count", [5, 2, 1, 2, 2, 1, 2, 2, 1, 2]),
]


def shapes(**change):
    """SHAPES with columns replaced (a__b for a.b); None drops one."""
    new = {name.replace("__", "."): values for name, values in change.items()}
    return snapshot([Column(c.name, new[c.name]) if c.name in new else c for c in SHAPES
                     if new.get(c.name, 0) is not None])


good("shapes", "Sections 7.2 and 7.3: slots, indexed and labelled tails, labels of each tag, targets of none.",
     shapes(totals__bytes=[112, 48, 48, 16, 48, 48, 16, 16, 16, 80]))
good("weights", "Section 7.2: rows that stand for many blocks; stacks, threads, domains and generations in the totals.", snapshot([
    Column("strings.text", [b"f", b"block"]), Column("frames.function", [1]), Column("stacks.frame", [1]),
    Column("types.name", [2]), Column("threads.id", [1]),
    Column("shapes.type", [1]), Column("runs.shape", [1]), Column("runs.rows", [3]),
    Column("objects.size", [64, 100, 0]), Column("objects.count", [100, 1, 7]), Column("objects.stack", [1, 0, 1]),
    Column("objects.thread", [0, 1, 1]), Column("objects.domain", [0, 0, 2]), Column("objects.generation", [1, 0, 0]),
    Column("objects.flags", [0, 1, 15]), Column("objects.birth_serial", [0, 9, 0]),
    Column("totals.dimension", [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 7]),
    Column("totals.key", [0, 1, 0, 1, 0, 1, 0, 2, 0, 1, 1, 0, 7]),
    Column("totals.bytes", [6500, 6500, 100, 6400, 6400, 100, 6500, 0, 100, 6400, 6500, 0, 6500]),
    Column("totals.count", [108, 108, 1, 107, 100, 8, 101, 7, 8, 100, 108, 7, 101])]))
good("contents", "Section 7.2: contents of strings as hashes, or as text.", snapshot([
    Column("strings.text", [b"str", b"hello", b"a_name"]), Column("types.name", [1]), Column("types.kind", [2]),
    Column("shapes.type", [1]), Column("runs.shape", [1]), Column("runs.rows", [2]),
    Column("objects.address", [1, 2]), Column("objects.size", [54, 54]), Column("objects.content", [1, 2]),
    Column("objects.name", [0, 3]),
    Column("contents.length", [5, 5]), Column("contents.hash", [0, 0x1122334455667788]), Column("contents.text", [2, 0]),
    Column("totals.dimension", [0, 1, 6, 7]), Column("totals.key", [0, 1, 1, 6]), Column("totals.bytes", [108] * 4),
    Column("totals.count", [2] * 4)], trailer={"flags": 8}))
good("refcounts", "Sections 7.2 and 7.3: counts of references, of which one is another's alias.", snapshot([
    Column("strings.text", [b"Plain", b"dict", b"__dict__", b"value"]), Column("types.name", [1, 2]),
    Column("shapes.type", [1, 2]), Column("shapes.slot_count", [2, 1]),
    Column("slots.kind", [2, 9, 6]), Column("slots.label", [label(3), label(4), label(4)]),
    Column("runs.shape", [1, 2]), Column("runs.rows", [1, 2]), Column("objects.address", [0x10, 0x50, 0x90]),
    Column("objects.size", [48, 64, 64]), Column("objects.refcount", [1, 1, 2]),
    Column("references.target", [2, 3, 3, 0]), Column("roots.object", [1]),
    Column("totals.dimension", [0, 1, 1, 6, 6, 7, 7]), Column("totals.key", [0, 1, 2, 1, 2, 6, 7]),
    Column("totals.bytes", [176, 48, 128, 48, 128, 48, 128]), Column("totals.count", [3, 1, 2, 1, 2, 1, 2])]))
TOTALS = [Column("strings.text", [b"A", b"B"]), Column("types.name", [1, 2]),
          Column("totals.dimension", [0, 1, 1, 7]), Column("totals.key", [0, 1, 2, 4]),
          Column("totals.bytes", [30, 10, 20, 30]), Column("totals.count", [3, 1, 2, 3])]
good("totals-only", "Section 7.4: sums without objects.", snapshot(TOTALS, trailer={"flags": 4}))

good("count-0", "Section 7.2: a variable holds blocks, and is none itself.",
     tiny({"totals.bytes": [24] * 4, "totals.count": [1] * 4}, more=[Column("objects.count", [0, 1])]))
good("equal-strings", "Section 7.1: strings may be equal; of properties with equal texts the first counts.",
     tiny({"strings.text": STRINGS + [b"program"], "properties.key": [1, 6], "properties.value": [2, 3]}))
good("no-totals", "Section 7.4: without totals a reader adds up the objects itself.",
     tiny(drop=["totals.dimension", "totals.key", "totals.bytes", "totals.count"]))
good("totals-zero", "Section 7.4: a sum of nothing says nothing; a snapshot of names alone has one.",
     snapshot([Column("strings.text", [b"A"]), Column("types.name", [1]), Column("totals.dimension", [0, 1, 1]),
               Column("totals.key", [0, 0, 1]), Column("totals.bytes", [0, 0, 0])]))
good("empty-tails", "Section 7.3: table 12 is absent where all tails are empty.", snapshot([
    Column("strings.text", [b"List"]), Column("types.name", [1]), Column("shapes.type", [1]), Column("shapes.tail", [1]),
    Column("runs.shape", [1]), Column("runs.rows", [2]), Column("objects.address", [1, 2]), Column("objects.size", [8, 8]),
    Column("totals.dimension", [0, 1, 6, 7]), Column("totals.key", [0, 1, 1, 4]), Column("totals.bytes", [16] * 4),
    Column("totals.count", [2] * 4)]))

good("mappings", "Section 7.4: the memory of a process, of which two objects take 48 bytes.", tiny(
    {"strings.text": STRINGS + [b"/bin/tiny", b"[heap]"]}, more=[
        Column("mappings.address", [0x400000, 0x600000, 0x7f0000000000]), Column("mappings.size", [8192, 135168, 139264]),
        Column("mappings.resident", [4096, 8192, 12288]), Column("mappings.live", [0, 48, 0]),
        Column("mappings.kind", [3, 1, 2]), Column("mappings.flags", [5, 3, 3]), Column("mappings.name", [6, 7, 0])]))
bad("mapping-name", "Section 7.4: a mapping whose name is beyond strings.",
    tiny(more=[Column("mappings.address", [4096]), Column("mappings.name", [6])]))

# ---- section 2 ----
bad("no-bytes", "Section 2: a file is one or more snapshots.", [])
bad("text", "Section 2: no snapshot at all.", [("text", b"All work and no play makes Jack a dull boy. " * 4)])
bad("header-only", "Section 5.2: without a trailer the snapshot was cut short.", tiny()[:1])
bad("no-trailer", "Section 5.2: without a trailer the snapshot was cut short.", tiny()[:-1])
bad("no-directory", "Section 5.1: the trailer says where a directory is, and there is none.", tiny()[:-2] + tiny()[-1:])
bad("garbage-before", "Section 2: bytes before the first member.", [("garbage", b"garbage!")] + tiny())
bad("garbage-after", "Section 2: bytes after the last member.", tiny() + [("garbage", b"\0" * 80)])
bad("garbage-between", "Section 2: bytes between two members.", tiny() + [("garbage", b"\n")] + tiny())
bad("last-byte-missing", "Section 2: the last byte is missing.", tiny()[:-1] + [("trailer, cut", tiny()[-1][1][:-1])])
bad("cut-member-before", "Section 2: the member before the last was cut short.", tiny()[:-1] + tiny())

# ---- section 3 ----
bad("header-magic", "Section 3: another magic number.", tiny(header={"magic": 0x184D2A54}))
bad("header-tag", "Section 3: another tag.", tiny(header={"tag": b"SNAPHEAR"}))
bad("header-size-small", "Section 3: a frame size under 40.", tiny(header={"frame_size": 32}))
bad("header-size-large", "Section 3: a frame size over 4096.", tiny(header={"extra": b"\0" * 4064}))
bad("header-hash", "Section 3: a hash that does not agree.", tiny(header={"hash": 1}))
bad("header-major-and-hash", "Section 3: another major version, but the hash does not agree: damage, not a new version.",
    tiny(header={"major": 2, "hash": 1}))
unsupported("major", "Section 3: major version 2.", tiny(header={"major": 2}))
unsupported("major-0", "Section 3: major version 0.", tiny(header={"major": 0}))
unsupported("required-feature", "Section 3: a required feature that is not known.", tiny(header={"required": 0x80000000}))
unsupported("header-reserved", "Section 3: a reserved field that is not zero.", tiny(header={"reserved": 1}))

# ---- section 4 ----


def block(says, name, **fields):
    bad("block-" + name, "Section 4: " + says,
        tiny(change={"objects.size": column("objects.size", [24, 24], **fields)}))


block("another magic number.", "magic", magic=0x184D2A50)
block("a frame size other than 48.", "frame-size", frame_size=56)
block("another tag.", "tag", tag=b"SBLX")
block("a sequence number of another block.", "sequence", sequence=3)
block("the first row is not the sum of earlier blocks' rows.", "first-row", set_first=1)
block("a row count of 0.", "no-rows", set_rows=0)
block("a row count over 1,048,576.", "many-rows", set_rows=1048577)
block("a raw size of 0.", "raw-size-0", raw_size=0)
block("a raw size over 1 MiB.", "raw-size-large", raw_size=1048577)
block("a stored size of 0.", "stored-size-0", stored_size=0)
block("a stored size over 1,052,672.", "stored-size-large", stored_size=1052673)
block("a hash that does not agree.", "hash", hash=1)
block("the registry calls this column critical, the block does not.", "not-critical", set_flags=0)
bad("block-critical", "Section 7: a block is critical that the registry does not call so.",
    tiny(change={"objects.address": column("objects.address", [0x10, 0x20], set_flags=1)}))
bad("block-text-of-integers", "Section 6: encoding text for a column of integers.",
    tiny(change={"objects.size": column("objects.size", [24, 24], 6, b"\1\1ab")}))
bad("block-integers-of-text", "Section 6: an encoding of integers for a column of text.",
    tiny(change={"strings.text": column("strings.text", STRINGS, 0, b"\1")}))
bad("blocks-lost", "Section 4: the first block of a column is missing, with directory and sums to match.",
    snapshot([Column("timeline.time", [3, 4], set_first=2)]))
block("a payload that is no Zstandard frame.", "payload-garbage", payload=b"not a frame at all")
block("a payload that is a skippable frame.", "payload-skippable", payload=struct.pack("<II", 0x184D2A51, 8) + bytes(8))
block("a frame without a checksum.", "frame-no-checksum", frame={"checksum_flag": False})
block("a frame whose own checksum is wrong.", "frame-checksum", frame={"checksum": 0x12345678})
block("a frame without a content size.", "frame-no-size", frame={"no_content": True})
block("a content size that is not the raw size.", "frame-content-size", frame={"content": 5})
block("a raw size that is not the content size.", "raw-size", raw_size=5)
block("a frame's reserved bit.", "frame-reserved", frame={"reserved": 1})
block("a frame that wants a dictionary.", "frame-dictionary", frame={"dictionary": 9})
block("a window over 1 MiB.", "frame-window", frame={"window": 11 << 3})
block("a frame cut short.", "frame-cut", frame={"cut": 1})
block("a byte after the frame.", "frame-byte-after", frame={"extra": b"\0"})
block("an empty frame after the frame.", "frame-second", frame={"extra": zstd_frame(b"")})
block("a block of a reserved type in the frame.", "frame-block-type", frame={"kind": 3})
unsupported("block-flags", "Section 4: a reserved flag.",
            tiny(change={"objects.size": column("objects.size", [24, 24], set_flags=3)}))
unsupported("block-reserved", "Section 4: the reserved field at byte 22.",
            tiny(change={"objects.size": column("objects.size", [24, 24], reserved=1)}))
unsupported("block-reserved2", "Section 4: the reserved field at byte 44.",
            tiny(change={"objects.size": column("objects.size", [24, 24], reserved2=1)}))
unsupported("critical-column", "Section 4: an unknown column that is critical.",
            tiny(more=[column("11.77", [1, 2], set_flags=1)]))
unsupported("critical-table", "Section 4: an unknown table that is critical.", tiny(more=[column("900.0", [1], set_flags=1)]))
unsupported("critical-encoding", "Section 4: an unknown encoding of a critical column.",
            tiny(change={"objects.size": column("objects.size", [24, 24], 77, b"??")}))
unsupported("encoding", "Section 4: an unknown encoding of a column that is known and not critical.",
            tiny(more=[Column("timeline.time", [1, 2]), Column("timeline.bytes", [5, 5], 77, b"??")]))

bad("skipped-payload", "Section 4: the payload of a block that is skipped is no Zstandard frame.",
    tiny(more=[Column("900.0", [1], payload=b"whatever")]))

# ---- section 5 ----
bad("directory-magic", "Section 5.1: another magic number.", tiny(directory={"magic": 0x184D2A50}))
bad("directory-tag", "Section 5.1: another tag.", tiny(directory={"tag": b"SDIX"}))
bad("directory-frame-size", "Section 5.1: a frame size that is not 16 + 40 × blocks.", tiny(directory={"frame_size": 17}))
bad("directory-count", "Section 5.1: a block count that does not fit the frame.", tiny(directory={"count": 3}))
bad("directory-hash", "Section 5.1: a hash that does not agree.", tiny(directory={"hash": 1}))
bad("directory-entry", "Section 5.1: an entry differs from the block's header.",
    tiny(change={"objects.size": column("objects.size", [24, 24], entry=lambda e: e[:4] + b"\0" + e[5:])}))
bad("directory-short", "Section 5.1: a block that the directory leaves out.",
    snapshot([Column("timeline.time", [1])], directory={"entries": b""}))
bad("between-blocks", "Section 5.1: bytes between two blocks.", tiny(between=b"\0\0\0\0"))
bad("trailer-magic", "Section 5.2: another magic number.", tiny(trailer={"magic": 0x184D2A50}))
bad("trailer-frame-size", "Section 5.2: a frame size other than 72.", tiny(trailer={"frame_size": 71}))
bad("trailer-tag", "Section 5.2: another tag.", tiny(trailer={"tag": b"SENT"}))
bad("trailer-hash", "Section 5.2: a hash that does not agree.", tiny(trailer={"hash": 1}))
bad("trailer-size-large", "Section 5.2: a snapshot larger than the file.", tiny(trailer={"size": 2**40}))
bad("trailer-size-0", "Section 5.2: a snapshot of no bytes.", tiny(trailer={"size": 0}))
bad("trailer-directory", "Section 5.2: no directory at its offset.", tiny(trailer={"directory": 48}))
bad("trailer-count", "Section 5.2: a block count other than the directory's.", tiny(trailer={"count": 1}))
bad("trailer-identity", "Section 5.2: an identity that is not that of hashes and trailer.", tiny(trailer={"identity": 1}))
bad("trailer-interval", "Section 5.2: a sampling interval, but not sampled.", tiny(trailer={"interval": 4096}))
unsupported("trailer-flags", "Section 5.2: a reserved flag.", tiny(trailer={"flags": 16}))

# ---- section 6 ----


def encoding(name, number, says, rows, raw):
    bad(name, "Section 6, encoding %d: %s" % (number, says), time([0] * rows, number, raw))


encoding("varint-long", 0, "a varint with a needless last byte.", 1, b"\x81\x00")
encoding("varint-large", 0, "a varint of more than 2^64 − 1.", 1, b"\xff" * 9 + b"\x02")
encoding("varint-endless", 0, "a varint of eleven bytes.", 1, b"\x80" * 10 + b"\x01")
encoding("varint-cut", 0, "a varint that does not end.", 1, b"\x80")
encoding("constant-left-over", 0, "a byte is left over.", 1, b"\x01\x01")
encoding("planes-shift", 1, "a shift over 63.", 1, b"\x40\x01\x01")
encoding("planes-shifted-out", 1, "bits are shifted out.", 1, b"\x3f\x01\x02")
encoding("planes-width", 1, "a width over 8.", 1, b"\x00\x09" + b"\x01" * 9)
encoding("planes-zero-plane", 1, "the highest plane is all zero.", 2, b"\x00\x02\x01\x01\x00\x00")
encoding("planes-short", 1, "a plane is cut short.", 2, b"\x00\x01\x01")
encoding("planes-left-over", 1, "a byte is left over.", 2, b"\x00\x01\x01\x01\x01")
encoding("delta-zero-plane", 2, "the highest plane is all zero.", 2, b"\x05\x00\x01\x00")
encoding("delta-width-of-nothing", 2, "one row has no differences, so the highest plane has no byte that is not zero.", 1,
         b"\x05\x00\x01")
encoding("delta-shift", 2, "a shift over 63.", 2, b"\x05\x40\x01\x01")
encoding("delta-short", 2, "a plane is cut short.", 3, b"\x05\x00\x01\x01")
encoding("dictionary-empty", 3, "no values.", 2, b"\x00\x00\x00")
encoding("dictionary-more-than-rows", 3, "more values than rows.", 1, b"\x02\x01\x02\x00")
encoding("dictionary-more-than-bytes", 3, "more values than bytes.", 300, varint(300) + b"\x01")
encoding("dictionary-twice", 3, "a value is there twice.", 2, b"\x02\x05\x05\x00\x01")
encoding("dictionary-index", 3, "an index beyond the values.", 2, b"\x02\x05\x06\x00\x02")
encoding("dictionary-left-over", 3, "a byte is left over.", 2, b"\x02\x05\x06\x00\x01\x00")
encoding("runs-none", 4, "no runs.", 1, b"\x00\x00\x00")
encoding("runs-more-than-rows", 4, "more runs than rows.", 1, b"\x02\x01\x01\x02\x00")
encoding("runs-sum-small", 4, "lengths add up to too few rows.", 5, b"\x02\x01\x01\x02\x00")
encoding("runs-sum-large", 4, "lengths add up to too many rows.", 2, b"\x01\x01\x07\x01\x02")
encoding("runs-sum-wraps", 4, "lengths add up to the rows modulo 2^64 only.", 2,
         b"\x02\x01\x01\x02\x08" + planes([2**64 - 1, 1], 8))
encoding("steps-code", 5, "an unknown code.", 2, b"\x01\x04\x00\x00")
encoding("steps-count", 5, "not as many steps as codes of 3.", 2, b"\x03\x01\x02\x01\x02\x04")
encoding("steps-short", 5, "codes are cut short.", 5, b"\x01\x01")
bad("adjacent-no-sizes", "Section 6, encoding 8: there are no sizes.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, [0] * 6), drop="objects.size"))
bad("adjacent-other-sizes", "Section 6, encoding 8: sizes are not in one block of the same rows.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT), cuts=(3,)))
bad("adjacent-sizes", "Section 6, encoding 8: sizes have that encoding.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT), sizes=(ADJACENT, 8, as_adjacent(0, 0, 0, ADJACENT, [0] * 6))))
bad("adjacent-of-others", "Section 6, encoding 8: what it tells are no addresses.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT), of="objects.birth_serial"))
bad("adjacent-shift", "Section 6, encoding 8: a shift over 63.", adjacent(b"\x08\x20\x40" + as_delta(ADDRESSES)))
bad("adjacent-short", "Section 6, encoding 8: a plane is cut short.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT)[:-1]))
bad("adjacent-left-over", "Section 6, encoding 8: a byte is left over.",
    adjacent(as_adjacent(8, 32, 4, ADDRESSES, ADJACENT) + b"\0"))
encoding("ranges-none", 7, "no ranges.", 2, b"\x00\x00\x00")
encoding("ranges-many", 7, "256 ranges.", 256, varint(256) + b"\x01\x00\x00" * 256 + bytes(256))
encoding("ranges-gap", 7, "two ranges begin at the same value.", 2, b"\x02\x05\x00\x00\x00\x00\x00\x01\x02")
encoding("ranges-wrap", 7, "a range begins beyond 2^64.", 2, b"\x02\x05\x00\x00" + varint(2**64 - 1) + b"\x00\x00\x01\x02")
encoding("ranges-how", 7, "an unknown way of counting.", 1, b"\x01\x05\x02\x00\x01")
encoding("ranges-width", 7, "a width over 8.", 1, b"\x01\x05\x00\x09\x01" + b"\x01" * 9)
encoding("ranges-code", 7, "a code beyond the ranges.", 2, b"\x01\x05\x00\x00\x01\x02")
encoding("ranges-unused", 7, "a range that nothing is in.", 2, b"\x02\x05\x00\x00\x01\x00\x00\x01\x01")
encoding("ranges-zero-plane", 7, "the highest plane is all zero.", 2, b"\x01\x05\x00\x01\x01\x01\x00\x00")
encoding("ranges-short", 7, "a plane is cut short.", 2, b"\x01\x05\x00\x01\x01\x01\x03")
bad("text-length", "Section 6, encoding 6: a string longer than 262,144 bytes.",
    only("strings.text", [b""], 6, varint(262145) + b"a" * 4))
bad("text-short", "Section 6, encoding 6: a string is cut short.", only("strings.text", [b"", b""], 6, b"\x02\x03abcd"))
bad("text-left-over", "Section 6, encoding 6: a byte is left over.", only("strings.text", [b"", b""], 6, b"\x01\x01abc"))
bad("second-block-encoding", "Section 6: the second block of a column is wrong.",
    snapshot([Column("timeline.time", [1, 2, 3], "planes", cuts=(2,)),
              Column("timeline.count", [5, 6, 7], "planes", b"\x00\x01\x05\x06", cuts=(2,))]))

# ---- section 7 ----


def rows(name, says, change=None, drop=(), more=(), **whole):
    bad(name, "Section 7: " + says, tiny(change, drop, more, **whole))


rows("column-rows", "columns of a table with different numbers of rows.", {"totals.count": [2] * 3})
rows("unknown-column-rows", "an unknown column of a known table with another number of rows.", more=[Column("11.77", [1])])
rows("column-missing", "a column that has to be there is not.", drop=["shapes.type"], change={"shapes.slot_count": [1]})
rows("id-beyond", "an id beyond its table.", {"types.name": [6]})
rows("id-none", "none, where it is not allowed.", {"types.name": [0]})
rows("optional-beyond", "an id or none beyond its table.", {"roots.label": [6]})
rows("id-of-absent-table", "an id of a table without rows.", more=[Column("objects.stack", [1, 0])])
rows("property-twice", "a property twice.", {"properties.key": [1, 1], "properties.value": [2, 3]})
rows("stack-parent", "a stack that is its own parent.",
     more=[Column("frames.line", [1]), Column("stacks.frame", [1, 1]), Column("stacks.parent", [0, 2])])
rows("stack-parent-later", "a stack whose parent is a later row.",
     more=[Column("frames.line", [1]), Column("stacks.frame", [1, 1]), Column("stacks.parent", [2, 0])])
rows("inlined-cycle", "frames that are inlined into each other.",
     more=[Column("frames.line", [1, 2, 3]), Column("frames.inlined_into", [2, 3, 1])])
rows("inlined-self", "a frame that is inlined into itself.", more=[Column("frames.inlined_into", [1])])
rows("slot-count", "shapes with more slots than there are.", {"shapes.slot_count": [2]})
rows("slot-count-wraps", "slots of shapes that add up modulo 2^64 only.",
     {"shapes.type": [1, 1, 1], "shapes.slot_count": [1, 2**63, 2**63]})
rows("tail", "an unknown kind of tail.", more=[Column("shapes.tail", [3])])
rows("run-empty", "a run of no rows.", {"runs.shape": [1, 1], "runs.rows": [2, 0]})
rows("run-sum", "runs with more rows than there are objects.", {"runs.rows": [3]})
rows("run-sum-small", "runs with fewer rows than there are objects.", {"runs.rows": [1]})
rows("run-sum-wraps", "rows of runs that add up modulo 2^64 only.",
     {"runs.shape": [1, 1, 1], "runs.rows": [2, 2**63, 2**63]})
rows("label-string", "a label whose string is beyond the table.", {"slots.label": [label(6)]})
rows("label-string-none", "a label of string 0.", {"slots.label": [label(0)]})
rows("label-object", "a label whose object is beyond the table.", {"slots.label": [key(3)]})
rows("label-none", "no label, but a number.", {"slots.label": [NO_LABEL + 4]})
good("address-none", "Section 7.2: two objects without an address.",
     tiny({"objects.address": [0, 0], "shapes.slot_count": [0]}, drop=("slots.label", "references.target", "roots.object", "roots.label")))
rows("address-twice", "an address twice.", {"objects.address": [0x10, 0x10]})
rows("count-0", "a count of 0 without an address.", {"objects.address": [0, 0x20], "totals.bytes": [24] * 4, "totals.count": [1] * 4},
     more=[Column("objects.count", [0, 1])])
rows("count-with-address", "a row for many blocks has an address.", more=[Column("objects.count", [2, 1])],
     change={"references.target": [2, 0], "totals.bytes": [72] * 4, "totals.count": [3] * 4})
rows("count-referred-to", "a reference leads to a row for many blocks.", more=[Column("objects.count", [1, 2])],
     change={"objects.address": [0x10, 0], "totals.bytes": [72] * 4, "totals.count": [3] * 4})
rows("references-few", "fewer references than slots and elements.", {"references.target": [2]})
rows("references-many", "more references than slots and elements.", {"references.target": [2, 1, 1]})
rows("target-beyond", "a target beyond the objects.", {"references.target": [2, 3]})
bad("tails-few", "Section 7: fewer tails than objects with one.", shapes(tails__length=[3, 4]))
bad("tails-sum", "Section 7: tails longer than the references.", shapes(tails__length=[3, 1, 4]))
bad("tails-none", "Section 7: no tails, but references and labels for them.", shapes(tails__length=None))
rows("references-none", "slots, but no references.", drop=["references.target"])
rows("totals-overflow", "sums of totals that exceed 2^64 − 1, though they agree modulo 2^64.",
     {"totals.dimension": [0, 1, 1, 1, 6, 7], "totals.key": [0, 0, 1, 2, 1, 5], "totals.bytes": [48, 2**63, 48, 2**63, 48, 48],
      "totals.count": [2, 0, 2, 0, 2, 2], "types.name": [3, 4]})
bad("tails-wrap", "Section 7: tails that add up modulo 2^64 only.",
    shapes(tails__length=[3 + 2**63, 2**63, 4]))
bad("tail-labels-few", "Section 7: fewer labels than elements of labelled tails.",
    shapes(tail_labels__kind=None, tail_labels__label=[index(0), key(4), label(6)]))
bad("tail-label-missing", "Section 7: no labels for a labelled tail.", shapes(tail_labels__kind=None, tail_labels__label=None))
rows("totals-order", "totals that do not ascend.", {"totals.dimension": [1, 0, 6, 7], "totals.key": [1, 0, 1, 5]})
rows("totals-twice", "a total twice.", {"totals.dimension": [0, 1, 6, 6], "totals.key": [0, 1, 1, 1]})
rows("totals-all-key", "dimension all with a key.", {"totals.key": [1, 1, 1, 5]})
rows("totals-all-missing", "no dimension all.", {"totals.dimension": [1, 6, 7], "totals.key": [1, 1, 5],
                                                  "totals.bytes": [48] * 3, "totals.count": [2] * 3})
rows("totals-key-beyond", "a total of a type beyond the table.", {"totals.key": [0, 2, 1, 5]})
rows("totals-bucket", "a total of a size that is no bucket.", {"totals.key": [0, 1, 1, 65]})
rows("totals-sum", "a dimension that does not add up to all.", {"totals.bytes": [48, 48, 48, 47]})
rows("totals-sum-count", "a dimension whose counts do not add up to all.", {"totals.count": [2, 2, 1, 2]})
rows("totals-objects", "objects that do not add up to their totals.", {"totals.bytes": [50] * 4})
rows("totals-objects-key", "objects that are another key's.", {"totals.key": [0, 1, 1, 6]})
rows("totals-dimension-missing", "no dimension type, though objects have one.",
     {"totals.dimension": [0, 6, 7], "totals.key": [0, 1, 5], "totals.bytes": [48] * 3, "totals.count": [2] * 3})
rows("totals-only-with-objects", "totals only, but there are objects.", trailer={"flags": 4})
bad("series-first", "Section 2: the first member of a series is bad.",
    tiny({"types.name": [6]}) + snapshot([Column("timeline.time", [1, 2, 3])]))


def as_hex(says, parts):
    lines = textwrap.wrap(says, 110, initial_indent="# ", subsequent_indent="# ")
    at = 0
    for what, data in parts:
        lines.append("\n# at %d: %s" % (at, what))
        lines += [data[i:i + 32].hex(" ", 4) for i in range(0, len(data), 32)]
        at += len(data)
    return "\n".join(lines) + "\n"


def as_bytes(text):
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


def main():
    if sys.argv[1:2] == ["--binaries"]:
        for name in map(Path, sys.argv[3:]):
            (Path(sys.argv[2]) / (name.stem + ".snap")).write_bytes(as_bytes(name.read_text()))
        return
    folder = Path(sys.argv[1])
    for name, (says, parts) in VECTORS.items():
        (folder / (name + ".hex")).write_text(as_hex(says, parts))


if __name__ == "__main__":
    main()
