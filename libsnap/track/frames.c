/* Whose frame a place on a stack is in: a walk by the rules of .eh_frame, from a thread's registers outwards.
 *
 * For the child of a snapshot, and for threads that were asleep at the fork.  It stops where a rule needs a register that is
 * not known, and what lies further out is in no function's frame.
 *
 * A function that uses a register which its caller may use, too, stores it first: that word belongs to the frame further out
 * that had put something there, which is the first that stored the register itself. */
#include <string.h>
#include <ucontext.h>

#include "track.h"

#define PAGE       4096u
#define FRAME_MAX  ((uintptr_t)1 << 26) /* none is larger */
#define SIGNAL_MAX ((uintptr_t)1 << 20) /* what the system puts on the stack for a signal is smaller */

#if defined(__x86_64__)

enum { BX = 3, BP = 6 };
static const uint8_t kept_registers[TRACK_KEPT] = {BX, BP, 12, 13, 14, 15};

struct walk {
	struct track_frames *out;
	struct track_maps *maps;
	struct track_place at;
	uintptr_t start; /* where the frame begins that at is in */
};
enum outcome { DONE, END, CUT };

static bool read_word(struct walk *w, uintptr_t at, uintptr_t *value)
{
	uintptr_t start = at;
	if (at % sizeof at != 0 || at < PAGE || track_maps_readable(w->maps, &start, at + sizeof at) != at + sizeof at || start != at)
		return false;
	*value = *(const uintptr_t *)at; /* NOLINT(performance-no-int-to-ptr) */
	return true;
}

/* What the system stored is the interrupted function's, which goes on where it was. */
static enum outcome leave_signal(struct walk *w)
{
	static const int places[TRACK_KEPT] = {REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15};
	const ucontext_t *context = (const ucontext_t *)w->at.sp; /* NOLINT(performance-no-int-to-ptr) */
	const greg_t *registers = context->uc_mcontext.gregs;
	uintptr_t frame = w->at.sp, pc;
	if (!read_word(w, (uintptr_t)&registers[REG_RIP], &pc) || !read_word(w, (uintptr_t)&registers[REG_RSP], &w->at.sp) ||
	    !read_word(w, (uintptr_t)&registers[REG_RBP], &w->at.bp))
		return CUT;
	for (size_t i = 0; i < TRACK_KEPT; i++)
		w->at.kept[i] = (uintptr_t)&registers[places[i]];
	w->at.has_bp = true;
	w->at.address = pc + 1;
	w->start = w->at.sp > frame && w->at.sp - frame < SIGNAL_MAX ? frame : w->at.sp - TRACK_RED_ZONE;
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
	else if (rule->kind == TRACK_RULE_BP_AT && w->at.has_bp && !read_word(w, w->at.bp + offset, &end))
		end = 0;
	return end > w->at.sp && end - w->at.sp <= FRAME_MAX ? end : 0;
}

static void store_registers(struct walk *w, const struct track_saved *saved, uintptr_t end, uint32_t frame)
{
	uintptr_t bp = w->at.bp;
	for (size_t i = 0; i < TRACK_KEPT; i++) {
		uint32_t number = kept_registers[i], bit = (uint32_t)1 << number;
		if (((saved->from_cfa | saved->from_bp) & bit) == 0)
			continue;
		if (w->at.kept[i] != 0)
			w->out->stored[w->out->stored_count++] = (struct track_stored){w->at.kept[i], frame};
		w->at.kept[i] = 0;
		if ((saved->from_bp & bit) == 0 || w->at.has_bp)
			w->at.kept[i] = (saved->from_bp & bit ? bp : end) + (uintptr_t)(intptr_t)saved->offsets[number];
		if (number == BP)
			w->at.has_bp = w->at.kept[i] != 0 && read_word(w, w->at.kept[i], &w->at.bp);
	}
}

static void add_frame(struct walk *w, uint32_t module, uintptr_t end)
{
	w->out->all[w->out->count++] = (struct track_frame){w->start, end, TRACK_FRAME(module, w->at.address), 0};
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
	bool is_last = rule.kind == TRACK_RULE_END || (rule.kind == TRACK_RULE_NONE && w->at.has_bp && w->at.bp == 0);
	uintptr_t end = is_last ? w->start : end_of(w, &rule), caller;
	if (end == 0)
		return CUT;
	add_frame(w, module, end);
	if (is_last)
		return END;
	store_registers(w, &saved, end, (uint32_t)w->out->count - 1);
	if (!read_word(w, end - sizeof end, &caller) || caller < PAGE)
		return CUT;
	w->at.address = caller;
	w->at.sp = w->start = end;
	return DONE;
}

void track_frames_walk(struct track_frames *f, struct track_maps *maps, const struct track_place *from)
{
	struct walk w = {.out = f, .maps = maps, .at = *from, .start = from->sp - TRACK_RED_ZONE};
	enum outcome outcome = DONE;
	f->count = f->stored_count = 0;
	while (outcome == DONE && f->count < track_settings.depth)
		outcome = step(&w);
	uint32_t node = outcome == END ? TRACK_ROOT : TRACK_TRUNCATED;
	for (size_t i = f->count; i-- > 0;)
		f->all[i].node = node = track_node(node, f->all[i].frame);
}

#else

void track_frames_walk(struct track_frames *f, struct track_maps *maps, const struct track_place *from)
{
	(void)maps;
	(void)from;
	f->count = f->stored_count = 0;
}

#endif

const struct track_frame *track_frames_find(const struct track_frames *f, uintptr_t address)
{
	for (size_t i = 0; i < f->stored_count; i++)
		if (f->stored[i].at == address)
			return &f->all[f->stored[i].frame];
	for (size_t i = 0; i < f->count; i++)
		if (address >= f->all[i].start && address < f->all[i].end)
			return &f->all[i];
	return NULL;
}
