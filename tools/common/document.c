/* YAML as hostile input, on top of libyaml's events. */
#include "document.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "cli.h"
#include "guard.h"

struct document {
	yaml_parser_t parser;
	yaml_event_t event; /* the last one, if has_event */
	bool has_event, failed;
	FILE *stream;
	const char *file;
	struct guard guard;
	size_t depth;
	char *text; /* of the last scalar, decoded */
	size_t text_size;
};

static bool fail_at(struct document *d, uint64_t line, uint64_t column, const char *reason)
{
	if (!d->failed)
		cli_fail("%s:%" PRIu64 ":%" PRIu64 ": %s", d->file, line, column, reason);
	d->failed = true;
	return false;
}

bool document_fail(struct document *d, const char *format, ...)
{
	char reason[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	yaml_mark_t mark = d->has_event ? d->event.start_mark : d->parser.mark;
	return fail_at(d, mark.line + 1, mark.column + 1, reason);
}

bool document_failed(const struct document *d)
{
	return d->failed;
}

/* Hands bytes to libyaml after the guard has looked at them. */
static int read_guarded(void *context, unsigned char *buffer, size_t size, size_t *got)
{
	struct document *d = context;
	*got = fread(buffer, 1, size, d->stream);
	if (ferror(d->stream)) {
		cli_fail("%s: %s", d->file, strerror(errno));
		d->failed = true;
		return 0;
	}
	const char *reason = guard_look(&d->guard, buffer, *got);
	if (reason)
		fail_at(d, d->guard.line, d->guard.column, reason);
	return !d->failed;
}

struct document *document_open(const char *file, uint64_t max_size)
{
	struct document *d = calloc(1, sizeof(*d));
	if (!d || !yaml_parser_initialize(&d->parser)) {
		free(d);
		cli_fail("out of memory");
		return NULL;
	}
	bool is_stdin = strcmp(file, "-") == 0;
	d->file = is_stdin ? "standard input" : file;
	d->stream = is_stdin ? stdin : fopen(file, "rb");
	if (!d->stream) {
		cli_fail("%s: %s", file, strerror(errno));
		document_close(d);
		return NULL;
	}
	guard_begin(&d->guard, max_size, DOCUMENT_MAX_DEPTH);
	yaml_parser_set_encoding(&d->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&d->parser, read_guarded, d);
	return d;
}

static void drop_event(struct document *d)
{
	if (d->has_event)
		yaml_event_delete(&d->event);
	d->has_event = false;
}

void document_close(struct document *d)
{
	if (!d)
		return;
	drop_event(d);
	yaml_parser_delete(&d->parser);
	if (d->stream && d->stream != stdin)
		fclose(d->stream);
	free(d);
}

static bool read_event(struct document *d)
{
	if (d->failed)
		return false;
	drop_event(d);
	if (!yaml_parser_parse(&d->parser, &d->event)) {
		const yaml_parser_t *p = &d->parser;
		if (p->error == YAML_MEMORY_ERROR)
			return document_fail(d, "out of memory");
		const char *problem = p->problem ? p->problem : "not YAML";
		if (p->error == YAML_READER_ERROR && !d->failed) { /* it knows no lines */
			cli_fail("%s: at byte %zu: %s", d->file, p->problem_offset, problem);
			d->failed = true;
		}
		return fail_at(d, p->problem_mark.line + 1, p->problem_mark.column + 1, problem);
	}
	d->has_event = true;
	return true;
}

/* U+EF80 to U+EFFF is EE BE 80 to EE BF BF: two bits of the
 * second byte and six of the third are the byte meant. */
static void decode_text(struct document *d)
{
	unsigned char *text = d->event.data.scalar.value;
	size_t size = d->event.data.scalar.length, out = 0;
	for (size_t i = 0; i < size; out++) {
		bool stands_for = size - i >= 3 && text[i] == 0xee && (text[i + 1] & 0xfe) == 0xbe;
		text[out] = text[i];
		if (stands_for)
			text[out] = (unsigned char)(0x80 | (text[i + 1] & 1) << 6 |
						    (text[i + 2] & 0x3f));
		i += stands_for ? 3 : 1;
	}
	text[out] = '\0';
	d->text = (char *)text;
	d->text_size = out;
}

static bool refuse_decoration(struct document *d, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return document_fail(d, "anchors are not allowed");
	return !tag || document_fail(d, "tags are not allowed");
}

static enum document_node enter(struct document *d, enum document_node node)
{
	if (++d->depth > DOCUMENT_MAX_DEPTH)
		document_fail(d, "nested deeper than %d", DOCUMENT_MAX_DEPTH);
	return d->failed ? DOCUMENT_FAILED : node;
}

enum document_node document_next(struct document *d)
{
	if (!read_event(d))
		return DOCUMENT_FAILED;
	const yaml_event_t *event = &d->event;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (!refuse_decoration(d, event->data.scalar.anchor, event->data.scalar.tag))
			return DOCUMENT_FAILED;
		decode_text(d);
		return DOCUMENT_SCALAR;
	case YAML_MAPPING_START_EVENT:
		if (!refuse_decoration(d, event->data.mapping_start.anchor,
				       event->data.mapping_start.tag))
			return DOCUMENT_FAILED;
		return enter(d, DOCUMENT_MAPPING);
	case YAML_SEQUENCE_START_EVENT:
		if (!refuse_decoration(d, event->data.sequence_start.anchor,
				       event->data.sequence_start.tag))
			return DOCUMENT_FAILED;
		return enter(d, DOCUMENT_SEQUENCE);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: d->depth--; return DOCUMENT_END;
	case YAML_ALIAS_EVENT: document_fail(d, "aliases are not allowed"); return DOCUMENT_FAILED;
	default: /* stream and document events: document_begin eats those that belong there */
		document_fail(d, "a value is missing");
		return DOCUMENT_FAILED;
	}
}

