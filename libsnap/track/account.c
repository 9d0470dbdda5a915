/* What the process's memory is for: an account of what
 * is resident, by stretches of the address space.
 *
 * For the child of a snapshot.  What the program has for itself alone was copied by the fork, and
 * cannot change; files and what is shared were not, and are looked up in the program itself. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snap.h"
#include "track.h"

#define ARENA      ((uintptr_t)64 << 20) /* what glibc reserves for one, aligned to its size */
#define STACK_MAX  ((uintptr_t)1 << 26)  /* larger stretches are not looked through */
#define SHARED_MAX ((uintptr_t)1 << 30)  /* page tables of larger mappings are not gone through */
#define PAGE       ((uintptr_t)4096)
#define IS_CHILDS  ((uintptr_t)1) /* in the start of a range, which is that of a page */

struct cutting {
	struct track_account *account;
	struct track_maps *maps;
	struct track_pagemap *program;
	struct track_range *own; /* ascending */
	size_t own_count, next;
};

static bool is_anonymous(const struct track_mapping *m)
{
	return !m->shared && (m->path[0] == '\0' || strncmp(m->path, "[anon", 5) == 0);
}

/* ---- the tracker's own ---- */

static void sort(struct track_range *all, size_t count)
{
	size_t step = 1;
	while (step < count / 3)
		step = step * 3 + 1;
	for (; step > 0; step /= 3)
		for (size_t i = step; i < count; i++) {
			struct track_range moved = all[i];
			size_t at = i;
			for (; at >= step && all[at - step].start > moved.start; at -= step)
				all[at] = all[at - step];
			all[at] = moved;
		}
}

/* What comes behind the tracker's variables may be in one mapping with them. */
static struct track_range own_variables(const struct cutting *c)
{
	struct track_range own = c->account->module;
	const struct track_mapping *last = track_mapping_from(c->maps, own.end - 1);
	own.start = last && last->start < own.end ? last->start : own.end;
	return own;
}

static bool gather_own(struct cutting *c, size_t programs)
{
	size_t mapped = track_own_count();
	c->own = track_map((mapped + 1) * sizeof *c->own);
	if (!c->own)
		return false;
	for (size_t i = 0; i < mapped; i++) {
		c->own[i] = track_own(i);
		c->own[i].start |= i < programs ? 0 : IS_CHILDS;
	}
	c->own[mapped] = own_variables(c);
	c->own_count = mapped + 1;
	sort(c->own, c->own_count);
	return true;
}

static struct track_range own_module(const struct track_maps *maps)
{
	uintptr_t own = (uintptr_t)&track_settings;
	for (size_t i = 0; i < maps->count && maps->all[i].start <= own; i++) {
		uintptr_t end = track_mapping_module_end(maps, &maps->all[i]);
		if (own < end)
			return (struct track_range){maps->all[i].start,
						    (end + PAGE - 1) & ~(PAGE - 1)};
	}
	return (struct track_range){0, 0};
}

/* ---- pieces ---- */

static uint32_t kind_of(const struct track_account *a, const struct track_mapping *m,
			uintptr_t start)
{
	if (start >= a->module.start && start < a->module.end)
		return SNAP_MAPPING_RECORDER;
	if (strncmp(m->path, "[stack", 6) == 0)
		return SNAP_MAPPING_STACK;
	if (strcmp(m->path, "[heap]") == 0)
		return SNAP_MAPPING_HEAP;
	return m->path[0] != '\0' && m->path[0] != '[' ? SNAP_MAPPING_FILE : SNAP_MAPPING_OTHER;
}

static void add(struct cutting *c, const struct track_mapping *m, uintptr_t start, uintptr_t end,
		uint32_t kind)
{
	struct track_stretch *s = &c->account->all[c->account->count++];
	bool is_whole = start == m->start && end == m->end;
	*s = (struct track_stretch){.start = start, .end = end, .mapping = m, .kind = kind};
	s->resident = is_whole || c->maps->pages.file < 0
			      ? m->resident
			      : track_pagemap_resident(&c->maps->pages, start, end);
	if ((m->shared || kind == SNAP_MAPPING_FILE || kind == SNAP_MAPPING_RECORDER) &&
	    c->program->file >= 0 && end - start <= SHARED_MAX) {
		uint64_t resident = track_pagemap_resident(c->program, start, end);
		s->resident = resident > s->resident ? resident : s->resident;
	}
}

/* Where a thread's stack ends that begins with this mapping,
 * above a page that nobody may touch; 0: there is none. */
