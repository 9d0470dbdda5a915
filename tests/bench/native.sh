#!/usr/bin/env bash
# The tracker beside heaptrack, LeakSanitizer and jemalloc's sampling, on native.c and three programs.  SCALE divides all sizes;
# HEAPTRACK is the folder of another heaptrack than Debian's.  Added is what a run took beyond the bare run of the same round.
. "$(dirname "$0")/measure.bash"
scale=${SCALE:-1} cap_kib=$((6 << 20)) # that of heaptrack 1.4 was seen to take 17 GB
heaptrack=${HEAPTRACK:-/usr}
[ -e "$heaptrack/lib/heaptrack/libheaptrack_preload.so" ] || { heaptrack=; note "heaptrack" "not measured: not installed"; }
jemalloc=libjemalloc.so.2
live=$((5000000 / scale))
${CC:-cc} -O2 -shared -fPIC -D_GNU_SOURCE "$here/preload/forward.c" -o "$work/forward.so" -Wl,-z,now

# ---- one run each ----

timed() { "$BUILD/tests/helper/timed" "$@"; }
run() { timed "$work/$1" "${@:2}" >"$work/.output"; }
# The program alone: there is no place to write a snapshot to, which is said at once.
tracked() { local status=0; timed "$work/$1" snap-record -q -o "$work/none/x.snap" "${@:2}" >"$work/.output" 2>&1 || status=$?; [ $status = 2 ]; }
shallow() { tracked "$1" --depth=2 -- "${@:2}"; }
recorded() { timed "$work/$1" snap-record -q --no-symbols -o "$work/$1.snap" -- "${@:2}" >"$work/.output"; }
sampled() { timed "$work/$1" snap-record -q --no-symbols --sample=512KiB -o "$work/$1.snap" -- "${@:2}" >"$work/.output"; }
forwarded() { run "$1" env LD_PRELOAD="$work/forward.so" "${@:2}"; }
# heaptracked SERIES READER COMMAND...: what the script heaptrack does; the reader's line goes to SERIES-reader.
heaptracked() {
	local series=$1 reader=$2 pid; shift 2
	rm -f "$work/fifo"; mkfifo "$work/fifo"
	(ulimit -v "$cap_kib"; timed "$work/$series-reader" "$reader" <"$work/fifo" 2>/dev/null | zstd -q -c >"$work/$series.zst"; exit "${PIPESTATUS[0]}") &
	pid=$!
	run "$series" env LD_PRELOAD="$heaptrack/lib/heaptrack/libheaptrack_preload.so" DUMP_HEAPTRACK_OUTPUT="$work/fifo" "$@" 2>"$work/.error" ||
		: # the end of its reader may be its own
	wait $pid
}

# ---- what comes of them ----

# minus SERIES BASE COLUMN FACTOR: of the same rounds
minus() { [ ! -e "$work/$1" ] || paste "$work/$1" "$work/$2" | awk -v c="$3" -v f="${4:-1}" '{printf "%.9g ", ($c - $(c + NF / 2)) * f}'; }
# over SERIES BASE: processor time as a multiple of the base's
over() { [ ! -e "$work/$1" ] || paste "$work/$1" "$work/$2" | awk '{printf "%.9g ", $3 / $6}'; }
# together SERIES OTHER: SERIES-all, of processes that ran at once; only if all rounds are there
together() {
	[ -e "$work/$2" ] && [ "$(wc -l <"$work/$1")" = "$(wc -l <"$work/$2")" ] || return 0
	paste "$work/$1" "$work/$2" | awk '{print $1, $2 + $5, $3 + $6}' >"$work/$1-all"
}

# measured NAME WHAT COMMAND...: all runs of one load, and its rows
measured() {
	local name=$1 what=$2 round reader=$heaptrack/lib/heaptrack/libexec/heaptrack_interpret; shift 2
	for ((round = 0; round < rounds; round++)); do
		run "$name" "$@"
		tracked "$name-tracked" "$@"
		recorded "$name-recorded" "$@"
		sampled "$name-sampled" "$@"
		forwarded "$name-forwarded" "$@"
		beside_heaptrack "$name" "$@"
	done
	together "$name-heaptrack" "$name-heaptrack-reader"
	row "$what: added to the program itself; heaptrack, processor time" ms "$(minus "$name-tracked" "$name" $CPU 1000)" \
		"$(minus "$name-heaptrack" "$name" $CPU 1000)" less
	row "$what: added in all, with what writes the file; heaptrack, processor time" ms "$(minus "$name-recorded" "$name" $CPU 1000)" \
		"$(minus "$name-heaptrack-all" "$name" $CPU 1000)" less
	[ "$reader" != cat ] || note "$what: heaptrack's file" "none: heaptrack_interpret needs more than $((cap_kib >> 20)) GiB"
	row "$what: memory added; heaptrack, with what writes the file" MiB "$(minus "$name-tracked" "$name" $PEAK 0.0009765625)" \
		"$(minus "$name-heaptrack-all" "$name" $PEAK 0.0009765625)" less
	row "$what: sampled (512 KiB), processor time, times that of the bare run; a preload that only calls on" × \
		"$(over "$name-sampled" "$name")" "$(over "$name-forwarded" "$name")" less
}
# Where there is not enough memory for the interpreter, the program alone is measured.
beside_heaptrack() {
	local name=$1; shift
	[ -n "$heaptrack" ] || return 0
	if heaptracked "$name-heaptrack" "$reader" "$@" || [ "$reader" = cat ]; then
		return 0
	fi
	reader=cat
	sed -i '$d' "$work/$name-heaptrack"
	heaptracked "$name-heaptrack" cat "$@"
	rm "$work/$name-heaptrack-reader"
}

