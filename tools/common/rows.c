/* Rows of an answer as cells, whatever their key is. */
#include "rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "demangle.h"
#include "escape.h"
#include "words.h"

static const struct key_columns {
	size_t count;
	struct print_column columns[ROWS_MAX_KEY_COLUMNS];
} key_columns[SNAP_KEY_COUNT] = {
	[SNAP_KEY_TYPE] = {2, {{"kind", PRINT_TEXT}, {"type", PRINT_TEXT}}},
	[SNAP_KEY_SHAPE] = {3, {{"kind", PRINT_TEXT}, {"type", PRINT_TEXT}, {"shape", PRINT_TEXT}}},
	[SNAP_KEY_LINENO] = {2, {{"file", PRINT_TEXT}, {"line", PRINT_NUMBER}}},
	[SNAP_KEY_FILENAME] = {1, {{"file", PRINT_TEXT}}},
	[SNAP_KEY_FUNCTION] =
		{3, {{"function", PRINT_TEXT}, {"file", PRINT_TEXT}, {"module", PRINT_TEXT}}},
	[SNAP_KEY_TRACEBACK] = {1, {{"traceback", PRINT_LINES}}},
	[SNAP_KEY_MODULE] = {1, {{"module", PRINT_TEXT}}},
	[SNAP_KEY_THREAD] = {2, {{"thread", PRINT_NUMBER}, {"name", PRINT_TEXT}}},
	[SNAP_KEY_DOMAIN] = {1, {{"domain", PRINT_NUMBER}}},
	[SNAP_KEY_SIZE] = {2, {{"size_min", PRINT_BYTES}, {"size_max", PRINT_BYTES}}},
	[SNAP_KEY_GENERATION] = {1, {{"generation", PRINT_NUMBER}}},
	[SNAP_KEY_ROOT] = {2, {{"root_kind", PRINT_TEXT}, {"root", PRINT_TEXT}}},
	[SNAP_KEY_DOMINATOR] = {4,
				{{"address", PRINT_HEX},
				 {"kind", PRINT_TEXT},
				 {"type", PRINT_TEXT},
				 {"name", PRINT_TEXT}}},
	[SNAP_KEY_DUPLICATE] = {6,
				{{"waste", PRINT_BYTES},
				 {"length", PRINT_NUMBER},
				 {"hash", PRINT_HEX},
				 {"kind", PRINT_TEXT},
				 {"type", PRINT_TEXT},
				 {"content", PRINT_TEXT}}},
	[SNAP_KEY_FIELD] = {4,
			    {{"kind", PRINT_TEXT},
			     {"type", PRINT_TEXT},
			     {"reference", PRINT_TEXT},
			     {"label", PRINT_TEXT}}},
	[SNAP_KEY_FILL] = {6,
			   {{"empty", PRINT_COUNT},
			    {"places", PRINT_COUNT},
			    {"fill_percent", PRINT_NUMBER},
			    {"hollow", PRINT_COUNT},
			    {"kind", PRINT_TEXT},
			    {"type", PRINT_TEXT}}},
	[SNAP_KEY_PATH] = {1, {{"path", PRINT_LINES}}},
	[SNAP_KEY_REFCOUNT] = {1, {{"refcount", PRINT_NUMBER}}},
};

size_t rows_key_columns(enum snap_key key, struct print_column *columns)
{
	memcpy(columns, key_columns[key].columns, key_columns[key].count * sizeof(*columns));
	return key_columns[key].count;
}

void rows_absent_cells(struct print_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cells[i] = print_absent();
}

/* ---- parts of keys as text ---- */

static struct print_cell text_cell(struct snap_text text)
{
	return text.bytes ? print_bytes(text.bytes, text.size) : print_absent();
}

static void append(struct buffer *out, struct snap_text text)
{
	buffer_append(out, text.bytes ? text.bytes : "", text.size);
}

