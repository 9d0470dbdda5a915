/* What is said of each suspect: its path, what hangs on it, and words to search for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suspects.h"
#include "tops.h"

#define TYPE_PATHS 3
/* Where none is asked for; the second one where no single object holds so much. */
#define PERCENT      10
#define PERCENT_LESS 5

struct telling {
	struct refs *refs;
	struct suspects suspects;
	size_t shown;
	struct suspect_parts parts;
};

static uint64_t owner_of(const struct telling *telling, uint64_t row)
{
	return snap_graph_numbers_get(telling->suspects.owner, row);
}

static bool is_shown(const struct telling *telling, uint64_t number)
{
	return number >= 1 && number <= telling->shown;
}

/* Whether a row is the suspect, or one of its many. */
static bool is_member(const struct telling *telling, uint64_t row)
{
	const struct suspects *suspects = &telling->suspects;
	uint64_t number = owner_of(telling, row);
	if (number < 1 || number > suspects->count)
		return false;
	const struct suspect *suspect = &suspects->items[number - 1];
	if (!suspect->is_many)
		return suspect->row == row;
	uint64_t dominator = snap_graph_dominator(telling->refs->graph, row);
	return snap_graph_type(telling->refs->graph, row) == suspect->type &&
	       refs_suspect_site(telling->refs, row) == suspect->site &&
	       (dominator == SNAP_GRAPH_NONE || owner_of(telling, dominator) != number);
}

/* Objects right below suspects by type: where the dominator tree spreads out. */
static void count_children(struct telling *telling)
{
	struct refs *refs = telling->refs;
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t dominator = snap_graph_dominator(refs->graph, row);
		if (dominator == SNAP_GRAPH_NONE ||
		    !is_shown(telling, owner_of(telling, dominator)) ||
		    !is_member(telling, dominator))
			continue;
		const struct refs_group added = {.type = snap_graph_type(refs->graph, row),
						 .kind = owner_of(telling, dominator),
						 .row = row,
						 .count = 1,
						 .bytes = snap_graph_retained(refs->graph, row)};
		refs_groups_add(&telling->parts.children, &added);
	}
	refs_groups_sort(&telling->parts.children);
}

/* All that suspects hold, by type and allocation site. */
static void count_held(struct telling *telling)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct refs *refs = telling->refs;
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan) && scan.row < refs->objects) {
		uint64_t number = owner_of(telling, scan.row), count = scan_value(&scan, 1);
		if (!is_shown(telling, number) || count == 0 ||
		    !snap_graph_is_reached(refs->graph, scan.row))
			continue;
		const struct refs_group added = {
			.type = snap_graph_type(refs->graph, scan.row),
			.kind = number,
			.label = scan_value(&scan, 2),
			.row = scan.row,
			.count = count,
			.bytes = refs_multiply(scan_value(&scan, 0), count)};
		refs_groups_add(&telling->parts.held, &added);
	}
	refs_must(refs, scan_end(&scan, NULL));
	refs_groups_sort(&telling->parts.held);
}

static void find_parts(struct telling *telling)
{
	telling->parts.children.refs = telling->parts.held.refs = telling->refs;
	count_children(telling);
	count_held(telling);
}

static void show_groups(struct telling *telling, const struct refs_groups *groups, uint32_t number,
			const char *section)
{
	struct refs *refs = telling->refs;
	bool is_retained = groups == &telling->parts.children;
	uint64_t printed = 0, rest = 0;
	for (uint64_t i = 0; i < groups->count; i++) {
		struct refs_group group = refs_groups_at(groups, i);
		if (group.kind != number)
			continue;
		if (refs_over_limit(refs->limit, printed)) {
			rest++;
			continue;
		}
		struct refs_line line = refs_line(section);
		line.number = number;
		line.count = group.count;
		*(is_retained ? &line.retained : &line.bytes) = group.bytes;
		refs_append_type(refs, &line.type, group.type);
		if (!is_retained)
			refs_append_site(refs, &line.site, group.label);
		line.row = group.row;
		refs_print(refs, &line);
		printed++;
	}
	refs_print_rest(refs, rest, is_retained ? "types" : "types and sites");
}

/* ---- words to search for ---- */

#define LAST_NAMES 4

