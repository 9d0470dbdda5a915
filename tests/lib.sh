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

# ok NAME COMMAND...: passes if the command does.
ok() {
	local name=$1; shift
	tap_count=$((tap_count + 1))
	if "$@" >"$work/.out" 2>&1; then
		echo "ok $tap_count - $name"
	else
		echo "not ok $tap_count - $name"
		tap_failed=1
		sed 's/^/# /' "$work/.out" | head -20
	fi
}

# is GOT WANTED NAME
is() {
	tap_count=$((tap_count + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $tap_count - $3"
	else
		echo "not ok $tap_count - $3"
		tap_failed=1
		diff <(echo "$2") <(echo "$1") | head -20 | sed 's/^/# /'
	fi
}

# status WANTED NAME COMMAND...: output is dropped but shown on failure.
status() {
	local wanted=$1 name=$2 got; shift 2
	"$@" >"$work/.out" 2>&1; got=$?
	is "$got" "$wanted" "$name"
	[ "$got" = "$wanted" ] || head -5 "$work/.out" | sed 's/^/# /'
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
		echo "1..1"
		echo "not ok 1 - $program is here (make deps brings it; SKIP_REAL=1 skips)"
		exit 1
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
		echo "not ok $tap_count - packages come from the network (SKIP_REAL=1 skips): ${*##*/}"
		tap_failed=1
		grep -i error "$work/.fetch" | head -3 | cut -c 1-300 | sed 's/^/# /'
	fi
	done_testing
}

done_testing() {
	echo "1..$tap_count"
	exit $tap_failed
}
