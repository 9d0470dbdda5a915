snap-refs app.snap 'no such form'
