snap-refs --brief app.snap name:settings && snap-refs --format=tsv app.snap 'name:set*'; snap-refs app.snap name:nobody
