#!/usr/bin/env bash
# Installs into an empty folder, builds programs against what is there, in C and C++, shared and static, runs them, uninstalls,
# and finds nothing left.
. "$(dirname "$0")/lib.sh"
cc=${CC:-cc} cxx=${CXX:-g++} make=${MAKE:-make}
root="$work/a folder" prefix=/opt/snap # a name with a space, with which pkg-config cannot do
run_make() { $make -s -C "$top" BUILD="$BUILD" DESTDIR="$root" PREFIX=$prefix "$1"; }

ok "installs" run_make install
cd "$work" || exit 1
for file in bin/snap-top bin/snap-info lib/libsnap.a lib/libsnap.so lib/libsnap.so.0 lib/libsnap-track.so lib/libsnap-calls.so lib/pkgconfig/libsnap.pc include/snap.h \
	include/snap_query.h include/snap_graph.h share/man/man1/snap-top.1 share/snap/magic share/snap/FORMAT.md \
	share/bash-completion/completions/snap-top; do
	ok "$file is there" test -e "$root$prefix/$file"
done
is "$(cd "$root$prefix/bin" && ls)" "$(cd "$BUILD/bin" && ls snap-*)" "every tool is installed"
is "$(readelf -d "$root$prefix/lib/libsnap.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" libsnap.so.0 "the SONAME"

cat >program.c <<'TEXT'
#include <snap.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	struct snap_writer *writer;
	struct snap_reader *reader;
	struct snap_error error;
	struct snap_object object;
	memset(&object, 0, sizeof(object));
	object.id = 16;
	object.size = 64;
	object.count = 1;
	if (argc != 2 || snap_writer_open(&writer, argv[1], NULL, &error) != SNAP_OK)
		return 1;
	if (snap_writer_object(writer, &object, &error) != SNAP_OK || snap_writer_finish(writer, NULL, &error) != SNAP_OK)
		return 2;
	if (snap_reader_open(&reader, argv[1], NULL, &error) != SNAP_OK)
		return 3;
	printf("%d objects, libsnap %s\n", (int)snap_reader_row_count(reader, SNAP_OBJECTS), snap_library_version());
	snap_reader_close(reader);
	return 0;
}
TEXT
cp program.c program.cpp
version=$(sed -n 's/.*SNAP_VERSION "\(.*\)"/\1/p' "$top/libsnap/include/snap.h")
ln -s "$root" plain
pc() { PKG_CONFIG_PATH="plain$prefix/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR=plain pkg-config "$@" libsnap; }
is "$(pc --modversion)" "$version" "pkg-config knows the version"
ok "C, shared" $cc program.c $(pc --cflags --libs) -o shared-c
ok "C++, shared" $cxx program.cpp $(pc --cflags --libs) -o shared-cpp
ok "C, static" $cc program.c $(pc --cflags) "$root$prefix/lib/libsnap.a" -lzstd -lpthread -o static-c
ok "C++, static through pkg-config" $cxx program.cpp $(pc --cflags) -Wl,-Bstatic $(pc --static --libs-only-L) -lsnap -Wl,-Bdynamic \
	$(pc --static --libs-only-l) -o static-cpp
for program in shared-c shared-cpp static-c static-cpp; do
	is "$(LD_LIBRARY_PATH="$root$prefix/lib" ./$program $program.snap)" "1 objects, libsnap $version" "$program writes and reads"
	ok "$program's snapshot is whole" "$root$prefix/bin/snap-info" --verify $program.snap
done
ok "static-c needs no libsnap.so" ./static-c again.snap
is "$(cmp shared-c.snap static-cpp.snap && echo same)" same "all wrote the same bytes"

is "$(file -b -m "$root$prefix/share/snap/magic" static-c.snap | head -1)" "heap snapshot, format 1.1" "file names a snapshot"
is "$(file -b --mime-type -m "$root$prefix/share/snap/magic" static-c.snap | head -1)" application/vnd.snapheap+zstd "and its media type"
ok "zstd finds it whole" zstd -q -t static-c.snap

complete_words() { # WORDS...: what completion offers for the last one
	bash -c '. "$1"; shift; words=("$@"); COMP_WORDS=("${words[@]}"); COMP_CWORD=$((${#words[@]} - 1))
		_snap_complete "${words[0]}" "${words[-1]}" "${words[-2]}"; printf "%s\n" "${COMPREPLY[@]}"' - \
		"$root$prefix/share/bash-completion/completions/snap-info" "$@" 2>/dev/null
}
is "$(complete_words snap-info --ver | sort)" "$(printf '%s\n' --verify --version)" "completion offers options"
is "$(complete_words snap-info --format ma)" markdown "completion offers forms"

if python3 -c 'import os, sysconfig; raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
	ok "installs the package for Python" flock "$BUILD/python.lock" $make -s -C "$top" BUILD="$BUILD" DESTDIR="$root" PREFIX=$prefix install-python
	PYTHONPATH=$root$prefix/lib/snap/python PYTHONDONTWRITEBYTECODE=1 python3 -c 'import snap; snap.dump("python.snap")'
	ok "it writes a snapshot" snap-info --verify python.snap
	python3 -c 'open("started", "w").close(); import time; time.sleep(100)' &
	until [ -e started ]; do sleep 0.05; done
	ok "snap-record finds it" "$root$prefix/bin/snap-record" --pid $! --take -o taken.snap
	kill $!
	ok "and takes a snapshot" snap-info --verify taken.snap
else
	echo "# python3 has no headers here: 4 tests of its package are left out"
fi

ok "uninstalls" run_make uninstall
is "$(find "$root" ! -type d)" "" "nothing is left"
done_testing
