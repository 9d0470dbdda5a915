snap-diff old.snap new.snap
snap-diff -n 1 --all -k type old.snap new.snap
for form in csv json yaml markdown; do snap-diff --format=$form --all -k type old.snap new.snap; done
for key in lineno filename traceback; do snap-diff --format=tracemalloc -k $key old.snap new.snap; done
