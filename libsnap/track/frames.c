/* Whose frame a place on a stack is in: a walk by the
 * rules of .eh_frame, from a thread's registers outwards.
 *
 * For the child of a snapshot, and for threads that were asleep at the fork.  It stops where a
 * rule needs a register that is not known, and what lies further out is in no function's frame.
 *
 * A function that uses a register which its caller may use, too, stores
 * it first: that word belongs to the frame further out that had put
 * something there, which is the first that stored the register itself. */
#include <string.h>
#include <ucontext.h>

#include "calls.h"
#include "track.h"

#define PAGE      4096u
#define FRAME_MAX ((uintptr_t)1 << 26) /* none is larger */
/* what the system puts on the stack for a signal is smaller */
#define SIGNAL_MAX ((uintptr_t)1 << 20)

#if defined(__x86_64__)

enum { BX = 3, BP = 6 };
static const uint8_t kept_registers[TRACK_KEPT] = {BX, BP, 12, 13, 14, 15};

struct walk {
	struct track_frames *out;
	struct track_maps *maps;
	struct track_place at;
	uintptr_t copies[TRACK_KEPT]; /* other places of the same value; 0: none */
};
enum outcome { DONE, END, CUT };

static struct snap_calls calls;

static bool read_at(struct track_maps *maps, uintptr_t at, uintptr_t *value)
{
	uintptr_t start = at;
	if (at % sizeof at != 0 || at < PAGE ||
	    track_maps_readable(maps, &start, at + sizeof at) != at + sizeof at || start != at)
		return false;
	*value = *(const uintptr_t *)at; /* NOLINT(performance-no-int-to-ptr) */
	return true;
}

static bool read_word(struct walk *w, uintptr_t at, uintptr_t *value)
{
	return read_at(w->maps, at, value);
}

/* What the system stored is the interrupted function's, which goes on where it was. */
static enum outcome leave_signal(struct walk *w)
{
	static const int places[TRACK_KEPT] = {REG_RBX, REG_RBP, REG_R12,
					       REG_R13, REG_R14, REG_R15};
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const ucontext_t *context = (const ucontext_t *)w->at.sp;
	const greg_t *registers = context->uc_mcontext.gregs;
	uintptr_t frame = w->at.sp, pc;
	if (!read_word(w, (uintptr_t)&registers[REG_RIP], &pc) ||
	    !read_word(w, (uintptr_t)&registers[REG_RSP], &w->at.sp) ||
	    !read_word(w, (uintptr_t)&registers[REG_RBP], &w->at.bp))
		return CUT;
	for (size_t i = 0; i < TRACK_KEPT; i++)
		w->at.kept[i] = (uintptr_t)&registers[places[i]];
	w->at.has_bp = true;
	w->at.address = pc + 1;
	w->at.start = w->at.sp > frame && w->at.sp - frame < SIGNAL_MAX ? frame
									: w->at.sp - TRACK_RED_ZONE;
	return DONE;
}

/* Where the frame of at ends; 0: that is not known. */
static uintptr_t end_of(struct walk *w, const struct track_rule *rule)
{
	uintptr_t offset = (uintptr_t)(intptr_t)rule->cfa_offset, end = 0;
	if (rule->kind == TRACK_RULE_SP)
		end = w->at.sp + offset;
	else if (rule->kind == TRACK_RULE_BP && w->at.has_bp)
		end = w->at.bp + offset;
	else if (rule->kind == TRACK_RULE_BP_AT && w->at.has_bp &&
		 !read_word(w, w->at.bp + offset, &end))
		end = 0;
	return end > w->at.sp && end - w->at.sp <= FRAME_MAX ? end : 0;
}

static void give(struct walk *w, uintptr_t *at, uint32_t frame)
{
	if (*at != 0)
		w->out->stored[w->out->stored_count++] = (struct track_stored){*at, frame};
	*at = 0;
}

static void give_both(struct walk *w, size_t i, uint32_t frame)
{
	give(w, &w->copies[i], frame);
	give(w, &w->at.kept[i], frame);
}

/* Calls that are led store all registers, and change none. */
static bool is_led(const struct walk *w)
{
	return calls.back != 0 && (w->at.address == calls.back || w->at.address == calls.back_more);
}

static void store_registers(struct walk *w, const struct track_saved *saved, uintptr_t end,
			    uint32_t frame)
{
	uintptr_t bp = w->at.bp;
	for (size_t i = 0; i < TRACK_KEPT; i++) {
		uint32_t number = kept_registers[i], bit = (uint32_t)1 << number;
		if (((saved->from_cfa | saved->from_bp) & bit) == 0)
			continue;
		if (is_led(w))
			w->copies[i] = w->at.kept[i];
		else
			give_both(w, i, frame);
		w->at.kept[i] = 0;
		if ((saved->from_bp & bit) == 0 || w->at.has_bp)
			w->at.kept[i] = (saved->from_bp & bit ? bp : end) +
					(uintptr_t)(intptr_t)saved->offsets[number];
		if (number == BP)
			w->at.has_bp = w->at.kept[i] != 0 && read_word(w, w->at.kept[i], &w->at.bp);
	}
}

