/* Proves: a budget means what it says, to the last byte (tools/common/rules.h). */
#include "rules.h"
#include "tap.h"

static bool broken(const char *text, uint64_t old, uint64_t now)
{
	struct rule rule;
	REQUIRE(rule_parse(text, &rule));
	struct rule_values values = {old, 1, now, 1, 0, 0};
	if (rule.measure == SNAP_ORDER_COUNT)
		values = (struct rule_values){1, old, 1, now, 0, 0};
	else if (rule.measure == SNAP_ORDER_RETAINED)
		values = (struct rule_values){1, 1, 1, 1, old, now};
	bool result = rule_is_broken(&rule, &values);
	free(rule.glob);
	return result;
}

static bool parses(const char *text)
{
	struct rule rule = {.glob = NULL};
	bool good = rule_parse(text, &rule);
	free(rule.glob);
	return good;
}

static void check_limits(void)
{
	CHECK(!broken("bytes > +5%", 100, 105) && broken("bytes > +5%", 100, 106));
	CHECK(!broken("bytes > +5%", 19, 19) &&
	      broken("bytes > +5%", 19, 20)); /* 5 % of 19 is 0.95 */
	CHECK(!broken("bytes > +0.125%", 800, 801) && broken("bytes > +0.125%", 799, 800));
	CHECK(broken("bytes > +0%", 0, 1) && !broken("bytes > +0%", 1, 1) &&
	      !broken("bytes > +0%", 2, 1));
	CHECK(broken("bytes > +1000%", 0, 1));
	CHECK(!broken("bytes > +100%", INT64_MAX / 2, INT64_MAX - 1) &&
	      broken("bytes > +99.999%", INT64_MAX / 2, INT64_MAX - 1));
	CHECK(!broken("bytes > +999999999999%", INT64_MAX / 2, INT64_MAX));
	CHECK(!broken("bytes > +64KiB", 10, 10 + 65536) &&
	      broken("bytes > +64KiB", 10, 11 + 65536));
	CHECK(!broken("bytes > 64KiB", 70000, 65536) && broken("bytes>64KiB", 70000, 65537));
	CHECK(!broken("count > +1000", 5, 1005) && broken("count > +1000", 5, 1006) &&
	      !broken("count > +1000", 5, 0));
	CHECK(!broken("retained > +10%", 100, 110) && broken("retained > +10%", 100, 111) &&
	      broken("retained > 1K", 5000, 1025));
	CHECK(!broken("average > +10%", 100, 110) && broken("average > +10%", 100, 111));
}

static void check_scopes(void)
{
	struct rule rule;
	CHECK(rule_parse("bytes > +5%", &rule) && rule.scope == RULE_TOTAL && !rule.has_key);
	CHECK(rule_parse("  total  count  >  3  ", &rule) && rule.scope == RULE_TOTAL &&
	      rule.limit == 3 && !rule.growth);
	CHECK(rule_parse("any bytes > +1", &rule) && rule.scope == RULE_ANY && !rule.has_key);
	CHECK(rule_parse("any type:a b bytes > +1", &rule) && rule.scope == RULE_ANY &&
	      rule.key == SNAP_KEY_TYPE && !strcmp(rule.glob, "a b"));
	free(rule.glob);
	/* Types may have > and : in their names. */
	CHECK(rule_parse("type:std::map<int, a> bytes > 1", &rule) && rule.scope == RULE_SUM &&
	      !strcmp(rule.glob, "std::map<int, a>"));
	free(rule.glob);
	CHECK(rule_parse("lineno:any:3 average > 1K", &rule) && rule.key == SNAP_KEY_LINENO &&
	      !strcmp(rule.glob, "any:3") && rule.limit == 1024);
	free(rule.glob);
	static const char *const wrong[] = {
		"",
		">",
		"bytes",
		"bytes >",
		"bytes > +",
		"bytes > x",
		"bytes > 5%",
		"bytes > -5",
		"bytes > +%",
		"bytes > +5%%",
		"bytes > +1.%",
		"bytes > +.5%",
		"bytes > +1.2345%",
		"bytes > +9999999999999%",
		"count > 1K",
		"count > +1.5",
		"count > 99999999999999999999",
		"anybytes > 1",
		"typebytes > 1",
		"type:bytes > 1",
		"type: bytes > 1",
		"kind:x bytes > 1",
		"any total bytes > 1",
		"megabytes > 1",
		"bytes >= 1",
		"bytes > + 5 5",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_NAMED(!parses(wrong[i]), wrong[i]);
}

int main(void)
{
	check_limits();
	check_scopes();
	return DONE();
}
