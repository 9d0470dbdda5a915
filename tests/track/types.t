#!/usr/bin/env bash
# snap-record --references names the classes of C++ objects, by their virtual tables, also in stripped programs.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
cat >classes.cc <<'TEXT'
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>
namespace zoo {
struct Animal { virtual ~Animal() {} virtual int legs() const = 0; Animal *next = nullptr; };
struct Dog : Animal { int legs() const override { return 4; } char name[40]; };
struct Named { virtual const char *name() { return "x"; } long a = 1; virtual ~Named() {} };
struct Bird : Named, Animal { int legs() const override { return 2; } };
struct Fish : virtual Animal { int legs() const override { return 0; } long depth = 0; };
template <class T, int N> struct Box : Animal { T all[N]; int legs() const override { return N; } };
}
namespace { struct Hidden : zoo::Animal { int legs() const override { return 6; } }; }
struct Plain { long a, b; };
struct Error : std::exception {};
static std::vector<void *> kept;
template <class T> static void keep(int count) { while (count-- > 0) kept.push_back(new T()); }
/* What begins with an address in a program need not be an object. */
static const char *const words[] = {"a", "b"};
int main()
{
	keep<zoo::Dog>(7);
	keep<zoo::Bird>(5);
	keep<zoo::Fish>(4);
	keep<zoo::Box<std::string, 2>>(3);
	keep<Hidden>(2);
	keep<Plain>(9);
	keep<Error>(6);
	for (int i = 0; i < 8; i++) {
		void **block = (void **)malloc(24);
		block[0] = i % 2 ? (void *)&words[i % 4 / 2] : (void *)(void (*)(void *))free;
		kept.push_back(block);
	}
	_Exit(0);
}
TEXT
cat >wanted <<'TEXT'
2	(anonymous namespace)::Hidden
3	zoo::Box<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, 2>
4	zoo::Fish
5	zoo::Bird
6	Error
7	zoo::Dog
TEXT
for build in "${CXX:-g++} -O1" "${CXX:-g++} -O1 -s" "${CXX:-g++} -O0 -no-pie -s" "${CXX:-g++} -O1 -s -static-libstdc++ -static-libgcc" "${CXX:-g++} -O1 -fno-rtti"; do
	$build classes.cc -o classes || exit 1
	snap-record --references --no-symbols -o classes.snap ./classes
	snap-top -k type -n 0 --format=tsv classes.snap | awk -F'\t' 'NR > 1 && $5 != "" { print $2 "\t" $5 }' | sort -n >seen
	is "$(cat seen)" "$(cat wanted)" "$build: every class, with all of its objects, and nothing else"
	status 0 "$build: which is whole" snap-info --verify classes.snap
done
is "$(snap-dump classes.snap | grep -c '"_ZTVN3zoo3DogE"}')" 1 "what is kept is the linkage name"
is "$(snap-refs -q classes.snap 'type:zoo::Do?' | head -1)" "7 objects, 392 B; freeing them would free 392 B" "snap-refs finds objects by class"
is "$(snap-top -i 'type:zoo::*' -k size -q --format=tsv classes.snap | awk -F'\t' 'NR > 1 { sum += $2 } END { print sum }')" 19 "and so do patterns"
snap-record --no-symbols -o plain.snap ./classes
is "$(snap-dump plain.snap | grep -c _ZTV)" 0 "not without references"
if command -v cmake >/dev/null; then
	printf 'cmake_minimum_required(VERSION 3.5)\nproject(p C)\nadd_executable(a a.c)\n' >CMakeLists.txt
	echo 'int main(void) { return 0; }' >a.c
	snap-record --references --no-symbols --peak -o cmake.snap cmake -B build-cmake . >/dev/null 2>&1
	snap-top -k type -n 0 --format=tsv cmake.snap >types
	ok "cmake: classes of a program that we did not write" test "$(grep -c '	cm[A-Z]' types)" -ge 5
	is "$(grep -c _ZTV types)" 0 "cmake: all of them demangled"
fi
done_testing
