snap-refs --unreachable app.snap
