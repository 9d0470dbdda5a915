snap-diff -k path old.snap new.snap
snap-diff -k path --retained --depth 2 --format=tsv old.snap new.snap
# Everything lies elsewhere, and is found again.
snap-dump new.snap | sed 's/0x\([3-6]\)\(...\)\([,}]\)/0x9\1\2\3/g' >moved.yaml
snap-make -o moved.snap moved.yaml
snap-diff -k dominator --format=tsv new.snap moved.snap
snap-diff -e -k path --format=tsv new.snap moved.snap; echo "$?"
rm -f moved.yaml moved.snap
