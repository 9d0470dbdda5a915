#!/usr/bin/env bash
# A recording that ends while a snapshot is being taken: that one is whole, and so is the last; and what writes one is gone then.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1

cat >ends.c <<'TEXT'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void *blocks[200000];
static void *ask(void *context)
{
	for (;;)
		pthread_kill(pthread_self(), SIGUSR2);
	return context;
}
static int has_children(void)
{
	char path[100], text[10];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "r");
	int has = file && fgets(text, sizeof text, file) != NULL;
	if (file)
		fclose(file);
	return has;
}
/* Allocates meanwhile, for a minute at most. */
static int await_children(int wanted)
{
	for (int i = 0; i < 12000 && has_children() != wanted; i++) {
		for (int k = 0; k < 5000; k++)
			free(malloc(100));
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
	return has_children() == wanted;
}
int main(int argc, char **argv)
{
	const char *how = argv[1];
	for (int i = 0; i < 200000; i++)
		memset(blocks[i] = malloc(1000), 1, 1000);
	if (strcmp(how, "exit") == 0) {
		pthread_t thread;
		for (int i = 0; i < 4; i++)
			pthread_create(&thread, NULL, ask, NULL);
		nanosleep(&(struct timespec){0, 100000000}, NULL);
		return 0;
	}
	raise(SIGUSR2);
	if (strcmp(how, "kill") == 0)
		raise(SIGKILL);
	puts(await_children(0) ? "gone" : "there");
	return 0;
}
TEXT
${CC:-cc} -O1 -w -fno-builtin ends.c -o ends -lpthread

(snap-record --signal=USR2 -o kill.snap ./ends kill 2>err; exit $?) 2>/dev/null
is "$?/$(cat err)" 137/ "killed while one is being written: that is waited for"
status 0 "it is whole" snap-info --verify kill.snap
is "$(property kill.snap taken_at)/$(snap-top --key=function --format=tsv kill.snap | grep -c main)" request/1 "and its frames have names"
is "$(ls -A | grep -v -e '^\.' -e '^ends' -e '^kill.snap$' -e '^err$')" "" "no other file is left"

is "$(snap-record --signal=USR2 -o gone.snap ./ends gone) $(members gone.snap)" "gone 2" "what has written one is gone as the program goes on"

for ((i = 0; i < 5; i++)); do
	rm -f exit.snap
	snap-record --no-symbols --signal=USR2 -o exit.snap ./ends exit
	last="$(property exit.snap taken_at)"
	[ "$last" = exit ] || break
done
is "$i $last" "5 exit" "the last is from the end, also while another thread takes one"
status 0 "all are whole" snap-info --verify exit.snap
done_testing