static void append_number(struct buffer *out, const char *format, uint64_t number)
{
	char text[48];
	snprintf(text, sizeof(text), format, number);
	buffer_text(out, text);
}

static void append_word(struct buffer *out, enum word_list list, uint64_t number)
{
	const char *word = word_of(list, number);
	if (word)
		buffer_text(out, word);
	else
		append_number(out, "kind-%" PRIu64, number);
}

/* Names for people are shortened. */
static void append_function(struct buffer *out, struct snap_text function, bool for_people)
{
	if (for_people)
		shorten_templates(out, function.bytes ? function.bytes : "", function.size);
	else
		append(out, function);
}

/* function (file:line), or file:line; without a file
 * the function, in its module or at its offset. */
static void append_place(struct buffer *out, const struct snap_place *place, bool for_people)
{
	append_function(out, place->function, for_people);
	if (place->file.bytes) {
		if (place->function.bytes)
			buffer_text(out, " (");
		append(out, place->file);
		if (place->line != 0)
			append_number(out, ":%" PRIu64, place->line);
		if (place->function.bytes)
			buffer_byte(out, ')');
		return;
	}
	if (place->function.bytes && place->module.bytes)
		buffer_text(out, "@");
	append(out, place->module);
	if (!place->function.bytes && (place->module.bytes || place->offset))
		append_number(out, "+0x%" PRIx64, place->offset);
}

/* Items are joined by semicolons, or are lines, escaped, which begin at from. */
static void end_item(struct buffer *out, size_t from, bool goes_on, bool in_lines)
{
	if (in_lines) {
		struct buffer raw = {0};
		buffer_append(&raw, out->bytes + from, out->size - from);
		out->size = from;
		escape_append(out, raw.bytes, raw.size, ESCAPE_TEXT);
		buffer_free(&raw);
	}
	if (goes_on)
		buffer_byte(out, in_lines ? '\n' : ';');
}

/* Outermost first. */
static void append_traceback(struct buffer *out, const struct snap_answer_row *row, bool shortened,
			     bool in_lines)
{
	for (size_t i = row->frame_count; i-- > 0;) {
		size_t from = out->size;
		append_place(out, &row->frames[i], shortened);
		end_item(out, from, i > 0, in_lines);
	}
}

static void append_slot(struct buffer *out, const struct snap_slot_text *slot)
{
	if (slot->kind != SNAP_REF_FIELD) {
		append_word(out, WORDS_REFERENCE_KIND, slot->kind);
		buffer_byte(out, ' ');
	}
	if (slot->name.bytes)
		append(out, slot->name);
	else if (slot->label % 4 == 1)
		append_number(out, "[%" PRIu64 "]", slot->label / 4);
	else
		buffer_byte(out, '?');
}

/* {field, field}[tail] */
static void append_shape(struct buffer *out, const struct snap_answer_row *row)
{
	buffer_byte(out, '{');
	for (size_t i = 0; i < row->slot_count; i++) {
		if (i > 0)
			buffer_text(out, ", ");
		append_slot(out, &row->slots[i]);
	}
	buffer_byte(out, '}');
	if (row->tail == SNAP_TAIL_NONE)
		return;
	buffer_byte(out, '[');
	if (row->tail == SNAP_TAIL_INDEXED)
		append_word(out, WORDS_REFERENCE_KIND, row->tail_kind);
	else
		buffer_text(out, "labelled");
	buffer_byte(out, ']');
}

/* Roots are variables, perhaps with an offset. */
static void append_variable(struct buffer *out, struct snap_text label)
{
	demangle_variable(out, label.bytes ? label.bytes : "", label.size);
}

