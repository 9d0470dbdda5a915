#!/usr/bin/env bash
# The architecture holds: what each layer may call, no state in the library, its symbols, and its headers in C and C++.
. "$(dirname "$0")/lib.sh"
cc=${CC:-cc} cxx=${CXX:-g++}

undefined() { nm -u "$@" 2>/dev/null | sed -n 's/^ *U //p' | sort -u; }
none_of() { # PATTERN FILES...: no undefined symbol matches
	local pattern=$1 found; shift
	found=$(undefined "$@" | grep -xE "$pattern")
	[ -z "$found" ] || { echo "$found"; return 1; }
}
sized() { # SECTION FILES...: objects in which it is not empty
	local section=$1; shift
	size -A "$@" | awk -v section="$section" '/:$/ { file = $1 } $1 == section && $2 > 0 { print file, $2 }'
}

printing='(__)?(v|f|vf|d|vd)?printf(_chk)?|f?puts|f?putc|putchar|perror|std(out|err)'
ending='exit|_exit|_Exit|abort|quick_exit'
# The tracker is state: in one object, of a program.  The extension for CPython has the end of its child, and known objects.
library=$(find "$BUILD/libsnap" -name '*.o' ! -path '*/track/*' ! -path '*/calls/*' ! -path '*/python/*')
format=$(find "$BUILD/format" -name '*.o')
ok "the library never prints" none_of "$printing" $library $format
ok "the library never ends the process" none_of "$ending" $library $format
ok "format does no I/O and has no heap" none_of \
	'malloc|calloc|realloc|free|open(64)?|read|write|pread(64)?|pwrite(64)?|close|fopen(64)?|fread|fwrite|mmap(64)?' $format
ok "format knows no zstd" none_of 'ZSTD.*' $format
case ${CFLAGS:-} in
*sanitize*) ;; # instrumentation has data of its own
*) is "$(sized .data $library $format; sized .bss $library $format)" "" "the library has no global state" ;;
esac
is "$(undefined $library | grep -E '^(malloc|calloc|realloc|free)$')" \
	"$(nm -u "$BUILD/libsnap/core/alloc.o" | sed -n 's/^ *U //p' | grep -E '^(malloc|calloc|realloc|free)$' | sort -u)" \
	"only the default allocator calls malloc"
is "$(grep -lE '#include [<"](zstd|core|reader|writer|query|graph|bytes|snapfmt)\.h' "$top"/tools/*.c "$top"/tools/*/*.[ch])" "" \
	"tools use public headers only"

exported=$(nm -D --defined-only "$BUILD/libsnap.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
is "$exported" "$(cat "$top/libsnap/exports.txt")" "the library exports what exports.txt says"

for header in "$top"/libsnap/include/*.h; do
	name=$(basename "$header")
	echo "#include <$name>
int main(void) { return 0; }" >"$work/one.c"
	ok "$name compiles alone as pedantic C11" $cc -std=c11 -pedantic -Wall -Wextra -Werror -I"$top/libsnap/include" -fsyntax-only "$work/one.c"
	cp "$work/one.c" "$work/one.cpp"
	ok "$name compiles alone as C++" $cxx -std=c++11 -Wall -Wextra -Werror -I"$top/libsnap/include" -fsyntax-only "$work/one.cpp"
done
done_testing
