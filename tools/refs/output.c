/* Lines of the answer: one table for programs, sections for people. */
#include "refs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct print_column columns[] = {
	{"number", PRINT_NUMBER},  {"depth", PRINT_NUMBER},  {"count", PRINT_COUNT},
	{"targets", PRINT_COUNT},  {"repeats", PRINT_COUNT}, {"bytes", PRINT_BYTES},
	{"retained", PRINT_BYTES}, {"row", PRINT_NUMBER},    {"address", PRINT_HEX},
	{"section", PRINT_TEXT},   {"kind", PRINT_TEXT},     {"label", PRINT_TEXT},
	{"type", PRINT_TEXT},      {"site", PRINT_TEXT},     {"names", PRINT_COUNT},
	{"name", PRINT_TEXT},      {"thread", PRINT_NUMBER},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

void refs_begin(struct refs *refs)
{
	if (cli_common.format != CLI_TABLE)
		refs->table = print_begin("snap-refs/1", columns, COLUMNS);
}

void refs_end(struct refs *refs)
{
	if (refs->table != NULL)
		print_end(refs->table);
}

struct refs_line refs_line(const char *section)
{
	return (struct refs_line){.section = section,
				  .number = REFS_ABSENT,
				  .depth = REFS_ABSENT,
				  .count = REFS_ABSENT,
				  .targets = REFS_ABSENT,
				  .repeats = REFS_ABSENT,
				  .bytes = REFS_ABSENT,
				  .retained = REFS_ABSENT,
				  .row = REFS_ABSENT,
				  .address = REFS_ABSENT,
				  .names = REFS_ABSENT,
				  .thread = REFS_ABSENT};
}

/* Thread and stack are ids; 0: none. */
static void add_place(struct refs *refs, struct refs_line *line, uint64_t thread, uint64_t stack)
{
	if (thread != 0 && line->thread == REFS_ABSENT) {
		line->thread = refs_value(refs, SNAP_THREAD_ID, thread - 1);
		refs_append_string(refs, &line->thread_name,
				   refs_value(refs, SNAP_THREAD_NAME, thread - 1));
	}
	if (stack != 0 && line->site.size == 0) {
		line->is_frame = true;
		refs_append_frame(refs, &line->site, refs_value(refs, SNAP_STACK_FRAME, stack - 1));
	}
}

void refs_describe_root(struct refs *refs, struct refs_line *line, uint64_t root)
{
	if (root < snap_reader_row_count(refs->reader, SNAP_ROOTS))
		add_place(refs, line, refs_value(refs, SNAP_ROOT_THREAD, root),
			  refs_value(refs, SNAP_ROOT_STACK, root));
}

void refs_describe(struct refs *refs, struct refs_line *line, uint64_t row)
{
	struct snap_graph_object object;
	refs_must(refs, snap_graph_object(refs->graph, row, &object, &refs->error));
	line->row = row;
	if (object.address != 0)
		line->address = object.address;
	if (line->bytes == REFS_ABSENT)
		line->bytes = object.bytes;
	if (line->type.size == 0)
		refs_append_type(refs, &line->type, object.type);
	if (line->name.size == 0)
		refs_append_name(refs, &line->name, row);
	if (object.count == 0)
		add_place(refs, line, refs_value(refs, SNAP_OBJECT_THREAD, row),
			  refs_value(refs, SNAP_OBJECT_STACK, row));
}

/* ---- for programs ---- */

static struct print_cell number_cell(uint64_t number)
{
	return number == REFS_ABSENT ? print_absent() : print_number(number);
}

static struct print_cell text_cell(const struct buffer *text)
{
	return text->size == 0 ? print_absent() : print_bytes(text->bytes, text->size);
}

static void print_cells(struct refs *refs, const struct refs_line *line)
{
	const struct print_cell cells[COLUMNS] = {
		number_cell(line->number),
		number_cell(line->depth),
		number_cell(line->count),
		number_cell(line->targets),
		number_cell(line->repeats),
		number_cell(line->bytes),
		number_cell(line->retained),
		number_cell(line->row),
		number_cell(line->address),
		print_bytes(line->section, strlen(line->section)),
		line->kind != NULL ? print_bytes(line->kind, strlen(line->kind)) : print_absent(),
		text_cell(&line->label),
		text_cell(&line->type),
		text_cell(&line->site),
		number_cell(line->names),
		text_cell(&line->name),
		number_cell(line->thread),
	};
	print_row(refs->table, cells);
}

