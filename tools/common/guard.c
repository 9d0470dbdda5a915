/* Looks at YAML text before libyaml does. */
#include "guard.h"

void guard_begin(struct guard *g, uint64_t max_size, size_t max_depth)
{
	*g = (struct guard){.left = max_size,
			    .line = 1,
			    .column = 1,
			    .most = max_depth,
			    .start = true,
			    .before = '\n'};
}

static bool is_space(unsigned char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Inside of quotes or a comment, which may end here. */
static void look_quoted(struct guard *g, unsigned char byte)
{
	if (g->escaped)
		g->escaped = false;
	else if (g->quote == '"' && byte == '\\')
		g->escaped = true;
	else if (byte == (g->quote == '#' ? '\n' : g->quote))
		g->quote = 0;
}

static const char *open_bracket(struct guard *g)
{
	g->start = true;
	return ++g->depth > g->most ? "nested too deep" : NULL;
}

/* Outside of brackets a bracket or quote means something
 * only where a node begins; inside, everywhere. */
static const char *look_open(struct guard *g, unsigned char byte)
{
	bool node = g->start || g->depth > 0;
	switch (byte) {
	case '[':
	case '{': return node ? open_bracket(g) : NULL;
	case ']':
	case '}': g->depth -= g->depth > 0; break;
	case '"':
	case '\'': /* '' within '' is a quote that does not end them */
		if (g->start || (byte == '\'' && g->before == '\'') ||
		    (g->depth > 0 && (is_space(g->before) || g->before == ',')))
			g->quote = byte;
		break;
	case '#':
		if (is_space(g->before))
			g->quote = '#';
		break;
	case '-':
	case '?': return NULL;
	case ':':
	case ',': g->start = g->depth > 0; return NULL;
	default: break;
	}
	g->start = false;
	return NULL;
}

static const char *look_at(struct guard *g, unsigned char byte)
{
	if (byte == '%' && g->before == '\n')
		return "directives are not allowed";
	if (g->quote) {
		look_quoted(g, byte);
		g->start = g->quote == 0 && byte == '\n';
		return NULL;
	}
	if (!is_space(byte))
		return look_open(g, byte);
	if (byte == '\n')
		g->dashes = 0;
	else if (g->start && (g->before == '-' || g->before == '?') && ++g->dashes > g->most)
		return "nested too deep";
	g->start = g->start || byte == '\n' || g->before == ':';
	return NULL;
}

const char *guard_look(struct guard *g, const unsigned char *bytes, size_t size)
{
	if (size > g->left)
		return "the text is larger than --max-size allows";
	g->left -= size;
	for (size_t i = 0; i < size; i++) {
		const char *reason = look_at(g, bytes[i]);
		if (reason)
			return reason;
		g->before = bytes[i];
		g->column = bytes[i] == '\n' ? 1 : g->column + 1;
		g->line += bytes[i] == '\n';
	}
	return NULL;
}
