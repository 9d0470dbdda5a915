# Recursion counts twice, a line once for each time it is in the stack; the total counts each object once.
for key in lineno filename function module; do snap-top --format=tsv --cumulative -k $key app.snap; done
snap-top --format=json --cumulative -n 1 new.snap
snap-top --cumulative -k traceback app.snap; echo "traceback: $?"
snap-top --cumulative -k type app.snap; echo "type: $?"
