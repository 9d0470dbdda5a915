snap-refs hostile.snap row:2; snap-refs --format=tsv hostile.snap row:2
