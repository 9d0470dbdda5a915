/* Budgets on a comparison: "bytes > +5%", "any count >
 * +1000", "type:Session bytes > 1MiB" (snap-diff --fail). */
#ifndef RULES_H
#define RULES_H

#include "cli.h"
#include "snap_query.h"

enum rule_scope {
	RULE_TOTAL, /* all objects kept */
	RULE_ANY,   /* each row that the glob matches, alone */
	RULE_SUM,   /* those rows together */
};

struct rule {
	const char *text; /* as given */
	enum rule_scope scope;
	bool has_key;
	enum snap_key key;
	char *glob; /* NULL: all rows */
	enum snap_order measure;
	bool growth, percent; /* "+": of the change; "%": of the old value */
	uint64_t limit;       /* in thousandths of a percent, if percent */
};

struct rules {
	struct rule *items;
	size_t count;
};

/* Ends the process on a rule that is none. */
struct rules rules_parse(const struct cli_list *texts);
/* A rule about a key or retained bytes needs them: ends the process if the answer has them not. */
void rules_check_key(const struct rules *, enum snap_key key, bool has_retained);

/* Says on stderr what is broken, and returns how many rules are; SIZE_MAX:
 * a rule has nothing to judge, which is trouble and was reported. */
size_t rules_judge(const struct rules *, struct snap_answer *);

/* Old and new of one group, or of several. */
struct rule_values {
	uint64_t old_bytes, old_count, bytes, count, old_retained, retained;
};
/* One group against one rule. */
bool rule_is_broken(const struct rule *, const struct rule_values *);
/* false if text is no rule; the caller frees rule->glob. */
bool rule_parse(const char *text, struct rule *rule);

#endif
