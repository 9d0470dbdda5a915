/* The code's tables equal spec/registry.yaml: every
 * column, encoding, kind and flag, and nothing more. */
#include "snap.h"
#include "snap_index.h"
#include "snap_query.h"
#include "snapfmt.h"
#include "tap.h"

#define LINE 1024

static char enum_name[32][32];
static struct {
	char name[32];
	long value;
} enum_values[32][32];
static size_t enum_count, value_count[32];

/* {a: 1, b: 2} into the enum of this name. */
static void read_enum(const char *name, const char *text)
{
	REQUIRE(enum_count < 32);
	snprintf(enum_name[enum_count], sizeof(enum_name[0]), "%s", name);
	size_t n = 0;
	for (const char *at = strchr(text, '{'); at && *at != '}'; at = strpbrk(at, ",}")) {
		REQUIRE(n < 32);
		if (sscanf(at + 1, " %31[a-z_]: %ld", enum_values[enum_count][n].name,
			   &enum_values[enum_count][n].value) == 2)
			n++;
		at++;
	}
	value_count[enum_count++] = n;
}

static long lookup(const char *set, const char *name)
{
	for (size_t i = 0; i < enum_count; i++)
		for (size_t j = 0; strcmp(enum_name[i], set) == 0 && j < value_count[i]; j++)
			if (strcmp(enum_values[i][j].name, name) == 0)
				return enum_values[i][j].value;
	return -1;
}

static uint16_t table_named(const char *name)
{
	for (size_t i = 0; i < snapfmt_column_count; i++)
		if (strcmp(snapfmt_columns[i].table_name, name) == 0)
			return snapfmt_columns[i].table;
	return 0;
}

static bool unit_agrees(const struct snapfmt_column *column, const char *unit)
{
	if (strncmp(unit, "id:", 3) == 0)
		return column->unit == SNAPFMT_ID && column->refers_to == table_named(unit + 3);
	if (strncmp(unit, "optional:", 9) == 0)
		return column->unit == SNAPFMT_OPTIONAL_ID &&
		       column->refers_to == table_named(unit + 9);
	if (strcmp(unit, "label") == 0)
		return column->unit == SNAPFMT_LABEL && column->refers_to == 0;
	return column->unit == SNAPFMT_NUMBER && column->refers_to == 0;
}

static bool column_agrees(unsigned table, const char *table_name, const char *line)
{
	unsigned id, wanted_default = 0;
	char name[32], type[16], unit[64];
	if (sscanf(line, " - {id: %u, name: %31[a-z_], type: %15[a-z], unit: %63[^,}]", &id, name,
		   type, unit) != 4)
		return false;
	char *clean = unit + (unit[0] == '"');
	clean[strcspn(clean, "\"")] = '\0';
	const char *given = strstr(line, "default: ");
	if (given && sscanf(given, "default: %u", &wanted_default) != 1)
		return false;
	const struct snapfmt_column *column = snapfmt_find_column((uint16_t)table, (uint16_t)id);
	return column && strcmp(column->table_name, table_name) == 0 &&
	       strcmp(column->column_name, name) == 0 &&
	       column->is_text == (strcmp(type, "text") == 0) && unit_agrees(column, clean) &&
	       column->critical == (strstr(line, "critical: true") != NULL) &&
	       column->always == (strstr(line, "always: true") != NULL) &&
	       column->default_value == wanted_default;
}

static void test_columns(FILE *file)
{
	char line[LINE], table_name[32] = "", name[32];
	unsigned table = 0;
	size_t columns = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "  - id: %u", &table) == 1)
			continue;
		if (sscanf(line, "    name: %31[a-z_]", table_name) == 1)
			continue;
		if (strncmp(line, "      - {", 9) == 0) {
			columns++;
			if (!column_agrees(table, table_name, line)) {
				CHECK_NAMED(false, "a column of the registry");
				printf("# %s", line);
			}
		} else if (sscanf(line, " %31[a-z_]: {", name) == 1 && strchr(line, '{')) {
			read_enum(name, line);
		}
	}
	CHECK(columns == snapfmt_column_count);
	CHECK(table == SNAPFMT_TABLE_COUNT);
}

struct named {
	const char *set, *name;
	long value;
};

