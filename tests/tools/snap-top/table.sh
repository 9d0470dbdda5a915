snap-top new.snap
snap-top -n 2 -k type new.snap
snap-top -n 2 --cumulative -k filename new.snap
snap-top -n 1 --format=markdown -k type app.snap
# Without a text the word goes to the last number.
for key in domain size generation; do snap-top -n 1 -k $key app.snap; done
snap-top --format=markdown -k domain app.snap
