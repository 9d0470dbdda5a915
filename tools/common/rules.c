/* Budgets on a comparison: parsed, and judged. */
#include "rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define PERCENT_UNITS 1000u /* thousandths of a percent in one */
#define MAX_EXAMPLES  3

/* By enum snap_order. */
static const char *const measure_names[] = {"bytes", "count", "average", "retained"};

/* ---- parsing ---- */

static char *copy(const char *text, size_t size)
{
	char *result = cli_resize(NULL, size + 1);
	memcpy(result, text, size);
	result[size] = '\0';
	return result;
}

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " \t");
}

static size_t without_spaces(const char *text, size_t size)
{
	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		size--;
	return size;
}

/* "5", "0.125": at most three places. */
static bool parse_percent(const char *text, size_t size, uint64_t *thousandths)
{
	size_t whole = strspn(text, "0123456789");
	if (whole == 0 || whole > 12)
		return false;
	*thousandths = strtoull(text, NULL, 10) * PERCENT_UNITS;
	if (whole == size)
		return true;
	size_t places = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	if (places == 0 || places > 3 || whole + 1 + places != size)
		return false;
	uint64_t unit = PERCENT_UNITS;
	for (size_t i = 0; i < places; i++) {
		unit /= 10;
		*thousandths += unit * (uint64_t)(text[whole + 1 + i] - '0');
	}
	return true;
}

static bool parse_limit(const char *text, struct rule *rule)
{
	text = skip_spaces(text);
	rule->growth = *text == '+';
	text += rule->growth;
	size_t size = without_spaces(text, strlen(text));
	rule->percent = size > 0 && text[size - 1] == '%';
	if (rule->percent)
		return rule->growth && parse_percent(text, size - 1, &rule->limit);
	char *number = copy(text, size);
	bool good;
	if (rule->measure == SNAP_ORDER_COUNT) {
		errno = 0;
		good = size > 0 && strspn(number, "0123456789") == size;
		rule->limit = strtoull(number, NULL, 10);
		good = good && errno == 0;
	} else {
		good = cli_parse_size(number, &rule->limit);
	}
	free(number);
	return good;
}

/* Takes the last word of text[0, *size). */
static bool parse_measure(const char *text, size_t *size, struct rule *rule)
{
	*size = without_spaces(text, *size);
	for (size_t i = 0; i < sizeof(measure_names) / sizeof(measure_names[0]); i++) {
		size_t length = strlen(measure_names[i]);
		if (*size < length || memcmp(text + *size - length, measure_names[i], length) != 0)
			continue;
		if (*size > length && text[*size - length - 1] != ' ' &&
		    text[*size - length - 1] != '\t')
			continue;
		rule->measure = (enum snap_order)i;
		*size = without_spaces(text, *size - length);
		return true;
	}
	return false;
}

/* "", "total", "any", "KEY:GLOB", "any KEY:GLOB" */
static bool parse_scope(const char *text, size_t size, struct rule *rule)
{
	rule->scope = RULE_TOTAL;
	if (size == 0 || (size == 5 && memcmp(text, "total", 5) == 0))
		return true;
	rule->scope = RULE_SUM;
	if (size >= 3 && memcmp(text, "any", 3) == 0 &&
	    (size == 3 || text[3] == ' ' || text[3] == '\t')) {
		rule->scope = RULE_ANY;
		const char *rest = skip_spaces(text + 3);
		size -= size == 3 ? 3 : (size_t)(rest - text);
		text = rest;
		if (size == 0)
			return true;
	}
	const char *colon = memchr(text, ':', size);
	if (!colon || colon + 1 == text + size)
		return false;
	char *key = copy(text, (size_t)(colon - text));
	rule->has_key = snap_key_find(key, &rule->key);
	free(key);
	if (rule->has_key)
		rule->glob = copy(colon + 1, size - (size_t)(colon + 1 - text));
	return rule->has_key;
}

bool rule_parse(const char *text, struct rule *rule)
{
	*rule = (struct rule){.text = text};
	const char *start = skip_spaces(text), *greater = strrchr(start, '>');
	if (!greater)
		return false;
	size_t size = (size_t)(greater - start);
	return parse_measure(start, &size, rule) && parse_limit(greater + 1, rule) &&
	       parse_scope(start, size, rule);
}

struct rules rules_parse(const struct cli_list *texts)
{
	struct rules rules = {.count = texts->count};
	rules.items = cli_resize(NULL, (texts->count + 1) * sizeof(*rules.items));
	for (size_t i = 0; i < texts->count; i++)
		if (!rule_parse(texts->items[i], &rules.items[i]))
			cli_usage(
				"--fail='%s': a rule is [total | any | [any] KEY:GLOB] bytes|count|average|retained > LIMIT, "
				"and LIMIT as 4096, 64KiB, +2M, +5%%; of count as 10, +10, +5%%",
				texts->items[i]);
	return rules;
}

void rules_check_key(const struct rules *rules, enum snap_key key, bool has_retained)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		if (rule->has_key && rule->key != key)
			cli_usage("--fail='%s' needs --key=%s", rule->text,
				  snap_key_name(rule->key));
		if (rule->measure == SNAP_ORDER_RETAINED && !has_retained &&
		    key != SNAP_KEY_DOMINATOR)
			cli_usage("--fail='%s' needs --retained", rule->text);
	}
}

/* ---- judging ---- */

