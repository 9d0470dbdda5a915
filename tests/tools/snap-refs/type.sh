snap-refs new.snap type:Session
