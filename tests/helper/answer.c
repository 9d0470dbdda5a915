/* answer FILE...: what the library says of each, all members
 * verified: "FILE good", "FILE corrupt: reason" ... */
#include <stdio.h>

#include "snap_index.h"

static enum snap_status judge(const char *path, struct snap_error *error)
{
	struct snap_reader_info info = {.member_count = 1};
	for (uint64_t member = 1; member <= info.member_count; member++) {
		struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
		struct snap_reader *reader;
		options.member = (int64_t)member;
		enum snap_status status = snap_reader_open(&reader, path, &options, error);
		if (status != SNAP_OK)
			return status;
		snap_reader_info(reader, &info);
		status = snap_reader_verify(reader, NULL, NULL, error);
		if (status == SNAP_OK)
			status = snap_index_verify(reader, NULL, error);
		snap_reader_close(reader);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct snap_error error;
		enum snap_status status = judge(argv[i], &error);
		if (status == SNAP_OK)
			printf("%s good\n", argv[i]);
		else
			printf("%s %s: %s\n", argv[i], snap_status_name(status), error.message);
	}
	return 0;
}
