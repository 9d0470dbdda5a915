// Counts what is in a heap snapshot of V8, with nothing of this project: the numbers that snap-import must keep.
//   node v8_count.js counts FILE               nodes, edges, bytes
//   node v8_count.js types FILE                bytes, objects and name of each class
//   node v8_count.js same FILE DUMP            compares every node and edge with the text that snap-dump printed
//   node v8_count.js roots FILE DUMP           bytes, objects and label of each group of roots
//   node v8_count.js paths FILE COUNT          id and distance from the root of COUNT nodes, spread over the heap
'use strict';
const fs = require('fs');

const [what, file, argument] = process.argv.slice(2);
const heap = JSON.parse(fs.readFileSync(file, 'utf8'));
const { nodes, edges, strings } = heap;
const { meta } = heap.snapshot;
const nodeTypes = meta.node_types[meta.node_fields.indexOf('type')];
const edgeTypes = meta.edge_types[meta.edge_fields.indexOf('type')];
const N = meta.node_fields.length, E = meta.edge_fields.length;
const count = nodes.length / N;
const at = Object.fromEntries(meta.node_fields.map((field, i) => [field, i]));
const edgeAt = Object.fromEntries(meta.edge_fields.map((field, i) => [field, i]));

const typeOf = i => nodeTypes[nodes[i * N + at.type]];
const nameOf = i => strings[nodes[i * N + at.name]];
const sizeOf = i => nodes[i * N + at.self_size];
const idOf = i => nodes[i * N + at.id];

// The class that DevTools shows.
function className(i) {
	const type = typeOf(i), name = nameOf(i);
	switch (type) {
	case 'hidden': return '(system)';
	case 'code': return '(compiled code)';
	case 'closure': return 'Function';
	case 'regexp': return 'RegExp';
	case 'object': case 'native':
		if (name.startsWith('<') || name.startsWith('Detached <')) {
			const space = name.indexOf(' ', name.startsWith('<') ? 0 : 10);
			return space < 0 ? name : name.slice(0, space) + '>';
		}
		return name;
	case 'synthetic': return name || '(root)'; // DevTools: "(synthetic)"; here a set of roots is its own class
	default: return '(' + type + ')';
	}
}

// Where the edges of each node begin.
const first = new Uint32Array(count + 1);
for (let i = 0; i < count; i++)
	first[i + 1] = first[i] + nodes[i * N + at.edge_count];
const root = (heap.snapshot.root_index || 0) / N;
const pair = /^\d+ \/ part of key \(.*? @\d+\) -> value \(.*? @\d+\) pair in WeakMap \(table @(\d+)\)$/s;

// Does edge e of node i hold its target?  Shortcuts do from the root only; of the two edges to a value in a WeakMap
// the key's does, as in DevTools.
function holds(i, e) {
	const type = edgeTypes[edges[e * E + edgeAt.type]];
	if (type === 'weak')
		return false;
	if (type === 'shortcut')
		return i === root;
	if (type === 'internal') {
		const match = pair.exec(strings[edges[e * E + edgeAt.name_or_index]]);
		return !match || Number(match[1]) !== idOf(i);
	}
	return true;
}

// Breadth first from the root: visit(i, parent).  targets(i) are the nodes that i holds; of the nodes at one distance,
// that with the lowest rowOf() comes first, and so is the parent.
function search(targets, rowOf, visit) {
	const seen = new Uint8Array(count);
	seen[root] = 1;
	visit(root, -1);
	for (let level = [root]; level.length > 0;) {
		const next = [];
		for (const i of level.sort((a, b) => rowOf(a) - rowOf(b)))
			for (const to of targets(i)) {
				if (seen[to])
					continue;
				seen[to] = 1;
				next.push(to);
				visit(to, i);
			}
		level = next;
	}
}

function targetsInFile(i) {
	const targets = [];
	for (let e = first[i]; e < first[i + 1]; e++)
		if (holds(i, e))
			targets.push(edges[e * E + edgeAt.to_node] / N);
	return targets;
}

// Edge e of node i as snap-dump shall print it: {field: "name", to: 0x1}.
const dumpKinds = {
	context: 'local', element: 'element', property: 'field', internal: 'internal', hidden: 'hidden',
	shortcut: 'shortcut', weak: 'weak',
};
const quote = s => JSON.stringify(s);
function dumpedEdge(i, e) {
	const type = edgeTypes[edges[e * E + edgeAt.type]], name = edges[e * E + edgeAt.name_or_index];
	let kind = dumpKinds[type], label = name;
	if (type === 'context' || type === 'property') {
		label = quote(strings[name]);
	} else if (type !== 'element' && type !== 'hidden') {
		const match = pair.exec(strings[name]);
		label = match ? quote(`pair in WeakMap (table @${match[1]})`) : quote(strings[name]);
		if (/^(0|[1-9]\d{0,9})$/.test(strings[name]) && Number(strings[name]) < 2 ** 32)
			label = strings[name];
		if (match && type === 'internal' && Number(match[1]) === idOf(i))
			kind = 'ephemeron';
		if (type === 'shortcut' && i === root)
			kind = 'internal';
	}
	return `{${kind}: ${label}, to: 0x${idOf(edges[e * E + edgeAt.to_node] / N).toString(16)}}`;
}

