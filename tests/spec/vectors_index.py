"""Vectors of the index (section 7.5): both objects of tiny() are reached, the first by a root."""
from vector_bytes import Column, block_bytes, snapshot, xxh64
from vector_tiny import NO_LABEL, bad, good, label, tiny_columns


def indexed(change=None, drop=(), base=None, more=()):
    """tiny() with an index, whose base is that of the columns before."""
    before, found = tiny_columns() + list(more), base
    if base is None:
        head, count, hashes = snapshot(before)[0][1], 0, b""
        for c in before:
            for b in c.blocks():
                hashes += block_bytes(b, count)[0][-8:]
                count += 1
        found = xxh64(head[-8:] + hashes)
    values = {
        "index.fact": [0, 1, 2, 8], "index.value": [found, 2, 48, 1],
        "index_objects.dominator": [0, 1], "index_objects.held": [24, 0], "index_objects.cycle": [1, 1],
        "index_classes.parts": [511, 701, 1213, 1213], "index_classes.type": [1] * 4, "index_classes.shape": [1, 0, 0, 0],
        "index_classes.size": [5, 0, 0, 0], "index_classes.root": [0, 1, 0, 0], "index_classes.step": [0, 0, 1, 2],
        "index_classes.bytes": [48, 48, 24, 24], "index_classes.count": [2, 2, 1, 1], "index_classes.places": [2, 0, 0, 0],
        "index_classes.first": [1, 1, 1, 2],
        "index_nodes.class": [1, 2, 3, 4], "index_nodes.parent": [0, 0, 0, 3], "index_nodes.retained": [48, 48, 48, 24],
        "index_nodes.objects": [1, 0, 0, 0], "index_nodes.bytes": [24, 0, 0, 0], "index_nodes.count": [1, 0, 0, 0],
        "index_steps.parent": [0, 1], "index_steps.type": [1, 1], "index_steps.label": [label(5), label(4)],
        "index_roots.kind": [0], "index_roots.label": [5],
        "index_fields.type": [1, 0], "index_fields.label": [label(4), NO_LABEL], "index_fields.references": [2, 0],
        "index_fields.bytes": [48, 48], "index_fields.retained": [24, 24],
        "index_tops.object": [1, 2], "index_tops.retained": [48, 24], "index_tops.dominator": [0, 1], "index_tops.largest": [2, 0],
        "index_top_parts.top": [1, 2], "index_top_parts.type": [1, 1], "index_top_parts.objects": [1, 1],
        "index_top_parts.count": [1, 1], "index_top_parts.bytes": [24, 24], "index_top_parts.first": [1, 2],
        "index_cycles.objects": [2], "index_cycles.bytes": [48], "index_cycles.first": [1], "index_cycles.entries": [1],
        "index_spans.low": [0x10], "index_spans.high": [0x20],
        "index_maps.bits": [3] + [0] * 63 + [1] + [0] * 63,
    }
    for name, new in (change or {}).items():
        values[name.replace("__", ".")] = new
    return snapshot(before + [Column(n, v) for n, v in values.items() if n not in drop])


good("index", "Section 7.5: two objects that refer to each other, of which a root holds the first; and an index.", indexed())
good("index-little", "Section 7.5: an index without what may be absent.",
     indexed({"index__fact": [0, 1, 2, 7]}, ("index_spans.low", "index_spans.high", "index_maps.bits", "index_tops.object", "index_tops.retained",
             "index_tops.dominator", "index_tops.largest", *("index_top_parts." + name for name in ("top", "type", "objects", "count", "bytes", "first")))))
duplicates = {"index_duplicates__content": [1, 0], "index_duplicates__type": [1, 0], "index_duplicates__bytes": [48, 0],
              "index_duplicates__count": [2, 0], "index_duplicates__retained": [48, 48]}
contents = [Column("objects.content", [1, 1]), Column("contents.length", [8]), Column("contents.hash", [0x1122334455667788])]
good("index-duplicates", "Section 7.5: an index with duplicates.", indexed(duplicates, more=contents))
bad("index-duplicate", "Section 7.5: a duplicate of a content that there is not.",
    indexed({**duplicates, "index_duplicates__content": [2, 0]}, more=contents))
types = {"index_types__type": [1], "index_types__parts": [2], "index_types__steps": [2],
         "index_type_parts__part": [0, 1], "index_type_parts__type": [1, 1], "index_type_parts__label": [label(4) + 3, 0],
         "index_type_parts__count": [2, 2], "index_type_parts__bytes": [0, 48], "index_type_parts__first": [1, 1],
         "index_type_steps__parent": [0, 1], "index_type_steps__type": [1, 1], "index_type_steps__label": [0, label(4) + 3],
         "index_type_steps__repeats": [1, 1], "index_type_steps__first": [1, 2], "index_type_steps__objects": [1, 1],
         "index_type_steps__ends": [1, 1], "index_type_steps__names": [1, 1]}
