/* Walks stacks: by rules from .eh_frame that are kept per return address, and by stretches of
 * stacks walked before.
 *
 * What a walk comes to depends on where it begins and on the words that it reads, and on nothing
 * else while nothing is unloaded.  So a thread remembers, of stretches of its stack, which words
 * were read, and a hash of them; where it is what it was, the stretch is not unwound.  The hash
 * takes many words at once, and little of the caches, where most of the time goes; so the stretch
 * that followed last time is tried first, and checked as all others are. */
#include <string.h>
#include <ucontext.h>

#include "kept_rules.h"
#include "stack_range.h"

/* ---- one step ---- */

struct cursor {
	uintptr_t address, sp, bp;
};
/* Where a step has read; 0: it has not. */
struct reads {
	uintptr_t address_at, bp_at, cfa_at;
};
enum outcome { STEP_DONE, STEP_END, STEP_CUT };

#if defined(__x86_64__)

static __attribute__((noinline)) enum outcome step_signal(struct track_thread *self,
							  struct cursor *c)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const ucontext_t *context = (const ucontext_t *)c->sp;
	if (!readable(self, c->sp) ||
	    !readable(self, (uintptr_t)&context->uc_mcontext.gregs[REG_RIP]))
		return STEP_CUT;
	/* An instruction, not one after a call: as if it were the one before. */
	c->address = (uintptr_t)context->uc_mcontext.gregs[REG_RIP] + 1;
	c->bp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
	c->sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
	be_on_stack(self, c->sp);
	return STEP_DONE;
}

static inline enum outcome step(struct track_thread *self, struct cursor *c,
				const struct track_rule *rule, struct reads *reads)
{
	uintptr_t cfa, offset = (uintptr_t)(intptr_t)rule->cfa_offset;
	*reads = (struct reads){0};
	switch (rule->kind) {
	case TRACK_RULE_SP: cfa = c->sp + offset; break;
	case TRACK_RULE_BP: cfa = c->bp + offset; break;
	case TRACK_RULE_BP_AT:
		reads->cfa_at = c->bp + offset;
		if (!readable(self, reads->cfa_at))
			return STEP_CUT;
		cfa = load(reads->cfa_at);
		break;
	case TRACK_RULE_SIGNAL: return step_signal(self, c);
	case TRACK_RULE_END: return STEP_END;
	case TRACK_RULE_NONE: return c->bp == 0 ? STEP_END : STEP_CUT;
	default: return STEP_CUT;
	}
	if (cfa <= c->sp || cfa - c->sp > TRACK_STACK_STEP || !readable(self, cfa - sizeof cfa))
		return STEP_CUT;
	if (rule->bp_offset || rule->bp_from_bp) {
		reads->bp_at =
			(rule->bp_from_bp ? c->bp : cfa) + (uintptr_t)(intptr_t)rule->bp_offset;
		if (!readable(self, reads->bp_at))
			return STEP_CUT;
		c->bp = load(reads->bp_at);
	}
	reads->address_at = cfa - sizeof cfa;
	c->address = load(reads->address_at);
	c->sp = cfa;
	return c->address < TRACK_PAGE ? STEP_CUT : STEP_DONE;
}

#else

/* Frame records: a pair of the caller's record and the return address, where bp points. */
static inline enum outcome step(struct track_thread *self, struct cursor *c,
				const struct track_rule *rule, struct reads *reads)
{
	*reads = (struct reads){0};
	if (rule->kind != TRACK_RULE_BP || c->bp <= c->sp - 2 * sizeof c->sp ||
	    !readable(self, c->bp))
		return c->bp == 0 ? STEP_END : STEP_CUT;
	reads->bp_at = c->bp;
	reads->address_at = c->bp + sizeof c->sp;
	c->sp = c->bp + 2 * sizeof c->sp;
	c->address = load(reads->address_at);
	c->bp = load(reads->bp_at);
	return c->address < TRACK_PAGE ? STEP_CUT : STEP_DONE;
}

#endif

/* ---- a walk ---- */

/* a stretch ends where the stack pointer comes to another page of that size */
#define STRETCH_BITS 12

struct walk {
	struct track_thread *self;
	struct cursor at;
	size_t count;
	uint64_t hash; /* a polynomial with the frames as coefficients */
};
#define HASH_BASE 0xd6e8feb86659fd93u
#define MIX       0x9e3779b97f4a7c15u

static inline uint64_t mix(uint64_t frame)
{
	uint64_t f = frame * MIX;
	return f ^ f >> 29;
}

