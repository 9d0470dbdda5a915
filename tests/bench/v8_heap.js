// Writes a V8 heap snapshot of about NODES nodes (default 2 million) and three times as many edges to OUT: the objects
// that a service keeps - records, maps, arrays, strings, closures - the same ones in every run.
// Usage: node v8_heap.js OUT [NODES]
'use strict';
const v8 = require('v8');
const { spawnSync } = require('child_process');

const [out, wanted = '2000000'] = process.argv.slice(2);
const nodes = Number(wanted);
if (!out || !(nodes >= 1000)) {
	console.error('usage: node v8_heap.js OUT [NODES]');
	process.exit(2);
}

// A heap of that size, and V8's picture of it, need more than the default limit.
const flag = '--max-old-space-size=' + Math.ceil(512 + nodes * 600 / 1048576);
if (!process.execArgv.includes(flag)) {
	const child = spawnSync(process.execPath, [flag, __filename, out, wanted], { stdio: 'inherit' });
	process.exit(child.status === null ? 2 : child.status);
}

// Numbers that look random and are the same every time (xorshift).
let state = 88172645;
function random(below) {
	state ^= state << 13;
	state ^= state >>> 17;
	state ^= state << 5;
	return (state >>> 0) % below | 0; // | 0: a small integer, no number object of its own
}

class Customer {
	constructor(id) {
		this.id = id;
		this.name = 'customer ' + id.toString(36);
		this.address = { street: 'street ' + random(5000), city: cities[random(cities.length)], zip: random(99999) };
		this.orders = [];
		this.tags = new Set([tags[random(tags.length)], tags[random(tags.length)]]);
	}
}

class Order {
	constructor(id, customer) {
		this.id = id;
		this.customer = customer;
		this.lines = [];
		this.total = random(1000000) / 7;
		this.note = random(4) === 0 ? 'note ' + id + ' for ' + customer.name : null;
		this.previous = null;
		for (let i = random(4); i >= 0; i--)
			this.lines.push(new Line(products[random(products.length)], random(20)));
	}
}

class Line {
	constructor(product, count) {
		this.product = product;
		this.count = count;
		this.price = product.price;
	}
}

function makeListener(order, index) {
	let calls = 0;
	return function onChange() { calls++; return order.total + index + calls; };
}

const cities = Array.from({ length: 300 }, (_, i) => 'city number ' + i);
const tags = Array.from({ length: 60 }, (_, i) => 'tag-' + i);
const products = Array.from({ length: 20000 }, (_, i) => ({
	sku: 'SKU' + (i * 7919 % 1000003), price: random(100000), rebate: i / 3, attributes: { colour: cities[i % 300], size: i % 50 },
}));

const service = {
	customers: new Map(), index: {}, listeners: [], cache: new WeakMap(), recent: null, log: [],
};
globalThis.service = service;

// One order with its share of customers, lines and listeners is about 10.3 nodes of the picture.
const orders = Math.max(10, Math.floor((nodes - 131000) / 10.25));
let previous = null;
for (let i = 0; i < orders; i++) {
	let customer;
	if (i % 8 === 0) {
		customer = new Customer(i);
		service.customers.set(customer.name, customer);
		service.index['key' + random(1000) + '.' + (i % 5000)] = customer;
	} else {
		customer = previous.customer;
	}
	const order = new Order(i, customer);
	order.previous = random(3) === 0 ? previous : null;
	customer.orders.push(order);
	if (i % 5 === 0)
		service.listeners.push(makeListener(order, i));
	if (i % 11 === 0)
		service.cache.set(order, { hits: i });
	if (i % 3 === 0)
		service.log.push({ at: i, text: 'order ' + i + ' changed by ' + tags[random(60)], level: random(3) });
	previous = order;
}
v8.writeHeapSnapshot(out);
