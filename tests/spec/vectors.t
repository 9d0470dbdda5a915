#!/bin/bash
# Both readers give the answer that each vector's name promises; good ones also survive being text.
. "$(dirname "$0")/../lib.sh"
need_real python3 zstd
vectors=$top/spec/vectors
make_vectors=$top/tests/spec/make_vectors.py

mkdir "$work/again" "$work/bytes"
python3 "$make_vectors" "$work/again"
is "$(cd "$work/again" && sha256sum *.hex)" "$(cd "$vectors" && sha256sum *.hex)" "make_vectors.py writes the same vectors again"
python3 "$make_vectors" --binaries "$work/bytes" "$vectors"/*.hex
cd "$work/bytes" || exit 1

# The word after a file's name in each reader's answers.
"$BUILD/tests/helper/answer" *.snap >"$work/library"
python3 "$top/spec/reader.py" *.snap 2>"$work/reader"
wanted() {
	case $1 in
	good-*) echo good ;;
	bad-*) echo corrupt ;;
	*) echo unsupported ;;
	esac
}
for file in *.snap; do
	library=$(awk -v f="$file" '$1 == f { sub(":", "", $2); print $2 }' "$work/library")
	reader=$(grep -F "reader.py: $file: " "$work/reader" | grep -Eo '(corrupt|unsupported|over the limit): ' | head -1)
	reader=${reader%: }
	is "$library, ${reader:-good}" "$(wanted "$file"), $(wanted "$file")" "${file%.snap}: both readers say $(wanted "$file")"
	[ "$library, ${reader:-good}" = "$(wanted "$file"), $(wanted "$file")" ] || grep -hF "$file" "$work/library" "$work/reader" | explain
done

for file in bad-*.snap unsupported-*.snap; do
	snap-info --verify "$file" >/dev/null 2>&1
	[ $? = 2 ] || echo "$file"
done >"$work/passed"
is "$(cat "$work/passed")" "" "snap-info --verify exits 2 on every one that is not good"
for file in *.snap; do
	snap-info --verify - <"$file" >"$work/.piped" 2>&1
	echo "$? $(snap-info --verify "$file" >/dev/null 2>&1; echo $?) $file"
done | awk '$1 != $2' >"$work/differ"
is "$(cat "$work/differ")" "" "a pipe gives the same answers as a file"

for file in good-*.snap; do
	name=${file%.snap}
	snap-dump --quiet "$file" >"$work/dump"
	is "$(cat "$work/dump")" "$(cat "$vectors/$name.yaml")" "$name: snap-dump prints the .yaml beside it"
	snap-dump --quiet --columns "$file" >"$work/columns"
	ok "$name: both readers decode the same values" cmp <(python3 "$top/tests/spec/reader_dump.py" "$file") "$work/columns"
	case $name in # what snap-make cannot say: snap-make(1), LIMITS
	good-names | good-equal-strings) continue ;;
	esac
	snap-make -o one.snap "$work/dump" && snap-dump one.snap >one.yaml && snap-make -o two.snap one.yaml
	ok "$name: as written by snap-make, the text gives the same bytes" cmp one.snap two.snap
done
done_testing
