snap-top -k path --format=tsv app.snap
snap-top -k path --retained new.snap
for depth in 1 2 3; do snap-top -k path --depth $depth --format=tsv new.snap; done
cat >list.yaml <<'Y'
snapshot: 1
types:
  1: {name: List}
  2: {name: Node}
objects:
- {id: 1, type: List, size: 8, references: [{field: first, to: 2}]}
- {id: 2, type: Node, size: 8, references: [{field: next, to: 3}]}
- {id: 3, type: Node, size: 8, references: [{field: next, to: 4}]}
- {id: 4, type: Node, size: 8, references: [{field: next, to: 5}]}
- {id: 5, type: Node, size: 8, references: [{field: next, to: 2}]}
roots:
- {object: 1, kind: stack}
Y
# The rest of a list is one path.
snap-make -o list.snap list.yaml && snap-top -k path --retained list.snap
rm -f list.yaml list.snap
# A label may have the numbers of objects; they tell nothing apart.
cat >weak.yaml <<'Y'
snapshot: 1
types: {1: {name: Table}, 2: {name: Value}}
objects:
- {id: 1, type: Table, size: 8, references: [{internal: "part of (key @17)@5@ pair", to: 2}, {internal: "part of (key @189)@@ pair", to: 3}, {internal: "x1@", to: 4}]}
- {id: 2, type: Value, size: 8}
- {id: 3, type: Value, size: 8}
- {id: 4, type: Value, size: 8}
roots:
- {object: 1, kind: stack}
Y
snap-make -o weak.snap weak.yaml && snap-top -k path --format=tsv weak.snap && snap-top -k field --format=tsv weak.snap
rm -f weak.yaml weak.snap
