// Lets the TypeScript compiler check a project of FILES small files, and writes a snapshot of its heap to OUT.
// Usage: node v8_typescript.js NODE_MODULES FILES OUT
'use strict';
const [modules, files, out] = process.argv.slice(2);
const ts = require(modules + '/typescript');
const fs = require('fs');

// The compiler follows imports by recursion: they lead to no file that is far away.
const near = Math.min(files, 1300);
const sources = new Map();
for (let i = 0; i < Number(files); i++) {
	const first = i - i % near;
	const used = [...new Set([first + (i * 7 + 3) % near, first + (i * 13 + 5) % near])].filter(k => k !== i && k < files);
	sources.set(`/project/part${i}.ts`,
		used.map(k => `import { Part${k}, make${k} } from './part${k}';\n`).join('') +
		`export interface Part${i} { id: ${i}; name: string; inner: { values: number[]; next?: Part${i} } }\n` +
		`export function make${i}(name: string): Part${i} {\n` +
		`\treturn { id: ${i}, name: name.trim() + ${i}, inner: { values: [1, 2, ${i}].map(n => n * 2) } };\n}\n` +
		`export class Holder${i}<T extends Part${i}> {\n\tprivate parts = new Map<string, T>();\n` +
		`\tadd(part: T): this { this.parts.set(part.name, part); return this; }\n` +
		`\tget names(): string[] { return [...this.parts.keys()].filter(n => n.length > ${i % 9}); }\n}\n` +
		used.map((k, n) => `export const use${i}_${n}: Part${k}['inner'] = make${k}('x${i}').inner;\n`).join(''));
}

const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, strict: true, noEmit: true, types: [] };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, directoryExists, readFile } = host;
host.getSourceFile = (name, ...rest) => {
	// A stack trace makes V8 remember where the lines of the compiler begin; without, the snapshot looks for the
	// position of each of its functions from the first of nine million characters on, for many minutes.
	void new Error().stack;
	return sources.has(name) ? ts.createSourceFile(name, sources.get(name), ...rest) : getSourceFile(name, ...rest);
};
host.fileExists = name => sources.has(name) || fileExists(name);
host.directoryExists = name => name === '/project' || directoryExists(name);
host.readFile = name => sources.get(name) ?? readFile(name);


const program = ts.createProgram([...sources.keys()], options, host);
const problems = ts.getPreEmitDiagnostics(program);
if (problems.length > 0) {
	console.error(ts.formatDiagnostics(problems.slice(0, 5), host));
	process.exit(1);
}
globalThis.checkedProgram = program;
require('v8').writeHeapSnapshot(out);
