/* Walks stacks: by rules from .eh_frame that are kept per return address, and by what the thread's last stack was.
 *
 * A frame is the same as in the last stack if its return address, stack pointer and (where it matters) base
 * pointer are; from there, each caller is known to be the same when the slots that a walk would have read hold what
 * they held.  So the unchanged outer part of a stack is compared, not unwound, and keeps its node. */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "track.h"

#define RULES_MIN  (1u << 13)
#define PAGE       4096u
#define STACK_STEP ((uintptr_t)1 << 26) /* no frame is larger */

/* ---- rules, by return address ---- */

/* A rule in one word, so that it is read whole. */
struct kept_rule {
	_Atomic uintptr_t address;
	_Atomic uint64_t rule;
};
struct rules {
	uintptr_t mask;
	uint32_t count;
	struct kept_rule slots[];
};
static struct rules *_Atomic current;
static struct track_lock lock;
static _Atomic uint32_t epoch = 1;

_Static_assert(TRACK_RULE_SIGNAL < 8, "three bits");
static uint64_t pack(const struct track_rule *r)
{
	return (uint64_t)(uint32_t)(r->cfa_offset & 0xfffffff) << 36 | (uint64_t)(uint16_t)r->bp_offset << 20 |
	       (uint64_t)r->module << 4 | (uint64_t)r->bp_from_bp << 3 | (uint64_t)r->kind;
}

static inline struct track_rule unpack(uint64_t word)
{
	return (struct track_rule){
		.kind = (enum track_rule_kind)(word & 7),
		.bp_from_bp = word >> 3 & 1,
		.module = (uint16_t)(word >> 4),
		.bp_offset = (int16_t)(word >> 20),
		.cfa_offset = (int32_t)((int64_t)word >> 36),
	};
}

static inline uintptr_t slot_of(uintptr_t address)
{
	uint64_t h = (uint64_t)address * 0x9e3779b97f4a7c15u;
	return (uintptr_t)(h >> 32);
}

static void rules_put(struct rules *rules, uintptr_t address, uint64_t word)
{
	uintptr_t i = slot_of(address) & rules->mask;
	while (atomic_load_explicit(&rules->slots[i].address, memory_order_relaxed))
		i = (i + 1) & rules->mask;
	atomic_store_explicit(&rules->slots[i].rule, word, memory_order_relaxed);
	atomic_store_explicit(&rules->slots[i].address, address, memory_order_release);
	rules->count++;
}

static struct rules *larger_rules(const struct rules *old)
{
	uintptr_t size = old ? (old->mask + 1) * 2 : RULES_MIN;
	struct rules *new = track_map(sizeof *new + size * sizeof *new->slots);
	if (!new)
		return NULL;
	new->mask = size - 1;
	for (uintptr_t i = 0; old && i <= old->mask; i++) {
		uintptr_t address = atomic_load_explicit(&old->slots[i].address, memory_order_relaxed);
		if (address)
			rules_put(new, address, atomic_load_explicit(&old->slots[i].rule, memory_order_relaxed));
	}
	atomic_store_explicit(&current, new, memory_order_release);
	return new;
}

static struct track_rule make_rule(uintptr_t address)
{
	struct track_rule rule = {.kind = TRACK_RULE_UNKNOWN};
	uint32_t module = track_module_of(address - 1);
	if (module == TRACK_NO_MODULE || module >= TRACK_DOMAIN_MODULE)
		return rule;
	rule = track_cfi_rule(address - 1, track_module_at(module));
	if (rule.cfa_offset != (rule.cfa_offset << 4) >> 4)
		rule.kind = TRACK_RULE_UNKNOWN;
	rule.module = (uint16_t)module;
	return rule;
}

static __attribute__((noinline)) struct track_rule add_rule(uintptr_t address)
{
	struct track_rule rule = make_rule(address);
	track_lock(&lock);
	struct rules *rules = atomic_load_explicit(&current, memory_order_relaxed);
	if (!rules || rules->count * 2u > rules->mask)
		rules = larger_rules(rules);
	if (rules)
		rules_put(rules, address, pack(&rule));
	track_unlock(&lock);
	return rule;
}

