snap-make -o alike.snap - <<-'YAML'
	snapshot: 1
	types:
	  1: {name: A}
	  2: {name: B}
	frames:
	  1: {function: one, file: x.c, line: 1}
	  2: {function: other, file: x.c, line: 2}
	stacks:
	  1: {frame: 1}
	  2: {frame: 2}
	objects:
	- {id: 1, type: 1, size: 8, references: [{field: b, to: 2}]}
	- {id: 2, type: 2, size: 8, references: [{field: a, to: 1}]}
	- {id: 3, type: 2, size: 8, references: [{field: a, to: 4}]}
	- {id: 4, type: 1, size: 8, references: [{field: b, to: 5}]}
	- {id: 5, type: 2, size: 8, references: [{field: b, to: 3}]}
	- {id: 6, type: 1, size: 8, references: [{field: a, to: 6}]}
	- {id: 7, size: 8, stack: 1, references: [{field: x, to: 8}]}
	- {id: 8, size: 8, stack: 2, references: [{field: x, to: 7}]}
	- {id: 9, size: 8, stack: 1, references: [{field: x, to: 9}]}
	- {id: 10, size: 8, stack: 1, references: [{field: x, to: 10}]}
	- {id: 11, size: 8, type: 1, references: [{field: x, to: 7}]}
	YAML
snap-refs --unreachable alike.snap
snap-refs --unreachable --limit 1 alike.snap
snap-refs --unreachable --format=tsv alike.snap
