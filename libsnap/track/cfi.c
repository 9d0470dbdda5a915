/* Unwinding rules from .eh_frame (System V ABI and LSB: DWARF call frame information), for x86-64.
 *
 * The tables belong to the program that runs, and are as trustworthy as its
 * code; yet what is not understood gives no rule, and never a wrong one. */
#include <string.h>

#include "track.h"

#if defined(__x86_64__)

enum { BP = 6, SP = 7, RA = 16 };

struct bytes {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t fixed(struct bytes *b, size_t size)
{
	uint64_t value = 0;
	if (b->failed || size > (size_t)(b->end - b->at)) {
		b->failed = true;
		return 0;
	}
	memcpy(&value, b->at, size);
	b->at += size;
	return value;
}

static uint64_t uleb(struct bytes *b)
{
	uint64_t value = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = (uint8_t)fixed(b, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			return value;
	}
}

static int64_t sleb(struct bytes *b)
{
	uint64_t value = 0;
	for (unsigned shift = 0;;) {
		uint8_t byte = (uint8_t)fixed(b, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 127) << shift;
		shift += 7;
		if (byte & 128)
			continue;
		if ((byte & 64) && shift < 64)
			value |= ~(uint64_t)0 << shift;
		return (int64_t)value;
	}
}

static struct bytes part(struct bytes *b, uint64_t size)
{
	struct bytes p = {b->at, b->at, b->failed};
	if (b->failed || size > (uint64_t)(b->end - b->at)) {
		b->failed = p.failed = true;
		return p;
	}
	b->at += size;
	p.end = b->at;
	return p;
}

/* What is known at one instruction. */
struct row {
	enum track_rule_kind kind;
	int64_t cfa_offset, bp_offset;
	unsigned cfa_register;
	bool cfa_expression, bp_saved, bp_from_bp, ra_undefined, unknown;
	struct track_saved saved;
};

#define ROWS_MAX 16
struct machine {
	struct row now, initial, kept[ROWS_MAX];
	size_t kept_count;
	uint64_t code_align;
	int64_t data_align;
};

/* Where a frame keeps a register of its callers'; wanted
 * only of those that functions must leave as they were. */
static void keep(struct machine *m, uint64_t number, bool is_kept, bool from_bp, int64_t offset)
{
	struct track_saved *s = &m->now.saved;
	if (number >= RA)
		return;
	uint32_t bit = (uint32_t)1 << number;
	bool fits = offset == (int32_t)offset;
	s->from_cfa = is_kept && fits && !from_bp ? s->from_cfa | bit : s->from_cfa & ~bit;
	s->from_bp = is_kept && fits && from_bp ? s->from_bp | bit : s->from_bp & ~bit;
	s->offsets[number] = (int32_t)offset;
}

static void set_register(struct machine *m, uint64_t number, int64_t offset)
{
	keep(m, number, true, false, offset);
	if (number == BP) {
		m->now.bp_saved = true;
		m->now.bp_from_bp = false;
		m->now.bp_offset = offset;
	} else if (number == RA && offset != -8) {
		m->now.unknown = true;
	}
}

static void restore_register(struct machine *m, uint64_t number)
{
	const struct track_saved *initial = &m->initial.saved;
	if (number < RA)
		keep(m, number, ((initial->from_cfa | initial->from_bp) >> number & 1) != 0,
		     (initial->from_bp >> number & 1) != 0, initial->offsets[number]);
	if (number != BP)
		return;
	m->now.bp_saved = m->initial.bp_saved;
	m->now.bp_from_bp = m->initial.bp_from_bp;
	m->now.bp_offset = m->initial.bp_offset;
}

#define OP_DEREF 0x06
#define OP_BREG  0x70
/* A function that realigned its stack keeps the CFA at
 * a place relative to bp, and bp itself at bp + 0. */
static void cfa_expression(struct machine *m, struct bytes e)
{
	m->now.cfa_expression = true;
	m->now.unknown = fixed(&e, 1) != OP_BREG + BP;
	m->now.cfa_offset = sleb(&e);
	if (fixed(&e, 1) != OP_DEREF || e.failed || e.at != e.end)
		m->now.unknown = true;
}

static void register_expression(struct machine *m, uint64_t number, struct bytes e)
{
	bool plain = fixed(&e, 1) == OP_BREG + BP;
	int64_t offset = sleb(&e);
	plain = plain && !e.failed && e.at == e.end;
	keep(m, number, plain, true, offset);
	if (number == RA || (number == BP && !plain))
		m->now.unknown = true;
	if (number != BP)
		return;
	m->now.bp_offset = offset;
	m->now.bp_saved = m->now.bp_from_bp = true;
}

/* The register is as it was, or elsewhere than in memory. */
static void forget_register(struct machine *m, uint64_t number)
{
	keep(m, number, false, false, 0);
	m->now.bp_saved &= number != BP;
}

static void define_cfa(struct machine *m, uint64_t number, int64_t offset)
{
	m->now.cfa_register = (unsigned)number;
	m->now.cfa_offset = offset;
	if (m->now.cfa_expression)
		m->now.unknown = false;
	m->now.cfa_expression = false;
}

static void keep_or_restore(struct machine *m, bool keep)
{
	if (keep ? m->kept_count == ROWS_MAX : m->kept_count == 0)
		m->now.unknown = true;
	else if (keep)
		m->kept[m->kept_count++] = m->now;
	else
		m->now = m->kept[--m->kept_count];
}

/* The instructions that say where registers are; false for others. */
static bool set_rule(struct machine *m, uint8_t op, struct bytes *b)
{
	uint64_t number;
	switch (op) {
	case 0x05:
		number = uleb(b);
		set_register(m, number, (int64_t)uleb(b) * m->data_align);
		return true;
	case 0x06: restore_register(m, uleb(b)); return true;
	case 0x07:
		number = uleb(b);
		m->now.ra_undefined |= number == RA;
		keep(m, number, false, false, 0);
		return true;
	case 0x08: forget_register(m, uleb(b)); return true;
	case 0x09:
		number = uleb(b);
		m->now.unknown |= number == BP || number == RA;
		keep(m, number, false, false, 0);
		uleb(b);
		return true;
	case 0x0a: keep_or_restore(m, true); return true;
	case 0x0b: keep_or_restore(m, false); return true;
	case 0x0c:
		number = uleb(b);
		define_cfa(m, number, (int64_t)uleb(b));
		return true;
	case 0x0d: define_cfa(m, uleb(b), m->now.cfa_offset); return true;
	case 0x0e: m->now.cfa_offset = (int64_t)uleb(b); return true;
	case 0x0f: cfa_expression(m, part(b, uleb(b))); return true;
	case 0x10:
		number = uleb(b);
		register_expression(m, number, part(b, uleb(b)));
		return true;
	case 0x11:
		number = uleb(b);
		set_register(m, number, sleb(b) * m->data_align);
		return true;
	case 0x12:
		number = uleb(b);
		define_cfa(m, number, sleb(b) * m->data_align);
		return true;
	case 0x13: m->now.cfa_offset = sleb(b) * m->data_align; return true;
	case 0x16:
		number = uleb(b);
		part(b, uleb(b));
		m->now.unknown |= number == BP || number == RA;
		keep(m, number, false, false, 0);
		return true;
	case 0x2e: uleb(b); return true;
	case 0x00: return true;
	}
	return false;
}

/* How far an instruction moves on in the code; UINT64_MAX if it is none of these. */
static uint64_t advance(const struct machine *m, uint8_t op, struct bytes *b)
{
	switch (op) {
	case 0x02: return fixed(b, 1) * m->code_align;
	case 0x03: return fixed(b, 2) * m->code_align;
	case 0x04: return fixed(b, 4) * m->code_align;
	}
	return op >> 6 == 1 ? (op & 63u) * m->code_align : UINT64_MAX;
}

/* Executes until the row for address is complete. */
static void execute(struct machine *m, struct bytes b, uintptr_t location, uintptr_t address)
{
	while (b.at < b.end && !b.failed) {
		uint8_t op = (uint8_t)fixed(&b, 1);
		uint64_t step = advance(m, op, &b);
		if (step != UINT64_MAX) {
			location += step;
			if (location > address)
				break;
		} else if (op >> 6 == 2) {
			set_register(m, op & 63u, (int64_t)uleb(&b) * m->data_align);
		} else if (op >> 6 == 3) {
			restore_register(m, op & 63u);
		} else if (!set_rule(m, op, &b)) {
			m->now.unknown = true;
			return;
		}
	}
	m->now.unknown |= b.failed;
}

/* One entry of .eh_frame: the bytes after its length; 64-bit lengths are not used by anybody. */
static struct bytes entry_at(const uint8_t *at)
{
	uint32_t size;
	memcpy(&size, at, sizeof size);
	return (struct bytes){at + 4, at + 4 + (size < 0xfffffff0u ? size : 0),
			      size >= 0xfffffff0u || size < 4};
}

struct cie {
	struct bytes instructions;
	uint8_t pointer_size;
	bool augmented, signal, failed;
};

static uint8_t size_of_encoding(uint8_t encoding)
{
	static const uint8_t sizes[] = {8, 0, 2, 4, 8};
	return (encoding & 7) < sizeof sizes ? sizes[encoding & 7] : 0;
}

static struct cie read_cie(const uint8_t *at, struct machine *m)
{
	struct cie cie = {.pointer_size = 8};
	struct bytes b = entry_at(at);
	uint64_t id = fixed(&b, 4), version = fixed(&b, 1);
	const char *augmentation = (const char *)b.at;
	size_t size = strnlen(augmentation, (size_t)(b.end - b.at));
	part(&b, size + 1);
	m->code_align = uleb(&b);
	m->data_align = sleb(&b);
	uint64_t ra = version == 1 ? fixed(&b, 1) : uleb(&b);
	cie.augmented = *augmentation == 'z';
	struct bytes data = cie.augmented ? part(&b, uleb(&b)) : (struct bytes){0};
	for (size_t i = 1; i < size; i++) {
		uint8_t encoding = augmentation[i] == 'S' ? 0 : (uint8_t)fixed(&data, 1);
		switch (augmentation[i]) {
		case 'S': cie.signal = true; break;
		case 'R': cie.pointer_size = size_of_encoding(encoding); break;
		case 'L': break;
		case 'P':
			part(&data, size_of_encoding(encoding));
			data.failed |= (encoding & 0x70) == 0x50;
			break;
		default: data.failed = true;
		}
	}
	cie.instructions = b;
	cie.failed = b.failed || data.failed || id != 0 || (version != 1 && version != 3) ||
		     ra != RA || cie.pointer_size == 0 || (size > 0 && !cie.augmented);
	return cie;
}

/* The entry for an address by the sorted table of .eh_frame_hdr, and where its code starts. */
static const uint8_t *find_entry(const uint8_t *header, uintptr_t address, uintptr_t *start)
{
	if (header[0] != 1 || header[1] != 0x1b || header[2] != 0x03 || header[3] != 0x3b)
		return NULL;
	uint32_t count;
	memcpy(&count, header + 8, sizeof count);
	const uint8_t *table = header + 12;
	int64_t wanted = (int64_t)(address - (uintptr_t)header);
	int32_t pair[2];
	size_t low = 0, high = count; /* the last with a start not over wanted */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		memcpy(pair, table + middle * sizeof pair, sizeof pair);
		if (pair[0] <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	memcpy(pair, table + (low - 1) * sizeof pair, sizeof pair);
	*start = (uintptr_t)header + (uintptr_t)(intptr_t)pair[0];
	return header + pair[1];
}

static struct track_rule rule_of(const struct row *row)
{
	struct track_rule rule = {.kind = TRACK_RULE_UNKNOWN};
	if (row->ra_undefined) {
		rule.kind = TRACK_RULE_END;
		return rule;
	}
	if (row->unknown || row->cfa_offset != (int32_t)row->cfa_offset ||
	    (row->bp_saved && (row->bp_offset != (int16_t)row->bp_offset ||
			       (row->bp_offset == 0 && !row->bp_from_bp))))
		return rule;
	if (row->cfa_expression)
		rule.kind = TRACK_RULE_BP_AT;
	else if (row->cfa_register == SP || row->cfa_register == BP)
		rule.kind = row->cfa_register == SP ? TRACK_RULE_SP : TRACK_RULE_BP;
	rule.cfa_offset = (int32_t)row->cfa_offset;
	rule.bp_offset = row->bp_saved ? (int16_t)row->bp_offset : 0;
	rule.bp_from_bp = row->bp_saved && row->bp_from_bp;
	return rule;
}

struct track_rule track_cfi_row(uintptr_t address, const struct track_module *module,
				struct track_saved *saved)
{
	struct track_rule none = {.kind = TRACK_RULE_UNKNOWN}, outside = {.kind = TRACK_RULE_NONE};
	struct machine m = {.now = {.cfa_register = SP}};
	uintptr_t start;
	const uint8_t *at =
		module->unwind_header ? find_entry(module->unwind_header, address, &start) : NULL;
	if (!at)
		return outside;
	struct bytes entry = entry_at(at);
	const uint8_t *here = entry.at;
	uint32_t back = (uint32_t)fixed(&entry, 4);
	if (entry.failed || back == 0)
		return none;
	struct cie cie = read_cie(here - back, &m);
	if (cie.failed)
		return none;
	part(&entry, cie.pointer_size);
	uint64_t size = fixed(&entry, cie.pointer_size);
	if (cie.augmented)
		part(&entry, uleb(&entry));
	if (entry.failed)
		return none;
	if (address - start >= size)
		return outside;
	if (cie.signal)
		return (struct track_rule){.kind = TRACK_RULE_SIGNAL};
	execute(&m, cie.instructions, 0, UINTPTR_MAX);
	m.initial = m.now;
	execute(&m, entry, start, address);
	*saved = m.now.saved;
	return rule_of(&m.now);
}

#else

struct track_rule track_cfi_row(uintptr_t address, const struct track_module *module,
				struct track_saved *saved)
{
	(void)address;
	(void)module;
	(void)saved;
	return (struct track_rule){.kind = TRACK_RULE_BP};
}

#endif

struct track_rule track_cfi_rule(uintptr_t address, const struct track_module *module)
{
	struct track_saved saved;
	return track_cfi_row(address, module, &saved);
}
