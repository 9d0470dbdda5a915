/* An option that is not known: what it may have been meant to be. */
#include <string.h>

#include "buffer.h"
#include "private.h"

#define LONGEST 32 /* names of options are shorter */
#define FAR     3  /* so many edits away is another word */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with their neighbour. */
static size_t edits_between(const char *a, size_t a_size, const char *b)
{
	size_t costs[LONGEST + 1][LONGEST + 1], b_size = strlen(b);
	if (a_size > LONGEST || b_size > LONGEST)
		return FAR;
	for (size_t i = 0; i <= a_size; i++)
		for (size_t j = 0; j <= b_size; j++) {
			if (i == 0 || j == 0) {
				costs[i][j] = i + j;
				continue;
			}
			size_t cost = costs[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			cost = least(cost, least(costs[i - 1][j], costs[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost = least(cost, costs[i - 2][j - 2] + 1);
			costs[i][j] = cost;
		}
	return costs[a_size][b_size];
}

void cli_unknown_option(const char *given, const struct option *longs)
{
	const char *name = given + strspn(given, "-"), *nearest = NULL;
	size_t size = strcspn(name, "="), edits = FAR;
	struct buffer begun = {0};
	for (const struct option *o = longs; o->name; o++) {
		size_t found = edits_between(name, size, o->name);
		if (found < edits) {
			edits = found;
			nearest = o->name;
		}
		if (strncmp(name, o->name, size) == 0) {
			buffer_text(&begun, begun.size ? ", --" : " --");
			buffer_text(&begun, o->name);
		}
	}
	buffer_byte(&begun, '\0');
	if (begun.size > 1)
		cli_usage("ambiguous option: %.*s:%s", (int)(name + size - given), given,
			  begun.bytes);
	if (nearest && edits < size)
		cli_usage("unknown option: %s; is it --%s?", given, nearest);
	cli_usage("unknown option: %s", given);
}