struct words {
	struct refs *refs;
	uint64_t number;
	struct buffer told;                     /* each ended by a zero */
	struct buffer shown;                    /* for people: in one line */
	uint64_t names[LAST_NAMES], name_count; /* the last ones on the path */
	uint64_t root;                          /* number of the entry */
};

static void tell_word(struct words *words, const struct buffer *word)
{
	if (word->size == 0 || memchr(word->bytes, '\0', word->size) != NULL)
		return;
	for (size_t at = 0; at < words->told.size;) {
		size_t size = strlen(words->told.bytes + at);
		if (size == word->size && memcmp(words->told.bytes + at, word->bytes, size) == 0)
			return;
		at += size + 1;
	}
	buffer_append(&words->told, word->bytes, word->size);
	buffer_byte(&words->told, '\0');
	if (words->refs->table == NULL) {
		if (words->shown.size > 0)
			buffer_text(&words->shown, "  ");
		buffer_append(&words->shown, word->bytes, word->size);
		return;
	}
	struct refs_line line = refs_line("keyword");
	line.number = words->number;
	buffer_append(&line.label, word->bytes, word->size);
	refs_print(words->refs, &line);
}

static bool names_something(uint32_t kind)
{
	return kind == SNAP_REF_FIELD || kind == SNAP_REF_LOCAL || kind == SNAP_REF_VALUE ||
	       kind == SNAP_REF_STATIC || kind == SNAP_REF_ALIAS;
}

/* Fields and variables on the path, but no indexes: these are other ones next time. */
static bool note_step(void *context, const struct snap_graph_reference *reference)
{
	struct words *words = context;
	if (reference->owner == SNAP_GRAPH_NONE)
		words->root = reference->label;
	else if (names_something(reference->kind) && reference->label % 4 == 0)
		words->names[words->name_count++ % LAST_NAMES] = reference->label;
	return true;
}

static void tell_path(struct words *words, uint64_t row)
{
	struct refs *refs = words->refs;
	struct buffer word = {NULL, 0, 0};
	refs_must(refs, snap_graph_path(refs->graph, row, note_step, words, &refs->error));
	if (words->root < UINT32_MAX) {
		refs_append_root(refs, &word, words->root);
		tell_word(words, &word);
	}
	uint64_t first = words->name_count > LAST_NAMES ? words->name_count - LAST_NAMES : 0;
	for (uint64_t i = first; i < words->name_count; i++) {
		word.size = 0;
		refs_append_label(refs, &word, words->names[i % LAST_NAMES]);
		tell_word(words, &word);
	}
	buffer_free(&word);
}

static bool find_largest(const struct refs_groups *groups, uint32_t number, struct refs_group *out)
{
	for (uint64_t i = 0; i < groups->count; i++) {
		*out = refs_groups_at(groups, i);
		if (out->kind == number)
			return true;
	}
	return false;
}

static void tell_type(struct words *words, uint64_t type)
{
	struct buffer word = {NULL, 0, 0};
	refs_append_type(words->refs, &word, type);
	tell_word(words, &word);
	buffer_free(&word);
}

static void tell_function(struct words *words, uint64_t stack)
{
	struct buffer word = {NULL, 0, 0};
	uint64_t frame = refs_site_frame(words->refs, stack);
	refs_append_function(words->refs, &word, frame);
	if (word.size == 0)
		refs_append_place(words->refs, &word, frame);
	tell_word(words, &word);
	buffer_free(&word);
}

static void show_words(struct telling *telling, uint32_t number)
{
	struct refs *refs = telling->refs;
	const struct suspect *suspect = &telling->suspects.items[number - 1];
	struct words words = {.refs = refs, .number = number, .root = UINT64_MAX};
	if (!suspect->is_many)
		tell_path(&words, suspect->row);
	tell_type(&words, suspect->type);
	if (suspect->site != 0)
		tell_function(&words, suspect->site);
	struct refs_group child, held;
	if (find_largest(&telling->parts.children, number, &child))
		tell_type(&words, child.type);
	if (find_largest(&telling->parts.held, number, &held) && held.label != 0)
		tell_function(&words, held.label);
	if (refs->table == NULL) {
		struct refs_line line = refs_line("keyword");
		line.label = words.shown;
		refs_print(refs, &line);
	}
	buffer_free(&words.told);
}

/* ---- one after the other ---- */

