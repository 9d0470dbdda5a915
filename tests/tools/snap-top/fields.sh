for snapshot in app new; do
	snap-top -k field --format=tsv $snapshot.snap
	snap-top -k field --format=tsv --retained -i 'type:[SC]*' $snapshot.snap
done
snap-top -k field -n 2 new.snap
