snap-info --mappings memory.snap; snap-info memory.snap | head -20
