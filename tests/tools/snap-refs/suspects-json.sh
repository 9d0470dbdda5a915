snap-refs --suspects --threshold=50 --format=json new.snap