static inline void add_frame(struct walk *w, uint64_t frame)
{
	w->hash = w->hash * HASH_BASE + mix(frame);
	w->count++;
}

/* One frame, by its rule. */
static inline enum outcome walk_one(struct walk *w, struct track_rule *rule, struct reads *reads)
{
	*rule = rule_for(w->at.address);
	add_frame(w, TRACK_FRAME(rule->module, w->at.address));
	return step(w->self, &w->at, rule, reads);
}

#define RECORD (2 * sizeof(uintptr_t))

/* Where the frame's caller is, by its record; false: there is none. */
static inline bool peek_record(const struct track_thread *self, struct cursor *c)
{
	if (c->bp < c->sp || c->bp > self->stack_high - RECORD || c->bp % sizeof c->bp != 0)
		return false;
	*c = (struct cursor){load(c->bp + sizeof c->bp), c->bp + RECORD, load(c->bp)};
	return true;
}

#if defined(__x86_64__)
#define RECORDS 32u /* of more, known stretches are faster */

static inline struct track_known *known_slot(struct track_thread *self, uintptr_t address)
{
	return &self->known[(address ^ address >> 11) % TRACK_KNOWN];
}

/* From now on the address is the one of its slot. */
static __attribute__((noinline)) bool learn(struct track_thread *self, uintptr_t address)
{
	struct track_known *known = known_slot(self, address);
	struct track_rule rule = rule_for(address);
	bool is_record = rule.kind == TRACK_RULE_BP && !rule.bp_from_bp &&
			 rule.cfa_offset == (int)RECORD && rule.bp_offset == -(int)RECORD;
	bool is_plain = rule.kind == TRACK_RULE_SP && !rule.bp_from_bp && rule.cfa_offset > 0 &&
			rule.cfa_offset % (int)sizeof address == 0;
	known->address = is_record ? address : ~address;
	if (is_record) {
		known->mixed = mix(TRACK_FRAME(rule.module, address));
	} else {
		known->size = is_plain ? (uint32_t)rule.cfa_offset : 0;
		known->saves_bp = rule.bp_offset != 0;
	}
	return is_record;
}

/* As peek_record(), also of frames that have a size. */
static inline bool peek(struct track_thread *self, struct cursor *c)
{
	struct track_known *known = known_slot(self, c->address);
	if (known->address == c->address ||
	    (TRACK_UNLIKELY(known->address != ~c->address) && learn(self, c->address)))
		return peek_record(self, c);
	if (known->size == 0 || known->size > self->stack_high - c->sp)
		return false;
	c->sp += known->size;
	c->address = load(c->sp - sizeof c->sp);
	if (known->saves_bp)
		c->bp = 0;
	return true;
}

/* As long as code keeps frame pointers, by its rules, the frames are a list on the stack.  Each
 * rule is known, and the next frame does not wait for it. */
static inline void walk_records(struct walk *w)
{
	struct cursor at = w->at;
	uintptr_t last = w->self->stack_high - RECORD, before;
	uint64_t hash = 0;
	size_t count = 0;
	do {
		struct track_known *known = known_slot(w->self, at.address);
		if (at.bp < at.sp || at.bp > last || at.bp % sizeof at.bp != 0)
			break;
		if (TRACK_UNLIKELY(known->address != at.address) &&
		    (known->address == ~at.address || !learn(w->self, at.address)))
			break;
		before = at.sp;
		at.sp = at.bp + RECORD;
		at.address = load(at.bp + sizeof at.bp);
		at.bp = load(at.bp);
		hash = hash * HASH_BASE + known->mixed;
		count++;
	} while (count < RECORDS || (at.sp ^ before) >> STRETCH_BITS == 0);
	w->at = at;
	w->hash = hash;
	w->count = count;
}
#else
static inline void walk_records(struct walk *w)
{
	(void)w;
}

static inline bool peek(const struct track_thread *self, struct cursor *c)
{
	return peek_record(self, c);
}
#endif

/* ---- stretches ---- */

#define STRETCH_WORDS 128u
#define PEEK          2u /* frames that are looked at to find one: many begin at the same place */
#define WAYS          4u

struct site {
	uint64_t hash;
	uint32_t check, node; /* of one that is new: where it begins */
};

/* Followed by where the words are that were read, in words from sp.  Those that point into the
 * stack count from there, too, so that it does not matter where a stretch lies. */
