/* Rules for unwinding, kept by return address, and found without a lock. */
#ifndef KEPT_RULES_H
#define KEPT_RULES_H

#include "track.h"

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
extern struct rules *_Atomic track_rules;  /* NULL until the first */
extern _Atomic uint32_t track_rules_epoch; /* how often they were forgotten, from 1 */

/* Makes the rule of an address that has none. */
struct track_rule track_rule_add(uintptr_t address);

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

/* Rules may be forgotten, and the slot used anew, at any moment: then what was read is not
 * believed. */
static inline bool read_rule(const struct kept_rule *kept, uintptr_t address, uint64_t *word)
{
	if (atomic_load_explicit(&kept->address, memory_order_acquire) != address)
		return false;
	*word = atomic_load_explicit(&kept->rule, memory_order_acquire);
	return atomic_load_explicit(&kept->address, memory_order_relaxed) == address;
}

/* 0: there is none, which is that of what is unknown. */
static inline uint64_t kept_rule(const struct rules *rules, uintptr_t address)
{
	for (uintptr_t i = slot_of(address) & rules->mask;; i = (i + 1) & rules->mask) {
		uint64_t word;
		if (TRACK_LIKELY(read_rule(&rules->slots[i], address, &word)))
			return word;
		if (atomic_load_explicit(&rules->slots[i].address, memory_order_relaxed) == 0)
			return 0;
	}
}

static inline struct track_rule rule_for(uintptr_t address)
{
	const struct rules *rules = atomic_load_explicit(&track_rules, memory_order_acquire);
	if (TRACK_UNLIKELY(!rules))
		return track_rule_add(address);
	for (uintptr_t i = slot_of(address) & rules->mask;; i = (i + 1) & rules->mask) {
		uint64_t word;
		if (TRACK_LIKELY(read_rule(&rules->slots[i], address, &word)))
			return unpack(word);
		if (atomic_load_explicit(&rules->slots[i].address, memory_order_relaxed) == 0)
			return track_rule_add(address);
	}
}

#endif
