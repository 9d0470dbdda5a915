cat old.snap new.snap | snap-info --members --format=tsv | cut -f1-3,7-