// The objects of a dump: {line, references} by id, in the order of the dump.
function readDump(path) {
	const objects = new Map();
	let object = null;
	const text = fs.readFileSync(path, 'utf8');
	for (let from = text.indexOf('\nobjects:\n') + 10, to; from > 9 && from < text.length; from = to + 1) {
		to = text.indexOf('\n', from);
		const line = text.slice(from, to);
		const start = /^- \{id: 0x([0-9a-f]+),/.exec(line);
		if (start) {
			object = { line, references: [] };
			objects.set(parseInt(start[1], 16), object);
			continue;
		}
		const reference = /^ {4}(\{.*?to: (0x[0-9a-f]+|0)\})(,|\]\})$/.exec(line);
		if (!reference)
			break;
		if (reference[2] !== '0') // an index that no edge has
			object.references.push(reference[1]);
	}
	return objects;
}

function fail(message) {
	console.error(message);
	process.exit(1);
}

// Every object and reference of the dump is a node and edge of the heap, and the other way round.
function compareWithDump(objects) {
	if (objects.size !== count)
		fail(`${objects.size} objects, but ${count} nodes`);
	for (let i = 0; i < count; i++) {
		const object = objects.get(idOf(i));
		if (!object)
			fail(`no object ${idOf(i)}`);
		const size = /, size: (\d+)/.exec(object.line);
		if (!object.line.includes(`, type: ${quote(className(i))}`) || Number(size ? size[1] : 0) !== sizeOf(i))
			fail(`object ${idOf(i)}, ${className(i)} of ${sizeOf(i)} bytes, is: ${object.line}`);
		const wanted = [];
		for (let e = first[i]; e < first[i + 1]; e++)
			wanted.push(dumpedEdge(i, e));
		// The dump lists indexed references last; among themselves, labels and indexes keep their order.
		const got = object.references.slice().sort().join('\n');
		if (got !== wanted.sort().join('\n'))
			fail(`object ${idOf(i)} has\n${got}\nbut its node has\n${wanted.join('\n')}`);
	}
}

// Sums as "bytes count name", by name.
function print(sums) {
	const escape = s => s.replace(/[\\\n\t\r]/g, c => ({ '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' })[c]);
	const lines = [...sums].map(([name, { bytes, objects }]) => `${bytes}\t${objects}\t${escape(name)}`);
	process.stdout.write(lines.sort().join('\n') + '\n');
}

function add(sums, name, bytes) {
	const sum = sums.get(name) || { bytes: 0, objects: 0 };
	sum.bytes += bytes;
	sum.objects++;
	sums.set(name, sum);
}

if (what === 'counts') {
	let bytes = 0;
	for (let i = 0; i < count; i++)
		bytes += sizeOf(i);
	console.log(`${count}\t${edges.length / E}\t${bytes}`);
} else if (what === 'types') {
	const sums = new Map();
	for (let i = 0; i < count; i++)
		add(sums, className(i), sizeOf(i));
	print(sums);
} else if (what === 'same') {
	compareWithDump(readDump(argument));
	console.log(`${count} nodes and ${edges.length / E} edges are the same`);
} else if (what === 'roots') {
	// Of several shortest paths the one by the lowest rows counts: rows are those of the dump, whose references are
	// first shown to be the heap's own.  A set of roots starts a group within the one that reached it.
	const objects = readDump(argument);
	compareWithDump(objects);
	const nodes = new Map();
	for (let i = 0; i < count; i++)
		nodes.set(idOf(i), i);
	const rows = new Uint32Array(count);
	[...objects.keys()].forEach((id, row) => { rows[nodes.get(id)] = row; });
	const holding = /^\{(field|element|internal|hidden|local)[:,]/;
	const targets = i => objects.get(idOf(i)).references.filter(r => holding.test(r))
		.map(r => nodes.get(parseInt(/0x([0-9a-f]+)\}$/.exec(r)[1], 16)));
	const group = new Array(count).fill('');
	search(targets, i => rows[i], (i, parent) => {
		group[i] = parent < 0 ? '(root)' : group[parent];
		if (parent >= 0 && typeOf(i) === 'synthetic')
			group[i] += '/' + className(i);
	});
	const sums = new Map();
	for (let i = 0; i < count; i++)
		add(sums, group[i], sizeOf(i));
	print(sums);
} else if (what === 'paths') {
	const distance = new Int32Array(count).fill(-1);
	search(targetsInFile, i => i, (i, parent) => { distance[i] = parent < 0 ? 0 : distance[parent] + 1; });
	const wanted = Number(argument);
	for (let k = 0; k < wanted; k++) {
		const i = Math.floor(k * count / wanted);
		console.log(`${idOf(i)}\t${distance[i]}`);
	}
} else {
	console.error('usage: node v8_count.js counts|types FILE, same|roots FILE DUMP or paths FILE COUNT');
	process.exit(2);
}
