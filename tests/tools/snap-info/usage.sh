snap-info --verify --blocks app.snap
