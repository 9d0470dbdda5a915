snap-refs new.snap 0x4200 --owned
