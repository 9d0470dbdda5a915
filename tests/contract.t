#!/usr/bin/env bash
# What all tools do alike (README.md, the tools' contract).
. "$(dirname "$0")/lib.sh"
data=$BUILD/tests/data
cp "$data"/*.snap "$top"/tests/data/*.yaml "$work"
cd "$work" || exit 1
cat old.snap new.snap >series.snap
cp app.snap 'odd#2'
export TOP=$top BUILD

# How each tool is asked an ordinary question about $1 (and $2); readers are those that take a snapshot.
readers="snap-info snap-top snap-refs snap-dump snap-filter snap-diff"
ask() { # TOOL FILE OPTIONS...
	local tool=$1 file=$2; shift 2
	case $tool in
	snap-diff) snap-diff "$@" "$file" "$file" ;;
	snap-refs) snap-refs "$@" "$file" 'type:*' ;;
	snap-filter) snap-filter --totals -o - "$@" "$file" ;;
	snap-make) snap-make -o - "$@" "$file" ;;
	snap-import) snap-import "$@" v8 -o - "$file" ;;
	snap-symbolize) snap-symbolize --quiet -o - "$@" "$file" ;;
	snap-record) snap-record "$@" "./$file" ;;
	*) "$tool" "$@" "$file" ;;
	esac
}

tools=$(cd "$BUILD/bin" && ls snap-*)
for tool in $tools; do
	status 0 "$tool --help" "$tool" --help
	status 0 "$tool --version" "$tool" --version
	is "$("$tool" --version | cut -d' ' -f1)" "$tool" "$tool --version begins with its name"
	status 2 "$tool: an unknown option is trouble" "$tool" --no-such-option
	status 2 "$tool: --memory=x is trouble" "$tool" --memory=x
	status 2 "$tool: too many arguments are trouble" "$tool" a b c d e
	status 2 "$tool: a missing file is trouble" ask "$tool" missing.snap
	is "$(ask "$tool" missing.snap 2>&1 >/dev/null | grep -c "^$tool: .*missing.snap.*No such file")" 1 "$tool: and it is named"
	status 2 "$tool: a folder is trouble" ask "$tool" .
	full=$("$tool" --help 2>&1 >/dev/full); is "$?" 2 "$tool: lost output is trouble"
	is "$full" "$tool: standard output: No space left on device" "$tool: and it is said"
done

for tool in $readers; do
	ask "$tool" app.snap >plain 2>err
	is "$?/$(cat err)" 0/ "$tool answers"
	if [ "$tool" != snap-diff ]; then
		ask "$tool" - <app.snap >piped 2>err; is "$?/$(cat err)" 0/ "$tool reads a file on standard input"
		cat app.snap | ask "$tool" - >piped2 2>err; is "$?/$(cat err)" 0/ "$tool reads a pipe"
		is "$(cmp piped piped2 && echo same)" same "$tool: file and pipe give the same"
		[ "$tool" = snap-info ] || is "$(cmp plain piped && echo same)" same "$tool: path and pipe give the same"
	fi
	ask "$tool" 'series.snap#1' >one 2>/dev/null; ask "$tool" old.snap >first 2>/dev/null
	[ "$tool" = snap-info ] || is "$(cmp one first && echo same)" same "$tool: FILE#1 is the first member"
	ask "$tool" 'series.snap#-1' >last 2>/dev/null; ask "$tool" 'series.snap#2' >two 2>/dev/null; ask "$tool" new.snap >second 2>/dev/null
	[ "$tool" = snap-info ] || is "$(cmp last second && cmp two second && echo same)" same "$tool: FILE#2 and FILE#-1 are the last"
	status 0 "$tool: a file named like a member is that file" ask "$tool" 'odd#2'
	status 2 "$tool: a member that is not there is trouble" ask "$tool" 'series.snap#3'
	status 2 "$tool: member 0 is trouble" ask "$tool" 'series.snap#0'
	ask "$tool" app.snap >/dev/full 2>err; is "$?" 2 "$tool: /dev/full is trouble"
	ask "$tool" app.snap >&- 2>err; is "$?" 2 "$tool: a closed standard output is trouble"
	head -c 300 app.snap >cut.snap
	status 2 "$tool: a cut file is trouble" ask "$tool" cut.snap
	printf garbage >garbage.snap
	status 2 "$tool: garbage is trouble" ask "$tool" garbage.snap
	status 2 "$tool: an empty file is trouble" ask "$tool" /dev/null
	LC_ALL=C.UTF-8 TZ=Asia/Tokyo ask "$tool" app.snap >other 2>/dev/null
	is "$(cmp plain other && echo same)" same "$tool: locale and time zone change nothing"
done

# Strangers' text: no control byte, no bidirectional override, no line that begins with ::
harmless() { ! LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|^\s*::' "$1"; }
for tool in snap-info snap-top snap-refs snap-diff; do
	for form in table tsv csv json yaml markdown; do
		for key in '' -ktype -ktraceback -kfunction -kfilename -kthread; do
			case $tool$key in snap-info-* | snap-refs-*) continue ;; esac
			if [ "$tool" = snap-diff ]; then
				ask snap-diff old.snap >/dev/null 2>&1
				snap-diff --format=$form $key old.snap hostile.snap >out 2>err
			else
				ask "$tool" hostile.snap --format=$form $key >out 2>err
			fi
			[ $? -le 1 ] || [ "$tool" = snap-diff ] || is "$(cat err)" "" "$tool --format=$form $key answers"
			tr -d '\r' <out >bare
			ok "$tool --format=$form $key: hostile names are harmless" harmless bare
		done
	done
done
for view in --properties --blocks --members --verify; do
	snap-info $view hostile.snap >out 2>&1
	ok "snap-info $view: hostile names are harmless" harmless out
done

# Every machine form is what it says.
cat >parse.py <<'PYTHON'
import csv, io, json, sys
form, text = sys.argv[1], sys.stdin.buffer.read().decode('utf-8', 'strict')
if form == 'json':
    answer = json.loads(text)
    assert '/' in answer['schema'] and isinstance(answer['rows'], list)
elif form == 'csv':
    rows = list(csv.reader(io.StringIO(text, newline=''), strict=True))
    assert rows and all(len(row) == len(rows[0]) for row in rows)
elif form == 'tsv':
    rows = [line.split('\t') for line in text.split('\n')]
    assert rows.pop() == [''] and all(len(row) == len(rows[0]) for row in rows)
elif form == 'markdown':
    bare = [line.replace('\\\\', '').replace('\\|', '') for line in text.rstrip('\n').split('\n')]
    assert all(line[0] == line[-1] == '|' and line.count('|') == bare[0].count('|') for line in bare)
PYTHON
for tool in snap-info snap-top snap-refs snap-diff; do
	for file in app.snap hostile.snap; do
		for form in json csv tsv markdown; do
			ask "$tool" $file --format=$form >out 2>/dev/null
			ok "$tool --format=$form $file is $form" python3 parse.py $form <out
		done
		ask "$tool" $file --format=yaml >out 2>/dev/null
		ok "$tool --format=yaml $file is YAML" "$BUILD/tests/helper/yaml-events" <out
	done
done
is "$(snap-info --properties --format=json hostile.snap | python3 -c '
import json, sys
print(sorted((r["key"], r["value"]) for r in json.load(sys.stdin)["rows"]))')" \
	"[('::key', '::error::'), ('program', 'a\\nb\\x1b[2J')]" "JSON is lossless"
is "$(snap-top -k filename --format=json hostile.snap | python3 -c '
import json, sys
names = [json.dumps(r) for r in json.load(sys.stdin)["rows"]]
print(any("\\udcff\\udcc0\\udc80" in n for n in names))')" True "bytes that are no UTF-8 are kept in JSON"

# Who asks for the wrong format is told the right one.
printf 'JAVA PROFILE 1.0.2' >dump; cp "$top/tests/real/v8_tiny.heapsnapshot" heap; gzip -c heap >packed; python3 -c 'import pickle; pickle.dump(1, open("pickled", "wb"), 4)'
for wrong in "v8 dump hprof" "tracemalloc dump hprof" "hprof heap v8" "v8 packed zcat" "hprof pickled tracemalloc" "v8 old.snap already"; do
	read -r format file right <<<"$wrong"
	snap-import $format -o none.snap $file 2>err
	is "$? $(sed -n '2s/:.*looks like/:/p' err | grep -c "$right") $(wc -l <err) $(test -e none.snap; echo $?)" "2 1 2 1" "snap-import $format $file: $right"
done
is "$(snap-import hprof -o none.snap packed 2>&1 | sed -n '2s/.*: //p')" "snap-import v8" "inside of what is compressed, too"
ok "compressed snapshots are said to be so" eval 'gzip -c old.snap | snap-top 2>&1 | grep -q zcat'

# A reader that goes away ends a tool quietly.
"$BUILD/tests/helper/big" big.snap 300000
for tool in snap-top snap-info snap-dump; do
	case $tool in
	snap-top) long="snap-top -k traceback -n 0 big.snap" ;;
	snap-info) long="snap-info --blocks --format=tsv big.snap" ;;
	snap-dump) long="snap-dump big.snap" ;;
	esac
	bash -c "$long 2>err | head -1 >/dev/null; exit \${PIPESTATUS[0]}"; got=$?
	case $got in 0 | 141) got=quiet ;; esac
	is "$got/$(cat err)" quiet/ "$tool: a closed pipe is no message"
done

# --memory holds, and the answer stays the same.  The allowance is for the program and its libraries.
for command in "snap-top -k type" "snap-top -k lineno --include=file1.c" "snap-info --verify" "snap-dump"; do
	$command big.snap >plain 2>/dev/null; $command --memory=16M big.snap >small 2>err
	is "$?/$(cat err)" 0/ "$command --memory=16M answers"
	is "$(cmp plain small && echo same)" same "$command --memory=16M: the answer is the same"
	case ${CFLAGS:-} in
	*sanitize*) ;;
	*) ok "$command --memory=16M: stays below 32 MiB" test "$(peak $command --memory=16M big.snap)" -lt 32768 ;;
	esac
done
done_testing
