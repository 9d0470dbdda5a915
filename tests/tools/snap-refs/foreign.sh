counted() { snap-make -o - - <<'TEXT'
snapshot: 1
types:
  1: {name: Row, kind: object}
  2: {name: str, kind: string}
  3: {name: list, kind: array}
  4: {name: Proxy, kind: object}
objects:
- {id: 0x10, type: list, size: 64, refcount: 3, references: [
    {element: 0, to: 0x20},
    {element: 1, to: 0x30},
    {element: 2, to: 0x30}]}
- {id: 0x20, type: Row, size: 16, refcount: 1, references: [{field: name, to: 0x50}]}
- {id: 0x30, type: Row, size: 16, refcount: 700, references: [{field: name, to: 0x50}]}
- {id: 0x40, type: Row, size: 16, refcount: 1}
- {id: 0x50, type: str, size: 50, refcount: 5}
- {id: 0x60, type: Proxy, size: 32, references: [{weak: referent, to: 0x10}]}
roots:
- {object: 0x10, kind: global, label: rows}
- {object: 0x10, kind: stack, label: rows in main}
- {object: 0x60, kind: global, label: proxy}
TEXT
}
counted | snap-refs --foreign -
counted | snap-refs -fn 1 --format=tsv -
snap-refs --foreign --partial app.snap
snap-refs --foreign old.snap
