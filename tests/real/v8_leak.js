// A service whose sessions stay in a cache for ever: snapshots before and after 3,000 requests.
// Usage: node v8_leak.js BEFORE AFTER [TRACED]
'use strict';
const v8 = require('v8');
const fs = require('fs');
const [before, after, traced] = process.argv.slice(2);

class Session {
	constructor(user) {
		this.user = user;
		this.cart = { items: [user.length, 2, 3], opened: 1700000000 };
	}
}
globalThis.sessionCache = new Map();
const weak = new WeakMap();

function handleRequest(i) {
	const session = new Session('user' + i + '@example.test');
	globalThis.sessionCache.set(i, session);
	weak.set(session, 'secret of a weak value ' + (i % 2));
	return session.cart.items.length;
}

for (let i = 0; i < 100; i++)
	handleRequest(i);
globalThis.secret = 'hunter2-' + 'correct horse battery staple';
v8.writeHeapSnapshot(before);
for (let i = 100; i < 3100; i++)
	handleRequest(i);
v8.writeHeapSnapshot(after);

if (traced) {
	const inspector = require('inspector');
	const session = new inspector.Session();
	session.connect();
	const out = fs.openSync(traced, 'w');
	session.on('HeapProfiler.addHeapSnapshotChunk', m => fs.writeSync(out, m.params.chunk));
	session.post('HeapProfiler.startTrackingHeapObjects', { trackAllocations: true }, () => {
		for (let i = 4000; i < 4500; i++)
			handleRequest(i);
		session.post('HeapProfiler.stopTrackingHeapObjects', { reportProgress: false }, error => {
			fs.closeSync(out);
			if (error)
				throw error;
		});
	});
}
