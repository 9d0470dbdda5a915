for key in type shape lineno filename function traceback module thread domain size generation root; do
	echo "= $key"
	snap-top --format=tsv -k $key app.snap
done
