snap-refs --format=json app.snap type:Node
