# Estimates: a block of size s, sampled every i bytes, stands for 1 / (1 - e^(-s/i)) blocks; without objects the mean size decides.
folder=$(mktemp -d)
cat >"$folder/s.yaml" <<'YAML'
snapshot: 1
flags: [sampled]
sampling_interval: 1024
types:
  1: {name: Small}
  2: {name: Large}
objects:
- {type: Small, size: 16, count: 10}
- {type: Small, size: 1024}
- {type: Large, size: 1048576, count: 3}
YAML
snap-make -o "$folder/s.snap" "$folder/s.yaml"
snap-filter --totals -o "$folder/t.snap" "$folder/s.snap"
cd "$folder" || exit 9
snap-top --format=tsv -k type s.snap
snap-top --format=json -k type s.snap
snap-top --format=tsv -k type t.snap
snap-top --quiet --format=tsv -k size s.snap
snap-diff --quiet --all --format=tsv -k type t.snap s.snap
rm -rf "$folder"
