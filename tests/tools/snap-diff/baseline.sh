# Totals alone are a baseline; what they cannot answer is said.
folder=$(mktemp -d)
snap-filter --totals -o "$folder/base.snap" old.snap
for key in type lineno traceback thread size; do
	snap-diff --format=tsv -k $key "$folder/base.snap" new.snap >"$folder/base"
	snap-diff --format=tsv -k $key old.snap new.snap | cmp - "$folder/base" && echo "$key: the same"
done
cd "$folder" || exit 9
snap-diff -k type -i '*.c' base.snap base.snap; echo "type by file: $?"
snap-diff -k filename -i '*.c' --fail 'bytes > +0%' base.snap base.snap >/dev/null; echo "file by file: $?"
snap-diff -k shape base.snap base.snap; echo "shape: $?"
rm -rf "$folder"
