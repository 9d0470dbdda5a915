#!/usr/bin/env bash
# Frames of allocators are passed over: the place of an allocation is who called them, in every tool.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

cat >app.yaml <<'TEXT'
snapshot: 1
modules:
  1: {path: /bin/app}
frames:
  1: {function: main, file: app.cc, line: 10, module: 1, offset: 0x10}
  2: {function: _Znwm, module: 1, offset: 0x20}
  3: {function: handle, file: app.cc, line: 5, module: 1, offset: 0x30}
  4: {function: "std::vector<int, std::allocator<int> >::push_back", file: vector, line: 7, module: 1, offset: 0x30, inlined_into: 3}
  5: {function: my_alloc, file: pool.c, line: 3, module: 1, offset: 0x40}
  6: {function: malloc, module: 1, offset: 0x50}
stacks:
  1: {frame: 1}
  2: {parent: 1, frame: 2}
  3: {parent: 1, frame: 4}
  4: {parent: 3, frame: 2}
  5: {parent: 1, frame: 5}
  6: {parent: 5, frame: 6}
  7: {frame: 6}
objects:
- {id: 16, size: 1, stack: 2}
- {id: 32, size: 20, stack: 4}
- {id: 48, size: 300, stack: 6}
- {id: 64, size: 4000, stack: 7}
- {id: 80, size: 50000, stack: 3}
- {id: 96, size: 600000, stack: 5}
roots:
- {object: 96, kind: global, label: _ZN3app5tableE+0x8}
TEXT
ok "made" snap-make -o app.snap app.yaml
top() { snap-top --format=tsv "$@" | tail -n +2 | cut -f1,4- | tr '\t\n' ' ;'; }

is "$(top -k function app.snap)" \
	"600300 my_alloc pool.c /bin/app;50020 handle app.cc /bin/app;4000 malloc  /bin/app;1 main app.cc /bin/app;" \
	"callers are named; inlined frames are passed over, too; what has no other frame stays"
is "$(top -k lineno app.snap)" "600300 pool.c 3;50020 app.cc 5;4000 malloc@/bin/app ;1 app.cc 10;" "lines"
is "$(top -k lineno --alloc-fn='my_*' app.snap)" "600301 app.cc 10;50020 app.cc 5;4000 malloc@/bin/app ;" "one's own allocators"
is "$(top -k function --alloc-fn= app.snap)" \
	"600000 my_alloc pool.c /bin/app;50000 std::vector<int, std::allocator<int> >::push_back vector /bin/app;4300 malloc  /bin/app;21 operator new  /bin/app;" \
	"or none"
is "$(top -k function --alloc-fn= --alloc-fn=malloc -i 'function:m*' app.snap)" "600300 my_alloc pool.c /bin/app;4000 malloc  /bin/app;" \
	"or only one's own: patterns look at the same frame"
is "$(top -k traceback -i 'function:handle' app.snap)" \
	"50000 main (app.cc:10);handle (app.cc:5);std::vector<int, std::allocator<int> >::push_back (vector:7);20 main (app.cc:10);handle (app.cc:5);std::vector<int, std::allocator<int> >::push_back (vector:7);operator new@/bin/app;" \
	"tracebacks keep all frames"
is "$(snap-top -k traceback -i function:handle app.snap | sed -n '2,4s/^.*  //p')" \
	"main (app.cc:10)
handle (app.cc:5)
std::vector<...>::push_back (vector:7)" "for people one frame a line, without template arguments"
is "$(top -k function --memory=16M app.snap)" "$(top -k function app.snap)" "in little memory"
status 2 "a hundred of them" snap-top $(printf -- '--alloc-fn=f%d ' $(seq 100)) app.snap

sed 's/size: 20,/size: 25,/' app.yaml | snap-make -o new.snap -
is "$(snap-diff -k lineno --format=tsv app.snap new.snap | tail -n +2 | cut -f1,5-)" "5	changed	app.cc	5" "snap-diff"

