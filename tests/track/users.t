#!/usr/bin/env bash
# Programs of root's that take another user: what that user may write is written, named and told; what not is said to be not.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP only root takes other users"
	exit 0
fi
chmod 711 "$work"
mkdir -m 1777 open

cat >drop.c <<'TEXT'
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void *volatile kept[2];
__attribute__((noinline)) static void keep(void)
{
	kept[1] = malloc(2000);
	__asm__ volatile("");
}
/* Says when it is another user, and waits for the end of its input. */
int main(void)
{
	kept[0] = malloc(1000);
	if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
		return 9;
	keep();
	printf("%d\n", (int)getpid());
	fflush(stdout);
	return getchar() != EOF;
}
TEXT
ok "it builds" ${CC:-cc} -O1 -g drop.c -o drop
functions() { snap-top -k function --format=tsv "$1" | cut -f4 | grep -cx 'keep\|main'; }
# started OPTION...: in the background, until it is another user; its input ends with the descriptor 4.
started() {
	rm -f out in
	mkfifo in
	snap-record "$@" -- ./drop <in >out 2>err &
	recorder=$!
	exec 4>in
	await test -s out
}
ended() {
	exec 4>&-
	wait $recorder
}

status 0 "one at the end" snap-record -o open/exit.snap -- ./drop </dev/null
is "$(functions open/exit.snap)" 2 "has names"
is "$(stat -c %u open/exit.snap)" 65534 "and stays that user's"
is "$(echo open/*)" open/exit.snap "nothing else is left"
snap-record -o exit.snap -- ./drop </dev/null >out 2>err
is "$?" 2 "one that may not be written is trouble"
ok "it is said why" grep -q "exit.snap: .*Permission denied" err
ok "and who must be allowed" grep -q "user 65534, who must be allowed to write exit.snap" err
snap-record --growth=1 -o exit.snap -- ./drop </dev/null >out 2>err
is "$(grep -c "Permission denied" err)" 1 "once, not for each of a series"

started --signal=USR2 -o open/asked.snap
status 0 "--take" snap-record --pid "$(cat out)" --take
is "$(functions open/asked.snap)" 0 "it is written when that ends"
kill -USR2 "$(cat out)"
await eval '[ "$(snap-info open/asked.snap | sed -n "s/^member .* of //p")" = 2 ]'
ended
is "$(snap-info open/asked.snap | sed -n 's/^member .* of //p')" 3 "by --take, by a signal, and at the end"
is "$(functions open/asked.snap#1)" 2 "all have names"
started --signal=USR2 -o asked.snap
snap-record --pid "$(cat out)" --take 2>take
is "$?/$(grep -c "asked.snap: .*Permission denied" take)" 2/1 "--take of what may not be written is trouble, and says so"
ended

mkdir -m 700 own
TMPDIR=$work/own snap-record -o open/unheard.snap -- ./drop </dev/null >out 2>err
is "$?" 2 "where the user may not enter the folder for temporary files nothing is heard of it"
ok "which is said" grep -q "user 65534, who must be allowed to write open/unheard.snap, and to enter $work/own" err

# A program with capabilities of its file is recorded by root, who has them already.
cp drop able
if setcap cap_net_raw+ep able 2>/dev/null; then
	status 0 "a program with capabilities, for root" snap-record -o open/able.snap -- ./able </dev/null
	if setpriv --reuid 65534 --clear-groups test -x "$BUILD/bin/snap-record"; then
		setpriv --reuid 65534 --clear-groups snap-record -o open/none.snap -- ./able </dev/null >out 2>err
		is "$?" 9 "for another user it runs"
		ok "and it is said why there is none" grep -q "has capabilities), so that nothing is preloaded" err
	fi
fi
done_testing
