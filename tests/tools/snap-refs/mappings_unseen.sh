for unseen in 5000000 1000 99999999999999999999999999999999999999999; do
	snap-make -o - - <<TEXT | snap-refs --unreachable -
snapshot: 1
properties: {references: conservative, unseen_mappings: "$unseen"}
objects:
- {id: 0x10, size: 16}
- {id: 0x20, size: 16}
roots:
- {object: 0x10, kind: global}
TEXT
done