static void add_frame(struct walk *w, uint32_t module, uintptr_t end)
{
	w->out->all[w->out->count++] =
		(struct track_frame){w->at.start, end, TRACK_FRAME(module, w->at.address), 0};
}

static enum outcome step(struct walk *w)
{
	uint32_t module = track_module_of(w->at.address - 1);
	if (module == TRACK_NO_MODULE || module >= TRACK_LINE_MODULE)
		return CUT;
	struct track_saved saved = {0};
	struct track_rule rule = track_cfi_row(w->at.address - 1, track_module_at(module), &saved);
	if (rule.kind == TRACK_RULE_SIGNAL)
		return leave_signal(w);
	bool is_last = rule.kind == TRACK_RULE_END ||
		       (rule.kind == TRACK_RULE_NONE && w->at.has_bp && w->at.bp == 0);
	uintptr_t end = is_last ? w->at.start : end_of(w, &rule), caller;
	if (end == 0)
		return CUT;
	add_frame(w, module, end);
	if (is_last)
		return END;
	store_registers(w, &saved, end, (uint32_t)w->out->count - 1);
	if (!read_word(w, end - sizeof end, &caller) || caller < PAGE)
		return CUT;
	w->at.address = caller;
	w->at.sp = w->at.start = end;
	return DONE;
}

static enum outcome walk_from(struct walk *w, const struct track_place *from)
{
	enum outcome outcome = DONE;
	*w = (struct walk){.out = w->out, .maps = w->maps, .at = *from};
	w->out->count = w->out->stored_count = 0;
	while (outcome == DONE && w->out->count < track_settings.depth)
		outcome = step(w);
	for (size_t i = 0; i < TRACK_KEPT; i++)
		give_both(w, i, TRACK_NO_FRAME);
	return outcome;
}

void track_frames_walk(struct track_frames *f, struct track_maps *maps,
		       const struct track_place *from, const struct track_place *then)
{
	struct walk w = {.out = f, .maps = maps};
	f->count = f->stored_count = 0;
	enum outcome outcome = from->address != 0 ? walk_from(&w, from) : CUT;
	if (outcome != END && then->address != 0 && w.at.sp < then->sp)
		outcome = walk_from(&w, then);
	uint32_t node = outcome == END ? TRACK_ROOT : TRACK_TRUNCATED;
	for (size_t i = f->count; i-- > 0;)
		f->all[i].node = node = track_node(node, f->all[i].frame);
}

__attribute__((visibility("default"))) void snap_tracker_calls(const struct snap_calls *known)
{
	calls = *known;
}

__attribute__((visibility("default"))) void snap_tracker_thread(void)
{
	if (atomic_load_explicit(&track_on, memory_order_relaxed))
		track_self();
}

bool track_caller(struct track_maps *maps, uintptr_t descriptor, uintptr_t sp,
		  struct track_place *place)
{
	static const int places[TRACK_KEPT] = {CALLS_RBX, CALLS_RBP, CALLS_R12,
					       CALLS_R13, CALLS_R14, CALLS_R15};
	uintptr_t frame, back, back_more;
	*place = (struct track_place){0};
	if (calls.back == 0 || !read_at(maps, descriptor + (uintptr_t)calls.frame, &frame) ||
	    frame < PAGE || frame <= sp || !read_at(maps, frame - CALLS_BACK, &back) ||
	    !read_at(maps, frame - CALLS_BACK_MORE, &back_more) ||
	    (back != calls.back && back_more != calls.back_more) ||
	    !read_at(maps, frame + CALLS_RBP, &place->bp) ||
	    !read_at(maps, frame + CALLS_CALLER, &place->address))
		return false;
	for (size_t i = 0; i < TRACK_KEPT; i++)
		place->kept[i] = frame + (uintptr_t)places[i];
	place->has_bp = true;
	place->sp = place->start = frame + CALLS_END;
	return true;
}

#else

void track_frames_walk(struct track_frames *f, struct track_maps *maps,
		       const struct track_place *from, const struct track_place *then)
{
	(void)maps;
	(void)from;
	(void)then;
	f->count = f->stored_count = 0;
}

bool track_caller(struct track_maps *maps, uintptr_t descriptor, uintptr_t sp,
		  struct track_place *place)
{
	(void)maps;
	(void)descriptor;
	(void)sp;
	*place = (struct track_place){0};
	return false;
}

#endif

const struct track_frame *track_frames_find(const struct track_frames *f, uintptr_t address)
{
	for (size_t i = 0; i < f->stored_count; i++)
		if (f->stored[i].at == address)
			return f->stored[i].frame != TRACK_NO_FRAME ? &f->all[f->stored[i].frame]
								    : NULL;
	for (size_t i = 0; i < f->count; i++)
		if (address >= f->all[i].start && address < f->all[i].end)
			return &f->all[i];
	return NULL;
}
