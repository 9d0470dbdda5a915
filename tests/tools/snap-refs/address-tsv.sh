snap-refs new.snap 16384 --format=tsv
