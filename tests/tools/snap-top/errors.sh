sampled() { printf 'snapshot: 1\nflags: [sampled]\nsampling_interval: 1024\nobjects:\n- {size: 100, count: %d}\n- {size: 5000, count: 2, domain: 1}\n' $1 | snap-make -o "$2"; }
old=$(mktemp) new=$(mktemp)
sampled 10 "$old"; sampled 40 "$new"
snap-top --errors -k domain --format=tsv "$new"
snap-top --errors -k domain -n 1 -q "$new"
snap-diff --errors -k domain -q "$old" "$new"
snap-top --errors -k type -q app.snap
snap-top --errors --cumulative app.snap
rm -f "$old" "$new"
