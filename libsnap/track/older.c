/* Blocks that are older than the recording of a process that ran already,
 * as far as they can be reached: from roots, from blocks that were
 * recorded, or from each other.  Others may be free, and only look used. */
#include <sys/mman.h>

#include "picture.h"

#define TYPE "older"
#define PAGE 4096u

static uintptr_t allocator; /* its malloc() */

void track_older_init(void)
{
	allocator = track_settings.since_ns && track_settings.references
			    ? (uintptr_t)track_next("malloc")
			    : 0;
}

struct marking {
	const struct track_holders *holders;
	struct track_maps *maps;
	struct track_older *older;
	uint32_t *waiting; /* reached, and not looked into yet */
	size_t waiting_count;
};

static bool is_set(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void reach(struct marking *m, const struct track_range *block)
{
	size_t i = (size_t)(block - m->holders->blocks);
	if (!is_set(m->older->all, i) || is_set(m->older->reached, i))
		return;
	m->older->reached[i / 64] |= (uint64_t)1 << i % 64;
	m->waiting[m->waiting_count++] = (uint32_t)i;
}

static void look_between(struct marking *m, uintptr_t at, uintptr_t end)
{
	for (; end >= at + 8; at += 8) {
		/* NOLINTNEXTLINE */
		const struct track_range *to =
			track_holders_find(m->holders, *(const uintptr_t *)at);
		if (to)
			reach(m, to);
	}
}

/* Older blocks come in no order, so that asking which pages can be read takes a system call
 * for each: of a small one they have been read, with the headers before and behind it. */
static void look_into(struct marking *m, size_t i)
{
	const struct track_range *block = &m->holders->blocks[i];
	uintptr_t at = (block->start + 7) & ~(uintptr_t)7, stop;
	if (is_set(m->older->all, i) && (block->end - 1) / PAGE - block->start / PAGE <= 1)
		look_between(m, at, block->end);
	else
		for (; (stop = track_maps_readable(m->maps, &at, block->end)) != 0; at = stop)
			look_between(m, at, stop);
}

static void look_into_mapping(struct marking *m, const struct track_block *mapping)
{
	uintptr_t at = (mapping->address + 7) & ~(uintptr_t)7, stop;
	uintptr_t end = mapping->address + mapping->size;
	for (; (stop = track_maps_private(m->maps, &at, end)) != 0; at = stop)
		look_between(m, at, stop);
}

static void mark(struct marking *m, const struct track_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++) {
		const struct track_range *block =
			track_holders_find(m->holders, roots->all[i].block);
		if (block)
			reach(m, block);
	}
	for (size_t i = 0; i < m->holders->count; i++)
		if (!is_set(m->older->all, i))
			look_into(m, i);
	while (m->waiting_count > 0)
		look_into(m, m->waiting[--m->waiting_count]);
}

bool track_older_read(struct track_older *o, struct track_maps *maps,
		      const struct track_account *account)
{
	*o = (struct track_older){.is_wanted = track_settings.since_ns != 0};
	return !o->is_wanted || track_glibc_read(&o->chunks, maps, account, allocator);
}

bool track_older_reach(struct track_older *o, struct track_maps *maps,
		       const struct track_holders *h, const struct track_roots *roots,
		       const struct track_mapped *mapped, size_t mapped_count)
{
	struct marking m = {.holders = h, .maps = maps, .older = o};
	const struct track_range *chunk = o->chunks.all, *end = chunk + o->chunks.count;
	size_t words = h->count / 64 + 1;
	if (o->chunks.count == 0)
		return true;
	o->all = track_map(words * sizeof *o->all);
	o->reached = track_map(words * sizeof *o->reached);
	m.waiting = track_map(o->chunks.count * sizeof *m.waiting);
	if (!o->all || !o->reached || !m.waiting)
		return false;
	for (size_t i = 0; i < h->count; i++) {
		while (chunk < end && chunk->start < h->blocks[i].start)
			chunk++;
		if (chunk < end && chunk->start == h->blocks[i].start)
			o->all[i / 64] |= (uint64_t)1 << i % 64;
	}
	for (size_t i = 0; i < mapped_count; i++)
		look_into_mapping(&m, &mapped[i].block);
	mark(&m, roots);
	munmap(m.waiting, o->chunks.count * sizeof *m.waiting);
	return true;
}

uint32_t track_picture_older_type(struct picture *p)
{
	uint32_t type = 0, name = track_picture_string(p, TYPE, sizeof TYPE - 1);
	if (p->status == SNAP_OK)
		p->status = snap_writer_type(p->writer, name, SNAP_TYPE_BLOCK, &type, &p->error);
	return type;
}

bool track_picture_older_next(struct picture *p, uintptr_t until, struct track_block *out)
{
	struct track_older *o = &p->older;
	for (; o->reached && o->next < p->holders.count && p->holders.blocks[o->next].start < until;
	     o->next++)
		if (is_set(o->reached, o->next)) {
			const struct track_range *block = &p->holders.blocks[o->next++];
			*out = (struct track_block){.address = block->start,
						    .size = block->end - block->start};
			o->count++;
			return true;
		}
	return false;
}
