# The stacks of a heap dump may be those of threads only: its objects are grouped by type.
snap-make -o threads.snap - <<'TEXT'
snapshot: 1
types:
  1: {name: Session}
frames:
  1: {function: run, file: Thread.java, line: 7}
stacks:
  1: {frame: 1}
objects:
- {id: 16, size: 24, type: 1}
roots:
- {object: 16, kind: stack, stack: 1}
TEXT
snap-top --format=tsv threads.snap
snap-diff --all --format=tsv threads.snap threads.snap