static void show_path(struct telling *telling, uint32_t number)
{
	struct refs *refs = telling->refs;
	const struct suspect *suspect = &telling->suspects.items[number - 1];
	struct snap_graph_set *rows;
	refs_must(refs, snap_graph_set_open(&rows, refs->graph, &refs->error));
	if (!suspect->is_many)
		snap_graph_set_add(rows, suspect->row);
	for (uint64_t row = 0; suspect->is_many && row < refs->objects; row++)
		if (owner_of(telling, row) == number && is_member(telling, row))
			snap_graph_set_add(rows, row);
	/* Where many are held from many places, some of these will do. */
	uint64_t limit = refs->path_limit;
	if (suspect->is_many && (limit == 0 || limit > TYPE_PATHS))
		refs->path_limit = TYPE_PATHS;
	refs_show_ways(refs, rows, "way", number);
	refs->path_limit = limit;
	snap_graph_set_close(rows);
}

static void show_suspect(struct telling *telling, uint32_t number)
{
	struct refs *refs = telling->refs;
	const struct suspect *suspect = &telling->suspects.items[number - 1];
	struct refs_line line = refs_line("suspect");
	line.number = number;
	line.count = suspect->count;
	line.bytes = suspect->bytes;
	line.retained = suspect->retained;
	line.share = telling->suspects.bytes;
	refs_describe(refs, &line, suspect->row);
	if ((!suspect->is_many || suspect->site != 0) && !line.is_frame)
		refs_append_site(refs, &line.site,
				 refs_value(refs, SNAP_OBJECT_STACK, suspect->row));
	refs_print(refs, &line);
	show_path(telling, number);
	show_groups(telling, &telling->parts.children, number, "child");
	show_groups(telling, &telling->parts.held, number, "held");
	show_words(telling, number);
}

size_t refs_suspects_shown(const struct refs *refs, const struct suspects *suspects)
{
	return refs_over_limit(refs->limit, suspects->count) ? (size_t)refs->limit
							     : suspects->count;
}

/* Of single objects, which are told first. */
static bool is_any_first(const struct suspects *suspects)
{
	return suspects->count > 0 && !suspects->items[0].is_later;
}

static void suspects_free(struct suspects *suspects)
{
	free(suspects->items);
	snap_graph_numbers_close(suspects->owner);
}

static bool find_suspects(struct refs *refs, uint64_t percent, const struct tops *tops,
			  struct suspects *out)
{
	bool is_given = percent != REFS_ANY_NUMBER;
	if (!refs_find_suspects(refs, is_given ? percent : PERCENT, tops, out))
		return false;
	if (is_given || is_any_first(out))
		return true;
	struct suspects less;
	bool is_found = refs_find_suspects(refs, PERCENT_LESS, tops, &less);
	bool is_kept = is_found && !is_any_first(&less);
	suspects_free(is_kept ? &less : out);
	if (!is_kept)
		*out = less;
	return is_found;
}

void refs_show_suspects(struct refs *refs, uint64_t percent)
{
	struct telling telling = {.refs = refs};
	struct tops tops;
	if (!tops_load(&tops, refs) || !find_suspects(refs, percent, &tops, &telling.suspects))
		find_suspects(refs, percent, NULL, &telling.suspects);
	cli_progress_end();
	telling.shown = refs_suspects_shown(refs, &telling.suspects);
	struct refs_line line = refs_line("reached");
	line.count = telling.suspects.objects;
	line.bytes = telling.suspects.bytes;
	line.number = telling.suspects.percent;
	line.targets = telling.suspects.count;
	refs_print(refs, &line);
	if (refs->table == NULL && telling.suspects.count > 0 && !is_any_first(&telling.suspects))
		puts("No single object does; modules, classes and the like are in every program. "
		     "What grew between two snapshots: snap-diff -k path");
	refs_print_unreached(refs, telling.suspects.objects);
	if (telling.suspects.owner == NULL)
		refs_read_suspect_parts(&tops, &telling.suspects, telling.shown, &telling.parts);
	else
		find_parts(&telling);
	refs_groups_by_site(&telling.parts.held);
	for (uint32_t i = 0; i < telling.shown; i++)
		show_suspect(&telling, i + 1);
	refs_print_rest(refs, telling.suspects.count - telling.shown, "suspects");
	refs_groups_free(&telling.parts.children);
	refs_groups_free(&telling.parts.held);
	tops_free(&tops);
	suspects_free(&telling.suspects);
}