refs() { snap-refs --format=tsv "$@" | awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	$at["section"] == "target" || $at["section"] == "unreachable" { printf "%s %s;", $at["bytes"], $at["site"] }'; }
is "$(refs app.snap site:handle)" "50020 app.cc:5 handle;" "snap-refs: two stacks of one place are one site"
is "$(refs --alloc-fn='my_*' app.snap site:main)" "600301 app.cc:10 main;" "snap-refs: one's own"
is "$(refs --unreachable app.snap)" "50020 app.cc:5 handle;4000 /bin/app+0x50 malloc;300 pool.c:3 my_alloc;1 app.cc:10 main;" "leaks"
is "$(snap-top -k root --format=tsv app.snap | cut -f5 | sed -n 2p)" "app::table" "roots as they are written"
is "$(snap-refs app.snap 96 | grep -c 'root global app::table+0x8')" 2 "in paths and holders"

snap-index -o indexed.snap app.snap
for key in function lineno filename module traceback; do
	is "$(snap-top --retained -k $key --format=tsv indexed.snap)" "$(snap-top --retained -k $key --format=tsv app.snap)" \
		"an index changes nothing: $key"
done

cat >kinds.yaml <<'TEXT'
snapshot: 1
properties: {references: conservative}
modules:
  1: {path: /bin/app}
  2: {path: /usr/lib/libffi.so.8}
frames:
  1: {function: store, file: app.c, line: 10, module: 1, offset: 0x10}
  2: {function: zcalloc_num, file: zmalloc.c, line: 1, module: 1, offset: 0x20}
  3: {function: xstrdup, module: 1, offset: 0x30}
  4: {function: "_M_create<main()::<lambda()> >", file: /usr/include/c++/12/bits/std_function.h, line: 161, module: 1, offset: 0x40}
  5: {function: "<T as alloc::vec::spec_from_elem::SpecFromElem>::from_elem", file: /rustc/5980/library/alloc/src/vec/spec_from_elem.rs, line: 26, module: 1, offset: 0x50}
  6: {function: ffi_call, module: 2, offset: 0x60}
  7: {function: mallocate, file: app.c, line: 20, module: 1, offset: 0x70}
stacks:
  1: {frame: 1}
  2: {parent: 1, frame: 2}
  3: {parent: 1, frame: 3}
  4: {parent: 1, frame: 4}
  5: {parent: 1, frame: 5}
  6: {parent: 1, frame: 6}
  7: {parent: 1, frame: 7}
objects:
- {id: 16, size: 1, stack: 2}
- {id: 32, size: 10, stack: 3}
- {id: 48, size: 100, stack: 4}
- {id: 64, size: 1000, stack: 5}
- {id: 80, size: 10000, stack: 6}
- {id: 96, size: 100000, stack: 7}
TEXT
snap-make -o kinds.snap kinds.yaml
is "$(top -k lineno kinds.snap)" "100000 app.c 20;11111 app.c 10;" "a program's own malloc, and what a function, a file or a module tells to be a library's"
is "$(refs --unreachable kinds.snap)" "100000 app.c:20 mallocate;11111 app.c:10 store;" "snap-refs: the same"
grep -v ^properties kinds.yaml | snap-make -o unasked.snap -
for question in --unreachable --suspects id:16; do
	status 2 "where no references were looked for, who holds what is not known: $question" snap-refs unasked.snap $question
done

sed '/^modules:/d; /path:/d; s/, module: 1, offset: 0x[0-9]*//' app.yaml | snap-make -o python.snap -
is "$(top -k function python.snap)" "$(top -k function --alloc-fn= python.snap)" "without modules nothing is passed over"

printf '%s\n' 'snapshot: 1' 'frames:' '  1: {function: park, file: Unsafe.java}' 'stacks:' '  1: {frame: 1}' \
	'objects:' '- {id: 1, size: 8, stack: 1}' 'roots:' '- {object: 1, kind: global}' | snap-make -o lineless.snap -
is "$(snap-top -k traceback --format=tsv lineless.snap | tail -1 | cut -f4)" "park (Unsafe.java)" "a line that is not known is left out"
is "$(snap-refs lineless.snap id:1 | sed -n '/^Allocated/,/^$/p')" "Allocated at:
  park (Unsafe.java)" "of holders, too"

case ${CFLAGS:-} in *sanitize*) done_testing; exit ;; esac
cat >real.cc <<'TEXT'
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
static std::map<std::string, std::shared_ptr<std::string>> cache;
__attribute__((noinline)) void remember(int i)
{
	cache["a name that is too long to be kept inside " + std::to_string(i)] = std::make_shared<std::string>(200, 'x'); // here
}
int main()
{
	for (int i = 0; i < 1000; i++)
		remember(i);
	_exit(0);
}
TEXT
ok "a C++ program" ${CXX:-g++} -O1 -g -o real real.cc
ok "is recorded" snap-record -q -o real.snap -- ./real
is "$(snap-top -k lineno --format=tsv -n 1 real.snap | tail -1 | cut -f2,4-)" "4000	$work/real.cc	$(grep -n '// here' real.cc | cut -d: -f1)" \
	"all that its containers hold is of the line that fills them"
done_testing
