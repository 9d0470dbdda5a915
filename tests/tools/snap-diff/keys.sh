for key in type shape lineno filename function traceback module thread domain size generation root; do
	echo "= $key"
	snap-diff --format=tsv -k $key old.snap new.snap
done
