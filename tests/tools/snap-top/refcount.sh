snap-top -k refcount app.snap; snap-diff -k refcount --format=tsv old.snap app.snap
