snap-make -o - - <<'TEXT' | snap-refs --unreachable -
snapshot: 1
properties: {recorded_since: "2026-01-02T03:04:05.678Z"}
objects:
- {id: 0x10, size: 16}
- {id: 0x20, size: 16}
roots:
- {object: 0x10, kind: global}
TEXT
