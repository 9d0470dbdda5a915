# A question that the snapshot cannot answer is trouble, not an empty answer.
try() { snap-top "$@" >/dev/null; echo "$?: $*"; }
snap-filter --totals -o - app.snap | try -k type
snap-filter --totals -o - app.snap | try -k type -i 'type:*'
snap-filter --totals -o - app.snap | try -k type -i 'app.c'
snap-filter --totals -o - app.snap | try -k shape
snap-filter --totals -o - app.snap | try -k root
try -k lines app.snap
try -s size app.snap
try -i domain:x app.snap
try -i type: app.snap
try --format=tracemalloc -k type app.snap
try nothing.snap
try old.snap new.snap
