snap-top -k refcount app.snap; snap-diff -k refcount --format=tsv new.snap app.snap
