/* Shell patterns as Python's fnmatch translates them (3.11 and later), over the characters of
 * UTF-8. */
#include "snap_query.h"

struct text_at {
	const unsigned char *at, *end;
};

/* How many bytes follow the first one of a character; -1: it is no first one. */
static int continuation_bytes(unsigned char first, uint32_t *value)
{
	static const struct {
		unsigned char mask, lead, bits;
	} forms[] = {
		{0x80, 0x00, 0x7f},
		{0xe0, 0xc0, 0x1f},
		{0xf0, 0xe0, 0x0f},
		{0xf8, 0xf0, 0x07},
	};
	for (int i = 0; i < 4; i++) {
		if ((first & forms[i].mask) == forms[i].lead) {
			*value = first & forms[i].bits;
			return i;
		}
	}
	return -1;
}

/* The next character; a byte that is not UTF-8 is a character of its own, as Python's
 * surrogateescape has it. */
static uint32_t next_character(struct text_at *text)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = *text->at++;
	uint32_t value;
	int more = continuation_bytes(first, &value);
	if (more < 0 || text->end - text->at < more)
		return 0xdc00u + first;
	for (int i = 0; i < more; i++) {
		if ((text->at[i] & 0xc0) != 0x80)
			return 0xdc00u + first;
		value = value << 6 | (text->at[i] & 0x3f);
	}
	if (value < least[more] || value > 0x10ffff)
		return 0xdc00u + first;
	text->at += more;
	return value;
}

/* The end of a set that begins after its [; NULL: there is no ]. */
static const unsigned char *set_end(struct text_at set)
{
	if (set.at < set.end && *set.at == '!')
		set.at++;
	if (set.at < set.end && *set.at == ']')
		set.at++;
	while (set.at < set.end && *set.at != ']')
		set.at++;
	return set.at < set.end ? set.at : NULL;
}

/* Takes one member of a set.  index counts characters, and search is where the next - may mean a
 * range: never before, behind or within another one. */
static void next_member(struct text_at *set, size_t *index, size_t *search, uint32_t *low,
			uint32_t *high)
{
	*low = *high = next_character(set);
	(*index)++;
	if (set->end - set->at < 2 || *set->at != '-' || *index < *search)
		return;
	set->at++;
	*high = next_character(set);
	*search = *index + 3;
	*index += 2;
}

static bool set_has(struct text_at set, uint32_t character)
{
	size_t index = 0, search = *set.at == '!' ? 2 : 1;
	bool first = true, negated = false, found = false;
	while (set.at < set.end) {
		uint32_t low, high;
		next_member(&set, &index, &search, &low, &high);
		if (low > high)
			/* a reversed range is nothing, and lets a ! behind it come first */
			continue;
		if (first && low == '!') {
			negated = true;
			if (high != low)
				found |= character == '-' || character == high;
		} else {
			found |= low <= character && character <= high;
		}
		first = false;
	}
	return found != negated;
}

/* Matches the one character that both are at; moves both on if it does. */
static bool match_one(struct text_at *glob, struct text_at *text)
{
	struct text_at pattern = *glob, rest = *text;
	uint32_t wanted = next_character(&pattern), character = next_character(&rest);
	bool matches = wanted == character;
	if (wanted == '?') {
		matches = true;
	} else if (wanted == '[') {
		const unsigned char *end = set_end(pattern);
		if (end) {
			matches = set_has((struct text_at){pattern.at, end}, character);
			pattern.at = end + 1;
		}
	}
	if (matches) {
		*glob = pattern;
		*text = rest;
	}
	return matches;
}

bool snap_glob_match(const char *glob, size_t glob_size, const char *text, size_t text_size)
{
	struct text_at pattern = {(const unsigned char *)glob,
				  (const unsigned char *)glob + glob_size};
	struct text_at rest = {(const unsigned char *)text,
			       (const unsigned char *)text + text_size};
	struct text_at after_star = {0}, retry = {0};
	bool star = false;
	for (;;) {
		if (pattern.at < pattern.end && *pattern.at == '*') {
			pattern.at++;
			star = true;
			after_star = pattern;
			retry = rest;
			continue;
		}
		if (rest.at == rest.end && pattern.at == pattern.end)
			return true;
		if (rest.at < rest.end && pattern.at < pattern.end && match_one(&pattern, &rest))
			continue;
		if (!star || retry.at == retry.end)
			return false;
		next_character(&retry); /* the last star takes one character more */
		pattern = after_star;
		rest = retry;
	}
}
