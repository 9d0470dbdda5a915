/* Rules for unwinding, by return address: made from .eh_frame once, until something is unloaded. */
#include "kept_rules.h"

#define RULES_MIN (1u << 13)

struct rules *_Atomic track_rules;
_Atomic uint32_t track_rules_epoch = 1;
static struct track_lock lock;

_Static_assert(TRACK_RULE_SIGNAL < 8, "three bits");
static uint64_t pack(const struct track_rule *r)
{
	return (uint64_t)(uint32_t)(r->cfa_offset & 0xfffffff) << 36 |
	       (uint64_t)(uint16_t)r->bp_offset << 20 | (uint64_t)r->module << 4 |
	       (uint64_t)r->bp_from_bp << 3 | (uint64_t)r->kind;
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
		uintptr_t address =
			atomic_load_explicit(&old->slots[i].address, memory_order_relaxed);
		if (address)
			rules_put(new, address,
				  atomic_load_explicit(&old->slots[i].rule, memory_order_relaxed));
	}
	atomic_store_explicit(&track_rules, new, memory_order_release);
	return new;
}

static struct track_rule make_rule(uintptr_t address)
{
	struct track_rule rule = {.kind = TRACK_RULE_UNKNOWN};
	uint32_t module = track_module_of(address - 1);
	if (module == TRACK_NO_MODULE || module >= TRACK_LINE_MODULE)
		return rule;
	rule = track_cfi_rule(address - 1, track_module_at(module));
	if (rule.cfa_offset != (rule.cfa_offset << 4) >> 4)
		rule.kind = TRACK_RULE_UNKNOWN;
	rule.module = (uint16_t)module;
	return rule;
}

struct track_rule track_rule_add(uintptr_t address)
{
	struct track_rule rule = make_rule(address);
	track_lock(&lock);
	struct rules *rules = atomic_load_explicit(&track_rules, memory_order_relaxed);
	if (!rules || rules->count * 2u > rules->mask)
		rules = larger_rules(rules);
	if (rules)
		rules_put(rules, address, pack(&rule));
	track_unlock(&lock);
	return rule;
}

/* Rules of what is still loaded are made again. */
void track_unwind_forget(void)
{
	track_lock(&lock);
	struct rules *rules = atomic_load_explicit(&track_rules, memory_order_relaxed);
	for (uintptr_t i = 0; rules && i <= rules->mask; i++)
		atomic_store_explicit(&rules->slots[i].address, 0, memory_order_release);
	if (rules)
		rules->count = 0;
	atomic_fetch_add_explicit(&track_rules_epoch, 1, memory_order_release);
	track_unlock(&lock);
}
