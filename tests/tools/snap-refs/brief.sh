snap-refs --brief app.snap type:Node
snap-refs --brief app.snap 2>&1
snap-refs --brief --cycles app.snap row:0 2>&1
