/* snap-info from the inside: what the process's memory was for. */
#ifndef INFO_H
#define INFO_H

#include "cli.h"
#include "print.h"
#include "scan.h"

/* Bytes that were resident, by the kinds of mappings; other kinds count as the first. */
struct info_memory {
	bool known;
	uint64_t resident;
	uint64_t live; /* of resident bytes, those of blocks */
	uint64_t by_kind[SNAP_MAPPING_RECORDER + 1];
};
/* Unknown where the snapshot has no mappings. */
enum snap_status info_memory_read(struct snap_reader *, const char *file, struct info_memory *out,
				  struct snap_error *);
/* The account, as lines for people or as notes of a table. */
void info_memory_print(const struct info_memory *, bool sampled);
void info_memory_note(struct print_table *, const struct info_memory *);

enum snap_status info_list_mappings(struct snap_reader *, const char *file, struct snap_error *);

#endif
