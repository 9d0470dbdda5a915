snap-refs app.snap 0x99
