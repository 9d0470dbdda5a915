snap-refs --cycles --format=tsv app.snap
