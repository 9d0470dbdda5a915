for form in table tsv csv json yaml markdown; do snap-top --format=$form -k type hostile.snap; done
snap-top --format=tracemalloc -k lineno hostile.snap
