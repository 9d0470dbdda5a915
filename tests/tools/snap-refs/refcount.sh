snap-refs app.snap 0x50; snap-refs --format=tsv app.snap 0x50 | grep -w refcount
