#!/usr/bin/env bash
# snap-record on programs that we did not write: what is live in the end is what valgrind says, and they run as before.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
need_real valgrind heaptrack heaptrack_print sqlite3 git python3 redis-server redis-benchmark node go "${CXX:-g++}"
cd "$work" || exit 1

ours() { snap-info --members --format=tsv "$1" | tail -1 | cut -f2,3 | tr '\t' ' '; }
leaves_all=(--run-libc-freeres=no --run-cxx-freeres=no)
theirs() { # COMMAND...: bytes and blocks at the end
	valgrind "${leaves_all[@]}" "$@" 2>&1 >/dev/null |
		sed -n 's/.*in use at exit: \(.*\) bytes in \(.*\) blocks/\1 \2/p' | tr -d ,
}
recorded() { # NAME COMMAND...: what it prints and how it ends stays the same
	local name=$1 bare; shift
	bare=$("$@" 2>&1; echo $?)
	is "$(snap-record --no-symbols -o "$name.snap" "$@" 2>&1; echo $?)" "$bare" "$name: prints and ends as before"
	is "$(snap-info --verify "$name.snap" >/dev/null && snap-info "$name.snap" | sed -n 's/^state *//p')" complete,exact "$name: complete"
}
dhat() { # COMMAND...: bytes and blocks at the end of each stack, as DHAT has them
	valgrind "${leaves_all[@]}" --tool=dhat --num-callers=200 --dhat-out-file=dhat.json "$@" >/dev/null 2>&1
	python3 -c 'import json
for p in json.load(open("dhat.json"))["pps"]: print(p.get("eb"), p.get("ebk"), sep="\t") if p.get("ebk") else None' | sort
}
peak() { snap-info --properties "$1" | sed -n 's/^peak_bytes *//p'; }
massif() { # COMMAND...: most bytes at a time
	valgrind "${leaves_all[@]}" --tool=massif --peak-inaccuracy=0.0 --massif-out-file=massif.out "$@" >/dev/null 2>&1
	grep -B 6 'heap_tree=peak' massif.out | sed -n 's/^mem_heap_B=//p'
}
# A thread adds up at most 64 KiB before it tells of them.
near_peak() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b && b - a <= 65536) }'; } # OURS MASSIF'S
by_stack() { snap-top -k traceback -n 0 --format=tsv "$1" | sed 1d | cut -f1,2 | sort; }
near() { # BYTES COUNT BYTES COUNT: the environment differs, and buffers with it
	awk -v b="$1" -v c="$2" -v B="$3" -v C="$4" 'BEGIN { exit !(c - C <= 2 && C - c <= 2 && b - B < 66000 && B - b < 66000) }'
}

cat >throws.cpp <<'TEXT'
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
struct node { std::string name; std::vector<int> values; };
static std::map<int, std::unique_ptr<node>> *all;
static int deep(int d)
{
	if (d == 0)
		throw std::runtime_error("deep " + std::string(100, 'y'));
	std::vector<int> hold(d);
	return deep(d - 1) + hold[0];
}
int main()
{
	int caught = 0;
	all = new std::map<int, std::unique_ptr<node>>;
	for (int i = 0; i < 20000; i++) {
		try { deep(i % 20); } catch (const std::exception &) { caught++; }
		if (i % 10 == 0)
			(*all)[i] = std::make_unique<node>(node{std::string(40, 'a'), std::vector<int>(10)});
	}
	std::printf("%d %zu\n", caught, all->size());
	return 0;
}
TEXT
"${CXX:-g++}" -O2 -g throws.cpp -o throws
recorded exceptions ./throws
is "$(ours exceptions.snap)" "$(theirs ./throws)" "exceptions: bytes and blocks are valgrind's"
is "$(snap-top -k module -n 1 --format=tsv exceptions.snap | tail -1 | grep -c 'libstdc++\|throws')" 1 "exceptions: C++ allocates"
is "$(by_stack exceptions.snap)" "$(dhat ./throws)" "exceptions: what each stack holds is DHAT's"
ok "exceptions: the peak is massif's" near_peak "$(peak exceptions.snap)" "$(massif ./throws)"
heaptrack -o heaptrack ./throws >/dev/null 2>&1
snap-symbolize -q exceptions.snap -o named.snap
is "$(snap-top -k function -n 0 --format=tsv named.snap | awk -F '\t' 'NR > 1 && $1 != 72704 && $1 != 73728 {sum += $1} END {printf "%.2fK", sum / 1000}')" \
	"$(heaptrack_print -f heaptrack.* 2>/dev/null | sed -n 's/^total memory leaked: //p')" "exceptions: and the sum heaptrack's, which leaves out the reserve of libstdc++"
