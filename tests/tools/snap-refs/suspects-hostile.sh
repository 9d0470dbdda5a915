snap-refs -s hostile.snap; snap-refs -s --format=yaml hostile.snap