/* change > old * percent / 100, without rounding: old is at most 2^63 */
static bool exceeds_percent(uint64_t change, uint64_t old, uint64_t thousandths)
{
	const uint64_t whole = 100 * PERCENT_UNITS;
	uint64_t most, rest;
	if (__builtin_mul_overflow(old / whole, thousandths, &most) ||
	    __builtin_mul_overflow(old % whole, thousandths, &rest) ||
	    __builtin_add_overflow(most, rest / whole, &most))
		return false; /* more than any change */
	return change > most;
}

static bool average_is_broken(const struct rule *rule, const struct rule_values *v)
{
	double now = v->count ? (double)v->bytes / (double)v->count : 0;
	double old = v->old_count ? (double)v->old_bytes / (double)v->old_count : 0;
	if (!rule->growth)
		return now > (double)rule->limit;
	if (rule->percent)
		return now - old > old * (double)rule->limit / (100 * PERCENT_UNITS);
	return now - old > (double)rule->limit;
}

static uint64_t value_of(enum snap_order measure, uint64_t bytes, uint64_t count, uint64_t retained)
{
	switch (measure) {
	case SNAP_ORDER_COUNT: return count;
	case SNAP_ORDER_AVERAGE: return count ? (bytes + count / 2) / count : 0;
	case SNAP_ORDER_RETAINED: return retained;
	default: return bytes;
	}
}

bool rule_is_broken(const struct rule *rule, const struct rule_values *v)
{
	if (rule->measure == SNAP_ORDER_AVERAGE)
		return average_is_broken(rule, v);
	uint64_t old = value_of(rule->measure, v->old_bytes, v->old_count, v->old_retained);
	uint64_t now = value_of(rule->measure, v->bytes, v->count, v->retained);
	if (!rule->growth)
		return now > rule->limit;
	if (now <= old)
		return false;
	return rule->percent ? exceeds_percent(now - old, old, rule->limit)
			     : now - old > rule->limit;
}

/* what: NULL for the total */
static void say_broken(const struct rule *rule, const char *what, const struct rule_values *v)
{
	cli_warn("broken: %s: %s of %s was %" PRIu64 " and is %" PRIu64, rule->text,
		 measure_names[rule->measure], what ? what : "all",
		 value_of(rule->measure, v->old_bytes, v->old_count, v->old_retained),
		 value_of(rule->measure, v->bytes, v->count, v->retained));
}

struct matched {
	uint64_t rows, broken;
	struct rule_values sum;
};

/* Saturates: rows that overlap may add up to more than there is. */
static void add_up(uint64_t *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

static void judge_row(const struct rule *rule, enum snap_key key, const struct snap_answer_row *row,
		      struct buffer *text, struct matched *matched)
{
	rows_key_text(key, row, text);
	const char *bytes = text->size ? text->bytes : "";
	if (rule->glob && !snap_glob_match(rule->glob, strlen(rule->glob), bytes, text->size))
		return;
	matched->rows++;
	struct rule_values values = {row->old_bytes, row->old_count,    row->bytes,
				     row->count,     row->old_retained, row->retained};
	add_up(&matched->sum.old_bytes, row->old_bytes);
	add_up(&matched->sum.old_count, row->old_count);
	add_up(&matched->sum.bytes, row->bytes);
	add_up(&matched->sum.count, row->count);
	add_up(&matched->sum.old_retained, row->old_retained);
	add_up(&matched->sum.retained, row->retained);
	if (rule->scope != RULE_ANY || !rule_is_broken(rule, &values))
		return;
	if (matched->broken++ < MAX_EXAMPLES) {
		char *name = print_escaped(bytes, text->size);
		say_broken(rule, name, &values);
		free(name);
	}
}

/* -1: nothing to judge */
static int judge_rows(const struct rule *rule, struct snap_answer *answer,
		      const struct snap_answer_info *info)
{
	struct buffer text = {0};
	struct matched matched = {0};
	for (uint64_t i = 0; i < info->row_count; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		judge_row(rule, info->key, &row, &text, &matched);
	}
	buffer_free(&text);
	if (matched.rows == 0) {
		cli_fail("--fail='%s' has nothing to judge: no %s matches in either snapshot",
			 rule->text, snap_key_name(info->key));
		return -1;
	}
	if (rule->scope == RULE_ANY) {
		if (matched.broken > MAX_EXAMPLES)
			cli_warn("broken: %s: and %" PRIu64 " more", rule->text,
				 matched.broken - MAX_EXAMPLES);
		return matched.broken > 0;
	}
	bool broken = rule_is_broken(rule, &matched.sum);
	if (broken)
		say_broken(rule, rule->glob, &matched.sum);
	return broken;
}

size_t rules_judge(const struct rules *rules, struct snap_answer *answer)
{
	struct snap_answer_info info;
	snap_answer_info(answer, &info);
	size_t broken = 0;
	bool judged_all = true;
	if (rules->count && info.row_count == 0) {
		cli_fail("--fail has nothing to judge: no object in either snapshot");
		return SIZE_MAX;
	}
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		int result;
		if (rule->scope == RULE_TOTAL) {
			struct rule_values total = {info.old_bytes,    info.old_count,
						    info.bytes,        info.count,
						    info.old_retained, info.retained};
			result = rule_is_broken(rule, &total);
			if (result)
				say_broken(rule, NULL, &total);
		} else {
			result = judge_rows(rule, answer, &info);
		}
		judged_all &= result >= 0;
		broken += result > 0;
	}
	return judged_all ? broken : SIZE_MAX;
}
