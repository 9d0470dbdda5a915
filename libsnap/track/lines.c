/* Lines of an interpreted program: nodes of the same tree as the machine's frames. */
#include <string.h>

#include "snap_track.h"

#include "track.h"

#define CHUNK_BITS 12
#define CHUNK      (1u << CHUNK_BITS)

/* Lines stay where they are. */
static struct track_line *_Atomic chunks[1u << 12];
static uint32_t count;
static struct track_lock lock;

static uint32_t (*_Atomic stack_of)(void);
static _Atomic uintptr_t interpreter;

const struct track_line *track_line_at(uint64_t frame)
{
	uintptr_t number = TRACK_FRAME_ADDRESS(frame);
	return &atomic_load_explicit(&chunks[number >> CHUNK_BITS],
				     memory_order_acquire)[number & (CHUNK - 1)];
}

static const char *copy(const char *text)
{
	size_t size = strlen(text) + 1;
	char *bytes = track_alloc(size);
	return bytes ? memcpy(bytes, text, size) : NULL;
}

/* Lines that follow each other are often of one function, or at least of one file. */
static bool fill(struct track_line *out, const struct track_line *last, const char *function,
		 const char *file, uint32_t line)
{
	out->function =
		last && strcmp(last->function, function) == 0 ? last->function : copy(function);
	out->file = last && strcmp(last->file, file) == 0 ? last->file : copy(file);
	out->line = line;
	return out->function && out->file;
}

static bool add_line(const char *function, const char *file, uint32_t line, uint64_t *frame)
{
	uint32_t chunk = count >> CHUNK_BITS;
	if (chunk >= sizeof chunks / sizeof *chunks)
		return false;
	if (!chunks[chunk])
		atomic_store_explicit(&chunks[chunk], track_map(CHUNK * sizeof(struct track_line)),
				      memory_order_release);
	const struct track_line *last = count ? track_line_at(count - 1) : NULL;
	if (!chunks[chunk] ||
	    !fill(&chunks[chunk][count & (CHUNK - 1)], last, function, file, line))
		return false;
	*frame = TRACK_FRAME(TRACK_LINE_MODULE, count++);
	return true;
}

uint32_t snap_tracker_line(uint32_t caller, const char *function, const char *file, uint32_t line)
{
	uint64_t frame = 0;
	track_lock(&lock);
	bool added = add_line(function, file, line, &frame);
	track_unlock(&lock);
	uint32_t node = added ? track_node(caller, frame) : TRACK_ROOT;
	return node > TRACK_TRUNCATED ? node : 0;
}

void snap_tracker_interpreter(const void *code, uint32_t (*stack)(void))
{
	atomic_store_explicit(&interpreter, (uintptr_t)code, memory_order_relaxed);
	atomic_store_explicit(&stack_of, stack, memory_order_release);
}

uint32_t track_interpreted(uint32_t site)
{
	uint32_t (*stack)(void) = atomic_load_explicit(&stack_of, memory_order_acquire);
	uint32_t node = stack ? stack() : 0;
	return node ? track_node(site, TRACK_FRAME(TRACK_INTERPRETED_MODULE, node)) : site;
}

bool track_is_interpreter(uint32_t module)
{
	uintptr_t code = atomic_load_explicit(&interpreter, memory_order_relaxed);
	if (!code || module == TRACK_NO_MODULE || module > track_module_count())
		return false;
	const struct track_module *m = track_module_at(module);
	return code >= m->start && code < m->end;
}
