cat old.snap new.snap | snap-top --format=tsv -k type
cat old.snap new.snap | snap-top --format=tsv -k type -- '-#1'
snap-filter --totals -o - new.snap | snap-top --format=tsv -k traceback -