good("index-types", "Section 7.5: an index with what is known of a type.", indexed(types))
bad("index-type", "Section 7.5: what is known of a type that there is not.", indexed({**types, "index_types__type": [2]}))
bad("index-type-parts", "Section 7.5: parts of no type.", indexed({**types, "index_types__parts": [1]}))
bad("index-type-steps", "Section 7.5: steps of no type.", indexed({**types, "index_types__steps": [1]}))
bad("index-type-step", "Section 7.5: a step before the one that it follows.", indexed({**types, "index_type_steps__parent": [2, 0]}))
owners = {"index_owners__type": [1], "index_owners__bytes": [48], "index_owners__retained": [24]}
good("index-owners", "Section 7.5: an index with owners of fields, by the names of their types.", indexed(owners))
bad("index-owner", "Section 7.5: a row of owners that is its own parent.", indexed({**owners, "index_owners__parent": [1]}))
bad("index-base", "Section 7.5: an index that was made of another snapshot.", indexed(base=1))
bad("index-no-base", "Section 7.5: an index that does not say of what it was made.", indexed({"index__fact": [1, 1, 2, 8]}))
bad("index-between", "Section 7.5: a column that is not the index's behind it.",
    snapshot(tiny_columns() + [Column("index.fact", [0]), Column("timeline.time", [1])]))
bad("index-rows", "Section 7.5: fewer dominators than objects.",
    indexed({"index_objects__dominator": [0], "index_objects__held": [24], "index_objects__cycle": [1]}))
bad("index-dominator", "Section 7.5: a dominator beyond the table of objects.", indexed({"index_objects__dominator": [0, 3]}))
bad("index-circle", "Section 7.5: dominators that go in a circle.", indexed({"index_objects__dominator": [2, 1]}))
bad("index-parents", "Section 7.5: parents that go in a circle.",
    indexed({"index_objects__dominator": [0, 0], "index_objects__parent": [2, 1], "index_objects__held": [0, 0]}))
bad("index-sum", "Section 7.5: roots retain more than they reach.", indexed({"index_objects__held": [25, 0]}))
bad("index-unreached", "Section 7.5: an object that no root reaches holds something.",
    indexed({"index_objects__dominator": [0, 2], "index_objects__held": [24, 1]}))
bad("index-overflow", "Section 7.5: an object that retains 2^64 bytes.", indexed({"index_objects__held": [2**64 - 24, 0]}))
bad("index-cycles", "Section 7.5: a cycle with more objects than are in it.", indexed({"index_cycles__objects": [3]}))
bad("index-cycle", "Section 7.5: an object in a cycle that there is not.", indexed({"index_objects__cycle": [1, 2]}))
bad("index-spans", "Section 7.5: more spans than stretches.", indexed({"index_spans__low": [1, 1], "index_spans__high": [2, 2]}))
bad("index-maps", "Section 7.5: maps that are not whole.", indexed({"index_maps__bits": [3]}))
bad("index-most", "Section 7.5: tops that do not come by what they retain.",
    indexed({"index_tops__object": [2, 1], "index_tops__retained": [24, 48], "index_tops__dominator": [1, 0], "index_tops__largest": [0, 2],
             "index_top_parts__top": [2, 1]}))
bad("index-most-fewer", "Section 7.5: an object that retains enough to be a top is none.",
    indexed({"index_tops__object": [1], "index_tops__retained": [48], "index_tops__dominator": [0], "index_tops__largest": [2],
             "index_top_parts__top": [1, 1]}))
bad("index-most-retained", "Section 7.5: a top that retains less than its object.", indexed({"index_tops__retained": [48, 23]}))
bad("index-most-dominator", "Section 7.5: a top with another dominator than its object.", indexed({"index_tops__dominator": [0, 0]}))
bad("index-most-largest", "Section 7.5: the largest one below a top is not below it.", indexed({"index_tops__largest": [1, 0]}))
bad("index-most-parts", "Section 7.5: less hangs on a top than it retains.", indexed({"index_top_parts__bytes": [24, 23]}))
bad("index-most-part", "Section 7.5: what hangs on a top, but has none.", indexed({"index_top_parts__top": [0, 2]}))
bad("index-parts", "Section 7.5: classes that are not all objects.", indexed({"index_classes__bytes": [48, 48, 24, 23]}))
bad("index-class-first", "Section 7.5: a class whose first object there is not.", indexed({"index_classes__first": [1, 1, 1, 3]}))
bad("index-class", "Section 7.5: a node of a class that there is not.", indexed({"index_nodes__class": [1, 2, 3, 5]}))
bad("index-node", "Section 7.5: a node before its parent.", indexed({"index_nodes__parent": [0, 0, 4, 3]}))
bad("index-tree", "Section 7.5: a node whose parent is in another tree.", indexed({"index_nodes__parent": [0, 0, 0, 2]}))
bad("index-tops", "Section 7.5: the nodes of a tree retain less than is reached.", indexed({"index_nodes__retained": [48, 47, 48, 24]}))
bad("index-step", "Section 7.5: a step before the one that it follows.", indexed({"index_steps__parent": [2, 0]}))
bad("index-root", "Section 7.5: a root that is its own parent.", indexed({"index_roots__parent": [1]}))
bad("index-label", "Section 7.5: a step with a label beyond the strings.", indexed({"index_steps__label": [label(5), label(99)]}))
bad("index-top", "Section 7.5: a top beyond the table of objects.", indexed({"index_tops__object": [3, 2]}))
