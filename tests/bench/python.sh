#!/usr/bin/env bash
# Snapshots of CPython beside guppy3, pympler, meliae and tracemalloc, on the same heaps in the same run.  OBJECTS and TRACES
# change their size, PYTHON is another interpreter than python3.  PYHEAP is the folder of a checkout of pyheap, which is measured
# then, too: once, as it takes minutes.
. "$(dirname "$0")/measure.bash"
objects=${OBJECTS:-1000000} traces=${TRACES:-1000000} python=${PYTHON:-python3}
STOPPED=4 TAKEN=5 # columns of traces, beside elapsed, processor seconds and memory

make -s -C "$top" BUILD="$BUILD" python PYTHON="$python" >&2
peers=$("$top/tests/real/pip" "$python" guppy3==3.1.7 pympler==1.1)
# botocore, cfn-lint and IPython, and what they need.
libraries=(
	annotated-types==0.7.0 asttokens==3.0.2 attrs==25.3.0 aws-sam-translator==1.109.0 backcall==0.2.0 boto3==1.37.38
	botocore==1.37.38 cfn-lint==1.26.1 decorator==5.3.1 executing==2.3.0 importlib-resources==6.4.5 ipython==8.12.3 jedi==0.19.2
	jmespath==1.0.1 jsonpatch==1.33 jsonpointer==3.0.0 jsonschema-specifications==2023.12.1 jsonschema==4.23.0
	matplotlib-inline==0.1.7 mpmath==1.3.0 networkx==3.1 parso==0.8.7 pexpect==4.9.0 pickleshare==0.7.5
	pkgutil-resolve-name==1.3.10 prompt-toolkit==3.0.52 ptyprocess==0.7.0 pure-eval==0.2.4 pydantic-core==2.27.2 pydantic==2.10.6
	pygments==2.19.2 python-dateutil==2.9.0.post0 pyyaml==6.0.3 referencing==0.35.1 regex==2024.11.6 rpds-py==0.20.1
	s3transfer==0.11.5 six==1.17.0 stack-data==0.6.3 sympy==1.13.3 traitlets==5.14.3 typing-extensions==4.13.2 urllib3==1.26.20
	wcwidth==0.8.5 zipp==3.20.2
)
"$top/tests/real/pip" "$python" "${libraries[@]}" >/dev/null
# The last CPython for which meliae can be built; it has a heap of its own then.
for old in python3.8 ~/.pyenv/versions/3.8.*/bin/python3 none; do
	"$old" -m pip --version >/dev/null 2>&1 && break
done
[ "$old" = none ] || meliae=$("$top/tests/real/pip" "$old" six==1.17.0 meliae==0.5.1) || old=none
[ "$old" = none ] || make -s -C "$top" BUILD="$BUILD" python PYTHON="$old" >&2

# heap SERIES PYTHON HEAP MODE
heap() {
	local file=$work/$1-$3.file packages=$peers
	[ "$2" = "$python" ] || packages=$meliae
	PYTHONPATH=$BUILD/python:$packages "$2" "$here/python_heap.py" "$3" "$4" "$objects" "$file" >"$work/.clock"
	tail -1 "$work/.clock" | awk '{print $1, 0, $2}' >>"$work/$1-$3"
}
traced() {
	PYTHONPATH=$BUILD/python "$python" "$here/python_trace.py" "$1" "$work/modules" "$traces" "$work/traces.snap" >>"$work/trace-$1"
}
heaps() {
	local mode
	for mode in stop dump guppy pympler; do
		heap "$mode" "$python" "$1" "$mode"
	done
	[ "$old" = none ] || [ "$1" = libraries ] || for mode in stop dump meliae; do
		heap "old-$mode" "$old" "$1" "$mode"
	done
	[ -z "${PYHEAP:-}" ] || [ -e "$work/pyheap-$1" ] || heap pyheap "$python" "$1" pyheap
}
# added MODE: processor milliseconds that tracing adds, run by run
added() { paste "$work/trace-$1" "$work/trace-none" | awk '{print ($2 - $7) * 1000}'; }
# held MODE: bytes of memory for each live trace
held() { paste "$work/trace-$1" "$work/trace-none" | awk -v n="$traces" '{print ($3 - $8) * 1024 / n}'; }
# by WHAT UNIT COLUMN FACTOR OURS PEER
by() { row "$1" "$2" "$(column "trace-$5" "$3" "$4")" "$(column "trace-$6" "$3" "$4")" less; }

