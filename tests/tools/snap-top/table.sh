snap-top new.snap
snap-top -n 2 -k type new.snap
snap-top -n 2 --cumulative -k filename new.snap
snap-top -n 1 --format=markdown -k type app.snap
