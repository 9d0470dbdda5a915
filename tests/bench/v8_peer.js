// Lets a peer read a heap snapshot, and prints elapsed and processor seconds by its own clock: from the opening of FILE on, without
// the start of Node.js and the loading of modules.  Usage: node v8_peer.js NODE_MODULES DEVTOOLS QUESTION FILE
// DEVTOOLS: the folder into which tests/real/v8_devtools.mjs compiled the developer tools of Chrome.  Questions:
//   memlab-parse           MemLab's parser: its columns of nodes, edges and strings are there
//   memlab-retained        and its dominators and retained sizes
//   devtools-retained      the worker of DevTools, with JSON.parse as its loader: indexes, distances, dominators, retained sizes
'use strict';
const fs = require('fs');
const path = require('path');
const { MessageChannel } = require('worker_threads');
const [modules, devtools, question, file] = process.argv.slice(2);

function quiet() {
	console.log = console.info = console.warn = () => {};
}

async function memlab(retained) {
	const parser = require(modules + '/@memlab/core/dist/lib/HeapParser').default;
	const TraceFinder = require(modules + '/@memlab/core/dist/paths/TraceFinder').default;
	return async () => {
		const snapshot = await parser.parse(file);
		if (retained)
			new TraceFinder().computeDominatorsAndRetainedSizes(snapshot, new Uint32Array(snapshot.nodes.length));
		return snapshot.nodes.length;
	};
}

function big(create, values) {
	const array = create(values.length);
	for (let i = 0; i < values.length; i++)
		array.setValue(i, values[i]);
	return array;
}

async function worker() {
	const { JSHeapSnapshot, SecondaryInitManager } =
		await import(path.resolve(devtools, 'entrypoints/heap_snapshot_worker/HeapSnapshot.js'));
	const { TypedArrayUtilities } = await import(path.resolve(devtools, 'core/platform/platform.js'));
	Promise.withResolvers ??= () => { // newer than Node 20
		const out = {};
		out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }));
		return out;
	};
	for (const kind of [Array, Uint8Array, Uint32Array, Float64Array]) { // newer than Node 18
		kind.prototype.toSorted ??= function (compare) { return this.slice().sort(compare); };
		kind.prototype.toReversed ??= function () { return this.slice().reverse(); };
	}
	return async () => {
		const heap = JSON.parse(fs.readFileSync(file, 'utf8'));
		heap.nodes = big(TypedArrayUtilities.createFixedBigUint32Array, heap.nodes);
		heap.edges = big(TypedArrayUtilities.createFixedBigUint32Array, heap.edges);
		const { port1, port2 } = new MessageChannel();
		new SecondaryInitManager(port2);
		port2.start();
		const snapshot = new JSHeapSnapshot(heap, { updateStatus() {}, updateProgress() {}, reportProblem() {} });
		await snapshot.initialize(port1);
		return snapshot.retainedSizes.length;
	};
}

const log = console.log;
quiet();
(async () => {
	const read = await (question === 'devtools-retained' ? worker() : memlab(question === 'memlab-retained'));
	const cpu = process.cpuUsage(), start = performance.now();
	const count = await read();
	const { user, system } = process.cpuUsage(cpu);
	if (!(count > 0))
		throw new Error('no nodes');
	log(`${((performance.now() - start) / 1e3).toFixed(6)} ${((user + system) / 1e6).toFixed(6)}`);
	process.exit(0);
})().catch(error => {
	process.stderr.write(`v8_peer: ${error?.stack ?? error}\n`);
	process.exit(2);
});
