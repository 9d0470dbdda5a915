try() { snap-diff "$@" >/dev/null; echo "$?: $*"; }
try -r -k type --fail 'retained > +1K' old.snap new.snap
try -r -k type --fail 'retained > +1M' old.snap new.snap
try -r -k type --fail 'any retained > +12K' old.snap new.snap
try -r -k type --fail 'type:Session retained > 16K' old.snap new.snap
try -k path --fail 'any path:*;[[]] Session count > +1' old.snap new.snap
try -k path --fail 'any path:*;[[]] Session count > +2' old.snap new.snap
try -k type --fail 'retained > +1K' old.snap new.snap
try -k field -r --fail 'any field:Cache.* retained > +1K' old.snap new.snap
try -k duplicate app.snap new.snap
