#!/usr/bin/env bash
# --format=pprof is a profile for go's pprof: the same stacks, counts and bytes, of a snapshot and of a difference.
. "$(dirname "$0")/../lib.sh"
need_real go python3
cp "$BUILD"/tests/data/*.snap "$work"
cd "$work" || exit 1
export PPROF_TMPDIR=$work GOCACHE=$BUILD/cache/go # newer Go builds pprof as it is asked for
raw() { go tool pprof -symbolize=none "$@" -raw "${last:?}" 2>/dev/null; }

# What pprof reads, as lines "count bytes frame;frame...", outermost first.
cat >stacks.py <<'PYTHON'
import re, sys
text = sys.stdin.read()
places = {}
for number, name, file, line in re.findall(r"^ +(\d+): 0x0 (?:M=1 )?(.*) (\S*?):(\d+)(?::0)? s=0.*$", text, re.M):
    places[number] = name + (" (%s:%s)" % (file, line) if line != "0" else "@" + file if file else "")
for count, size, stack in re.findall(r"^ +(-?\d+) +(-?\d+): ([\d ]+)$", text, re.M):
    print(count, size, ";".join(places[number] for number in reversed(stack.split())))
PYTHON

for file in app new old; do
	snap-top --format=pprof $file.snap >$file.pb
	is "$(last=$file.pb raw | python3 stacks.py | sort)" \
		"$(paste -d' ' <(snap-top --format=folded -s count $file.snap | sort | sed 's/.* //') <(snap-top --format=folded $file.snap | sort | sed 's/\(.*\) \([0-9]*\)$/\2 \1/') | sort)" \
		"$file: stacks, counts and bytes"
done
snap-top --format=pprof -k path new.snap >path.pb
is "$(last=path.pb raw | python3 stacks.py | cut -d' ' -f2- | sort)" \
	"$(snap-top --format=folded new.snap -k path | sed 's/\(.*\) \([0-9]*\)$/\2 \1/' | sort)" "paths are stacks, too"
snap-diff --format=pprof old.snap new.snap >diff.pb
is "$(last=diff.pb raw | python3 stacks.py | awk '{count += $1; bytes += $2} END {print count, bytes}')" \
	"$(snap-diff --format=json -k traceback old.snap new.snap | python3 -c 'import json, sys; t = json.load(sys.stdin)["total"]; print(t["count_diff"], t["bytes_diff"])')" \
	"snap-diff: what changed"
changes() { python3 stacks.py | awk '{key = $3 " " $4 " " $5; count[key] += $1; bytes[key] += $2}
	END {for (key in count) if (count[key] || bytes[key]) print count[key], bytes[key], key}' | sort; }
is "$(last=diff.pb raw | changes)" "$(last=new.pb raw -diff_base=old.pb | changes)" \
	"which is what pprof finds between both"
snap-top --format=pprof hostile.snap >hostile.pb
is "$(go tool pprof -symbolize=none -top hostile.pb 2>/dev/null | LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]')" 0 "hostile names are harmless"
"$BUILD/tests/helper/big" big.snap 300000
snap-top --format=pprof big.snap >big.pb
is "$(last=big.pb raw | python3 stacks.py | awk '{count += $1; bytes += $2} END {print count, bytes}')" \
	"$(snap-top --format=json -k traceback big.snap | python3 -c 'import json, sys; t = json.load(sys.stdin)["total"]; print(t["count"], t["bytes"])')" "a large one"
for options in "-k type" "-r" "--errors"; do
	status 2 "$options has no such form" snap-top --format=pprof $options new.snap
done
ok "nor has a terminal" bash -c 'script -qec "snap-top --format=pprof new.snap" /dev/null | grep "not for a terminal"'
done_testing
