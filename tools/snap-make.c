/* snap-make: writes the snapshot that a YAML text describes; the inverse of snap-dump. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "make/make.h"

static bool open_writer(struct make *m)
{
	if (m->writer)
		return true;
	struct snap_error error;
	enum snap_status status =
		strcmp(m->out, "-") == 0
			? snap_writer_open_descriptor(&m->writer, STDOUT_FILENO, &m->options,
						      &error)
			: snap_writer_open(&m->writer, m->out, &m->options, &error);
	return make_good(m, status, &error);
}

/* A table as a mapping of 1, 2, 3 ... to its rows. */
static bool read_table(struct make *m, enum snap_table table,
		       bool (*read_row)(struct make *, uint32_t *id))
{
	if (!document_mapping(m->text))
		return false;
	for (;;) {
		enum document_node node = document_next(m->text);
		if (node == DOCUMENT_END)
			return true;
		uint64_t wanted = m->rows[table] + 1, number;
		uint32_t id;
		if (node != DOCUMENT_SCALAR || !document_as_number(m->text, UINT32_MAX, &number))
			return document_fail(m->text, "the number of a row is expected here");
		if (number != wanted)
			return document_fail(m->text, "row %u comes next in this table",
					     (uint32_t)wanted);
		if (!read_row(m, &id))
			return false;
		if (id != number)
			return document_fail(m->text, "row %u says the same as row %u",
					     (uint32_t)number, id);
	}
}

static bool read_list(struct make *m, bool (*read_item)(struct make *))
{
	enum document_node node;
	if (!document_sequence(m->text))
		return false;
	while (document_item(m->text, &node)) {
		if (node != DOCUMENT_MAPPING)
			return document_fail(m->text, "a mapping is expected here");
		if (!read_item(m))
			return false;
	}
	return !document_failed(m->text);
}

enum section {
	SNAPSHOT,
	FLAGS,
	INTERVAL,
	UNKNOWN,
	STRINGS,
	PROPERTIES,
	MODULES,
	FRAMES,
	STACKS,
	TYPES,
	THREADS,
	CONTENTS,
	OBJECTS,
	ROOTS,
	TIMELINE,
	MAPPINGS,
	TOTALS,
};
static const char *const sections[] = {
	"snapshot", "flags",      "sampling_interval", "unknown_references",
	"strings",  "properties", "modules",           "frames",
	"stacks",   "types",      "threads",           "contents",
	"objects",  "roots",      "timeline",          "mappings",
	"totals",   NULL,
};

static bool read_snapshot_flags(struct make *m)
{
	uint32_t flags = 0;
	if (!make_flags(m, WORDS_SNAPSHOT_FLAG, &flags))
		return false;
	m->options.totals_only = flags & SNAP_SNAPSHOT_TOTALS_ONLY;
	m->options.flags = flags & ~SNAP_SNAPSHOT_TOTALS_ONLY;
	return true;
}

static bool read_section(struct make *m, enum section section)
{
	uint64_t version;
	if (section <= UNKNOWN && m->writer)
		return document_fail(m->text, "%s has to come before all tables",
				     sections[section]);
	if (section > UNKNOWN && !open_writer(m))
		return false;
	switch (section) {
	case SNAPSHOT: return document_number(m->text, 1, &version);
	case FLAGS: return read_snapshot_flags(m);
	case INTERVAL:
		return document_number(m->text, UINT64_MAX, &m->options.sampling_interval_bytes);
	case UNKNOWN: return document_number(m->text, UINT64_MAX, &m->unknown_references);
	case STRINGS: return read_table(m, SNAP_STRINGS, make_string);
	case PROPERTIES: return make_properties(m);
	case MODULES: return read_table(m, SNAP_MODULES, make_module_row);
	case FRAMES: return read_table(m, SNAP_FRAMES, make_frame_row);
	case STACKS: return read_table(m, SNAP_STACKS, make_stack_row);
	case TYPES: return read_table(m, SNAP_TYPES, make_type_row);
	case THREADS: return read_table(m, SNAP_THREADS, make_thread_row);
	case CONTENTS: return read_table(m, SNAP_CONTENTS, make_content_row);
	case OBJECTS: return read_list(m, make_object);
	case ROOTS: return read_list(m, make_root);
	case TIMELINE: return read_list(m, make_moment);
	case MAPPINGS: return read_list(m, make_mapping);
	case TOTALS: return read_list(m, make_total);
	}
	return false;
}

static bool make_snapshot(struct make *m)
{
	uint64_t seen = 0;
	struct snap_error error;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, sections, &seen)) >= 0;)
		ok = read_section(m, (enum section)key);
	if (!ok || document_failed(m->text))
		return false;
	if (!(seen & 1u << SNAPSHOT))
		return document_fail(m->text, "the key snapshot is missing: write \"snapshot: 1\"");
	if (document_begin(m->text))
		return document_fail(m->text,
				     "only one document is expected: a series is joined with cat");
	if (document_failed(m->text) || !open_writer(m))
		return false;
	if (!make_good(m, snap_writer_unknown_references(m->writer, m->unknown_references, &error),
		       &error))
		return false;
	struct snap_writer *writer = m->writer;
	m->writer = NULL; /* finish frees it in every case */
	return make_good(m, snap_writer_finish(writer, NULL, &error), &error);
}

static void free_make(struct make *m)
{
	snap_writer_abort(m->writer);
	document_close(m->text);
	free(m->types);
	free(m->threads);
	free(m->is_property);
	free(m->frames);
}

int main(int argc, char **argv)
{
	struct make make = {.options = SNAP_WRITER_OPTIONS_INIT, .out = "-"};
	uint64_t max_size = 64 << 20;
	const struct cli_option options[] = {
		{'o', "output", "FILE", "write to FILE; - is standard output, the default",
		 CLI_STRING, &make.out},
		{0, "max-size", "SIZE", "refuse a text that is larger; 64M if not given", CLI_SIZE,
		 &max_size},
		{0},
	};
	const struct cli_tool tool = {
		"snap-make",
		"[OPTION]... [FILE]",
		"Write the snapshot that a YAML text describes.",
		0,
		1,
		options,
	};
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL;
	size_t count;
	char **files = cli_parse(&tool, argc, argv, &count);
	if (cli_common.memory_bytes)
		make.options.max_memory_bytes = cli_common.memory_bytes;
	if (strcmp(make.out, "-") == 0 && isatty(STDOUT_FILENO))
		cli_usage("a snapshot is no text for a terminal: give -o FILE");
	make.text = document_open(count ? files[0] : "-", max_size);
	if (!make.text)
		return CLI_TROUBLE;
	bool made = document_begin(make.text) && make_snapshot(&make);
	if (!made && !make.failed && !document_failed(make.text))
		document_fail(make.text, "no text");
	free_make(&make);
	return cli_finish(made ? CLI_YES : CLI_TROUBLE);
}
