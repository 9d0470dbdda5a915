// Asks the developer tools of Chrome for distances and retained sizes: their own worker's code, compiled from their package.
// Usage: node v8_devtools.mjs NODE_MODULES CACHE FILE COUNT [TYPES]: prints "id distance retained size" of COUNT nodes, spread over the
// heap, and writes "bytes retained class" of all classes to TYPES.
//
// Some things that DevTools does for the eye, and a retained size is not, are left out by the words at each:
// see class Plain.  A value in a WeakMap is held by its key's edge alone: that is DevTools' own rule for dominators.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { MessageChannel } from 'node:worker_threads';

// Node.js 18 lacks what the worker uses.
for (const kind of [Array, Uint8Array, Uint32Array, Float64Array]) {
	kind.prototype.toSorted ??= function (compare) { return this.slice().sort(compare); };
	kind.prototype.toReversed ??= function () { return this.slice().reverse(); };
}

const [modules, cache, file, wanted, types] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(modules + '/typescript');
const source = modules + '/chrome-devtools-frontend/front_end';

// Compiles a module and what it imports into the cache.  Texts of the user interface are not needed.
const done = new Set();
function compile(name) {
	if (done.has(name))
		return;
	done.add(name);
	const out = path.join(cache, name.replace(/\.ts$/, '.js'));
	fs.mkdirSync(path.dirname(out), { recursive: true });
	if (name === 'core/i18n/i18n.ts') {
		fs.writeFileSync(out, "export const i18n = new Proxy({}, { get: () => () => () => '' });\n");
		return;
	}
	const text = fs.readFileSync(path.join(source, name), 'utf8');
	const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, useDefineForClassFields: false };
	const js = ts.transpileModule(text, { compilerOptions: options }).outputText;
	fs.writeFileSync(out, js);
	for (const [, to] of js.matchAll(/(?:^(?:import|export)[^;]*?from |import\()['"](\..*?)['"]/gm))
		compile(path.join(path.dirname(name), to).replace(/\.js$/, '.ts'));
}
const worker = 'entrypoints/heap_snapshot_worker/HeapSnapshot.ts';
compile(worker);
fs.writeFileSync(path.join(cache, 'package.json'), '{"type": "module"}');
const DevTools = await import(path.resolve(cache, worker.replace(/\.ts$/, '.js')));
const { TypedArrayUtilities } = await import(path.resolve(cache, 'core/platform/platform.js'));

class Plain extends DevTools.JSHeapSnapshot {
	// Distances count from the root, not from windows and globals; no bytes move from helpers to their owners.
	isUserRoot() { return false; }
	// Objects of the program do not become invisible to the runtime's own references.
	userObjectsMapAndFlag() { return null; }
	// Classes are what the heap says they are; DevTools tells them apart by where they are defined and by their properties.
	inferInterfaceDefinitions() { return []; }
	getLocation() { return null; }
	// Paths follow the references that make dominators; DevTools' paths also follow shortcuts, which repeat a longer way.
	calculateDistances(forRetainers) {
		const holds = (node, edge) => this.computeIsEssentialEdge(node.nodeIndex, edge.edgeIndex, null);
		DevTools.HeapSnapshot.prototype.calculateDistances.call(this, forRetainers, holds);
	}
}

function big(values) {
	const array = TypedArrayUtilities.createFixedBigUint32Array(values.length);
	for (let i = 0; i < values.length; i++)
		array.setValue(i, values[i]);
	return array;
}

const heap = JSON.parse(fs.readFileSync(file, 'utf8'));
const N = heap.snapshot.meta.node_fields.length, count = heap.nodes.length / N;
const ids = heap.nodes.filter((_, i) => i % N === heap.snapshot.meta.node_fields.indexOf('id'));
heap.nodes = big(heap.nodes);
heap.edges = big(heap.edges);
Promise.withResolvers ??= () => { // newer than Node 20
	const out = {};
	out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }));
	return out;
};
const { port1, port2 } = new MessageChannel();
new DevTools.SecondaryInitManager(port2);
port2.start();
const snapshot = new Plain(heap, { updateStatus() {}, updateProgress() {}, reportProblem() {} });
console.warn = () => {};
await snapshot.initialize(port1);
for (let k = 0; k < Number(wanted); k++) {
	const i = Math.floor(k * count / Number(wanted));
	const distance = snapshot.nodeDistances[i];
	const reached = distance >= 0 && distance < 100000000;
	const size = snapshot.createNode(i * N).selfSize();
	console.log(reached ? `${ids[i]}\t${distance}\t${snapshot.retainedSizes[i]}\t${size}` : `${ids[i]}\t-\t-\t${size}`);
}
if (types) {
	const classes = Object.values(snapshot.getAggregatesByClassKey(false));
	fs.writeFileSync(types, classes.map(one => `${one.self}\t${one.maxRet}\t${one.name}\n`).join(''));
}
port1.close();
port2.close();
