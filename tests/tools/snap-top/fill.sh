cat >fill.yaml <<'Y'
snapshot: 1
types:
  1: {name: HashMap}
  2: {name: "Object[]", kind: array}
objects:
- {id: 1, type: HashMap, size: 48, references: [{field: table, to: 3}]}
- {id: 2, type: HashMap, size: 48, references: [{field: table, to: 0}]}
- {id: 3, type: "Object[]", size: 80, references: [{element: 0, to: 0}, {element: 1, to: 1}, {element: 5, to: 0}]}
- {id: 4, type: "Object[]", size: 32, references: [{element: 3, to: 0}]}
- {id: 5, type: "Object[]", size: 16}
roots:
- {object: 1}
Y
snap-make -o fill.snap fill.yaml && for form in table tsv json; do snap-top -k fill --format=$form fill.snap; done
snap-top -k fill -s bytes --retained --format=tsv fill.snap
rm -f fill.yaml fill.snap
snap-top -k fill app.snap