static void test_numbers(void)
{
	const struct named numbers[] = {
		{"format", "major", SNAPFMT_MAJOR},
		{"format", "minor", SNAPFMT_MINOR},
		{"required_features", "batches", __builtin_ctz(SNAPFMT_FEATURE_BATCHES)},
		{"trailer_flags", "partial", __builtin_ctz(SNAP_SNAPSHOT_PARTIAL)},
		{"trailer_flags", "sampled", __builtin_ctz(SNAP_SNAPSHOT_SAMPLED)},
		{"trailer_flags", "totals_only", __builtin_ctz(SNAP_SNAPSHOT_TOTALS_ONLY)},
		{"trailer_flags", "contents", __builtin_ctz(SNAP_SNAPSHOT_CONTENTS)},
		{"trailer_flags", "no_directory", __builtin_ctz(SNAPFMT_NO_DIRECTORY)},
		{"index_facts", "base", SNAP_FACT_BASE},
		{"index_facts", "reached_objects", SNAP_FACT_REACHED_OBJECTS},
		{"index_facts", "reached_bytes", SNAP_FACT_REACHED_BYTES},
		{"index_facts", "top_bytes", SNAP_FACT_TOP_BYTES},
		{"class_parts", "type", __builtin_ctz(SNAP_PART_TYPE)},
		{"class_parts", "shape", __builtin_ctz(SNAP_PART_SHAPE)},
		{"class_parts", "stack", __builtin_ctz(SNAP_PART_STACK)},
		{"class_parts", "thread", __builtin_ctz(SNAP_PART_THREAD)},
		{"class_parts", "domain", __builtin_ctz(SNAP_PART_DOMAIN)},
		{"class_parts", "generation", __builtin_ctz(SNAP_PART_GENERATION)},
		{"class_parts", "size", __builtin_ctz(SNAP_PART_SIZE)},
		{"class_parts", "refcount", __builtin_ctz(SNAP_PART_REFCOUNT)},
		{"class_parts", "places", __builtin_ctz(SNAP_PART_PLACES)},
		{"class_parts", "root", __builtin_ctz(SNAP_PART_ROOT)},
		{"class_parts", "path", __builtin_ctz(SNAP_PART_PATH)},
		{"top_parts", "held", SNAP_TOP_HELD},
		{"top_parts", "child", SNAP_TOP_CHILD},
		{"top_parts", "loose", SNAP_TOP_LOOSE},
		{"type_parts", "holder", SNAP_TYPE_HOLDER},
		{"type_parts", "freed", SNAP_TYPE_FREED},
		{"tails", "none", SNAP_TAIL_NONE},
		{"tails", "indexed", SNAP_TAIL_INDEXED},
		{"tails", "labelled", SNAP_TAIL_LABELLED},
		{"dimensions", "all", SNAP_BY_ALL},
		{"dimensions", "type", SNAP_BY_TYPE},
		{"dimensions", "stack", SNAP_BY_STACK},
		{"dimensions", "thread", SNAP_BY_THREAD},
		{"dimensions", "domain", SNAP_BY_DOMAIN},
		{"dimensions", "generation", SNAP_BY_GENERATION},
		{"dimensions", "shape", SNAP_BY_SHAPE},
		{"dimensions", "size", SNAP_BY_SIZE},
		{"type_kinds", "object", SNAP_TYPE_OBJECT},
		{"type_kinds", "array", SNAP_TYPE_ARRAY},
		{"type_kinds", "string", SNAP_TYPE_STRING},
		{"type_kinds", "code", SNAP_TYPE_CODE},
		{"type_kinds", "closure", SNAP_TYPE_CLOSURE},
		{"type_kinds", "number", SNAP_TYPE_NUMBER},
		{"type_kinds", "native", SNAP_TYPE_NATIVE},
		{"type_kinds", "synthetic", SNAP_TYPE_SYNTHETIC},
		{"type_kinds", "class", SNAP_TYPE_CLASS},
		{"type_kinds", "hidden", SNAP_TYPE_HIDDEN},
		{"type_kinds", "symbol", SNAP_TYPE_SYMBOL},
		{"type_kinds", "regexp", SNAP_TYPE_REGEXP},
		{"type_kinds", "bigint", SNAP_TYPE_BIGINT},
		{"type_kinds", "layout", SNAP_TYPE_LAYOUT},
		{"type_kinds", "block", SNAP_TYPE_BLOCK},
		{"type_kinds", "place", SNAP_TYPE_PLACE},
		{"mapping_kinds", "other", SNAP_MAPPING_OTHER},
		{"mapping_kinds", "heap", SNAP_MAPPING_HEAP},
		{"mapping_kinds", "stack", SNAP_MAPPING_STACK},
		{"mapping_kinds", "file", SNAP_MAPPING_FILE},
		{"mapping_kinds", "recorder", SNAP_MAPPING_RECORDER},
		{"reference_kinds", "field", SNAP_REF_FIELD},
		{"reference_kinds", "element", SNAP_REF_ELEMENT},
		{"reference_kinds", "internal", SNAP_REF_INTERNAL},
		{"reference_kinds", "hidden", SNAP_REF_HIDDEN},
		{"reference_kinds", "local", SNAP_REF_LOCAL},
		{"reference_kinds", "key", SNAP_REF_KEY},
		{"reference_kinds", "value", SNAP_REF_VALUE},
		{"reference_kinds", "class", SNAP_REF_CLASS},
		{"reference_kinds", "alias", SNAP_REF_ALIAS},
		{"reference_kinds", "static", SNAP_REF_STATIC},
		{"reference_kinds", "weak", SNAP_REF_WEAK},
		{"reference_kinds", "soft", SNAP_REF_SOFT},
		{"reference_kinds", "phantom", SNAP_REF_PHANTOM},
		{"reference_kinds", "final", SNAP_REF_FINAL},
		{"reference_kinds", "ephemeron", SNAP_REF_EPHEMERON},
		{"reference_kinds", "shortcut", SNAP_REF_SHORTCUT},
		{"root_kinds", "unknown", SNAP_ROOT_UNKNOWN},
		{"root_kinds", "vm", SNAP_ROOT_VM},
		{"root_kinds", "global", SNAP_ROOT_GLOBAL},
		{"root_kinds", "stack", SNAP_ROOT_STACK_FRAME},
		{"root_kinds", "thread", SNAP_ROOT_THREAD_OBJECT},
		{"root_kinds", "handle", SNAP_ROOT_HANDLE},
		{"root_kinds", "register", SNAP_ROOT_REGISTER},
		{"root_kinds", "tls", SNAP_ROOT_TLS},
		{"root_kinds", "class", SNAP_ROOT_CLASS},
		{"root_kinds", "monitor", SNAP_ROOT_MONITOR},
		{"root_kinds", "finalizer", SNAP_ROOT_FINALIZER},
		{"root_kinds", "interned", SNAP_ROOT_INTERNED},
		{"root_kinds", "foreign", SNAP_ROOT_FOREIGN},
	};
	size_t known = sizeof(numbers) / sizeof(numbers[0]), listed = 0;
	for (size_t i = 0; i < known; i++)
		if (lookup(numbers[i].set, numbers[i].name) != numbers[i].value)
			CHECK_NAMED(false, numbers[i].name);
	for (size_t i = 0; i < enum_count; i++)
		if (strcmp(enum_name[i], "encodings") != 0)
			listed += value_count[i];
	CHECK_NAMED(listed == known, "the registry has no number that the code lacks");
	for (long i = 0; i < SNAPFMT_ENCODING_COUNT; i++)
		CHECK_NAMED(lookup("encodings", snapfmt_codecs[i].name) == i,
			    snapfmt_codecs[i].name);
}

static void test_version(void)
{
	char version[16];
	snprintf(version, sizeof version, "%d.%d", SNAPFMT_MAJOR, SNAPFMT_MINOR);
	CHECK(strcmp(version, SNAP_FORMAT_VERSION) == 0);
}

int main(void)
{
	test_version();
	const char *path = getenv("TOP");
	char name[LINE];
	snprintf(name, sizeof(name), "%s/spec/registry.yaml", path ? path : ".");
	FILE *file = fopen(name, "r");
	REQUIRE(file != NULL);
	test_columns(file);
	fclose(file);
	test_numbers();
	return DONE();
}
