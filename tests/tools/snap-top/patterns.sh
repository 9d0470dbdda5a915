top() { echo "= $*"; snap-top --format=tsv -k type "$@"; }
top -i 'app.c' app.snap
top -i 'app.c' --all-frames app.snap
top -i 'file:*.h:3' app.snap
top -x '*.[ch]' app.snap
top -x 'type:b*' app.snap
top -i 'function:infl?te' app.snap
top -i 'module:*/libz*' -i 'type:dict' app.snap
top -i 'domain:1' -i 'domain:2:type:block' app.snap
top -x 'domain:0' -x 'domain:2:util.h' app.snap
top -i 'nothing.c' app.snap