struct stretch {
	struct cursor from;   /* bp, from sp, matters only if it uses_bp */
	uintptr_t to;         /* an address */
	uint32_t size, bp_at; /* bytes; 1 + where from sp the base pointer was saved, 0: nowhere */
	uint64_t hash, power; /* what the hash before is multiplied by */
	/* of the words that were read, were it at 0, and what that grows by for each byte up */
	uint64_t sum, slope;
	uint16_t frames, words;
	bool uses_bp, ended; /* ended: at the outermost frame */
	uint32_t next;       /* the stretch after it, last time */
	struct heir {
		uint32_t place, mark;
	} heir;           /* the one that the next walk began with, last time */
	struct site site; /* of the last walk that began with it */
};

static inline struct stretch *stretch_at(const struct track_thread *self, uint32_t place)
{
	return (struct stretch *)(self->stretches + place);
}

/* A hash of words, as whole stacks have one, in lanes, of which none waits for another.  It is
 * linear: that of words which all grow by the same is known. */
#define LANES 4u

static inline uint64_t sum_of(const uint64_t lanes[LANES])
{
	return (lanes[0] * MIX + lanes[1]) * (MIX * MIX) + (lanes[2] * MIX + lanes[3]);
}

static inline bool same_words(const struct stretch *s, uintptr_t sp)
{
	const uint16_t *offsets = (const uint16_t *)(s + 1);
	const uint64_t *stack = (const uint64_t *)sp; /* NOLINT(performance-no-int-to-ptr) */
	uint64_t a = 0, b = 0, c = 0, d = 0; /* an array would be a vector, which cannot multiply */
	for (const uint16_t *end = offsets + s->words; offsets < end; offsets += LANES) {
		a = a * HASH_BASE + stack[offsets[0]];
		b = b * HASH_BASE + stack[offsets[1]];
		c = c * HASH_BASE + stack[offsets[2]];
		d = d * HASH_BASE + stack[offsets[3]];
	}
	return sum_of((const uint64_t[]){a, b, c, d}) == s->sum + s->slope * sp;
}

static inline bool is_here(const struct walk *w, const struct stretch *s)
{
	return s->from.address == w->at.address &&
	       (!s->uses_bp || s->from.bp - s->from.sp == w->at.bp - w->at.sp) &&
	       s->size <= w->self->stack_high - w->at.sp && same_words(s, w->at.sp);
}

static inline void follow(struct walk *w, const struct stretch *s)
{
	w->hash = w->hash * s->power + s->hash;
	w->count += s->frames;
	w->at = (struct cursor){s->to, w->at.sp + s->size,
				s->bp_at ? load(w->at.sp + s->bp_at - 1) : w->at.bp};
}

static inline uint32_t *ways_of(const struct walk *w)
{
	struct cursor at = w->at;
	uint64_t h = at.address ^ at.sp << 20;
	for (unsigned i = 0; i < PEEK && peek(w->self, &at); i++)
		h = h * HASH_BASE + at.address;
	h *= MIX;
	return &w->self->stretch_index[(h >> 32) % (TRACK_STRETCHES / WAYS) * WAYS];
}

/* The place of a stretch that begins here; 0: none is known. */
static inline uint32_t find_stretch(const struct walk *w, uint32_t before)
{
	uint32_t next = before ? stretch_at(w->self, before)->next : 0;
	if (next && is_here(w, stretch_at(w->self, next)))
		return next;
	const uint32_t *ways = ways_of(w);
	for (unsigned i = 0; i < WAYS && ways[i]; i++)
		if (is_here(w, stretch_at(w->self, ways[i])))
			return ways[i];
	return 0;
}

struct recording {
	struct stretch made;
	uint64_t lanes[LANES], slopes[LANES];
	uint16_t offsets[STRETCH_WORDS];
	uintptr_t end;   /* of what was read */
	uintptr_t bp_at; /* where bp is from; 0: it is that of the begin */
	bool bp_is_noted, failed;
};

static void note(struct recording *r, uintptr_t at, bool points)
{
	uintptr_t offset = at - r->made.from.sp;
	if (offset / sizeof at > UINT16_MAX || r->made.words == STRETCH_WORDS) {
		r->failed = true;
		return;
	}
	unsigned lane = r->made.words % LANES;
	r->lanes[lane] = r->lanes[lane] * HASH_BASE + load(at);
	r->slopes[lane] = r->slopes[lane] * HASH_BASE + points;
	r->offsets[r->made.words++] = (uint16_t)(offset / sizeof at);
	if (at + sizeof at > r->end)
		r->end = at + sizeof at;
}