is "$(snap-top -k function -n 1 --format=tsv named.snap | cut -f4 | tail -1)" main "exceptions: it is main() that allocates"

query='create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
	insert into t select x, x * x from c; select count(*), sum(b) from t'
recorded sqlite3 sqlite3 :memory: "$query"
is "$(by_stack sqlite3.snap)" "$(dhat sqlite3 :memory: "$query")" "sqlite3: what each stack holds is DHAT's"
is "$(ours sqlite3.snap)" "$(theirs sqlite3 :memory: "$query")" "sqlite3: bytes and blocks are valgrind's"
ok "sqlite3: its peak is massif's" near_peak "$(peak sqlite3.snap)" "$(massif sqlite3 :memory: "$query")"
snap-record --no-symbols --peak -o peak.snap sqlite3 :memory: "$query" >/dev/null
ok "sqlite3: at its peak it holds the table" test "$(ours peak.snap | cut -d' ' -f1)" -gt 300000

git init -q repository && cd repository || exit 1
for ((i = 0; i < 30; i++)); do
	seq $i 400 >file$i
	git add . && git -c user.name=a -c user.email=a@b commit -qm "change $i"
done
recorded ../git git log --stat
ok "git: blocks are valgrind's" near $(ours ../git.snap) $(theirs git log --stat)
cd ..

compiler=$(gcc -print-prog-name=cc1)
if [ -x "$compiler" ]; then
	for ((i = 0; i < 400; i++)); do echo "int f$i(int *a, int n) { int s = $i; for (int i = 0; i < n; i++) s += a[i] * $i; return s; }"; done >large.i
	recorded cc1 "$compiler" -quiet -O1 large.i -o large.s
	ok "cc1: blocks are valgrind's" near $(ours cc1.snap) $(theirs "$compiler" -quiet -O1 large.i -o large.s)
fi

export PYTHONMALLOC=malloc
recorded python3 python3 -c 'import json, threading; d = {i: [i, str(i)] for i in range(20000)}; print(len(json.dumps(d)))'
snap-record --no-symbols -o held.snap python3 -c '
import ctypes, os
held = [bytes(1000) for i in range(5000)]
os._exit(3)'
is "$?" 3 "python3: os._exit() is an end"
is "$(snap-dump held.snap | grep -c 'size: 1033,')" 5000 "python3: and all is live then"

# 2000 stacks of our own, each 20 deep, at random: what a walk remembers must never be taken for another.
${CC:-cc} -O2 -D_GNU_SOURCE -I"$top/libsnap/include" -I"$top/tests" "$top/tests/bench/native.c" -o stacks -lpthread
snap-record -q --no-symbols -o stacks.snap ./stacks leak 200 >/dev/null
is "$(by_stack stacks.snap)" "$(dhat ./stacks leak 200)" "random stacks: what each holds is DHAT's"

recorded node node -e 'const all = []; for (let i = 0; i < 100000; i++) all.push({i}); console.log(all.length); process.exit(5)'