/* ".name", "[]" for any index, "{}" for any key; without a label "<kind>". */
static void append_label(struct buffer *out, const struct snap_step_text *step)
{
	if (step->is_index || step->is_key) {
		buffer_text(out, step->is_index ? "[]" : "{}");
	} else if (step->label.bytes && step->is_root) {
		append_variable(out, step->label);
	} else if (step->label.bytes) {
		append(out, step->label);
	} else {
		buffer_byte(out, '<');
		append_word(out, step->is_root ? WORDS_ROOT_KIND : WORDS_REFERENCE_KIND,
			    step->kind);
		buffer_byte(out, '>');
	}
}

/* Labels and types in turn; what no root reaches is said in words. */
static void append_path(struct buffer *out, const struct snap_answer_row *row, bool in_lines)
{
	if (row->step_count == 0)
		buffer_text(out, "(unreachable)");
	for (size_t i = 0; i < row->step_count; i++) {
		size_t from = out->size;
		append_label(out, &row->steps[i]);
		buffer_byte(out, ' ');
		if (row->steps[i].type.bytes)
			append(out, row->steps[i].type);
		else
			buffer_text(out, "block");
		end_item(out, from, i + 1 < row->step_count, in_lines);
	}
}

/* ---- cells ---- */

/* Appending moves the buffer, so cells are pointed to it when it is whole. */
struct made_text {
	struct buffer *buffer;
	size_t start;
};

static bool is_for_people(void)
{
	return cli_common.format == CLI_TABLE;
}

static struct made_text begin_text(struct buffer *scratch)
{
	return (struct made_text){scratch, scratch->size};
}

static void type_cells(const struct snap_answer_row *row, bool with_shape, struct buffer *scratch,
		       struct print_cell *cells)
{
	struct made_text kind = begin_text(scratch);
	append_word(scratch, WORDS_TYPE_KIND, row->kind);
	struct made_text shape = begin_text(scratch);
	if (with_shape)
		append_shape(scratch, row);
	cells[0] = row->name.bytes
			   ? print_bytes(scratch->bytes + kind.start, shape.start - kind.start)
			   : print_absent();
	cells[1] = text_cell(row->name);
	if (with_shape)
		cells[2] = print_bytes(scratch->bytes + shape.start, scratch->size - shape.start);
}

static void owner_cells(const struct snap_answer_row *row, struct buffer *scratch,
			struct print_cell *cells)
{
	append_variable(scratch, row->object_name);
	size_t size = scratch->size;
	cells[0] = row->address ? print_number(row->address) : print_absent();
	type_cells(row, false, scratch, cells + 1);
	cells[3] = row->object_name.bytes ? print_bytes(scratch->bytes, size) : print_absent();
}

static void duplicate_cells(const struct snap_answer_row *row, struct buffer *scratch,
			    struct print_cell *cells)
{
	cells[0] = print_number(row->waste);
	cells[1] = print_number(row->length);
	cells[2] = row->content.bytes ? print_absent() : print_number(row->hash);
	type_cells(row, false, scratch, cells + 3);
	cells[5] = text_cell(row->content);
}

static void field_cells(const struct snap_answer_row *row, struct buffer *scratch,
			struct print_cell *cells)
{
	append_word(scratch, WORDS_TYPE_KIND, row->kind);
	struct made_text kind = begin_text(scratch);
	append_word(scratch, WORDS_REFERENCE_KIND, row->step.kind);
	struct made_text label = begin_text(scratch);
	if (row->step.is_index || row->step.is_key || row->step.label.bytes)
		append_label(scratch, &row->step);
	cells[0] = row->name.bytes ? print_bytes(scratch->bytes, kind.start) : print_absent();
	cells[1] = text_cell(row->name);
	cells[2] = print_bytes(scratch->bytes + kind.start, label.start - kind.start);
	cells[3] = scratch->size > label.start
			   ? print_bytes(scratch->bytes + label.start, scratch->size - label.start)
			   : print_absent();
}

