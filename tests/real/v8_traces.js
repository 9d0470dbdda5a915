// Counts, independently of the importer, what each line of a script allocated according to the traces in a dump.
// Usage: node v8_traces.js DUMP; prints bytes, count, script and line, tab-separated.
'use strict';
const fs = require('fs');
const dump = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { meta } = dump.snapshot;
const at = (fields, name) => fields.indexOf(name);

const functionFields = meta.trace_function_info_fields;
const places = [];
for (let i = 0; i < dump.trace_function_infos.length; i += functionFields.length)
	places.push({
		script: dump.strings[dump.trace_function_infos[i + at(functionFields, 'script_name')]],
		line: dump.trace_function_infos[i + at(functionFields, 'line')],
	});

const treeFields = meta.trace_node_fields;
const placeOf = new Map();
const work = [dump.trace_tree];
while (work.length) {
	const nodes = work.pop();
	for (let i = 0; i < nodes.length; i += treeFields.length) {
		placeOf.set(nodes[i + at(treeFields, 'id')], places[nodes[i + at(treeFields, 'function_info_index')]]);
		work.push(nodes[i + at(treeFields, 'children')]);
	}
}

const sums = new Map();
for (let i = 0; i < dump.nodes.length; i += meta.node_fields.length) {
	const place = placeOf.get(dump.nodes[i + at(meta.node_fields, 'trace_node_id')]);
	if (!place || !place.script)
		continue;
	const key = `${place.script}\t${place.line}`;
	const sum = sums.get(key) || { bytes: 0, count: 0 };
	sum.bytes += dump.nodes[i + at(meta.node_fields, 'self_size')];
	sum.count++;
	sums.set(key, sum);
}
for (const [key, { bytes, count }] of sums)
	console.log(`${bytes}\t${count}\t${key}`);
