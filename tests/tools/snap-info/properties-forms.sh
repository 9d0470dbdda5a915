for form in tsv csv json yaml markdown; do snap-info --properties --format=$form hostile.snap; done
