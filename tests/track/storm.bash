# A program under everything at once, recorded: storm NAME SECONDS [ALLOCATOR [THREADS [OPTION]]].  To be sourced after lib.sh.
make_storm() {
	cat >"$work/storm.c" <<'TEXT'
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void) { free(malloc(10)); }
void *storm_make(size_t size) { void *p = malloc(size); __asm__ volatile("" ::: "memory"); return p; }
TEXT
	${CC:-cc} -shared -fPIC -O1 -o "$work/storm.so" "$work/storm.c"
}

storm() {
	local name=$1 seconds=$2 allocator=${3:-} threads=${4:-8} option=${5:-} state=complete,exact missed=0
	[ "${option%=*}" != --sample ] || state=complete,sampled missed=$((512 / 5))
	LD_PRELOAD=$allocator timeout -k 1 $((seconds * 10 + 600)) snap-record --interval=0.2 $option -o "$work/storm.snap" \
		"$BUILD/tests/helper/native_storm" "$seconds" "$work/storm.so" "$threads" >"$work/storm.out" 2>"$work/storm.err"
	is "$?/$(cat "$work/storm.err")" 0/ "$name: ends well"
	status 0 "$name: all members are whole" snap-info --verify "$work/storm.snap"
	is "$(snap-info "$work/storm.snap" | sed -n 's/^state *//p')" $state "$name: nothing was missed"
	snap-dump "$work/storm.snap" | sed -n 's/^- {id: \(0x[0-9a-f]*\), size: \([0-9]*\).*/\1 \2/p' | sort >"$work/storm.seen"
	ok "$name: every live block is there, or of a small sample's most" test "$(sort "$work/storm.out" | comm -23 - "$work/storm.seen" | wc -l)" -le $missed
	ok "$name: and no others but the C library's" test "$(sort "$work/storm.out" | comm -13 - "$work/storm.seen" | wc -l)" -le 20
}

# storms ALLOCATOR: STORMS (25) of STORM_SECONDS (20), of 4 to 64 threads
storms() {
	local allocator=$1 threads=(4 8 16 32 64) options=('' --sample=64B --references) run
	make_storm
	for ((run = 0; run < ${STORMS:-25}; run++)); do
		storm "$run, ${threads[run % 5]} threads" "${STORM_SECONDS:-20}" "$allocator" "${threads[run % 5]}" "${options[run % 3]}"
	done
	done_testing
}
