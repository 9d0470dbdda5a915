#!/usr/bin/env bash
# When snap-record takes snapshots: at intervals, by growth, at the peak, on signals, and when the program is ended by one.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1

# Five waves, of 2, 4, 6, 8 and 10 MB.
cat >waves.c <<'TEXT'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void *blocks[100000];
/* Goes on allocating until there is such a file. */
static void linger(const char *name, int number, size_t size)
{
	char path[100];
	snprintf(path, sizeof path, "%s.%d", name, number);
	for (int i = 0; i < 20000 && access(path, F_OK) != 0; i++) {
		for (int k = 0; k < 300; k++) {
			void *volatile block = malloc(size);
			free(block);
		}
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
}
int main(int argc, char **argv)
{
	const char *end = argc > 1 ? argv[1] : "";
	for (int wave = 1; wave <= 5; wave++) {
		for (int i = 0; i < wave * 20000; i++)
			blocks[i] = malloc(100);
		if (strcmp(end, "paced") == 0)
			linger("go", wave, 100);
		for (int i = 0; i < wave * 20000; i++)
			free(blocks[i]);
	}
	for (int i = 0; i < 10; i++)
		blocks[i] = malloc(7);
	if (strcmp(end, "fault") == 0)
		*(volatile int *)argc = 1;
	if (strcmp(end, "abort") == 0)
		abort();
	if (strcmp(end, "signal") == 0)
		kill(getpid(), atoi(argv[2]));
	if (strcmp(end, "leap") == 0) {
		for (int i = 0; i < 2; i++)
			blocks[i] = malloc(20000000);
		linger("go", 2, 100);
	}
	if (strcmp(end, "wait") == 0) {
		FILE *ready = fopen("ready", "w");
		fprintf(ready, "%d\n", (int)getpid());
		fclose(ready);
		linger("go", 1, 1 << 24);
	}
	return 0;
}
TEXT
${CC:-cc} -O1 -w waves.c -o waves
# Blocks of each member, the small ones at the end as "end".
counts() { snap-info --members --format=tsv "$1" | awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "count") c = i } NR > 1 { print $c }'; }
reason() { property "$1" taken_at; }

snap-record --peak -o peak.snap ./waves
is "$(reason peak.snap)" peak "--peak: the snapshot is of the peak"
is "$(counts peak.snap | awk '{ print ($1 > 96000 && $1 <= 100100) ? "near" : $1 }')" near "--peak: nearly all that was live then"
is "$(property peak.snap peak_bytes | awk '{ print ($1 > 9900000 && $1 < 10200000) ? "near" : $1 }')" near "--peak: and says how much it was"
is "$(ls ./*.tmp 2>/dev/null)" "" "--peak: nothing is left of lower peaks"
snap-record --peak -o rising.snap sh -c 'exit 0'
is "$?/$(reason rising.snap)" 0/exit "--peak: at the end, where that is it"

series growth.snap 5 snap-record --growth=1500K -o growth.snap ./waves paced
at_least "$(members growth.snap)" 6 "--growth: one for each"
is "$(reason 'growth.snap#1') $(reason growth.snap)" "growth exit" "--growth: and one at the end"
status 0 "--growth: all are whole" snap-info --verify growth.snap

# The second is due before the first can have been written.
series leap.snap 2 snap-record --growth=19M -o leap.snap ./waves leap
is "$(for i in 1 2 3; do reason "leap.snap#$i"; done | tr '\n' ' ')" "growth growth exit " "--growth: what is due while one is written comes after it"

series interval.snap 5 snap-record --interval=0.2 -o interval.snap ./waves paced
at_least "$(members interval.snap)" 6 "--interval: one for each"
is "$(reason 'interval.snap#1') $(reason interval.snap)" "interval exit" "--interval: and one at the end"

# A program that frees what it allocates, so that its sums stay as they are, and keeps 100 bytes 5 times a second.
cat >steady.c <<'TEXT'
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static void *kept[1000];
int main(void)
{
	for (int i = 0; i < 100000 && access("go.5", F_OK) != 0; i++) {
		void *volatile block = malloc(100);
		free(block);
		if (i % 100 == 0)
			kept[i / 100] = malloc(100);
		nanosleep(&(struct timespec){0, 2000000}, NULL);
	}
	return kept[0] == NULL;
}
TEXT
${CC:-cc} -O1 -w steady.c -o steady
hundredths() { read -r up _ </proc/uptime; echo "${up/./}"; }
since=$(hundredths)
series steady.snap 5 snap-record --interval=0.2 -o steady.snap ./steady
at_least "$(members steady.snap)" 6 "--interval: also where as much is freed as is allocated"
# The first is due after one interval, and the last comes at the end.
at_least $(($(hundredths) - since + 5)) $((20 * ($(members steady.snap) - 1))) "--interval: no more often than asked"
series sampled.snap 5 snap-record --sample=1KiB --interval=0.2 -o sampled.snap ./steady
at_least "$(members sampled.snap)" 6 "--interval: and of a sample"

# Of a sample sums are estimates: each wave of about 250 samples more is far more than half as many.
series growing.snap 5 snap-record --sample=8KiB --growth=1M -o growing.snap ./waves paced
at_least "$(members growing.snap)" 6 "--growth: estimated of a sample"
snap-record --sample=32KiB --peak -o peaked.snap ./waves
is "$(reason peaked.snap)" peak "--peak: and where it was"

rm -f go.*
snap-record --signal=USR2 -o signal.snap ./waves wait &
recorder=$!
await test -s ready
program=$(cat ready)
status 0 "--take asks" snap-record --take --pid "$program"
await test -e signal.snap
kill -USR2 "$program"
# While the first is still being written the second is taken later.
await eval '[ "$(members signal.snap)" = 2 ]'
touch go.1
wait $recorder
is "$?" 0 "--signal: the program goes on to its end"
is "$(members signal.snap)" 3 "--signal: two were asked for"
is "$(reason 'signal.snap#1') $(reason 'signal.snap#2') $(reason signal.snap)" "request request exit" "--signal: and one at the end"
status 2 "--take: a process that was not prepared is trouble" snap-record --take --pid $$
status 2 "--take without --pid is trouble" snap-record --take
status 2 "--signal=x is trouble" snap-record --signal=x true
status 2 "--interval=x is trouble" snap-record --interval=x true

# Ended by a signal: the same signal, and a snapshot before.
ulimit -c 0
for how in fault/139 abort/134 "signal 15/143" "signal 2/130" "signal 1/129" "signal 13/141"; do
	end=${how%/*}
	rm -f end.snap
	# Whoever runs this may ignore some, as nohup does; a program then ignores them too.
	(env --default-signal=TERM,INT,HUP,PIPE snap-record -o end.snap ./waves $end; exit $?) 2>err
	is "$?" "${how#*/}" "$end: the same signal"
	is "$(reason end.snap)/$(counts end.snap)" crash/10 "$end: and what was live"
done
cat >hidden.py <<'PYTHON'
import os, signal
print([signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)])
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
PYTHON
if command -v python3 >/dev/null; then
	is "$(snap-record -o hidden.snap python3 hidden.py)" "$(python3 hidden.py)" "the program sees no handlers of ours"
fi
(trap '' HUP; snap-record -o ignored.snap ./waves signal 1)
is "$?/$(reason ignored.snap)" 0/exit "what is ignored stays ignored"
done_testing
