#!/bin/bash
# Snapshots of CPython's tracemalloc: snap-top and snap-diff answer what Snapshot.statistics and compare_to answer in the
# same run, string for string, for every CPython from 3.6 on that is found here.
. "$(dirname "$0")/../lib.sh"
need_real python3
here=$top/tests/real

# Lines "VERSION PATH", one for each version.
find_pythons() {
	local candidate version
	for candidate in python3 python3.{6..20} ~/.pyenv/versions/*/bin/python3; do
		version=$("$candidate" -c '
import sys, ctypes, tracemalloc
if sys.implementation.name == "cpython" and sys.version_info >= (3, 6):
    print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) && [ -n "$version" ] && echo "$version $candidate"
	done | sort -V -u -k1,1
}

# ask FOLDER SUFFIX COMMAND...: each question N of the folder, put to the command, must give the file N.SUFFIX.
ask() {
	local folder=$1 suffix=$2 args options name count=0; shift 2
	for args in "$folder"/*.args; do
		mapfile -t options <"$args"
		name=${args%.args}
		case $1 in
		snap-top) "$@" "${options[@]}" "$folder/new.snap" >"$name.out" || return ;;
		*) "$@" "${options[@]}" "$folder/old.snap" "$folder/new.snap" >"$name.out"; [ $? -le 1 ] || return ;;
		esac
		if ! cmp -s "$name.$suffix" "$name.out"; then
			echo "${options[*]}"
			diff "$name.$suffix" "$name.out"
			return 1
		fi
		count=$((count + 1))
	done
	[ "$count" -gt 40 ]
}

check_version() {
	local python=$2 frames=$3 what="CPython $1, frames: $3" folder=$work/$1-$3
	mkdir "$folder"
	ok "$what: two snapshots" env LC_ALL=C.UTF-8 "$python" "$here/tracemalloc_answers.py" "$folder" "$frames"
	ok "$what: import of the old one" snap-import tracemalloc -o "$folder/old.snap" "$folder/old.pickle"
	ok "$what: import of the new one, through pipes" bash -c \
		"cat '$folder/new.pickle' | snap-import tracemalloc -o - - | cat >'$folder/new.snap'"
	ok "$what: snap-info --verify" snap-info --verify "$folder/new.snap"
	ok "$what: spec/reader.py reads it too" python3 "$top/spec/reader.py" "$folder/new.snap"
	ok "$what: through YAML and back, byte for byte" bash -c \
		"snap-dump '$folder/new.snap' | snap-make -o - - | cmp - '$folder/new.snap'"
	ok "$what: strings and order of statistics()" ask "$folder" top snap-top -n 0 --format=tracemalloc
	ok "$what: strings and order of compare_to()" ask "$folder" diff snap-diff -n 0 --format=tracemalloc
	ok "$what: numbers of statistics()" ask "$folder" top.tsv snap-top -n 0 --format=tsv
	ok "$what: numbers of compare_to()" ask "$folder" diff.tsv snap-diff -n 0 --all --format=tsv
}

mapfile -t pythons < <(find_pythons)
ok "${#pythons[@]} versions of CPython are here: ${pythons[*]%% *}" [ "${#pythons[@]}" -ge 1 ]
for entry in "${pythons[@]}"; do
	for frames in 1 25; do
		check_version "${entry%% *}" "${entry#* }" "$frames"
	done
done
done_testing
