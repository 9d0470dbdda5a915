snap-refs --weak --cycles --unreachable -n 1 app.snap
