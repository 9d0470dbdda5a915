snap-refs 'type:Session' app.snap
