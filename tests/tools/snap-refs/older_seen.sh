for unseen in "" ", unseen_heaps: \"1\""; do
	snap-make -o - - <<TEXT | snap-refs --unreachable -
snapshot: 1
properties: {recorded_since: "2026-01-02T03:04:05.678Z", older_blocks: "1"$unseen}
objects:
- {id: 0x10, size: 16, type: older, domain: 4294967294}
- {id: 0x20, size: 16}
roots:
- {object: 0x10, kind: global}
TEXT
done
