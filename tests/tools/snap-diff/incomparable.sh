folder=$(mktemp -d)
cat >"$folder/s.yaml" <<'YAML'
snapshot: 1
flags: [sampled]
sampling_interval: 1024
types:
  1: {name: T}
objects:
- {type: T, size: 16, count: 10}
YAML
cp old.snap "$folder"
cd "$folder" || exit 9
snap-make -o s.snap s.yaml
sed '/flags/d; /interval/d' s.yaml | snap-make -o e.snap -
for pair in "s.snap e.snap" "e.snap s.snap" "e.snap old.snap" "old.snap e.snap" "e.snap e.snap"; do
	for key in type lineno; do
		snap-diff --quiet -k $key --format=tsv $pair; echo "$key $pair: $?"
	done
done
snap-diff --format=tsv e.snap old.snap | head -1 # by the key that both can answer
printf 'snapshot: 1\nproperties:\n  runtime: %s\n' 'CPython 3.11.7' | snap-make -o python.snap -
printf 'snapshot: 1\nproperties:\n  runtime: %s\n' cpython | snap-make -o traced.snap -
printf 'snapshot: 1\nproperties:\n  runtime: %s\n' "V8\\e[31m" | snap-make -o v8.snap -
for pair in "python.snap v8.snap" "v8.snap python.snap" "python.snap traced.snap"; do
	snap-diff --quiet -k type --format=tsv $pair; echo "$pair: $?"
	snap-diff --quiet -k type --fail 'bytes > 0' $pair >tell; echo "$pair: $?"
done
rm -rf "$folder"
