snap-top -k duplicate app.snap
snap-top -k duplicate --retained --format=tsv app.snap
cat >contents.yaml <<'Y'
snapshot: 1
types:
  1: {name: str, kind: string}
  2: {name: bytes, kind: string}
contents:
  1: {length: 5, text: "a\tb\ec"}
  2: {length: 900, hash: 7}
  3: {length: 2, hash: 9}
objects:
- {id: 1, type: str, size: 54, content: 1}
- {id: 2, type: str, size: 60, content: 1}
- {id: 3, type: bytes, size: 54, content: 1}
- {id: 4, type: bytes, size: 954, content: 2}
- {id: 5, type: bytes, size: 954, content: 2}
- {id: 6, type: bytes, size: 954, content: 2}
- {id: 7, type: bytes, size: 34, content: 3}
- {id: 8, type: bytes, size: 34}
Y
snap-make -o contents.snap contents.yaml && for form in table tsv json; do snap-top -k duplicate --format=$form contents.snap; done
snap-top -k duplicate -s count --format=tsv contents.snap
rm -f contents.yaml contents.snap