static void fill_cells(const struct snap_answer_row *row, struct buffer *scratch,
		       struct print_cell *cells)
{
	uint64_t filled = row->fill.places - row->fill.empty;
	cells[0] = print_number(row->fill.empty);
	cells[1] = print_number(row->fill.places);
	/* Rounded down; the quotient first, as places may be many. */
	cells[2] =
		row->fill.places
			? print_number((uint64_t)((double)filled / (double)row->fill.places * 100))
			: print_absent();
	cells[3] = print_number(row->fill.hollow);
	type_cells(row, false, scratch, cells + 4);
}

static void root_cells(const struct snap_answer_row *row, struct buffer *scratch,
		       struct print_cell *cells)
{
	struct made_text kind = begin_text(scratch);
	if (row->has_number)
		append_word(scratch, WORDS_ROOT_KIND, row->number);
	else
		buffer_text(scratch, "unreachable");
	struct made_text name = begin_text(scratch);
	append_variable(scratch, row->name);
	cells[0] = print_bytes(scratch->bytes + kind.start, name.start - kind.start);
	cells[1] = row->name.bytes
			   ? print_bytes(scratch->bytes + name.start, scratch->size - name.start)
			   : print_absent();
}

static void place_cells(const struct snap_answer_row *row, struct buffer *scratch,
			struct print_cell *cells)
{
	bool has_file = row->place.file.bytes;
	if (!has_file)
		append_place(scratch, &row->place, is_for_people());
	cells[0] = scratch->size ? print_bytes(scratch->bytes, scratch->size)
				 : text_cell(row->place.file);
	cells[1] = has_file ? print_number(row->place.line) : print_absent();
}

void rows_key_cells(enum snap_key key, const struct snap_answer_row *row, struct buffer *scratch,
		    struct print_cell *cells)
{
	scratch->size = 0;
	switch (key) {
	case SNAP_KEY_TYPE: type_cells(row, false, scratch, cells); break;
	case SNAP_KEY_SHAPE: type_cells(row, true, scratch, cells); break;
	case SNAP_KEY_LINENO: place_cells(row, scratch, cells); break;
	case SNAP_KEY_FILENAME: cells[0] = text_cell(row->place.file); break;
	case SNAP_KEY_FUNCTION:
		append_function(scratch, row->place.function, is_for_people());
		cells[0] = row->place.function.bytes ? print_bytes(scratch->bytes, scratch->size)
						     : print_absent();
		cells[1] = text_cell(row->place.file);
		cells[2] = text_cell(row->place.module);
		break;
	case SNAP_KEY_TRACEBACK:
		append_traceback(scratch, row, is_for_people(), is_for_people());
		cells[0] = row->frame_count ? print_bytes(scratch->bytes, scratch->size)
					    : print_absent();
		break;
	case SNAP_KEY_MODULE: cells[0] = text_cell(row->place.module); break;
	case SNAP_KEY_THREAD:
		cells[0] = row->has_number ? print_number(row->number) : print_absent();
		cells[1] = text_cell(row->name);
		break;
	case SNAP_KEY_DOMAIN:
	case SNAP_KEY_GENERATION:
	case SNAP_KEY_REFCOUNT: cells[0] = print_number(row->number); break;
	case SNAP_KEY_SIZE:
		cells[0] = print_number(row->low);
		cells[1] = print_number(row->high);
		break;
	case SNAP_KEY_ROOT: root_cells(row, scratch, cells); break;
	case SNAP_KEY_DOMINATOR: owner_cells(row, scratch, cells); break;
	case SNAP_KEY_DUPLICATE: duplicate_cells(row, scratch, cells); break;
	case SNAP_KEY_FIELD: field_cells(row, scratch, cells); break;
	case SNAP_KEY_FILL: fill_cells(row, scratch, cells); break;
	case SNAP_KEY_PATH:
		append_path(scratch, row, is_for_people());
		cells[0] = print_bytes(scratch->bytes, scratch->size);
		break;
	}
}

bool rows_add_up(const struct snap_answer_info *info)
{
	return !info->cumulative && info->key != SNAP_KEY_FIELD;
}

