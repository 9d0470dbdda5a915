try() { snap-diff --format=tsv -k type "$@" old.snap new.snap >/dev/null; echo "$?: $*"; }
try --fail 'bytes > +5%'
try --fail 'bytes > +300%'
try --fail 'count > +4'
try --fail 'count > +3' --fail 'total bytes > 16MiB' --fail 'bytes>16KiB'
try --fail 'any count > +1' --fail 'any bytes > +250%'
try --fail 'type:Session bytes > +192'
try --fail 'type:Sess* bytes > +191'
try --fail 'type:* average > +1KiB'
try --fail 'any type:[ST]* count > 1'
try --fail 'any bytes > +1000%' -x 'type:Timer'
try --fail 'any bytes > +1000%' # what is new grew by more than any percentage
snap-diff --format=json -n 1 --fail 'bytes > +5%' --fail 'count > +9' old.snap new.snap
