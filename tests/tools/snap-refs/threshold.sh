snap-refs --suspects --threshold=100 app.snap