/* ---- for people ---- */

/* Sections that are one for people. */
static bool goes_on(const char *before, const char *section)
{
	if (before == NULL)
		return false;
	return strcmp(before, section) == 0 ||
	       ((strcmp(before, "member") == 0 || strcmp(before, "kept") == 0) &&
		strcmp(section, "cycle") == 0) ||
	       (strcmp(before, "garbage") == 0 && strcmp(section, "unreachable") == 0) ||
	       (strcmp(before, "path") == 0 && strcmp(section, "unreached") == 0);
}

static void print_header(struct refs *refs, const struct refs_line *line)
{
	const char *const titles[][2] = {
		{"all", NULL},
		{"target", "What it is (count, bytes, retained if one)"},
		{"frame", line->is_frame ? "Running at" : "Allocated at"},
		{"holder", "Held by (references)"},
		{"refcount", NULL},
		{"owned", "Refers to (references)"},
		{"path", "Shortest paths from the roots (targets; <- those that end here)"},
		{"dominator", "Dominators, the closest first (bytes, retained)"},
		{"cycle", line->repeats == REFS_ABSENT
				  ? "Cycles (objects, bytes, retained)"
				  : "Cycles in it (objects, bytes; x: so many alike)"},
		{"member", NULL},
		{"unreached", "Shortest paths from the roots"},
		{"unreachable", "No root reaches (count, bytes)"},
		{"retainer", "Objects that retain most (bytes, retained)"},
		{"way", " Shortest path from the roots"},
		{"child", " Where it spreads out (objects, retained)"},
		{"held", " What it holds (count, bytes)"},
		{"kept", " Kept alive by"},
		{"garbage", "No root reaches (count, bytes)"},
		{"freed", "What would be freed (count, bytes)"},
		{"foreign_type", "Held from C, or in use (references not found, objects)"},
		{"foreign", "Held from C, or in use (references not found, counted, bytes)"},
	};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		const char *title = titles[i][1];
		if (strcmp(titles[i][0], line->section) != 0 || title == NULL ||
		    goes_on(refs->section, line->section))
			continue;
		/* Parts of a suspect belong together. */
		bool is_part = title[0] == ' ';
		printf("%s%s:\n", refs->section != NULL && !is_part ? "\n" : "", title + is_part);
	}
	refs->section = line->section;
}

static void print_number_if(uint64_t number, int width, bool is_size)
{
	char size[32];
	if (number == REFS_ABSENT)
		return;
	if (is_size)
		printf("%*s  ", width, print_size(number, size));
	else
		printf("%*" PRIu64 "  ", width, number);
}

static bool is_step(const struct refs_line *line)
{
	return strcmp(line->section, "path") == 0 || strcmp(line->section, "way") == 0 ||
	       strcmp(line->section, "kept") == 0;
}

/* Words go one after the other with a space between them. */
static void print_word(bool *any, const char *prefix, const char *bytes, size_t size)
{
	if (*any)
		putchar(' ');
	*any = true;
	printf("%s", prefix);
	print_text(bytes, size);
}

/* A name as it is written in a program: .name, [index], {key}; roots say what they are. */
static void print_label(const struct refs_line *line, bool *any)
{
	const struct buffer *label = &line->label;
	const char *kind = line->kind != NULL ? line->kind : "unknown";
	bool is_named = label->size > 0;
	if (line->is_root) {
		print_word(any, "root ", kind, strlen(kind));
		is_named = is_named && (label->size != strlen(kind) ||
					memcmp(label->bytes, kind, label->size) != 0);
	} else if (line->weak || (!is_named && is_step(line))) {
		print_word(any, "", kind, strlen(kind));
	}
	bool is_bare = line->is_root || strcmp(line->section, "frame") == 0;
	if (is_named)
		print_word(any, is_bare || strchr("[{+", label->bytes[0]) ? "" : ".", label->bytes,
			   label->size);
}

