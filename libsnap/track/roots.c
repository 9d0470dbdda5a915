/* Where the program begins to hold blocks: variables
 * of modules, stacks and own variables of threads.
 *
 * Threads are found by their descriptors, which have the thread's number at
 * the same place as that of the thread that forked.  Below each lie its
 * static thread-local variables, and, but for the main thread, its stack. */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track.h"

#define PAGE        4096u
#define THREADS_MAX 65536u
#define TID_AT_MIN  0x100u
#define TID_AT_MAX  0x800u
/* what is looked at of a stack that no descriptor is on */
#define OTHER_STACK_MAX ((uintptr_t)1 << 18)
/* More in one piece below the main thread's descriptor: its variables have no bound, and all of the
 * mapping is taken for them. */
#define VARIABLES_MAX ((uintptr_t)1 << 24)

struct search {
	struct track_roots *roots;
	struct track_maps *maps;
	const struct track_account *account;
	const struct track_holders *holders;
	uintptr_t descriptors[THREADS_MAX];
	size_t descriptor_count;
	size_t tid_at;              /* 0: unknown */
	struct track_frames frames; /* of one thread */
};

static uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- what is found ---- */

static bool add(struct track_roots *r, const struct track_root *root)
{
	if (r->count == r->capacity) {
		size_t size = r->capacity * sizeof *r->all;
		void *more = size ? mremap(r->all, size, 2 * size, MREMAP_MAYMOVE)
				  : track_map((size_t)1 << 20);
		if (!more || more == MAP_FAILED) {
			r->no_memory = true;
			return false;
		}
		r->all = more;
		r->capacity = size ? 2 * r->capacity : ((size_t)1 << 20) / sizeof *r->all;
	}
	r->all[r->count++] = *root;
	return true;
}

/* glibc's allocator keeps the addresses of free chunks, which begin with the last word of the block
 * before. */
static bool is_next_chunk(const struct track_range *block, uintptr_t value)
{
	size_t size = block->end - block->start, chunk = (size + 8 + 15) & ~(size_t)15;
	return chunk > 16 && value == block->start + chunk - 16;
}

static void scan_stretch(struct search *s, uintptr_t start, uintptr_t end,
			 const struct track_root *like)
{
	const char *name = like->module ? strrchr(like->module->path, '/') : NULL;
	/* On a stack it may have left them; an older block looks as large as it can be. */
	bool has_chunks = (name && (strncmp(name, "/libc.so", 8) == 0 ||
				    strncmp(name, "/libc-2.", 8) == 0)) ||
			  (like->is_stack && track_settings.since_ns);
	uintptr_t stop;
	for (uintptr_t at = (start + 7) & ~(uintptr_t)7;
	     (stop = track_maps_readable(s->maps, &at, end)) != 0; at = stop) {
		for (; stop >= at + 8; at += 8) {
			const struct track_range *block =
				track_holders_find(s->holders, word_at(at));
			if (!block || (has_chunks && is_next_chunk(block, word_at(at))))
				continue;
			struct track_root root = *like;
			root.block = block->start;
			root.at = at;
			if (!add(s->roots, &root))
				return;
		}
	}
}

/* Without what the tracker holds: where a thread's memory begins or ends, its may follow. */
static void scan(struct search *s, uintptr_t start, uintptr_t end, const struct track_root *like)
{
	for (uintptr_t stop; (stop = track_account_programs(s->account, &start, end)) != 0;
	     start = stop)
		scan_stretch(s, start, stop, like);
}

/* ---- modules ---- */

