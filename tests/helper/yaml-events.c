/* Reads YAML on stdin through libyaml and prints its scalars, one a line, escaped as in TSV; exits
 * 1 if it is not YAML. */
#include <stdio.h>
#include <yaml.h>

#include "print.h"

static int print_events(yaml_parser_t *parser)
{
	for (;;) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event)) {
			fprintf(stderr, "line %zu: %s\n", parser->problem_mark.line + 1,
				parser->problem);
			return 1;
		}
		if (event.type == YAML_SCALAR_EVENT) {
			print_text((const char *)event.data.scalar.value, event.data.scalar.length);
			putchar('\n');
		}
		bool last = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (last)
			return 0;
	}
}

int main(void)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return 1;
	yaml_parser_set_input_file(&parser, stdin);
	int status = print_events(&parser);
	yaml_parser_delete(&parser);
	return status;
}