mkdir "$work/modules"
PYTHONPATH=$here "$python" "$here/traces.py" modules "$work/modules"
for ((round = 0; round < rounds; round++)); do
	heaps trees
	heaps records
	heaps libraries
	for mode in none snap1 snap25 tracemalloc1 tracemalloc25; do
		traced "$mode"
	done
done

# both WHAT OURS PEER: processor time and elapsed
both() { times "$@"; milliseconds "$@"; }
# show HEAP NAME
show() {
	local file=$work/dump-$1.file found what old_version
	found=$(snap-top -k type --format=tsv -n 0 "$file" | awk -F '\t' 'NR > 1 {n += $2} END {print n}')
	what="$found objects of $2"
	row "$what: the process stands still; guppy3's \`heap()\`" ms \
		"$(column "stop-$1" $ELAPSED 1000)" "$(column "guppy-$1" $ELAPSED 1000)" less
	both "$what: \`snap.dump\`, labels and file, all processes; guppy3's \`heap()\`, without a file" "dump-$1" "guppy-$1"
	both "$what: \`snap.dump\`, all processes; pympler's summary of \`muppy.get_objects()\`" "dump-$1" "pympler-$1"
	[ -z "${PYHEAP:-}" ] ||
		both "$what: \`snap.dump\`, all processes; pyheap's dump, without texts of objects" "dump-$1" "pyheap-$1"
	row "$what: file per object" bytes "$(awk -v b="$(bytes "$file")" -v n="$found" 'BEGIN {print b / n}')" "" less
	if [ "$old" = none ]; then
		note "meliae" "needs CPython 3.8 and pip"
		return
	elif [ "$1" = libraries ]; then
		note "$2: meliae" "it ends with an error: an integer is larger than a long"
		return
	fi
	old_version=$("$old" -c 'import platform; print(platform.python_version())')
	what="$2 in CPython $old_version"
	row "$what: the process stands still; meliae's dump" ms \
		"$(column "old-stop-$1" $ELAPSED 1000)" "$(column "old-meliae-$1" $ELAPSED 1000)" less
	both "$what: \`snap.dump\`, all processes; meliae's dump" "old-dump-$1" "old-meliae-$1"
	row "$what: file; meliae's through \`zstd -3\`" bytes \
		"$(bytes "$work/old-dump-$1.file")" "$(zstd -q -3 -c "$work/old-meliae-$1.file" | wc -c)" less
}
show trees "syntax trees"
show records records
show libraries "imported libraries"
what="$traces live traces"
row "$what: processor time that \`snap.start(25)\` adds; \`tracemalloc.start(25)\`" ms "$(added snap25)" "$(added tracemalloc25)" less
row "$what: processor time that \`snap.start(25)\` adds; \`tracemalloc.start(1)\`" ms "$(added snap25)" "$(added tracemalloc1)" less
row "$what: processor time that \`snap.start(1)\` adds; \`tracemalloc.start(1)\`" ms "$(added snap1)" "$(added tracemalloc1)" less
row "$what: memory for each, 25 frames" bytes "$(held snap25)" "$(held tracemalloc25)" less
row "$what: memory for each, 1 frame" bytes "$(held snap1)" "$(held tracemalloc1)" less
by "$what, 25 frames: the process stands still for a snapshot; \`take_snapshot\`" ms $STOPPED 1000 snap25 tracemalloc25
by "$what, 25 frames: memory that it takes in the process" KiB $TAKEN 1 snap25 tracemalloc25
