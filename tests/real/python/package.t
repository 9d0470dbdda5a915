#!/bin/bash
# The package beside dump(): python -m snap, the pytest plugin where pytest is, and pip install.
. "$(dirname "$0")/../../lib.sh"
. "$top/tests/real/python/pythons.bash"
entry=${pythons[0]}
python=${entry#* }
ok "builds for CPython ${entry%% *}" build_for "$python"
export PYTHONPATH=$BUILD/python PYTHONDONTWRITEBYTECODE=1
cd "$work" || exit

cat >program.py <<'END'
import os, signal, sys, time
KEPT = [bytearray(1000) for i in range(500)]
if "signal" in sys.argv:
    os.kill(os.getpid(), signal.SIGUSR1)
    while not os.path.exists("end.1.snap"):
        time.sleep(0.01)
sys.exit(len(sys.argv))
END
cat >blocked.py <<'END'
import os, socket, sys
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
open("ready", "w").close()
listening.accept()
END
${CC:-cc} -O2 -shared -fPIC "$top/tests/real/python/dies.c" -pthread -o dies.so
echo 'import ctypes; ctypes.CDLL("./dies.so").die()' >dies.py
is "$("$python" -W error -m snap -o dies.snap dies.py 2>&1)" "snap: dies.snap: the child process that writes the snapshot was killed by \
signal 9 (Killed); another one wrote it without the labels of what instances and running functions hold" "a child that dies is told of"
is "$(snap-info --properties --format=tsv dies.snap | grep ^layouts)" "layouts	unknown" "and another writes the snapshot"
status 3 "a program keeps its exit status" "$python" -m snap -o end.snap program.py one two
ok "its snapshot is good" snap-info --verify end.snap
is "$(snap-top -k path --format=tsv end.snap | cut -f2,4 | grep KEPT | head -1)" \
	"500	__main__ module;__dict__ dict;KEPT list;[] bytearray" "and has its globals"
status 3 "a module" "$python" -m snap -o module.snap -m program one two
is "$(snap-top -k path --format=tsv module.snap | cut -f2,4 | grep -c '__main__ module.*KEPT list;\[\] bytearray')" 1 "has its globals, too"
status 2 "a snapshot on a signal" "$python" -m snap -o end.snap --signal USR1 program.py signal
ok "is a file of its own" snap-info --verify end.1.snap
for trace in --trace --trace=1 "--trace 1" "--interval 500"; do
	# shellcheck disable=SC2086
	status 2 "$trace" "$python" -m snap -o traced.snap $trace program.py --trace
	is "$(snap-top -k lineno --format=tsv traced.snap | cut -f4- | grep -c "program.py	2\$")" 1 "$trace: lines"
done
"$python" -m snap -o end.snap --signal USR1 blocked.py &
blocked=$!
await test -e ready
rm -f end.1.snap
kill -USR1 $blocked
ok "a signal while the program is blocked" await test -e end.1.snap
kill $blocked
wait $blocked
ok "gives a good snapshot" snap-info --verify end.1.snap
status 2 "no such signal" "$python" -m snap --signal NONE program.py
status 2 "a signal that cannot be handled" "$python" -m snap --signal KILL program.py
status 2 "no program" "$python" -m snap
for missing in missing.py "-m missing" "-m missing.part"; do
	# shellcheck disable=SC2086
	is "$("$python" -m snap -o missing.snap $missing 2>&1 | tail -1 | grep -c "error: .*missing")" 1 "$missing is not there: one line says so"
	ok "and no snapshot is written" test ! -e missing.snap
done
ok "a snapshot that cannot be written is said" bash -c \
	"$python -m snap -o no/such/a.snap program.py 2>&1 | grep 'no/such/a.snap'"

# ---- pytest ----

cat >test_it.py <<'END'
KEPT = []
class Leaky: pass
def test_leaks(): KEPT.append(Leaky())
def test_is_fine(tmp_path): return None if [Leaky() for i in range(10)] else None
END
# first_with MODULES: the first CPython that has them, or nothing.
first_with() {
	local candidate
	for candidate in python3 "${pythons[@]#* }"; do
		"$candidate" -c "import $1" 2>/dev/null && build_for "$candidate" >&2 && echo "$candidate" && return
	done
}

python=$(first_with pytest)
if [ "$python" ]; then
	run_pytest() { "$python" -m pytest -q -p snap.pytest_plugin -p no:cacheprovider "$@" test_it.py >pytest.out 2>&1; }
	run_pytest
	is "$?" 0 "the plugin changes nothing unless asked to"
	run_pytest --snap-leaks --snap-dir=snaps
	is "$?/$(grep -c '^leaks: test_it.Leaky: +1 for each run' pytest.out)/$(grep -c '^FAILED.*::test_leaks' pytest.out)" 1/1/1 \
		"a test that leaks fails, with the type"
	is "$(ls snaps | tr '\n' ' ')" "test_it.py_test_is_fine.snap test_it.py_test_leaks.snap " "a snapshot of each test"
	ok "which is good" snap-info --verify snaps/test_it.py_test_leaks.snap
else
	echo "# no CPython here has pytest: 4 tests of the plugin are left out"
fi

# ---- pip ----

python=$(first_with setuptools,wheel,pip)
if [ "$python" ]; then
	ok "pip builds and installs it" "$python" -m pip install -q --no-build-isolation --no-deps --target "$work/installed" "$top/libsnap/python"
	PYTHONPATH=$work/installed "$python" -c 'import snap; snap.dump("installed.snap")'
	ok "and it works" snap-info --verify installed.snap
	is "$(cat installed/snap-*.dist-info/entry_points.txt)" "[pytest11]
snap = snap.pytest_plugin" "pytest will find the plugin"
	ok "a source distribution is made" bash -c 'cd "$1" && "$2" setup.py -q sdist -d "$3"' - "$top/libsnap/python" "$python" "$work/sdist"
	ok "pip builds and installs it, away from the tree" "$python" -m pip install -q --no-build-isolation --no-deps --no-index \
		--target "$work/from-sdist" "$work"/sdist/snap-*.tar.gz
	PYTHONPATH=$work/from-sdist "$python" -m snap -o from-sdist.snap program.py
	ok "and it works" snap-info --verify from-sdist.snap
else
	echo "# no CPython here has pip, setuptools and wheel: 6 tests of installing are left out"
fi
done_testing
