snap-refs --unreachable --cycles --dominators app.snap
