cat old.snap new.snap | snap-info --verify --format=tsv | cut -f1,5