/* Rules may be forgotten, and the slot used anew, at any moment: then what was read is not believed. */
static inline bool read_rule(const struct kept_rule *kept, uintptr_t address, uint64_t *word)
{
	if (atomic_load_explicit(&kept->address, memory_order_acquire) != address)
		return false;
	*word = atomic_load_explicit(&kept->rule, memory_order_acquire);
	return atomic_load_explicit(&kept->address, memory_order_relaxed) == address;
}

static inline struct track_rule rule_for(uintptr_t address)
{
	const struct rules *rules = atomic_load_explicit(&current, memory_order_acquire);
	if (TRACK_UNLIKELY(!rules))
		return add_rule(address);
	for (uintptr_t i = slot_of(address) & rules->mask;; i = (i + 1) & rules->mask) {
		uint64_t word;
		if (TRACK_LIKELY(read_rule(&rules->slots[i], address, &word)))
			return unpack(word);
		if (atomic_load_explicit(&rules->slots[i].address, memory_order_relaxed) == 0)
			return add_rule(address);
	}
}

/* Rules of what is still loaded are made again. */
void track_unwind_forget(void)
{
	track_lock(&lock);
	struct rules *rules = atomic_load_explicit(&current, memory_order_relaxed);
	for (uintptr_t i = 0; rules && i <= rules->mask; i++)
		atomic_store_explicit(&rules->slots[i].address, 0, memory_order_release);
	if (rules)
		rules->count = 0;
	atomic_fetch_add_explicit(&epoch, 1, memory_order_release);
	track_unlock(&lock);
}

/* ---- what may be read ---- */

extern void *__libc_stack_end __attribute__((weak));

static bool mapped(uintptr_t from, uintptr_t to)
{
	unsigned char state[64];
	for (from &= ~(uintptr_t)(PAGE - 1); from < to; from += sizeof state * PAGE) {
		uintptr_t size = to - from < sizeof state * PAGE ? to - from : sizeof state * PAGE;
		if (syscall(SYS_mincore, from, size, state) != 0)
			return false;
	}
	return true;
}

