#!/bin/bash
# snap-make and snap-dump are each other's inverse, byte for byte; and text is bytes.
. "$(dirname "$0")/../lib.sh"

# survives NAME SNAPSHOT: snapshot to text and back, and text to snapshot and back.
survives() {
	snap-dump "$2" >"$work/dump"
	status 0 "$1: snap-make takes what snap-dump prints" snap-make --max-size=1G -o "$work/again.snap" "$work/dump"
	ok "$1: the same bytes" cmp "$2" "$work/again.snap"
	ok "$1: the same text" cmp "$work/dump" <(snap-dump "$work/again.snap")
}

for yaml in "$top"/tests/data/*.yaml; do
	name=$(basename "$yaml" .yaml)
	ok "$name: made" snap-make -o "$work/$name.snap" "$yaml"
	survives "$name" "$work/$name.snap"
done
# snap-filter compresses harder than snap-make.
snap-filter --totals "$work/app.snap" -o - | snap-dump | snap-make -o "$work/totals.snap"
ok "totals: as snap-filter's" diff <(snap-filter --totals "$work/app.snap" -o - | snap-dump --columns) <(snap-dump --columns "$work/totals.snap")
survives "totals" "$work/totals.snap"
printf 'snapshot: 1\nflags: [partial, sampled, contents]\nsampling_interval: 4096\nunknown_references: 7\nobjects:\n- {id: 1, type: s, size: 5, content: hello}\n' |
	snap-make -o "$work/flags.snap"
survives "flags" "$work/flags.snap"
is "$(sed -n 2,4p "$work/dump")" $'flags: [partial, sampled, contents]\nsampling_interval: 4096\nunknown_references: 7' "flags: as written"
printf 'snapshot: 1\n' | snap-make -o "$work/empty.snap"
survives "nothing at all" "$work/empty.snap"
for seed in 1 2 3; do
	python3 "$top/tests/spec/random_heap.py" 3000 $seed | snap-make -o "$work/random.snap"
	survives "random heap $seed" "$work/random.snap"
done

# All byte values, and characters on the borders of what is escaped.
WANTED="$work/wanted" python3 - >"$work/bytes.yaml" <<'END'
names = [bytes([b]) for b in range(256)] + [b"a" + bytes([b, c]) for b in (0xc2, 0xe2, 0xed, 0xee, 0xef, 0xf0, 0xf4) for c in (0x7f, 0x80, 0xa0, 0xbf, 0xff)]
names += [chr(c).encode("utf-8", "surrogatepass") for c in (0x7f, 0x80, 0x85, 0x9f, 0xa0, 0x61c, 0x200e, 0x2028, 0x202e, 0x2066, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xef7f, 0xef80, 0xefff, 0xf000, 0xfeff, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x10ffff)]
names += [b"", b" ", b"a ", b" a", b"~", b"null", b"1", b"0x10", b"- a", b"# a", b"a: b", b"'", b'"', b"\\", b"\\xff", b"%a", b"::a", b"\xf4\x90\x80\x80", b"\xc0\x80"]
def quoted(name):
    return '"' + "".join("\\uef%02x" % b if b >= 0x80 else "\\x%02x" % b for b in name) + '"'
unique = sorted(set(names))
print("snapshot: 1\nstrings:")
for i, name in enumerate(unique):
    print("  %d: %s" % (i + 1, quoted(name)))
print("types:")
for i, name in enumerate(unique):
    print("  %d: {name: %s}" % (i + 1, quoted(name)))
open(__import__("os").environ["WANTED"], "wb").write(b"".join(len(n).to_bytes(4, "little") + n for n in unique))
END
ok "any bytes: made" snap-make -o "$work/bytes.snap" "$work/bytes.yaml"
survives "any bytes" "$work/bytes.snap"
python3 - "$top/spec" "$work/bytes.snap" >"$work/strings" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import reader
m = reader.read_members(open(sys.argv[2], "rb").read())[0]
sys.stdout.buffer.write(b"".join(len(n).to_bytes(4, "little") + n for n in sorted(m.columns[1, 0])))
END
ok "any bytes: the snapshot has just those" cmp "$work/strings" "$work/wanted"
ok "any bytes: no control byte is printed" bash -c '! grep -qP "[\x00-\x09\x0b-\x1f\x7f]" "$1"' - "$work/dump"
python3 -c 'import yaml' 2>/dev/null && ok "any bytes: another program reads the text as YAML" python3 -c '
import sys, yaml
yaml.safe_load(open(sys.argv[1], encoding="utf-8"))' "$work/dump"
done_testing
