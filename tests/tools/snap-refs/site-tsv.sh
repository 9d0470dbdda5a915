snap-refs --format=tsv new.snap 'site:buffer_*' && snap-refs --format=tsv new.snap site:session.c:33 'site:cache.?'
