snap-filter -o - app.snap; echo "status $?"
snap-filter --totals app.snap; echo "status $?"
snap-filter --totals --format=json -o - app.snap; echo "status $?"
snap-filter --totals -o /nonexistent/file app.snap; echo "status $?"
