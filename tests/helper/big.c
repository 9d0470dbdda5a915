/* big OUT OBJECTS: a snapshot of many objects with three references each, for tests of memory and
 * speed. */
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "snap.h"

enum { TYPES = 64, STACKS = 1000 };

static uint64_t state = 1;

static enum snap_status write_names(struct snap_writer *w, uint32_t *types, uint32_t *stacks,
				    uint32_t *label, struct snap_error *e)
{
	enum snap_status status = snap_writer_string(w, "next", 4, label, e);
	char text[32];
	for (uint32_t i = 0; i < TYPES && status == SNAP_OK; i++) {
		uint32_t name;
		int size = snprintf(text, sizeof(text), "Type%u", i);
		status = snap_writer_string(w, text, (size_t)size, &name, e);
		if (status == SNAP_OK)
			status = snap_writer_type(w, name, SNAP_TYPE_OBJECT, &types[i], e);
	}
	for (uint32_t i = 0; i < STACKS && status == SNAP_OK; i++) {
		struct snap_frame frame = {.line = i % 100 + 1};
		uint32_t id;
		int size = snprintf(text, sizeof(text), "file%u.c", i / 100);
		status = snap_writer_string(w, text, (size_t)size, &frame.file, e);
		if (status == SNAP_OK)
			status = snap_writer_frame(w, &frame, &id, e);
		if (status == SNAP_OK)
			status = snap_writer_stack(w, i % 7 == 0 ? 0 : stacks[i - 1], id, 0,
						   &stacks[i], e);
	}
	return status;
}

static enum snap_status write_objects(struct snap_writer *w, uint64_t count, struct snap_error *e)
{
	static uint32_t types[TYPES], stacks[STACKS];
	uint32_t label;
	enum snap_status status = write_names(w, types, stacks, &label, e);
	for (uint64_t i = 0; i < count && status == SNAP_OK; i++) {
		uint64_t r = random_next(&state);
		struct snap_object object = {.id = (i + 1) * 64,
					     .size = 16 + r % 32 * 8,
					     .count = 1,
					     .type = types[r >> 8 & (TYPES - 1)],
					     .stack = stacks[(r >> 16) % STACKS],
					     .birth_serial = i + 1};
		status = snap_writer_object(w, &object, e);
		for (uint64_t k = 0; k < 3 && status == SNAP_OK; k++)
			status = snap_writer_reference(
				w, object.id, (random_next(&state) % count + 1) * 64,
				SNAP_REF_FIELD,
				k == 0 ? SNAP_LABEL_STRING(label) : SNAP_LABEL_INDEX(k), e);
	}
	struct snap_root root = {.object = 64, .kind = SNAP_ROOT_GLOBAL};
	return status == SNAP_OK && count > 0 ? snap_writer_root(w, &root, e) : status;
}

int main(int argc, char **argv)
{
	struct snap_writer *w;
	struct snap_error error;
	if (argc != 3)
		return 2;
	enum snap_status status = snap_writer_open(&w, argv[1], NULL, &error);
	if (status == SNAP_OK) {
		status = write_objects(w, strtoull(argv[2], NULL, 10), &error);
		if (status == SNAP_OK)
			status = snap_writer_finish(w, NULL, &error);
		else
			snap_writer_abort(w);
	}
	if (status != SNAP_OK)
		fprintf(stderr, "big: %s\n", error.message);
	return status == SNAP_OK ? 0 : 2;
}
