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
rm -rf "$folder"
