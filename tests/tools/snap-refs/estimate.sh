snap-refs --estimate --format=tsv app.snap | cut -f 6,10
snap-refs --estimate app.snap row:0 2>&1
