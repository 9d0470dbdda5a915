#!/usr/bin/env bash
# snap-refs --unreachable on programs that we did not write: what LeakSanitizer says, or valgrind of programs that do not run
# with it.  All three take any word for a pointer, so that a few blocks may differ.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
need_real valgrind git perl python3
cd "$work" || exit 1
judge=$(${CC:-gcc} -print-file-name=liblsan.so)
# Some kernels place more at random than the judge bears; some containers forbid to do without.
steady=
setarch -R true 2>/dev/null && steady="setarch -R"

ours() { # COMMAND...: blocks and bytes
	snap-record -q --no-symbols --references -o leaks.snap "$@" >/dev/null 2>&1 </dev/null
	snap-refs --unreachable --format=tsv leaks.snap | awk -F '\t' '$10 == "garbage" { print $3, $6 }'
}
sanitizer() {
	rm -f said.*
	$steady env LD_PRELOAD="$judge" LSAN_OPTIONS=report_objects=1:exitcode=9:max_leaks=0:log_path="$work/said" "$@" >/dev/null 2>&1 </dev/null
	local ended=$?
	[ $ended = 0 ] || [ $ended = 9 ] || return
	cat said.* 2>/dev/null | sed -n 's/^0x[0-9a-f]* (\([0-9]*\) bytes).*/\1/p' | awk '{ n++; b += $1 } END { print n + 0, b + 0 }'
}
memcheck() {
	valgrind --leak-check=full --show-leak-kinds=none "$@" 2>&1 >/dev/null </dev/null | tr -d , |
		awk '/definitely lost:|indirectly lost:/ { b += $4; n += $7 } END { print n + 0, b + 0 }'
}
agree() { # JUDGE LEAKS COMMAND...: LEAKS: at least so many are known
	local wanted got leaks=$2
	wanted=$("$1" "${@:3}")
	got=$(ours "${@:3}")
	ok "$1 agrees on ${3##*/}" awk -v a="$got" -v b="$wanted" -v least="$leaks" 'BEGIN {
		split(a, g, " "); split(b, w, " "); d = g[1] - w[1]
		exit b == "" || w[1] < least || (d < 0 ? -d : d) > 1 + w[1] / 50 }'
}
if [ ! -e "$judge" ] || ! $steady env LD_PRELOAD="$judge" true 2>/dev/null; then
	echo "# LeakSanitizer does not run here"
else
	printf '#include <%s>\n' stdio.h stdlib.h string.h >small.c
	${CC:-gcc} -E -o small.i small.c
	agree sanitizer 1 sort "$top/LICENSE"
	agree sanitizer 100 "$(${CC:-gcc} -print-prog-name=cc1)" -quiet -O2 -o /dev/null small.i
	agree sanitizer 0 ls -l /usr/bin
	agree sanitizer 0 env PYTHONMALLOC=malloc python3 -c 'import json; json.loads("[1, {\"a\": 2}]")'
	agree sanitizer 0 bash -c 'for i in 1 2 3; do x[i]=$i; done; f() { local a=b; }; f'
fi
agree memcheck 10 perl -e 'my %h; $h{$_} = [1 .. 3] for 1 .. 5000; my $a = {}; $a->{me} = $a; print scalar keys %h'
agree memcheck 0 git -C "$top" log --oneline -100
done_testing
