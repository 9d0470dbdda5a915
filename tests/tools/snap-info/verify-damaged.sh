# One byte in the first member is wrong: it is named, the second is read all the same.
folder=$(mktemp -d)
cat old.snap new.snap >"$folder/bad.snap"
printf '\377' | dd of="$folder/bad.snap" bs=1 seek=120 conv=notrunc 2>/dev/null
cd "$folder" || exit 9
snap-info --verify --format=tsv bad.snap 2>err | cut -f1,5
snap-info --verify bad.snap >/dev/null 2>&1; echo "status $?"
snap-info --verify --partial bad.snap >/dev/null 2>&1; echo "with --partial $?"
sed -E 's/byte [0-9]+/byte N/' err | cut -c1-52
rm -rf "$folder"
