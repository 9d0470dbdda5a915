snap-refs --weak app.snap row:1 @64 id:0x10
