snap-info --format=tsv app.snap | cut -f2-
