snap-refs --suspects --threshold=30 --format=tsv app.snap
