// Asks MemLab for retained sizes.  Usage: node v8_memlab.js NODE_MODULES FILE COPY COUNT: prints "id retained" of COUNT nodes,
// spread over the heap.
//
// Two things differ by definition.  MemLab lets the table of a WeakMap hold the values too, DevTools and we only the keys:
// in COPY, which MemLab reads, those edges are weak.  And MemLab hides the program's objects from the runtime's own
// references (its flags for objects of the page): here, no object has that flag.
'use strict';
const fs = require('fs');
const [modules, file, copy, wanted] = process.argv.slice(2);

const heap = JSON.parse(fs.readFileSync(file, 'utf8'));
const { meta } = heap.snapshot;
const N = meta.node_fields.length, E = meta.edge_fields.length;
const types = meta.edge_types[0], pair = / pair in WeakMap \(table @(\d+)\)$/;
for (let i = 0, e = 0; i < heap.nodes.length; i += N) {
	const id = heap.nodes[i + meta.node_fields.indexOf('id')];
	for (let k = heap.nodes[i + meta.node_fields.indexOf('edge_count')]; k > 0; k--, e += E) {
		const match = types[heap.edges[e]] === 'internal' && pair.exec(heap.strings[heap.edges[e + 1]]);
		if (match && Number(match[1]) === id)
			heap.edges[e] = types.indexOf('weak');
	}
}
fs.writeFileSync(copy, JSON.stringify(heap));

const log = console.log;
console.log = console.info = () => {}; // MemLab tells of its progress
const parser = require(modules + '/@memlab/core/dist/lib/HeapParser').default;
const TraceFinder = require(modules + '/@memlab/core/dist/paths/TraceFinder').default;
(async () => {
	const snapshot = await parser.parse(copy);
	const count = snapshot.nodes.length;
	const { retainedSizes } = new TraceFinder().computeDominatorsAndRetainedSizes(snapshot, new Uint32Array(count));
	for (let k = 0; k < Number(wanted); k++) {
		const i = Math.floor(k * count / Number(wanted));
		log(`${snapshot.nodes.get(i).id}\t${retainedSizes[i]}`);
	}
	process.exit(0);
})();