# ---- loads that we wrote ----

load() { measured "$1" "$2" "$BUILD/tests/bench/native" "$1" "$scale"; }
# built NAME FLAGS...: native.c as a program of that name
built() { ${CC:-cc} -O2 "${@:2}" -I"$top/libsnap/include" -I"$top/tests" -D_GNU_SOURCE "$here/native.c" -o "$work/$1" -lpthread 2>"$work/.error"; }
# sanitized SERIES PROGRAM OPTIONS ARGUMENT...
sanitized() { LSAN_OPTIONS=exitcode=0:$3 run "$1" "$work/$2" "${@:4}" 2>/dev/null; }
# frames PROGRAM OPTIONS: how many it records of a stack that has 20 below main(), with malloc() itself
frames() { LSAN_OPTIONS=exitcode=0:${2:-} "$work/$1" leak 5000 2>&1 | awk '/^(Dir|Indir)ect leak/ { n++ } n == 1 && / #[0-9]/ { c++ } END { print c " frames" }'; }

# LeakSanitizer is an allocator too, faster than the C library's with threads: it is also measured beyond itself without stacks and
# without a search.  And by default it follows frame pointers only; so it is measured again where it records what we do.
bare=malloc_context_size=0:detect_leaks=0 slow=fast_unwind_on_malloc=0
leak_sanitizer() {
	local name=$1 what=$2 round small=$((scale * 8)) added="added to the program itself; LeakSanitizer"
	for ((round = 0; round < rounds; round++)); do
		sanitized "$name-sanitized" sanitized "" "$name" "$scale"
		sanitized "$name-allocator" sanitized $bare "$name" "$scale"
		shallow "$name-shallow" "$BUILD/tests/bench/native" "$name" "$scale"
		run "$name-small" "$BUILD/tests/bench/native" "$name" $small
		tracked "$name-small-tracked" "$BUILD/tests/bench/native" "$name" $small
		sanitized "$name-small-sanitized" sanitized $slow "$name" $small
		run "$name-pointers" "$work/pointers" "$name" "$scale"
		tracked "$name-pointers-tracked" "$work/pointers" "$name" "$scale"
		sanitized "$name-pointers-sanitized" pointers-sanitized "" "$name" "$scale"
		sanitized "$name-pointers-allocator" pointers-sanitized $bare "$name" "$scale"
	done
	row "$what: $added, by default ($(frames sanitized)), processor time" ms "$(minus "$name-tracked" "$name" $CPU 1000)" \
		"$(minus "$name-sanitized" "$name" $CPU 1000)" less
	row "$what: the same, beyond its allocator" ms "$(minus "$name-tracked" "$name" $CPU 1000)" \
		"$(minus "$name-sanitized" "$name-allocator" $CPU 1000)" less
	row "$what: the same, 2 frames kept" ms "$(minus "$name-shallow" "$name" $CPU 1000)" "$(minus "$name-sanitized" "$name-allocator" $CPU 1000)" less
	row "$what, an eighth: $added, all of the stack ($(frames sanitized $slow)), processor time" ms \
		"$(minus "$name-small-tracked" "$name-small" $CPU 1000)" "$(minus "$name-small-sanitized" "$name-small" $CPU 1000)" less
	row "$what, frame pointers: $added ($(frames pointers-sanitized)), processor time" ms \
		"$(minus "$name-pointers-tracked" "$name-pointers" $CPU 1000)" "$(minus "$name-pointers-sanitized" "$name-pointers" $CPU 1000)" less
	row "$what, frame pointers: the same, beyond its allocator" ms "$(minus "$name-pointers-tracked" "$name-pointers" $CPU 1000)" \
		"$(minus "$name-pointers-sanitized" "$name-pointers-allocator" $CPU 1000)" less
}
# What jemalloc's sampling adds, and a file of what is live in the end.
jemalloc_sampled() {
	local round
	for ((round = 0; round < rounds; round++)); do
		run "$1-jemalloc" env LD_PRELOAD=$jemalloc "$BUILD/tests/bench/native" "$1" "$scale"
		run "$1-jemalloc-sampled" env LD_PRELOAD=$jemalloc MALLOC_CONF="prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:$work/jemalloc" \
			"$BUILD/tests/bench/native" "$1" "$scale"
	done
	row "$2: sampled, times the bare run; jemalloc's own, times jemalloc" × "$(over "$1-sampled" "$1")" "$(over "$1-jemalloc-sampled" "$1-jemalloc")" less
}

