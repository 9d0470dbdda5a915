for key in type lineno root dominator field fill; do
	echo "= $key"
	snap-diff --format=tsv --retained -k $key old.snap new.snap
done
snap-diff -r -k type -n 2 old.snap new.snap
snap-diff -r -k type --all --format=json app.snap app.snap