/* The loader has its own first blocks behind its variables, up to the end of the page. */
static void scan_module(struct search *s, const struct track_mapping *module, uintptr_t end)
{
	end = (end + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	const struct track_root like = {.module = module};
	const struct track_mapping *last = s->maps->all + s->maps->count;
	for (const struct track_mapping *m = module; m < last && m->start < end; m++)
		if (m->writable && !m->shared)
			scan(s, m->start, m->end < end ? m->end : end, &like);
}

static void scan_modules(struct search *s)
{
	for (size_t i = 0; i < s->maps->count; i++) {
		uintptr_t end = track_mapping_module_end(s->maps, &s->maps->all[i]);
		if (end != 0)
			scan_module(s, &s->maps->all[i], end);
	}
}

/* ---- threads ---- */

static uintptr_t own_descriptor(void)
{
	uintptr_t pointer = 0;
#if defined(__x86_64__)
	__asm__("mov %%fs:0, %0" : "=r"(pointer));
#endif
	return pointer;
}

bool track_is_descriptor(uintptr_t address)
{
	return word_at(address) == address && word_at(address + 16) == address;
}

static pid_t tid_of(const struct search *s, uintptr_t descriptor)
{
	pid_t tid;
	memcpy(&tid, (const char *)descriptor + s->tid_at,
	       sizeof tid); /* NOLINT(performance-no-int-to-ptr) */
	return tid;
}

static void find_tid_place(struct search *s, uintptr_t descriptor)
{
	for (s->tid_at = TID_AT_MIN; s->tid_at < TID_AT_MAX; s->tid_at += sizeof(pid_t))
		if (tid_of(s, descriptor) == track_moment.tid)
			return;
	s->tid_at = 0;
}

/* Of a thread that has ended, whose stack is kept for the next one, only its table of TLS blocks is
 * in use. */
static void add_descriptor(struct search *s, uintptr_t descriptor)
{
	const struct track_root like = {0};
	if (tid_of(s, descriptor) <= 0)
		scan(s, descriptor + 8, descriptor + 16, &like);
	else if (s->descriptor_count < THREADS_MAX)
		s->descriptors[s->descriptor_count++] = descriptor;
}

static void find_descriptors_in(struct search *s, const struct track_mapping *m)
{
	uintptr_t stop;
	for (uintptr_t at = m->start; (stop = track_maps_readable(s->maps, &at, m->end)) != 0;
	     at = stop)
		for (; at + TID_AT_MAX < stop; at += TRACK_DESCRIPTOR_ALIGN)
			if (track_is_descriptor(at))
				add_descriptor(s, at);
}

static void find_descriptors(struct search *s)
{
	uintptr_t own = own_descriptor();
	if (own)
		find_tid_place(s, own);
	if (s->tid_at == 0)
		return;
	for (size_t i = 0; i < s->maps->count; i++) {
		const struct track_mapping *m = &s->maps->all[i];
		if (m->readable && m->writable && !m->shared && m->path[0] != '/')
			find_descriptors_in(s, m);
	}
}

static bool is_within(const struct track_mapping *m, uintptr_t address)
{
	return m && address >= m->start && address < m->end;
}

/* What lies around address in its mapping and is no block; within a block, the block. */
static struct track_range around(const struct search *s, uintptr_t address)
{
	const struct track_mapping *m = track_mapping_from(s->maps, address);
	if (!is_within(m, address))
		return (struct track_range){address, address};
	struct track_range r = {m->start, m->end};
	const struct track_holders *h = s->holders;
	size_t low = 0, high = h->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (h->blocks[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && h->blocks[low - 1].end > address)
		return h->blocks[low - 1];
	if (low > 0 && h->blocks[low - 1].end > r.start)
		r.start = h->blocks[low - 1].end;
	if (low < h->count && h->blocks[low].start < r.end)
		r.end = h->blocks[low].start;
	return r;
}

static const struct track_mapping *main_stack(const struct search *s)
{
	for (size_t i = 0; i < s->maps->count; i++)
		if (strcmp(s->maps->all[i].path, "[stack]") == 0)
			return &s->maps->all[i];
	return NULL;
}

/* Frames first, so that they are what a path begins with,
 * and what one frame has together; then by place. */
static bool is_before(const struct track_root *a, const struct track_root *b)
{
	return a->node != b->node ? a->node - 1u < b->node - 1u : a->at < b->at;
}

static void sort(struct track_root *roots, size_t count)
{
	for (size_t step = count / 2; step > 0; step /= 2)
		for (size_t i = step; i < count; i++) {
			struct track_root moved = roots[i];
			size_t at = i;
			for (; at >= step && is_before(&moved, &roots[at - step]); at -= step)
				roots[at] = roots[at - step];
			roots[at] = moved;
		}
}

/* Of roots of a thread, those in frames of functions that are known. */
static void find_frames(struct search *s, size_t first, const struct track_place *from,
			const struct track_place *then)
{
	struct track_root *roots = s->roots->all + first;
	size_t count = s->roots->count - first;
	track_frames_walk(&s->frames, s->maps, from, then);
	for (size_t i = 0; i < count; i++) {
		const struct track_frame *frame = track_frames_find(&s->frames, roots[i].at);
		roots[i].node = frame ? frame->node : 0;
		roots[i].is_stack = roots[i].is_stack || frame;
	}
	sort(roots, count);
}

/* What the system has been given by a thread that sleeps in it. */
static void add_arguments(struct search *s, const struct track_sleep *sleep, pid_t tid)
{
	for (size_t i = 0; i < sleep->argument_count; i++) {
		const struct track_range *block =
			track_holders_find(s->holders, sleep->arguments[i]);
		const struct track_root root = {.tid = tid, .block = block ? block->start : 0};
		if (block && !add(s->roots, &root))
			return;
	}
}

/* Own variables of the thread that began the recording, up to its descriptor, with whatever else
 * lay there then.  What the program maps later may come to lie directly below the main thread's,
 * in what is one mapping from then on, and is no variable. */
static struct track_range first_variables;

void track_roots_begin(void)
{
	uintptr_t own = own_descriptor(), start = own & ~(uintptr_t)(PAGE - 1);
	unsigned char state;
	while (own - start < VARIABLES_MAX && syscall(SYS_mincore, start - PAGE, PAGE, &state) == 0)
		start -= PAGE;
	if (own - start < VARIABLES_MAX)
		first_variables = (struct track_range){start, own};
}

/* A stack is in use from sp on; without it, it may be so anywhere. */
static void scan_stacks(struct search *s, uintptr_t descriptor, uintptr_t sp)
{
	struct track_root like = {.tid = tid_of(s, descriptor), .descriptor = descriptor};
	struct track_range own = around(s, descriptor);
	bool is_main = like.tid == track_thread_record(0)->tid;
	if (is_main && descriptor == first_variables.end && own.start < first_variables.start)
		own.start = first_variables.start;
	like.is_stack = !is_main;
	scan(s, sp > own.start && sp < descriptor ? sp : own.start, descriptor, &like);
	like.descriptor = 0;
	const struct track_mapping *stack = is_main ? main_stack(s) : NULL;
	like.is_stack = true;
	if (stack)
		scan(s, is_within(stack, sp) ? sp : stack->start, stack->end, &like);
	if (sp != 0 && !is_within(stack, sp) && !(sp >= own.start && sp < descriptor)) {
		struct track_range other = around(s, sp);
		scan(s, sp, other.end - sp > OTHER_STACK_MAX ? sp + OTHER_STACK_MAX : other.end,
		     &like);
	}
}

static void scan_thread(struct search *s, uintptr_t descriptor)
{
	const struct track_root like = {.tid = tid_of(s, descriptor)};
	struct track_range own = around(s, descriptor);
	uintptr_t end = descriptor + TRACK_DESCRIPTOR_SIZE < own.end
				? descriptor + TRACK_DESCRIPTOR_SIZE
				: own.end;
	struct track_place place = {0}, caller = {0};
	struct track_sleep sleep = {0};
	bool forked = like.tid == track_moment.tid,
	     slept = !forked && track_slept(like.tid, &sleep);
	if (forked)
		place = (struct track_place){.address = track_moment.pc,
					     .start = track_moment.sp,
					     .sp = track_moment.sp,
					     .bp = track_moment.bp,
					     .has_bp = true};
	else if (slept && sleep.sp != 0)
		place = (struct track_place){.address = sleep.pc + 1,
					     .start = sleep.sp - TRACK_RED_ZONE,
					     .sp = sleep.sp};
	bool is_seen = forked || (slept && track_caller(s->maps, descriptor, sleep.sp, &caller));
	scan(s, descriptor, end, &like);
	size_t first = s->roots->count;
	scan_stacks(s, descriptor, place.start);
	find_frames(s, first, &place, &caller);
	if (slept)
		add_arguments(s, &sleep, like.tid);
	s->roots->unseen += !is_seen;
}

/* Where the C library's descriptors are not as expected. */
static void scan_without_descriptors(struct search *s)
{
	struct track_root like = {.tid = track_moment.tid, .is_stack = true};
	const struct track_mapping *stack = main_stack(s);
	bool is_main = is_within(stack, track_moment.sp);
	scan(s, track_moment.sp, around(s, track_moment.sp).end, &like);
	like.tid = track_thread_record(0)->tid;
	if (stack && !is_main)
		scan(s, stack->start, stack->end, &like);
}

bool track_roots_read(struct track_roots *r, struct track_maps *maps,
		      const struct track_account *account, const struct track_holders *holders)
{
	struct search *s = track_map(sizeof *s);
	*r = (struct track_roots){0};
	if (!s)
		return false;
	s->roots = r;
	s->maps = maps;
	s->account = account;
	s->holders = holders;
	find_descriptors(s);
	scan_modules(s);
	for (size_t i = 0; i < s->descriptor_count; i++)
		scan_thread(s, s->descriptors[i]);
	if (s->descriptor_count == 0)
		scan_without_descriptors(s);
	return !r->no_memory;
}
