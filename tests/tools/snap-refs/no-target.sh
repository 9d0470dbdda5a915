snap-refs app.snap