redis() { redis-cli -s redis.sock "$@"; }
snap-record -q --no-symbols -o redis.snap redis-server --port 0 --unixsocket redis.sock --save '' --dir . >redis.log 2>&1 &
server=$!
await eval '[ "$(redis ping 2>/dev/null)" = PONG ]'
redis-benchmark -s redis.sock -q -n 20000 -r 5000 -t set,lpush,hset >/dev/null 2>&1
used=$(redis info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p')
redis shutdown nosave 2>/dev/null
wait $server
is "$?" 0 "redis-server: ends as before"
is "$(snap-info redis.snap | sed -n 's/^state *//p')" complete,exact "redis-server: complete"
ok "redis-server: what it holds is what it counts, within a fifth" awk -v a="$(ours redis.snap | cut -d' ' -f1)" -v b="$used" \
	'BEGIN { exit !(a > b * 0.8 && a < b * 1.2) }'

if command -v rustc >/dev/null; then
	echo 'fn main() { let v: Vec<String> = (0..1000).map(|i| format!("{:0100}", i)).collect(); println!("{}", v.len()); std::mem::forget(v); }' >r.rs
	ok "Rust: compiles" rustc -O -g r.rs -o rust
	recorded rust ./rust
	is "$(by_stack rust.snap)" "$(dhat ./rust)" "Rust: what each stack holds is DHAT's"
fi

# Go's own memory is not malloc's, and its programs end by the system call: what C allocates for them is recorded until then.
cat >c.go <<'TEXT'
package main

/*
#include <stdlib.h>
static void *volatile held[100];
static void fill(void) { for (int i = 0; i < 100; i++) held[i] = malloc(1234); }
*/
import "C"
import ("fmt"; "os"; "time")

func main() {
	C.fill()
	own := make([]byte, 1<<20)
	for i := 0; i < 50; i++ {
		C.free(C.malloc(200000))
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("done", len(own))
	os.Exit(3)
}
TEXT
printf 'package main\nfunc main() { println(len(make([]byte, 1000000))) }\n' >pure.go
go_build() { env -u CC -u CXX -u CFLAGS CGO_ENABLED="$1" GOCACHE="$BUILD/cache/go" GOFLAGS=-mod=mod GO111MODULE=off go build -o "$2" "$2.go"; }
ok "Go: compiles" go_build 1 c
snap-record -q --references --interval=0.05 -o c.snap ./c >go.out 2>go.err
is "$?/$(cat go.out go.err)" "3/done 1048576" "Go with C: prints and ends as before"
is "$(snap-top -k size --format=tsv c.snap | awk '$4 == 1024 { print $1, $2 }')" "123400 100" "Go with C: what C has allocated"
ok "Go with C: the functions of C are told" eval 'snap-top -k function --format=tsv c.snap | grep -qw fill'
is "$(snap-refs --unreachable --format=tsv c.snap | awk -F '\t' '$10 == "garbage" { print $3 + 0 <= 1 }')" 1 "Go with C: its variables hold it"
ok "Go without C: compiles" go_build 0 pure
snap-record -o pure.snap ./pure >go.out 2>go.err
is "$?/$(ls pure.snap 2>/dev/null)/$(sed 1d go.err | wc -l)" "2//1" "Go without C: no snapshot, and it is said"

# Chromium's allocator is inside: it runs as before, and it is said that nothing was seen.
if [ -x /usr/lib/chromium/chromium ]; then
	chromium() {
		"$@" /usr/lib/chromium/chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/chromium" \
			--dump-dom 'data:text/html,<p>hello' 2>err
		echo "$?"
	}
	bare=$(chromium env)
	is "$(chromium snap-record --no-symbols --references -o chromium.snap --)" "$bare" "Chromium: prints and ends as before"
	ok "Chromium: it is said that its blocks are not seen" grep -q 'brings malloc itself' err
fi

# What cannot be recorded is said.
echo 'int main(void) { return 4; }' >static.c
if ${CC:-cc} -static static.c -o static 2>/dev/null; then
	snap-record -o static.snap ./static 2>err
	is "$?/$(ls static.snap 2>/dev/null)" 4/ "a static program ends as before, without a snapshot"
	ok "and it is said" grep -q 'no snapshot was taken' err
fi
done_testing
