# What is left out leaves the objects below it as owners.
snap-top -k dominator app.snap
snap-top -k dominator --format=tsv new.snap
snap-top -k dominator --format=tsv -x type:Server -x type:Cache new.snap
snap-top -k dominator --format=json -i type:Session new.snap
