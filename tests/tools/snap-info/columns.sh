snap-info --format=tsv app.snap | cut -f3-6