static void print_thread(const struct refs_line *line)
{
	if ((!line->is_frame && !line->is_root) || line->thread == REFS_ABSENT)
		return;
	printf(" of thread %" PRIu64, line->thread);
	if (line->thread_name.size > 0)
		putchar(' ');
	print_text(line->thread_name.bytes, line->thread_name.size);
}

/* What tells one object from others of its type. */
static void print_identity(const struct refs_line *line)
{
	if (line->name.size > 0) {
		putchar(' ');
		print_text(line->name.bytes, line->name.size);
	}
	if (line->address != REFS_ABSENT)
		printf(" 0x%" PRIx64, line->address);
	print_thread(line);
}

/* A step of a path says by its label what it is, and
 * a line with a place what was allocated there. */
static bool is_untyped(const struct refs_line *line)
{
	return !is_step(line) && !line->is_root && line->site.size == 0 &&
	       line->row != REFS_ABSENT && strcmp(line->section, "frame") != 0;
}

static void print_line(const struct refs_line *line)
{
	bool is_path = is_step(line), is_frame = strcmp(line->section, "frame") == 0;
	printf("  ");
	if (!line->is_only)
		print_number_if(line->targets, 9, false);
	if (!is_path) {
		print_number_if(line->count, 9, false);
		print_number_if(line->bytes, 10, true);
		print_number_if(line->retained, 10, true);
	}
	if (is_path || strcmp(line->section, "member") == 0)
		printf("%*s", (int)(line->depth < 40 ? 2 * line->depth : 80), "");
	bool any = false;
	print_label(line, &any);
	if (line->type.size > 0)
		print_word(&any, "", line->type.bytes, line->type.size);
	else if (is_untyped(line))
		print_word(&any, "", "block", strlen("block"));
	if (line->repeats != REFS_ABSENT && line->repeats > 1)
		printf(" x%" PRIu64, line->repeats);
	if (line->names != REFS_ABSENT)
		printf("  (%" PRIu64 " names)", line->names);
	if (line->names == REFS_ABSENT &&
	    (line->is_single || (!is_path && (line->count == REFS_ABSENT || line->count == 1))))
		print_identity(line);
	if (line->site.size > 0) {
		printf(!is_frame ? "  at " : any ? " (" : "");
		print_text(line->site.bytes, line->site.size);
		printf(is_frame && any ? ")" : "");
	}
	if (line->kind != NULL && strcmp(line->kind, "unreachable") == 0)
		printf("  (unreachable)");
	if (is_path && line->count != REFS_ABSENT && line->count > 0 && !line->is_only)
		printf("  <- %" PRIu64, line->count);
	putchar('\n');
}

static void print_reached(const struct refs_line *line)
{
	char bytes[32];
	printf("%" PRIu64 " %s, %s, are reached; ", line->count,
	       line->count == 1 ? "object" : "objects", print_size(line->bytes, bytes));
	if (line->targets == 0)
		printf("nothing stands out: nothing holds more than %" PRIu64 "%% of that\n",
		       line->number);
	else
		printf("%" PRIu64 " %s more than %" PRIu64 "%% of that\n", line->targets,
		       line->targets == 1 ? "suspect holds" : "suspects hold", line->number);
}

void refs_print_unreached(struct refs *refs, uint64_t reached)
{
	uint64_t others = refs->objects - reached;
	if (refs->table == NULL && others > refs->objects / 10)
		printf("%" PRIu64 " others are not, and hang on no suspect: see --unreachable\n",
		       others);
}

static void print_suspect(const struct refs_line *line)
{
	char bytes[32], retained[32];
	printf("\nSuspect %" PRIu64 ": ", line->number);
	if (line->count > 1)
		printf("%" PRIu64 " ", line->count);
	if (line->type.size > 0)
		print_text(line->type.bytes, line->type.size);
	else
		printf(line->count == 1 ? "block" : "blocks");
	if (line->count == 1)
		print_identity(line);
	if (line->count > 1)
		printf(", held by the roots together,");
	printf(" %s %s, %.1f%%", line->count == 1 ? "holds" : "hold",
	       print_size(line->bytes, bytes), 100.0 * (double)line->bytes / (double)line->share);
	if (line->retained != line->bytes)
		printf(" (%s with other suspects)", print_size(line->retained, retained));
	putchar('\n');
	if (line->site.size == 0)
		return;
	printf(line->is_frame ? "Running at " : "Allocated at ");
	print_text(line->site.bytes, line->site.size);
	putchar('\n');
}

