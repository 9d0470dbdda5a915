for key in type shape lineno traceback root; do
	echo "= $key"
	snap-top --format=tsv --retained -k $key app.snap
done
snap-top --retained -n 1 -k type app.snap
snap-top --retained --format=json -i 'type:Node' -k type app.snap
snap-top -r -s bytes --format=tsv -k type new.snap
snap-top -s retained --format=tsv -k type new.snap