bool document_begin(struct document *d)
{
	while (read_event(d)) {
		switch (d->event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT: continue;
		case YAML_STREAM_END_EVENT: return false;
		case YAML_DOCUMENT_START_EVENT:
			if (d->event.data.document_start.version_directive ||
			    d->event.data.document_start.tag_directives.start !=
				    d->event.data.document_start.tag_directives.end)
				return document_fail(d, "directives are not allowed");
			return true;
		default: return document_fail(d, "a document has to begin here");
		}
	}
	return false;
}

const char *document_text(const struct document *d, size_t *size)
{
	if (size)
		*size = d->text_size;
	return d->text;
}

bool document_plain(const struct document *d)
{
	return d->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool expect(struct document *d, enum document_node wanted, const char *what)
{
	enum document_node node = document_next(d);
	return node == wanted || document_fail(d, "%s is expected here", what);
}

bool document_mapping(struct document *d)
{
	return expect(d, DOCUMENT_MAPPING, "a mapping");
}
bool document_sequence(struct document *d)
{
	return expect(d, DOCUMENT_SEQUENCE, "a list");
}
bool document_scalar(struct document *d)
{
	return expect(d, DOCUMENT_SCALAR, "a value");
}

int document_key(struct document *d, const char *const *keys, uint64_t *seen)
{
	enum document_node node = document_next(d);
	if (node == DOCUMENT_END || node == DOCUMENT_FAILED)
		return -1;
	if (node != DOCUMENT_SCALAR) {
		document_fail(d, "a key has to be a word");
		return -1;
	}
	for (int i = 0; keys[i]; i++) {
		if (strlen(keys[i]) != d->text_size || memcmp(keys[i], d->text, d->text_size) != 0)
			continue;
		if (*seen & UINT64_C(1) << i) {
			document_fail(d, "the key %s is there twice", keys[i]);
			return -1;
		}
		*seen |= UINT64_C(1) << i;
		return i;
	}
	document_fail(d, "unknown key %.100s", d->text);
	return -1;
}

bool document_item(struct document *d, enum document_node *node)
{
	*node = document_next(d);
	return *node != DOCUMENT_END && *node != DOCUMENT_FAILED;
}

bool document_is_number(const struct document *d)
{
	return document_plain(d) && d->text_size > 0 && d->text[0] >= '0' && d->text[0] <= '9' &&
	       strspn(d->text, "0123456789abcdefABCDEFx") == d->text_size;
}

bool document_as_number(struct document *d, uint64_t most, uint64_t *value)
{
	bool hexadecimal = d->text_size > 2 && d->text[0] == '0' && d->text[1] == 'x';
	const char *digits = d->text + (hexadecimal ? 2 : 0);
	const char *allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
	size_t size = d->text_size - (hexadecimal ? 2 : 0);
	if (size == 0 || strspn(digits, allowed) != size)
		return document_fail(d, "a number is expected here");
	errno = 0;
	uint64_t number = strtoull(digits, NULL, hexadecimal ? 16 : 10);
	if (errno != 0 || number > most)
		return document_fail(d, "the number is too large: at most %" PRIu64, most);
	*value = number;
	return true;
}

bool document_number(struct document *d, uint64_t most, uint64_t *value)
{
	return document_scalar(d) && document_as_number(d, most, value);
}