/* Where the thread's stack ends, if it is on that. */
static uintptr_t usual_end(const struct track_thread *self)
{
	if (self->number != 0)
		return (uintptr_t)__builtin_thread_pointer();
	uintptr_t end = &__libc_stack_end ? (uintptr_t)__libc_stack_end : 0;
	return (end + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
}

static __attribute__((noinline)) void find_stack(struct track_thread *self, uintptr_t sp)
{
	uintptr_t end = usual_end(self);
	self->stack_low = sp & ~(uintptr_t)(PAGE - 1);
	self->stack_high = self->stack_low + PAGE;
	if (sp < end && end - sp < STACK_STEP && mapped(sp, end))
		self->stack_high = end;
}

static __attribute__((noinline)) bool extend_stack(struct track_thread *self, uintptr_t address)
{
	uintptr_t to = (address + 2 * sizeof address + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	if (address < self->stack_high || to - self->stack_high > STACK_STEP || !mapped(self->stack_high, to))
		return false;
	self->stack_high = to;
	return true;
}

static inline bool readable(struct track_thread *self, uintptr_t address)
{
	if (TRACK_LIKELY(address >= self->stack_low && address < self->stack_high - sizeof address))
		return address % sizeof address == 0;
	return address % sizeof address == 0 && address >= self->stack_low && extend_stack(self, address);
}

static inline uintptr_t load(uintptr_t address)
{
	return *(const uintptr_t *)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- one step ---- */

struct cursor {
	uintptr_t address, sp, bp, bp_slot;
	bool fixed, signal;
};
enum outcome { STEP_DONE, STEP_END, STEP_CUT };

#if defined(__x86_64__)

static __attribute__((noinline)) enum outcome step_signal(struct track_thread *self, struct cursor *c)
{
	const ucontext_t *context = (const ucontext_t *)c->sp; /* NOLINT(performance-no-int-to-ptr) */
	if (!readable(self, c->sp) || !readable(self, (uintptr_t)&context->uc_mcontext.gregs[REG_RIP]))
		return STEP_CUT;
	/* An instruction, not one after a call: as if it were the one before. */
	c->address = (uintptr_t)context->uc_mcontext.gregs[REG_RIP] + 1;
	c->bp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
	c->sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
	c->bp_slot = 0;
	c->fixed = false;
	c->signal = true;
	if (c->sp < self->stack_low || c->sp >= self->stack_high)
		find_stack(self, c->sp);
	return STEP_DONE;
}

static inline enum outcome step(struct track_thread *self, struct cursor *c, const struct track_rule *rule)
{
	uintptr_t cfa;
	c->fixed = true;
	switch (rule->kind) {
	case TRACK_RULE_SP: cfa = c->sp; break;
	case TRACK_RULE_BP: cfa = c->bp; break;
	case TRACK_RULE_BP_AT:
		if (!readable(self, c->bp + (uintptr_t)(intptr_t)rule->cfa_offset))
			return STEP_CUT;
		cfa = load(c->bp + (uintptr_t)(intptr_t)rule->cfa_offset);
		c->fixed = false;
		break;
	case TRACK_RULE_SIGNAL: return step_signal(self, c);
	case TRACK_RULE_END: return STEP_END;
	case TRACK_RULE_NONE: return c->bp == 0 ? STEP_END : STEP_CUT;
	default: return STEP_CUT;
	}
	if (rule->kind != TRACK_RULE_BP_AT)
		cfa += (uintptr_t)(intptr_t)rule->cfa_offset;
	if (cfa <= c->sp || cfa - c->sp > STACK_STEP || !readable(self, cfa - sizeof cfa))
		return STEP_CUT;
	uintptr_t bp_slot = 0;
	if (rule->bp_offset || rule->bp_from_bp) {
		bp_slot = (rule->bp_from_bp ? c->bp : cfa) + (uintptr_t)(intptr_t)rule->bp_offset;
		if (!readable(self, bp_slot))
			return STEP_CUT;
		c->bp = load(bp_slot);
	}
	c->bp_slot = bp_slot;
	c->address = load(cfa - sizeof cfa);
	c->sp = cfa;
	return c->address < PAGE ? STEP_CUT : STEP_DONE;
}

#else

/* Frame records: a pair of the caller's record and the return address, where bp points. */
static inline enum outcome step(struct track_thread *self, struct cursor *c, const struct track_rule *rule)
{
	if (rule->kind != TRACK_RULE_BP || c->bp <= c->sp - 2 * sizeof c->sp || !readable(self, c->bp))
		return c->bp == 0 ? STEP_END : STEP_CUT;
	c->bp_slot = c->bp;
	c->sp = c->bp + 2 * sizeof c->sp;
	c->address = load(c->bp_slot + sizeof c->sp);
	c->bp = load(c->bp_slot);
	c->fixed = true;
	return c->address < PAGE ? STEP_CUT : STEP_DONE;
}

#endif

/* ---- a walk ---- */

/* How many of the frames last seen, from the outermost, are still there: all below and at top, or 0 when one is
 * not.  *same: down to which frame they are (top + 1: not even the first). */
static inline bool unchanged(struct track_thread *self, const struct cursor *c, size_t top, size_t *same)
{
	struct track_seen *seen = &self->seen[top];
	*same = top + 1;
	if (TRACK_FRAME_ADDRESS(seen->frame) != c->address || (seen->bp != c->bp && seen->uses_bp))
		return false;
	seen->bp = c->bp;
	seen->bp_slot = c->bp_slot;
	seen->fixed = c->fixed;
	uintptr_t bp = c->bp;
	for (size_t i = top; i-- > 0;) {
		seen = &self->seen[i];
		*same = i + 1;
		if (!seen->fixed || load(seen->sp - sizeof seen->sp) != TRACK_FRAME_ADDRESS(seen->frame))
			return false;
		if (seen->bp_slot)
			bp = load(seen->bp_slot);
		if (bp != seen->bp && seen->uses_bp)
			return false;
		seen->bp = bp;
	}
	*same = 0;
	return true;
}

struct walk {
	struct track_thread *self;
	struct cursor at;
	size_t fresh; /* frames in self->fresh */
	size_t kept;  /* frames of self->seen that still are, from the outermost */
	size_t near;  /* those from here on lie below the cursor */
	uint32_t root;
};

static inline bool add_fresh(struct walk *w, const struct track_rule *rule)
{
	if (w->fresh == track_settings.depth)
		return false;
	w->self->fresh[w->fresh++] = (struct track_seen){
		.sp = w->at.sp,
		.bp = w->at.bp,
		.bp_slot = w->at.bp_slot,
		.frame = TRACK_FRAME(rule->module, w->at.address),
		.fixed = w->at.fixed,
		.uses_bp = rule->kind == TRACK_RULE_BP || rule->kind == TRACK_RULE_BP_AT || rule->kind == TRACK_RULE_NONE ||
			   rule->bp_from_bp,
	};
	return true;
}

/* Frames from near - 1 down to same are as they were, but not those without: they are gone through again. */
static bool repeat(struct walk *w, size_t same)
{
	for (size_t i = w->near; i-- > same;) {
		const struct track_seen *seen = &w->self->seen[i];
		if (w->fresh == track_settings.depth)
			return false;
		w->self->fresh[w->fresh++] = *seen;
		w->at = (struct cursor){TRACK_FRAME_ADDRESS(seen->frame), seen->sp, seen->bp, seen->bp_slot, seen->fixed, false};
	}
	w->near = same;
	return true;
}

/* True if the rest of the stack is known; else *next is the frame to go on from. */
static inline bool meet(struct walk *w, bool *full)
{
	const struct track_thread *self = w->self;
	while (w->near > 0 && self->seen[w->near - 1].sp < w->at.sp)
		w->near--;
	if (w->near == 0 || self->seen[w->near - 1].sp != w->at.sp || w->at.signal)
		return false;
	size_t same;
	if (unchanged(w->self, &w->at, w->near - 1, &same)) {
		w->kept = w->near;
		return true;
	}
	if (same < w->near)
		*full = !repeat(w, same);
	return false;
}

#if defined(__x86_64__)
/* Goes on while frames are plain and new; all else is left to walk_on().  What it does is what meet(), add_fresh()
 * and step() do, with everything in registers. */
static inline void hurry(struct walk *w)
{
	struct track_thread *self = w->self;
	const struct rules *rules = atomic_load_explicit(&current, memory_order_acquire);
	uintptr_t address = w->at.address, sp = w->at.sp, bp = w->at.bp, bp_slot = w->at.bp_slot;
	uintptr_t high = self->stack_high, mask = rules ? rules->mask : 0;
	struct track_seen *fresh = self->fresh + w->fresh, *end = self->fresh + track_settings.depth;
	const struct track_seen *near = self->seen + w->near;
	bool fixed = w->at.fixed;
	while (rules && fresh < end) {
		while (near > self->seen && near[-1].sp < sp)
			near--;
		if (near > self->seen && near[-1].sp == sp)
			break;
		const struct kept_rule *kept = &rules->slots[slot_of(address) & mask];
		uint64_t word;
		if (!read_rule(kept, address, &word))
			break;
		unsigned kind = (unsigned)(word & 15); /* with bp_from_bp, which is not plain */
		if (kind != TRACK_RULE_SP && kind != TRACK_RULE_BP)
			break;
		uintptr_t cfa = (kind == TRACK_RULE_SP ? sp : bp) + (uintptr_t)(intptr_t)((int64_t)word >> 36);
		intptr_t bp_offset = (int16_t)(word >> 20);
		if (cfa <= sp || cfa > high || cfa % sizeof cfa || (uintptr_t)-bp_offset > cfa - sp)
			break;
		uintptr_t caller = load(cfa - sizeof cfa);
		if (caller < PAGE)
			break;
		*fresh++ = (struct track_seen){
			.sp = sp,
			.bp = bp,
			.bp_slot = bp_slot,
			.frame = TRACK_FRAME((uint16_t)(word >> 4), address),
			.fixed = fixed,
			.uses_bp = kind == TRACK_RULE_BP,
		};
		bp_slot = bp_offset ? cfa + (uintptr_t)bp_offset : 0;
		if (bp_offset)
			bp = load(bp_slot);
		address = caller;
		sp = cfa;
		fixed = true;
	}
	w->at = (struct cursor){address, sp, bp, bp_slot, fixed, w->at.signal};
	w->fresh = (size_t)(fresh - self->fresh);
	w->near = (size_t)(near - self->seen);
}
#else
static inline void hurry(struct walk *w)
{
	(void)w;
}
#endif

static void walk_on(struct walk *w)
{
	for (;;) {
		bool full = false;
		if (!w->at.signal)
			hurry(w);
		size_t before = w->fresh;
		if (meet(w, &full))
			return;
		struct track_rule rule = rule_for(w->at.address);
		if (full || (w->fresh == before && !add_fresh(w, &rule))) {
			w->root = TRACK_TRUNCATED;
			return;
		}
		enum outcome outcome = step(w->self, &w->at, &rule);
		if (outcome == STEP_DONE)
			continue;
		w->root = outcome == STEP_END ? TRACK_ROOT : TRACK_TRUNCATED;
		return;
	}
}

/* ---- a site ---- */

/* A sum of powers: what depends on one frame is mixed apart, so that only this is done in turn. */
static inline uint64_t add_to_hash(uint64_t hash, uint64_t frame)
{
	uint64_t f = frame * 0x9e3779b97f4a7c15u;
	return hash * 0xd6e8feb86659fd93u + (f ^ f >> 29);
}

/* Of a stack that is not known yet, or whose node was forgotten. */
struct frames {
	const struct track_seen *at;
	size_t count;
};
static __attribute__((noinline)) uint32_t make_site(const struct track_thread *self, uint32_t node, struct frames outer,
						    struct frames inner, uint32_t domain)
{
	for (size_t i = 0; i < outer.count; i++)
		node = track_node(node, outer.at[i].frame);
	while (inner.count-- > 0)
		node = track_node(node, inner.at[inner.count].frame);
	if (self->number != 0)
		node = track_node(node, TRACK_FRAME(TRACK_THREAD_MODULE, self->number));
	return domain == 0 ? node : track_node(node, TRACK_FRAME(TRACK_DOMAIN_MODULE, domain));
}

/* The innermost frames that fit; the cache cannot hold such a stack. */
static __attribute__((noinline)) uint32_t cut_site(const struct walk *w, uint32_t domain)
{
	const struct track_thread *self = w->self;
	size_t known = track_settings.depth - w->fresh;
	return make_site(self, TRACK_TRUNCATED, (struct frames){&self->seen[w->kept - known], known},
			 (struct frames){self->fresh, w->fresh}, domain);
}

/* Puts the new frames of a walk on top of those that are kept. */
static inline uint64_t renew(struct walk *w, uint32_t domain)
{
	struct track_thread *self = w->self;
	uint64_t hash = w->kept ? self->seen[w->kept - 1].hash : w->root;
	if (w->kept == 0)
		self->root = w->root;
	size_t depth = w->kept;
	for (size_t i = w->fresh; i-- > 0; depth++) {
		hash = add_to_hash(hash, self->fresh[i].frame);
		self->seen[depth] = self->fresh[i];
		self->seen[depth].hash = hash;
	}
	self->depth = depth;
	hash = add_to_hash(hash, (uint64_t)self->number << 32 | domain);
	return (hash ^ hash >> 32) | 1;
}

uint32_t track_walk(struct track_thread *self, const uintptr_t *frame, uint32_t domain)
{
	struct walk w = {.self = self, .near = self->depth};
	uint32_t now = atomic_load_explicit(&epoch, memory_order_acquire);
	if (TRACK_UNLIKELY(self->epoch != now)) {
		self->epoch = now;
		w.near = self->depth = 0;
	}
	w.at = (struct cursor){frame[1], (uintptr_t)(frame + 2), frame[0], (uintptr_t)frame, true, false};
	if (TRACK_UNLIKELY(w.at.sp < self->stack_low || w.at.sp >= self->stack_high)) {
		find_stack(self, w.at.sp);
		w.near = self->depth = 0;
	}
	walk_on(&w);
	if (TRACK_UNLIKELY(w.kept + w.fresh > track_settings.depth))
		return cut_site(&w, domain);
	uint64_t hash = renew(&w, domain);
	uint32_t check = (uint32_t)frame[1] ^ (uint32_t)self->depth << 20;
	uint32_t site = track_site_find(hash, check);
	if (TRACK_UNLIKELY(site == 0)) {
		site = make_site(self, self->root, (struct frames){self->seen, self->depth}, (struct frames){NULL, 0}, domain);
		track_site_add(hash, check, site);
	}
	if (TRACK_UNLIKELY(w.at.signal))
		self->depth = 0;
	return site;
}
