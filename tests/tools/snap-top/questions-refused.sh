# Questions of the graph and of contents that the snapshot cannot answer.
try() { snap-top "$@" >/dev/null; echo "$?: $*"; }
for key in type dominator field fill path; do snap-filter --totals -o - app.snap | try --retained -k $key; done
try -k duplicate new.snap
try -s waste app.snap
try -s waste -k path app.snap
try --depth 3 app.snap
try --depth 5000000000 -k path app.snap
try --retained --cumulative -k lineno app.snap
cat >bare.yaml <<'Y'
snapshot: 1
types: {1: {name: T}}
objects:
- {id: 1, type: T, size: 8}
Y
snap-make -o bare.snap bare.yaml
for key in type dominator path; do try --retained -k $key bare.snap; done
snap-top -k field --format=tsv bare.snap
snap-top -k fill --format=tsv bare.snap
rm -f bare.yaml bare.snap
