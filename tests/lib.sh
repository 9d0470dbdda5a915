# TAP for shell tests: . "$(dirname "$0")/.../lib.sh"; ends with `done_testing`.
# The tools under test come first in PATH; $work is an empty folder, removed at the end.
set -u
top=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
BUILD=${BUILD:-$top/build}
case $BUILD in /*) ;; *) BUILD=$top/$BUILD ;; esac
export PATH="$BUILD/bin:$PATH" LC_ALL=C TZ=UTC
unset NO_COLOR SOURCE_DATE_EPOCH
work=$(mktemp -d "${TMPDIR:-/tmp}/snap-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
tap_count=0 tap_failed=0

# The reason goes to stderr, where prove lets it pass.
not_ok() { # not_ok NAME
	echo "not ok $tap_count - $1"
	echo "# $0: not ok $tap_count - $1" >&2
	tap_failed=1
}
explain() { head -20 | cut -c 1-300 | sed 's/^/#   /' >&2; }

# ok NAME COMMAND...: passes if the command does; else the command is shown, with what it was given.
ok() {
	local name=$1; shift
	tap_count=$((tap_count + 1))
	if "$@" >"$work/.out" 2>&1; then
		echo "ok $tap_count - $name"
	else
		echo "exit status $?: $*" >>"$work/.out"
		not_ok "$name"
		explain <"$work/.out"
	fi
}

# is GOT WANTED NAME
is() {
	tap_count=$((tap_count + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $tap_count - $3"
	else
		not_ok "$3"
		diff <(echo "$2") <(echo "$1") | explain
	fi
}

# at_least GOT WANTED NAME: whole numbers.
at_least() { ok "$3" test "$1" -ge "$2"; }

# between LOW VALUE HIGH, for ok
between() { echo "# $1 <= $2 <= $3"; [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; }

# status WANTED NAME COMMAND...: output is dropped but shown on failure.
status() {
	local wanted=$1 name=$2 got; shift 2
	"$@" >"$work/.out" 2>&1; got=$?
	is "$got" "$wanted" "$name"
	[ "$got" = "$wanted" ] || explain <"$work/.out"
}

# await COMMAND...: until it succeeds, for some minutes at most.  Time alone says nothing where much else runs.
await() {
	local tries
	for ((tries = 0; tries < 4000; tries++)); do "$@" && return; sleep 0.05; done
	echo "# $0: in vain: $*" >&2
	return 1
}

# limited SECONDS COMMAND...: of processor time.
limited() { (ulimit -t "$1"; shift; exec "$@"); }

# peak COMMAND...: KiB of memory, without the pages of 2 MiB that the system gives when it has some (PR_SET_THP_DISABLE).
peak() {
	python3 -c 'import ctypes, resource, subprocess, sys
ctypes.CDLL(None).prctl(41, *map(ctypes.c_ulong, (1, 0, 0, 0)))
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}

# property FILE NAME
property() { snap-info --properties --format=tsv "$1" | sed -n "s/^$2\t//p"; }

# members FILE: how many snapshots are in it; 0 while there is none.
members() { snap-info --members --format=tsv "$1" 2>/dev/null | sed 1d | wc -l; }

# series FILE COUNT COMMAND...: as soon as FILE has N snapshots there is a file go.N, for which a program may wait.
series() {
	local file=$1 count=$2 number recorder; shift 2
	rm -f go.*
	"$@" &
	recorder=$!
	for ((number = 1; number <= count; number++)); do
		await eval '[ "$(members "$file")" -ge $number ]' || break
		touch go.$number
	done
	touch $(seq -f go.%.0f "$count")
	wait $recorder
}

# skip_sanitized: for a test of the tracker, which a sanitizer's own allocator leaves nothing to do.
skip_sanitized() {
	case ${CFLAGS:-} in *sanitize*) echo "1..0 # SKIP a sanitizer has an allocator of its own"; exit 0 ;; esac
}

# need_real PROGRAM...: without one of them the test fails, or is skipped where SKIP_REAL=1 says so.
need_real() {
	local program
	for program; do
		command -v "$program" >/dev/null && continue
		if [ "${SKIP_REAL:-0}" = 1 ]; then
			echo "1..0 # SKIP no $program, and SKIP_REAL=1"
			exit 0
		fi
		tap_count=1
		not_ok "$program is here (make deps brings it; SKIP_REAL=1 skips)"
		done_testing
	done
}

# fetch FOLDER COMMAND...: sets the variable FOLDER to what tests/real/npm or tests/real/pip prints.  Where there is no network
# the test ends: it fails and says why, or is skipped where SKIP_REAL=1 says so.
fetch() {
	local -n fetched=$1; shift
	fetched=$("$@" 2>"$work/.fetch") && return
	tap_count=$((tap_count + 1))
	if [ "${SKIP_REAL:-0}" = 1 ]; then
		echo "ok $tap_count - # SKIP no packages from the network, and SKIP_REAL=1"
	else
		not_ok "packages come from the network (SKIP_REAL=1 skips): ${*##*/}"
		grep -i error "$work/.fetch" | head -3 | explain
	fi
	done_testing
}

done_testing() {
	echo "1..$tap_count"
	exit $tap_failed
}