static uintptr_t stack_end(struct cutting *c, const struct track_mapping *m, uintptr_t end)
{
	const struct track_mapping *guard = m - 1;
	if (m == c->maps->all || guard->end != m->start || guard->readable || guard->writable ||
	    !is_anonymous(guard) || !is_anonymous(m) || !m->readable || !m->writable)
		return 0;
	uintptr_t block = track_block_next(m->start, end), found = 0, stop;
	end = block != 0 ? block : end;
	for (uintptr_t at = m->start;
	     end - m->start <= STACK_MAX && (stop = track_maps_readable(c->maps, &at, end)) != 0;
	     at = stop)
		for (; at + 24 <= stop; at += TRACK_DESCRIPTOR_ALIGN)
			if (track_is_descriptor(at))
				found = (at + 2 * TRACK_DESCRIPTOR_SIZE - 1) &
					~(uintptr_t)(TRACK_DESCRIPTOR_SIZE - 1);
	return found < end ? found : end;
}

static void add_piece(struct cutting *c, const struct track_mapping *m, uintptr_t start,
		      uintptr_t end)
{
	uintptr_t stack = start == m->start ? stack_end(c, m, end) : 0;
	if (stack > start) {
		add(c, m, start, stack, SNAP_MAPPING_STACK);
		start = stack;
	}
	if (start < end)
		add(c, m, start, end, kind_of(c->account, m, start));
}

static void cut(struct cutting *c, const struct track_mapping *m)
{
	uintptr_t at = m->start;
	for (; c->next < c->own_count && c->own[c->next].start < m->end; c->next++) {
		struct track_range own = c->own[c->next];
		bool is_childs = own.start & IS_CHILDS;
		own.start &= ~IS_CHILDS;
		own.end = own.end < m->end ? own.end : m->end;
		if (own.start < at || own.end <= own.start)
			continue;
		if (own.start > at)
			add_piece(c, m, at, own.start);
		if (!is_childs)
			add(c, m, own.start, own.end, SNAP_MAPPING_RECORDER);
		at = own.end;
	}
	if (at < m->end)
		add_piece(c, m, at, m->end);
}

bool track_account_begin(struct track_account *a, struct track_maps *maps, size_t own_count)
{
	struct track_pagemap program = {0};
	struct cutting c = {.account = a, .maps = maps, .program = &program};
	char path[64];
	*a = (struct track_account){.module = own_module(maps)};
	if (!gather_own(&c, own_count))
		return false;
	a->all = track_map((2 * maps->count + 3 * c.own_count + 1) * sizeof *a->all);
	if (!a->all)
		return false;
	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)getppid());
	program.file = open(path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < maps->count; i++)
		cut(&c, &maps->all[i]);
	if (program.file >= 0)
		close(program.file);
	return true;
}

uintptr_t track_account_programs(const struct track_account *a, uintptr_t *start, uintptr_t end)
{
	size_t low = 0, high = a->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (a->all[middle].end <= *start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < a->count && *start < end && a->all[low].start < end; low++) {
		const struct track_stretch *s = &a->all[low];
		if (s->kind == SNAP_MAPPING_RECORDER)
			continue;
		*start = *start > s->start ? *start : s->start;
		return s->end < end ? s->end : end;
	}
	return 0;
}

/* ---- blocks ---- */

/* Blocks may lie in each other: a byte counts once. */
void track_account_block(struct track_account *a, struct track_maps *maps,
			 const struct track_block *block)
{
	uintptr_t start = block->address, end = block->address + block->size;
	start = start > a->counted ? start : a->counted;
	a->counted = end > a->counted ? end : a->counted;
	while (a->at < a->count && a->all[a->at].end <= block->address)
		a->at++;
	for (size_t i = a->at; i < a->count && a->all[i].start < end; i++) {
		struct track_stretch *s = &a->all[i];
		uintptr_t from = start > s->start ? start : s->start,
			  to = end < s->end ? end : s->end;
		s->has_blocks = true;
		if (from < to)
			s->live += track_pagemap_resident(&maps->pages, from, to);
	}
}

static bool is_arena(const struct track_account *a, size_t i)
{
	const struct track_stretch *s = &a->all[i], *rest = s + 1;
	return s->start % ARENA == 0 && i + 1 < a->count && rest->start == s->end &&
	       is_anonymous(rest->mapping) && !rest->mapping->readable &&
	       rest->end >= s->start + ARENA;
}

uint64_t track_account_other(const struct track_account *a)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < a->count; i++)
		if (a->all[i].kind == SNAP_MAPPING_OTHER && is_anonymous(a->all[i].mapping))
			bytes += a->all[i].resident;
	return bytes;
}

void track_account_end(struct track_account *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct track_stretch *s = &a->all[i];
		if (s->kind == SNAP_MAPPING_OTHER &&
		    (s->has_blocks || (is_anonymous(s->mapping) && is_arena(a, i))))
			s->kind = SNAP_MAPPING_HEAP;
		if (s->live > s->resident)
			s->live = s->resident;
		if (track_settings.sample_bytes)
			s->live = 0;
	}
}
