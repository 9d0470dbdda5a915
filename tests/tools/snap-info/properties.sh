snap-info --properties app.snap
