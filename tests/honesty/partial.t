#!/bin/bash
# With --partial what is whole is still read, all of it, and the exit status is 3.
. "$(dirname "$0")/../lib.sh"
need_real python3

python3 "$top/tests/spec/random_heap.py" 150000 3 >"$work/heap.yaml"
snap-make -o "$work/whole.snap" "$work/heap.yaml"
snap-dump --columns "$work/whole.snap" >"$work/whole.columns"

# blocks FILE: table.column, first row, rows, byte of the payload, in the file's order
cat >"$work/blocks.py" <<'END'
import sys
sys.path.insert(0, sys.argv[2])
import reader
for b in reader.read_members(open(sys.argv[1], "rb").read())[0].parts:
    print("%s.%s" % (b.known.table, b.known.name), b.first_row, b.rows, b.at + 56)
END
python3 "$work/blocks.py" "$work/whole.snap" "$top/spec" >"$work/blocks"
ok "the snapshot has columns of several blocks" test "$(awk '$1 == "objects.address"' "$work/blocks" | wc -l)" -ge 3

# A damaged block loses its own rows and no others.
for column in objects.address objects.size objects.birth_serial references.target strings.text; do
	read -r _ first rows at < <(grep "^$column " "$work/blocks" | sed -n '2p;$p' | head -1)
	cp "$work/whole.snap" "$work/bad.snap"
	printf '\xff\xff\xff\xff' | dd of="$work/bad.snap" bs=1 seek=$((at + 2)) conv=notrunc 2>/dev/null
	status 2 "$column: damage is trouble" snap-dump --columns "$work/bad.snap"
	snap-dump --partial --columns "$work/bad.snap" >"$work/bad.columns" 2>"$work/errors"
	is $? 3 "$column: with --partial the status is 3"
	ok "$column: and a message says so" grep -q incomplete "$work/errors"
	awk -v column="$column:" -v first="$first" -v rows="$rows" '
		/^[a-z]/ { inside = $0 == column; row = -1 }
		{ if (inside && row >= first && row < first + rows) print "- ~"; else print; row++ }' "$work/whole.columns" >"$work/expected"
	ok "$column: just rows $first to $((first + rows - 1)) are lost" cmp "$work/expected" "$work/bad.columns"
done

# Objects that are whole are still listed with their references.
read -r _ first rows at < <(grep "^objects.size " "$work/blocks" | sed -n 2p)
cp "$work/whole.snap" "$work/bad.snap"
printf '\xff\xff\xff\xff' | dd of="$work/bad.snap" bs=1 seek=$((at + 2)) conv=notrunc 2>/dev/null
snap-dump "$work/whole.snap" | awk -v first="$first" -v rows="$rows" '
	/^[a-z]/ { objects = $0 == "objects:"; row = -1 }
	objects && /^- / { row++ }
	NR == 2 { print "flags: [partial]" }
	!(objects && row >= first && row < first + rows)' >"$work/expected"
snap-dump --partial "$work/bad.snap" >"$work/got" 2>/dev/null
is $? 3 "snap-dump --partial: status 3"
ok "snap-dump --partial: all objects but those of the damaged block, with all references" cmp "$work/expected" "$work/got"

# A snapshot cut short: what was written before is there.
size=$(stat -c %s "$work/whole.snap")
head -c $((size * 2 / 3)) "$work/whole.snap" >"$work/cut.snap"
status 2 "a cut snapshot is trouble" snap-dump --columns "$work/cut.snap"
snap-dump --partial --columns "$work/cut.snap" >"$work/cut.columns" 2>/dev/null
is $? 3 "a cut snapshot: status 3 with --partial"
python3 - "$work/whole.columns" "$work/cut.columns" <<'END' >"$work/said"
import itertools, sys
def columns(path):
    out, name = {}, None
    for line in open(path, encoding="utf-8"):
        if line.startswith("- "):
            out[name].append(line)
        else:
            name = line
            out[name] = []
    return out
whole, cut = columns(sys.argv[1]), columns(sys.argv[2])
lies = sum(a != b and b != "- ~\n" for name in cut for a, b in itertools.zip_longest(whole[name], cut[name][:len(whole[name])]) if b)
longer = sum(len(cut[name]) > len(whole[name]) for name in cut)
print(lies, longer, sum(map(len, cut.values())) * 3 > sum(map(len, whole.values())))
END
is "$(cat "$work/said")" "0 0 True" "a cut snapshot: every value is as it was, and a good part is there"

# Every tool takes the damaged one with --partial, and says 3.
for command in "snap-info" "snap-info --verify" "snap-top -k type" "snap-top -k traceback" "snap-dump"; do
	status 2 "$command: the cut snapshot is trouble" $command "$work/cut.snap"
	status 3 "$command --partial: status 3" $command --partial "$work/cut.snap"
done
done_testing