void rows_others_cells(enum snap_key key, uint64_t others, struct buffer *scratch,
		       struct print_cell *cells)
{
	const struct key_columns *known = &key_columns[key];
	scratch->size = 0;
	append_number(scratch, others == 1 ? "[%" PRIu64 " other]" : "[%" PRIu64 " others]",
		      others);
	rows_absent_cells(cells, known->count);
	for (size_t i = 0; i < known->count; i++) {
		if (known->columns[i].kind == PRINT_TEXT || known->columns[i].kind == PRINT_LINES) {
			cells[i] = print_bytes(scratch->bytes, scratch->size);
			return;
		}
	}
}

void rows_key_text(enum snap_key key, const struct snap_answer_row *row, struct buffer *text)
{
	text->size = 0;
	switch (key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_SHAPE:
	case SNAP_KEY_THREAD:
	case SNAP_KEY_DOMINATOR:
	case SNAP_KEY_DUPLICATE:
	case SNAP_KEY_FILL: append(text, row->name); break;
	case SNAP_KEY_ROOT: append_variable(text, row->name); break;
	case SNAP_KEY_FIELD:
		append(text, row->name);
		buffer_byte(text, '.');
		append_label(text, &row->step);
		break;
	case SNAP_KEY_PATH: append_path(text, row, false); break;
	case SNAP_KEY_LINENO: append_place(text, &row->place, false); break;
	case SNAP_KEY_FILENAME: append(text, row->place.file); break;
	case SNAP_KEY_FUNCTION: append(text, row->place.function); break;
	case SNAP_KEY_TRACEBACK: append_traceback(text, row, false, false); break;
	case SNAP_KEY_MODULE: append(text, row->place.module); break;
	case SNAP_KEY_DOMAIN:
	case SNAP_KEY_GENERATION:
	case SNAP_KEY_REFCOUNT: append_number(text, "%" PRIu64, row->number); break;
	case SNAP_KEY_SIZE: append_number(text, "%" PRIu64, row->low); break;
	}
}

void rows_place_text(const struct snap_place *place, struct buffer *text)
{
	append_place(text, place, false);
}

void rows_key_items(enum snap_key key, const struct snap_answer_row *row, struct buffer *text)
{
	if (key == SNAP_KEY_PATH)
		append_path(text, row, true);
	else if (row->frame_count > 0)
		append_traceback(text, row, false, true);
	else
		buffer_text(text, "<unknown>");
}

void rows_print_lines(struct snap_answer *answer, const struct snap_answer_info *info,
		      enum snap_order order, uint64_t limit)
{
	for (uint64_t i = 0; i < info->row_count && i < limit; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		if (cli_common.format == CLI_FOLDED)
			rows_print_folded(info->key, order, &row, info->compared);
		else
			rows_print_statistic(info->key, &row, info->compared);
	}
}

/* ---- beside the rows ---- */

void rows_warn(const struct snap_answer_info *info, bool patterned, const char *file,
	       const char *old_file)
{
	if (info->estimated)
		cli_warn("sampled every %" PRIu64 " bytes: bytes and counts are estimates%s",
			 info->sampling_interval_bytes,
			 info->by_average ? ", made from mean sizes" : "");
	if (info->row_count == 0 && patterned)
		cli_warn("the patterns leave nothing");
	if (info->old_lost_rows)
		cli_lost(old_file, info->old_lost_rows);
	if (info->lost_rows)
		cli_lost(file, info->lost_rows);
}

void rows_notes(struct print_table *table, const struct snap_answer_info *info)
{
	print_note(table, "key", snap_key_name(info->key));
	if (info->cumulative)
		print_note(table, "frames", "cumulative");
	if (info->estimated)
		print_note(table, "estimate", info->by_average ? "by mean size" : "by block");
	if (info->estimated)
		print_note_number(table, "sampling_interval_bytes", info->sampling_interval_bytes);
	print_note_number(table, "row_count", info->row_count);
}
