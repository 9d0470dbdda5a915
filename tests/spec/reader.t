#!/bin/bash
# The second reader decodes what the first does, on files that libsnap wrote; and it is small and independent.
. "$(dirname "$0")/../lib.sh"
need_real python3 zstd
reader=$top/spec/reader.py

lines=$(wc -l <"$reader")
ok "reader.py has at most 400 lines: $lines" test "$lines" -le 400
ok "reader.py imports nothing but the standard library" python3 -I -S -c '
import ast, sys
names = {n.name.split(".")[0] for node in ast.walk(ast.parse(open(sys.argv[1]).read())) if isinstance(node, ast.Import) for n in node.names}
names |= {node.module.split(".")[0] for node in ast.walk(ast.parse(open(sys.argv[1]).read())) if isinstance(node, ast.ImportFrom)}
sys.exit(bool(names - set(sys.stdlib_module_names)))' "$reader"

# agree NAME FILE: every value of every column.
agree() {
	ok "$1: reader.py finds it good" python3 "$reader" "$2"
	ok "$1: snap-info --verify finds it good" snap-info --verify "$2"
	snap-dump --columns "$2" >"$work/columns"
	ok "$1: both decode the same values" cmp <(python3 "$top/tests/spec/reader_dump.py" "$2") "$work/columns"
}

for name in old new app; do
	snap-make -o "$work/$name.snap" "$top/tests/data/$name.yaml"
	agree "$name" "$work/$name.snap"
done

# Enough rows for several blocks, every encoding and every kind of shape.
python3 "$top/tests/spec/random_heap.py" 70000 7 >"$work/random.yaml"
snap-make -o "$work/random.snap" "$work/random.yaml"
agree "a random heap of 70,000 objects" "$work/random.snap"
encodings() {
	python3 - "$1" "$top/spec" <<'END'
import sys
sys.path.insert(0, sys.argv[2])
import reader
used = {b.decode.__name__ for b in reader.read_members(open(sys.argv[1], "rb").read())[0].parts}
print(*sorted(used))
END
}
is "$(encodings "$work/random.snap")" "decode_constant decode_delta decode_dictionary decode_planes decode_ranges decode_runs decode_steps decode_text" "it uses every encoding but one"

# What that one is for: blocks side by side, as an allocator gives them.
awk 'BEGIN { srand(7); print "snapshot: 1\nobjects:"
	for (at = 4096; n++ < 70000; at += size < 25 ? 32 : 16 * int((size + 23) / 16)) {
		size = 1 + int(rand() * 200); printf "- {id: %d, size: %d}\n", at += n % 100 ? 0 : 4096, size } }' >"$work/blocks.yaml"
snap-make -o "$work/blocks.snap" "$work/blocks.yaml"
agree "blocks of an allocator" "$work/blocks.snap"
is "$(encodings "$work/blocks.snap" | cut -d' ' -f1)" decode_adjacent "it uses that encoding"

cat "$work/old.snap" "$work/new.snap" >"$work/series.snap"
agree "a series" "$work/series.snap"

# Real files, as importers write them.
if [ "${SKIP_REAL:-0}" != 1 ]; then
	python3 -X tracemalloc=10 -c 'import sys, json, tracemalloc; tracemalloc.take_snapshot().dump(sys.argv[1])' "$work/real.pickle"
	ok "tracemalloc: imported" snap-import tracemalloc -o "$work/real.snap" "$work/real.pickle"
	agree "tracemalloc" "$work/real.snap"
	need_real node
	(cd "$work" && node -e 'require("v8").writeHeapSnapshot("real.heapsnapshot")')
	ok "V8: imported" snap-import v8 -o "$work/v8.snap" "$work/real.heapsnapshot"
	agree "V8" "$work/v8.snap"
fi
done_testing
