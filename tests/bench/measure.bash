# What the scripts of the bench share: . "$(dirname "$0")/measure.bash".  Rows of a Markdown table go to standard output.
# A series is a file in $work, a line for each run: elapsed seconds, peak KiB, processor seconds.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
set -eo pipefail
here=$top/tests/bench rounds=${ROUNDS:-5} cache=$BUILD/cache
ELAPSED=1 PEAK=2 CPU=3
mkdir -p "$cache"

# ours SERIES COMMAND...: runs it, whole process.  Status 1 is an answer.
ours() {
	local series=$1 status=0; shift
	"$BUILD/tests/helper/timed" "$work/$series" "$@" >"$work/.answer" || status=$?
	[ "$status" -le 1 ] || { echo "bench: $* gave status $status" >&2; return "$status"; }
}

# peer SERIES COMMAND...: the same, of a program that prints elapsed and processor seconds by its own clock, from when it has started.
peer() {
	local series=$1; shift
	"$BUILD/tests/helper/timed" "$work/.process" "$@" >"$work/.clock" || return
	echo "$(tail -1 "$work/.clock") $(tail -1 "$work/.process")" | awk '{print $1, $4, $2}' >>"$work/$series"
}

# row WHAT UNIT OURS PEER BETTER: OURS and PEER are lists of numbers; empty: no such run.  BETTER: less, more.
row() {
	awk -v what="$1" -v unit="$2" -v ours="$3" -v peer="$4" -v better="$5" '
		function read(list,   i, j, t) {
			n = split(list, v, " ")
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
			return n == 0 ? 0 : n % 2 ? v[(n + 1) / 2] + 0 : (v[n / 2] + v[n / 2 + 1]) / 2
		}
		function short(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x) }
		function cell(m) {
			if (n == 0) return ""
			return short(m) " " unit (short(v[1]) != short(v[n]) ? " (" short(v[1]) "–" short(v[n]) ")" : "")
		}
		BEGIN {
			a = read(ours); first = cell(a)
			b = read(peer); second = cell(b)
			ratio = a > 0 && b > 0 ? short(better == "more" ? a / b : b / a) : ""
			printf "| %s | %s | %s | %s |\n", what, first, second, ratio
		}'
}

# column SERIES COLUMN [FACTOR]: the numbers of it; per SERIES AMOUNT [COLUMN]: AMOUNT for each unit of them.
column() { [ ! -e "$work/$1" ] || awk -v c="$2" -v f="${3:-1}" '{printf "%.9g ", $c * f}' "$work/$1"; }
per() { [ ! -e "$work/$1" ] || awk -v c="${3:-$CPU}" -v a="$2" '{printf "%.9g ", a / $c}' "$work/$1"; }

# times, memory WHAT OURS PEER
times() { row "$1, processor time" ms "$(column "$2" $CPU 1000)" "$(column "$3" $CPU 1000)" less; }
milliseconds() { row "$1, elapsed" ms "$(column "$2" $ELAPSED 1000)" "$(column "$3" $ELAPSED 1000)" less; }
memory() { row "$1, peak memory" MiB "$(column "$2" $PEAK 0.0009765625)" "$(column "$3" $PEAK 0.0009765625)" less; }
# note WHAT REASON: a row for what could not be measured
note() { echo "| $1 | | $2 | |"; }
bytes() { stat -c %s "$1"; }

# cached FILE COMMAND... FILE: makes FILE unless it is there; under its name it is always whole.
cached() {
	local file=$1; shift
	[ -e "$file" ] && return
	"$@" "$file.part" >&2 && mv "$file.part" "$file"
}
