#!/usr/bin/env bash
# Every tool has a man page with all sections; its OPTIONS are those of --help, and its EXAMPLES run.
. "$(dirname "$0")/lib.sh"

plain() { sed 's/\\f[BIRP]//g; s/\\-/-/g; s/\\e/\\/g; s/\\(aq/'"'"'/g; s/\\&//g'; }

# The option lines of a page: those after .TP within OPTIONS.
page_options() { # PAGE
	awk '/^\.SH/ { inside = ($2 == "OPTIONS") } inside && after { print } { after = /^\.TP/ }' "$1" |
		sed 's/^\.B[IR]* *//' | plain | sort
}

help_options() { # TOOL: left column, without the indentation
	"$1" --help | sed -n 's/^  \(-.,\|   \) \(--[^ ]*\).*/\1 \2/p' | sed 's/^ *//' | sort
}

examples() { # PAGE: the commands after "$ "
	awk '/^\.EX/ { inside = 1 } /^\.EE/ { inside = 0 } inside' "$1" | plain | sed -n 's/^\$ //p'
}

mkdir "$work/examples"
cp "$BUILD"/tests/data/*.snap "$top"/tests/data/*.yaml "$work/examples"
cd "$work/examples" || exit 1
[ -x "$top/tests/examples" ] && "$top/tests/examples" .

for source in "$top"/tools/snap-*.c; do
	tool=$(basename "$source" .c)
	page=$top/tools/$tool.1
	ok "$tool has a man page" test -f "$page"
	[ -f "$page" ] || continue
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS OUTPUT "EXIT STATUS" EXAMPLES "SEE ALSO"; do
		grep -qE "^\.SH \"?$section\"?$" "$page" || is "no section" "$section" "$tool.1 has its sections"
	done
	is "$(page_options "$page")" "$(help_options "$tool")" "$tool.1: OPTIONS are those of --help"
	count=0
	while IFS= read -r command; do
		count=$((count + 1))
		bash -o pipefail -c "$command" >"$work/out" 2>&1 </dev/null
		status=$?
		[ $status -le 1 ]
		is "$?" 0 "$tool.1: $command"
		[ $status -le 1 ] || explain <"$work/out"
	done < <(examples "$page")
	ok "$tool.1 has examples" test "$count" -gt 0
done
done_testing