static void note_step(struct recording *r, const struct track_rule *rule, const struct reads *reads)
{
	if (rule->kind != TRACK_RULE_SP || rule->bp_from_bp) {
		r->made.uses_bp |= r->bp_at == 0;
		if (r->bp_at && !r->bp_is_noted)
			note(r, r->bp_at, true);
		r->bp_is_noted = true;
	}
	if (reads->cfa_at)
		note(r, reads->cfa_at, true);
	note(r, reads->address_at, false);
	if (reads->bp_at) {
		r->bp_at = reads->bp_at;
		r->bp_is_noted = false;
		r->failed |= r->bp_at < r->made.from.sp;
		if (r->bp_at + sizeof r->bp_at > r->end)
			r->end = r->bp_at + sizeof r->bp_at;
	}
}

static void forget_stretches(struct track_thread *self)
{
	memset(self->stretch_index, 0, sizeof self->stretch_index);
	self->stretches_used = sizeof(struct stretch); /* no place is 0 */
	self->stretch_last = 0;
}

/* 0: there is no room for it. */
static uint32_t keep_stretch(struct track_thread *self, struct recording *r, uint32_t *ways)
{
	while (r->made.words % LANES)
		note(r, r->made.from.sp + r->offsets[r->made.words - 1] * sizeof r->end, false);
	r->made.slope = sum_of(r->slopes);
	r->made.sum = sum_of(r->lanes) - r->made.slope * r->made.from.sp;
	size_t size = sizeof r->made + r->made.words * sizeof *r->offsets;
	if (r->failed || r->made.frames == 0 || r->end - r->made.from.sp > r->made.size)
		return 0;
	if (!self->stretches && !(self->stretches = track_map(TRACK_STRETCH_BYTES)))
		return 0;
	if (size > TRACK_STRETCH_BYTES - self->stretches_used)
		forget_stretches(self);
	uint32_t place = self->stretches_used;
	struct stretch *s = stretch_at(self, place);
	*s = r->made;
	memcpy(s + 1, r->offsets, r->made.words * sizeof *r->offsets);
	self->stretches_used += (uint32_t)size;
	memmove(ways + 1, ways, (WAYS - 1) * sizeof *ways);
	ways[0] = place;
	return place;
}

static uint64_t power_of(size_t frames)
{
	uint64_t power = 1;
	while (frames-- > 0)
		power *= HASH_BASE;
	return power;
}

/* Walks to the end of a stretch and remembers it; *place: where, or 0. */
static __attribute__((noinline)) enum outcome walk_new_stretch(struct walk *w, uint32_t *place)
{
	struct walk start = *w, end;
	struct recording r;
	enum outcome outcome;
	r.made = (struct stretch){.from = w->at};
	memset(r.lanes, 0, sizeof r.lanes);
	memset(r.slopes, 0, sizeof r.slopes);
	r.end = w->at.sp;
	r.bp_at = 0;
	r.bp_is_noted = r.failed = false;
	w->hash = 0;
	do {
		struct track_rule rule;
		struct reads reads;
		end = *w;
		outcome = walk_one(w, &rule, &reads);
		r.made.ended = rule.kind == TRACK_RULE_END;
		if (!r.made.ended && (outcome != STEP_DONE || rule.kind == TRACK_RULE_SIGNAL))
			break; /* more than words on the stack was looked at */
		if (!r.made.ended)
			note_step(&r, &rule, &reads);
		end = *w;
	} while (outcome == STEP_DONE && !r.failed && r.made.words < STRETCH_WORDS - 3 &&
		 (w->at.sp ^ start.at.sp) >> STRETCH_BITS == 0);
	r.made.to = end.at.address;
	r.made.size = (uint32_t)(end.at.sp - start.at.sp);
	r.made.bp_at = r.bp_at ? (uint32_t)(r.bp_at - start.at.sp) + 1 : 0;
	r.made.hash = end.hash;
	r.made.power = power_of(end.count - start.count);
	r.made.frames = (uint16_t)(end.count - start.count);
	*place = keep_stretch(w->self, &r, ways_of(&start));
	w->hash += start.hash * power_of(w->count - start.count);
	return outcome;
}

/* The first stretch of a walk.  Programs do again what they did before: what came after the one
 * before is tried first. */
static inline uint32_t find_first(const struct walk *w, uint32_t mark)
{
	uint32_t last = w->self->stretch_last;
	struct heir heir = last ? stretch_at(w->self, last)->heir : (struct heir){0, 0};
	if (heir.place && heir.mark == mark && is_here(w, stretch_at(w->self, heir.place)))
		return heir.place;
	return find_stretch(w, 0);
}

static inline void note_first(struct track_thread *self, uint32_t place, uint32_t mark)
{
	struct heir *heir = self->stretch_last ? &stretch_at(self, self->stretch_last)->heir : NULL;
	if (heir && heir->place != place)
		*heir = (struct heir){place, mark};
	self->stretch_last = place;
}

