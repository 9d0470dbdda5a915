#!/bin/bash
# Every tool notices damage, with exit 2, or says what it says of the whole file.  STRIDE=1 tries every bit and every length.
. "$(dirname "$0")/../lib.sh"
need_real python3
data=$BUILD/tests/data
stride=${STRIDE:-211}
export JOBS=${JOBS:-$(nproc 2>/dev/null || echo 1)}

# Small files that libsnap writes are one batch: here is one of blocks alone, and one of blocks and a batch.
python3 "$top/tests/spec/make_vectors.py" --binaries "$work" "$top/spec/vectors/good-tiny.hex" "$top/spec/vectors/good-batch-and-blocks.hex"
cat "$data/old.snap" "$data/new.snap" >"$work/series.snap"
whole() { # FILE: where a series can be cut and be a whole one
	[ "$1" = "$work/series.snap" ] && stat -c %s "$data/old.snap"
}
snap-index -o "$work/indexed.snap" "$data/app.snap"
files="$work/indexed.snap $data/old.snap $data/app.snap $data/hostile.snap $work/good-tiny.snap $work/good-batch-and-blocks.snap"

# One object of each file, for the questions that need one.
target() {
	case $1 in
	old) echo 0x4000 ;;
	app | indexed) echo 0x60 ;;
	*) echo 0x20 ;;
	esac
}

shown() {
	cat "$work/damaged"
	return "$1"
}

# What each tool is asked, one question a line: {} is the damaged file, TARGET an object of it.
questions() {
	case $1 in
	snap-info) printf '%s\n' "{}" "--verify {}" "--blocks {}" "--members {}" "--properties {}" "--partial {}" ;;
	snap-top) printf '%s\n' "-k type --format=tsv {}" "--retained --format=tsv {}" "-k traceback --format=tsv {}" "-k dominator --format=tsv {}" "-k size --partial {}" ;;
	snap-diff) printf '%s\n' "--format=tsv {} $data/new.snap" "--format=tsv $data/new.snap {}" "-k traceback --partial {} $data/new.snap" ;;
	snap-refs) printf '%s\n' "{} TARGET" "--cycles {}" "--dominators {}" "--unreachable {}" "--partial {} TARGET" ;;
	snap-filter) printf '%s\n' "--totals -o - {}" ;;
	snap-index) printf '%s\n' "-o - {}" "--remove -o - {}" ;;
	snap-symbolize) printf '%s\n' "-o - {}" ;;
	snap-dump) printf '%s\n' "{}" "--columns {}" "--partial {}" ;;
	snap-import | snap-make | snap-record) ;; # read no snapshots
	*) return 1 ;;
	esac
}

for tool in "$BUILD"/bin/*; do
	tool=${tool##*/}
	if ! questions "$tool" >"$work/questions"; then
		ok "$tool: this test has to know what to ask it" false
		continue
	fi
	while read -r question; do
		answered=0
		# Members of a series are found from its end by one code; snap-info goes through them all.
		[ "$tool" = snap-info ] && more=$work/series.snap || more=
		for file in $files $more; do
			name=$(basename "$file" .snap)
			WHOLE=$(whole "$file") "$BUILD/tests/helper/damage" "$stride" "$file" "$tool" ${question//TARGET/$(target "$name")} >"$work/damaged"
			noticed=$?
			[ $noticed = 3 ] && continue
			answered=$((answered + 1))
			ok "$name: $tool ${question//$data\//}: $(tail -n 1 "$work/damaged")" shown $noticed
		done
		ok "$tool ${question//$data\//}: answered for $answered whole files" test $answered -gt 2
	done <"$work/questions"
done

# The tool that verifies must not let anything pass.
export STRICT=1
for file in $files $work/series.snap; do
	ok "$(basename "$file" .snap): snap-info --verify exits 2 whatever is damaged" \
		env WHOLE="$(whole "$file")" "$BUILD/tests/helper/damage" "$stride" "$file" snap-info --verify {}
done
done_testing
