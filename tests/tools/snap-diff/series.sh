folder=$(mktemp -d)
cat old.snap new.snap >"$folder/series.snap"
snap-diff --format=tsv -k type "$folder/series.snap#1" "$folder/series.snap#-1"
snap-diff --format=tsv -k type - "$folder/series.snap#1" <new.snap
cat old.snap new.snap | snap-diff --format=tsv -k type -- '-#1' '-#2'
snap-diff "$folder/series.snap" >/dev/null 2>&1; echo "one file: $?"
rm -rf "$folder"