what_of_leak() {
	local what=$1 round
	row "$what: memory added to a live block" bytes "$(minus leak-tracked leak $PEAK $((1024 * scale))e-6 | awk '{for (i = 1; i <= NF; i++) print $i / 5}')" "" less
	row "$what: the file written, processor time" s "$(minus leak-recorded leak-tracked $CPU)" "" less
	row "$what: file for a live block" bytes "$(awk -v b="$(bytes "$work/leak-recorded.snap")" -v n=$live 'BEGIN {print b / n}')" "" less
	snap-filter --totals -o "$work/totals.snap" "$work/leak-recorded.snap"
	row "$what: file for a live block, without addresses" bytes "$(awk -v b="$(bytes "$work/totals.snap")" -v n=$live 'BEGIN {print b / n}')" "" less
	for ((round = 0; round < rounds; round++)); do
		ours leak-top snap-top "$work/leak-recorded.snap"
		[ ! -e "$work/leak-heaptrack-all" ] || run leak-print "$heaptrack/bin/heaptrack_print" -f "$work/leak-heaptrack.zst"
	done
	times "$what: \`snap-top\`; \`heaptrack_print\`" leak-top leak-print
}
pause() {
	snap-record -q --no-symbols -o "$work/pause.snap" "$BUILD/tests/bench/native" pause "$scale" >"$work/pause"
	row "$1: a snapshot stops it; a bare fork()" ms "$(awk '{print $2 / 1000}' "$work/pause")" "$(awk '{print $1 / 1000}' "$work/pause")" less
}

churned="3 M pairs, 200 k live" brief="3 M pairs, most freed at once" leaked="5 M live" threaded="4 threads, freed by others"
load churn "$churned"
load brief "$brief"
load leak "$leaked"
load threads "$threaded"
what_of_leak "$leaked"
pause "$leaked"
if built sanitized -fsanitize=leak && built pointers -fno-omit-frame-pointer && built pointers-sanitized -fno-omit-frame-pointer -fsanitize=leak; then
	leak_sanitizer churn "$churned"
	leak_sanitizer brief "$brief"
	leak_sanitizer leak "$leaked"
	leak_sanitizer threads "$threaded"
else
	note "LeakSanitizer" "not measured: no program is built with it"
fi
if [ -z "$(LD_PRELOAD=$jemalloc sh -c : 2>&1)" ]; then
	jemalloc_sampled churn "$churned"
	jemalloc_sampled leak "$leaked"
	jemalloc_sampled threads "$threaded"
fi

# ---- programs that we did not write ----

make_c() {
	local i
	{
		echo '#include <stdio.h>'; echo '#include <stdlib.h>'; echo '#include <math.h>'; echo '#include <pthread.h>'; echo '#include <unistd.h>'
		for ((i = 0; i < 1200 / scale; i++)); do
			echo "struct s$i { int a[$((i % 7 + 1))]; struct s$i *next; };"
			echo "int f$i(struct s$i *s, int n) { int sum = $i; for (; s && n--; s = s->next) for (int i = 0; i < $((i % 7 + 1)); i++)"
			echo "	{ sum += s->a[i] * $i; if (sum % 3 == 0) printf(\"%d\\n\", abs(sum)); } return sum > n ? sum : f$((i > 0 ? i - 1 : 0))((void *)s, n / 2); }"
		done
	} >"$work/large.c"
	${CC:-cc} -E "$work/large.c" -o "$work/large.i"
}
query="create table t(a integer primary key, b text, c real); create index tb on t(b); create index tc on t(c);
with recursive n(x) as (select 1 union all select x + 1 from n where x < $((200000 / scale)))
insert into t select x, hex(x * 7919 % 100003), x * 0.5 from n; select count(*), sum(c), max(b) from t where b like '3%';
select count(*) from t x join t y on x.b = y.b where x.a < $((20000 / scale))"
script="d = {i: [i, str(i), {'k': i}] for i in range($((200000 / scale)))}
s = sorted(d, key=lambda i: d[i][1])
print(len(s), sum(len(v[1]) for v in d.values()))
print(len([w for i in range($((1000000 / scale))) for w in (str(i), )]))"

compiler=$(${CC:-cc} -print-prog-name=cc1)
if [ -x "$compiler" ]; then
	make_c
	measured cc1 "\`cc1 -O1\`, $(wc -l <"$work/large.i") lines" "$compiler" -quiet -O1 "$work/large.i" -o "$work/large.s"
fi
measured sqlite3 "\`sqlite3\`, a table in memory" sqlite3 :memory: "$query"
python=$(python3 -c 'import sys; print(sys.executable)') # not what starts it
PYTHONMALLOC=malloc measured python3 "\`python3\`, PYTHONMALLOC=malloc" "$python" -c "$script"
