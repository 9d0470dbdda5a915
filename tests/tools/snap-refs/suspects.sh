snap-refs --suspects new.snap && snap-refs -s -n 2 app.snap
