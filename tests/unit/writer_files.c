/* The writer: files appear whole, are appended to, replaced, or left as they were (snap.h). */
#include "writer_model.h"

#include <sys/stat.h>
#include <unistd.h>

static uint64_t file_size(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 ? (uint64_t)about.st_size : UINT64_MAX;
}

static unsigned files_in(const char *folder)
{
	char command[300];
	unsigned count = 0;
	snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
	FILE *pipe = popen(command, "r");
	REQUIRE(pipe && fscanf(pipe, "%u", &count) == 1);
	pclose(pipe);
	return count;
}

static void write_file(const char *path, bool append, uint64_t id)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.append = append;
	struct snap_writer *w;
	REQUIRE(snap_writer_open(&w, path, &options, NULL) == SNAP_OK);
	put_object(w, id, 0);
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
}

static void test_files(void)
{
	char folder[] = "/tmp/snap-writer-XXXXXX", path[64];
	REQUIRE(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/a.snap", folder);
	struct snap_writer *w;
	REQUIRE(snap_writer_open(&w, path, NULL, NULL) == SNAP_OK);
	put_object(w, 1, 0);
	snap_writer_abort(w);
	CHECK_NAMED(files_in(folder) == 0, "abort leaves nothing");
	write_file(path, true, 1);
	uint64_t one = file_size(path);
	write_file(path, true, 2);
	CHECK(files_in(folder) == 1 && file_size(path) > one);
	struct snap_reader *reader;
	struct snap_reader_info info;
	REQUIRE(snap_reader_open(&reader, path, NULL, NULL) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.member == 2 && info.member_count == 2 && info.offset == one);
	snap_reader_close(reader);
	write_file(path, false, 3);
	CHECK_NAMED(files_in(folder) == 1 && file_size(path) == one,
		    "a new file replaces the old one");
	struct snap_error error;
	REQUIRE(snap_writer_open(&w, path, NULL, NULL) == SNAP_OK);
	put_object(w, 1, 0);
	put_object(w, 1, 0);
	CHECK(snap_writer_finish(w, NULL, &error) == SNAP_MISUSE);
	CHECK_NAMED(files_in(folder) == 1 && file_size(path) == one,
		    "a failed one leaves the old one");
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.append = true;
	REQUIRE(truncate(path, (off_t)one - 1) == 0);
	REQUIRE(snap_writer_open(&w, path, &options, NULL) == SNAP_OK);
	CHECK(snap_writer_finish(w, NULL, &error) == SNAP_CORRUPT);
	CHECK_NAMED(file_size(path) == one - 1, "nothing is appended to what is not whole");
	CHECK(snap_writer_open(&w, "/nonexistent/a.snap", NULL, &error) == SNAP_IO &&
	      error.os_errno != 0);
	REQUIRE(unlink(path) == 0 && rmdir(folder) == 0);
	REQUIRE(snap_writer_open(&w, "/dev/null", NULL, NULL) == SNAP_OK);
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct stat about;
	CHECK_NAMED(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode),
		    "a device is not replaced");
}

int main(void)
{
	test_files();
	return DONE();
}
