for form in csv json yaml tracemalloc; do snap-top --format=$form -n 3 -k lineno app.snap; done
for key in filename traceback; do snap-top --format=tracemalloc -k $key new.snap; done
