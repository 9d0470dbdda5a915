# The same sums by every dimension that is kept, and no objects.
snap-filter --totals -o - app.snap | snap-info --format=tsv | cut -f3-6
for key in type lineno traceback thread domain size generation; do
	cmp <(snap-top -n 0 -k $key --format=tsv app.snap) <(snap-filter --totals -o - app.snap | snap-top -n 0 -k $key --format=tsv) && echo "$key: same"
done
snap-filter --totals -o - app.snap | snap-filter --totals -o - | cmp - <(snap-filter --totals -o - app.snap) && echo "of totals: same"