static void print_keywords(const struct refs_line *line)
{
	printf("Keywords: ");
	print_text(line->label.bytes, line->label.size);
	putchar('\n');
}

static void print_estimate(const struct refs_line *line)
{
	char bytes[32];
	const char *what = strcmp(line->section, "memory") == 0 ? "of memory, with no need of files"
			   : strcmp(line->section, "least") == 0
				   ? "of memory, at least"
				   : "of files, at most, between these";
	printf("%10s  %s\n", print_size(line->bytes, bytes), what);
}

static void print_garbage(const struct refs_line *line)
{
	char bytes[32];
	printf("  %9" PRIu64 "  %10s  in all\n", line->count, print_size(line->bytes, bytes));
}

static void print_refcount(const struct refs_line *line)
{
	uint64_t known = refs_add(line->targets, line->number);
	printf("\nIts reference count is %" PRIu64 ": %" PRIu64 " found", line->count,
	       line->targets);
	if (line->number > 0)
		printf(", %" PRIu64 " of running functions", line->number);
	if (line->count > known)
		printf(", %" PRIu64 " held from C or in use", line->count - known);
	putchar('\n');
}

/* A cycle that no root reaches. */
static void print_unkept(const struct refs_line *line)
{
	printf("  nothing: garbage, held by ");
	if (line->type.size > 0)
		print_text(line->type.bytes, line->type.size);
	else
		printf("block");
	print_identity(line);
	printf(", which no root reaches\n");
}

static void print_all(const struct refs_line *line)
{
	char bytes[32], retained[32];
	printf("%" PRIu64 " %s, %s", line->count, line->count == 1 ? "object" : "objects",
	       print_size(line->bytes, bytes));
	if (line->retained != REFS_ABSENT)
		printf("; freeing %s would free %s", line->count == 1 ? "it" : "them",
		       print_size(line->retained, retained));
	putchar('\n');
}

void refs_print(struct refs *refs, struct refs_line *line)
{
	if (refs->table != NULL) {
		print_cells(refs, line);
	} else {
		print_header(refs, line);
		if (strcmp(line->section, "all") == 0)
			print_all(line);
		else if (strcmp(line->section, "reached") == 0)
			print_reached(line);
		else if (strcmp(line->section, "suspect") == 0)
			print_suspect(line);
		else if (strcmp(line->section, "keyword") == 0)
			print_keywords(line);
		else if (strcmp(line->section, "refcount") == 0)
			print_refcount(line);
		else if (strcmp(line->section, "garbage") == 0)
			print_garbage(line);
		else if (strcmp(line->section, "memory") == 0 ||
			 strcmp(line->section, "least") == 0 || strcmp(line->section, "files") == 0)
			print_estimate(line);
		else if (strcmp(line->section, "kept") == 0 && line->depth == REFS_ABSENT)
			print_unkept(line);
		else if (strcmp(line->section, "unreached") == 0)
			printf("  %9" PRIu64 "  that no root reaches\n", line->count);
		else
			print_line(line);
	}
	buffer_free(&line->label);
	buffer_free(&line->type);
	buffer_free(&line->site);
	buffer_free(&line->name);
	buffer_free(&line->thread_name);
}

void refs_print_rest(struct refs *refs, uint64_t lines, const char *what)
{
	if (refs->table == NULL && lines > 0)
		printf("  ... and %" PRIu64 " more %s\n", lines, what);
}

bool refs_lists(struct refs *refs, uint64_t index, uint64_t count, const char *what)
{
	if (index < count && !refs_over_limit(refs->limit, index))
		return true;
	refs_print_rest(refs, count - index, what);
	return false;
}