static inline enum outcome walk_on(struct walk *w)
{
	uint32_t mark = (uint32_t)((w->at.address ^ w->at.sp << 16) * HASH_BASE >> 32);
	uint32_t place = find_first(w, mark), before = 0;
	for (bool is_first = true;; is_first = false, place = find_stretch(w, before)) {
		enum outcome outcome = STEP_DONE;
		if (TRACK_LIKELY(place != 0)) {
			const struct stretch *s = stretch_at(w->self, place);
			follow(w, s);
			outcome = s->ended ? STEP_END : STEP_DONE;
		} else {
			outcome = walk_new_stretch(w, &place);
			if (before && before < place)
				stretch_at(w->self, before)->next = place;
		}
		if (is_first)
			note_first(w->self, place, mark);
		if (outcome != STEP_DONE)
			return outcome;
		if (TRACK_UNLIKELY(w->count > track_settings.depth))
			return STEP_CUT;
		before = place;
	}
}

/* ---- a site ---- */

static inline struct site site_of(const struct walk *w, enum outcome outcome, uint32_t domain,
				  uintptr_t caller)
{
	struct site site = {.node = outcome == STEP_END ? TRACK_ROOT : TRACK_TRUNCATED};
	uint64_t whose = mix((uint64_t)w->self->number << 32 | domain);
	uint64_t hash = (w->hash ^ whose) * HASH_BASE + site.node;
	site.hash = (hash ^ hash >> 32) | 1;
	site.check = (uint32_t)caller ^ (uint32_t)w->count << 20;
	return site;
}

static inline struct walk walk_from(struct track_thread *self, const uintptr_t *frame)
{
	return (struct walk){.self = self, .at = {frame[1], (uintptr_t)(frame + 2), frame[0]}};
}

/* Of a stack that is not known yet, or has more frames than are kept. */
static __attribute__((noinline)) uint32_t make_site(struct track_thread *self,
						    const uintptr_t *frame, uint32_t domain)
{
	struct walk w = walk_from(self, frame);
	enum outcome outcome = STEP_DONE;
	be_on_stack(self, w.at.sp);
	while (outcome == STEP_DONE && w.count < track_settings.depth) {
		struct track_rule rule;
		struct reads reads;
		uintptr_t address = w.at.address;
		size_t at = w.count;
		outcome = walk_one(&w, &rule, &reads);
		self->frames[at] = TRACK_FRAME(rule.module, address);
	}
	self->is_deep = outcome == STEP_DONE;
	struct site site = site_of(&w, outcome, domain, frame[1]);
	uint32_t node = track_site_find(site.hash, site.check);
	if (node != 0)
		return node;
	node = site.node;
	for (size_t i = w.count; i-- > 0;)
		node = track_node(node, self->frames[i]);
	if (self->number != 0)
		node = track_node(node, TRACK_FRAME(TRACK_THREAD_MODULE, self->number));
	if (domain != 0)
		node = track_node(node, TRACK_FRAME(TRACK_DOMAIN_MODULE, domain));
	track_site_add(site.hash, site.check, node);
	return node;
}

uint32_t track_walk(struct track_thread *self, const uintptr_t *frame, uint32_t domain)
{
	struct walk w = walk_from(self, frame);
	uint32_t now = atomic_load_explicit(&track_rules_epoch, memory_order_acquire);
	if (TRACK_UNLIKELY(self->epoch != now)) {
		self->epoch = now;
		memset(self->known, 0, sizeof self->known);
		forget_stretches(self);
	}
	if (TRACK_UNLIKELY(self->is_deep))
		return make_site(self, frame, domain);
	be_on_stack(self, w.at.sp);
	walk_records(&w);
	enum outcome outcome = TRACK_LIKELY(w.at.address >= TRACK_PAGE) ? walk_on(&w) : STEP_CUT;
	if (TRACK_UNLIKELY(w.count > track_settings.depth))
		return make_site(self, frame, domain);
	struct site site = site_of(&w, outcome, domain, frame[1]), *kept = NULL;
	if (self->stretch_last) {
		kept = &stretch_at(self, self->stretch_last)->site;
		if (TRACK_LIKELY(kept->hash == site.hash && kept->check == site.check))
			return kept->node;
	}
	uint32_t node = track_site_find(site.hash, site.check);
	site.node = TRACK_LIKELY(node != 0) ? node : make_site(self, frame, domain);
	if (kept)
		*kept = site;
	return site.node;
}
