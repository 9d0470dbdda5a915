/* The demo: a small service that keeps sessions in a hash table, leaks some, and pictures its own
 * heap through libsnap.
 *
 * leaky BEFORE AFTER: serves a little, writes the snapshot BEFORE, serves a lot, writes AFTER.
 * The bug is in session_renew(). */
#include "heap.h"

#include <inttypes.h>
#include <stdio.h>

enum { BUCKETS = 1024, USERS = 500, PAGE_SIZE = 480 };

struct Buffer {
	size_t size;
	char text[PAGE_SIZE];
};
struct Session {
	uint64_t token;
	uint32_t user;
	struct Buffer *last_page;
	struct Session *next; /* in the bucket */
};
struct Request {
	uint32_t user;
	struct Session *session;
	struct Buffer *body;
};
struct Buckets {
	struct Session *first[BUCKETS];
};
struct Cache {
	struct Buckets *buckets;
	uint64_t hits, misses;
};
struct Server {
	struct Cache *cache;
	struct Request *current;
};

static const struct heap_type Buffer_type = {.name = "Buffer"};
static const struct heap_type Session_type = {
	.name = "Session",
	.fields = {{"last_page", offsetof(struct Session, last_page)},
		   {"next", offsetof(struct Session, next)}}};
static const struct heap_type Request_type = {
	.name = "Request",
	.fields = {{"session", offsetof(struct Request, session)},
		   {"body", offsetof(struct Request, body)}}};
static const struct heap_type Buckets_type = {.name = "Session*[]", .is_table = true};
static const struct heap_type Cache_type = {
	.name = "Cache", .fields = {{"buckets", offsetof(struct Cache, buckets)}}};
static const struct heap_type Server_type = {
	.name = "Server",
	.fields = {{"cache", offsetof(struct Server, cache)},
		   {"current", offsetof(struct Server, current)}}};

static struct Server *server;
static uint64_t tokens[USERS]; /* what each user's browser holds: 0 before login */
static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return random_state >> 20;
}

/* ---- the session cache ---- */

static struct Session **bucket_of(uint64_t token)
{
	return &server->cache->buckets->first[token % BUCKETS];
}

static struct Session *session_find(uint64_t token)
{
	for (struct Session *s = *bucket_of(token); s; s = s->next)
		if (s->token == token) {
			server->cache->hits++;
			return s;
		}
	server->cache->misses++;
	return NULL;
}

static struct Session *session_open(uint32_t user)
{
	SCOPE;
	struct Session *session = NEW(Session);
	session->user = user;
	session->token = next_random();
	session->last_page = NEW(Buffer);
	session->next = *bucket_of(session->token);
	*bucket_of(session->token) = session;
	return session;
}

/* The bug: the token is the key, and the session stays in the bucket of its old one.  It is never
 * found again, by session_close() neither, and the user just logs in once more. */
static void session_renew(struct Session *session)
{
	session->token = next_random();
}

static void session_close(uint64_t token)
{
	for (struct Session **at = bucket_of(token); *at; at = &(*at)->next)
		if ((*at)->token == token) {
			struct Session *gone = *at;
			*at = gone->next;
			heap_free(gone->last_page);
			heap_free(gone);
			return;
		}
}

/* ---- the service ---- */

static struct Session *handle_login(uint32_t user)
{
	SCOPE;
	struct Session *session = session_open(user);
	tokens[user] = session->token;
	return session;
}

static void handle_page(struct Request *request)
{
	SCOPE;
	request->body = NEW(Buffer);
	int size = snprintf(request->body->text, PAGE_SIZE, "Hello, user %" PRIu32, request->user);
	request->body->size = (size_t)size;
	*request->session->last_page = *request->body;
}

static void serve(void)
{
	SCOPE;
	struct Request *request = server->current = NEW(Request);
	request->user = (uint32_t)(next_random() % USERS);
	request->session = session_find(tokens[request->user]);
	if (!request->session)
		request->session = handle_login(request->user);
	handle_page(request);
	uint64_t choice = next_random() % 100;
	if (choice < 10) { /* a changed password renews the session */
		session_renew(request->session);
		tokens[request->user] = request->session->token;
	} else if (choice < 30) {
		session_close(tokens[request->user]);
		tokens[request->user] = 0;
	}
	server->current = NULL;
	heap_free(request->body);
	heap_free(request);
}

static int picture(const char *path)
{
	const struct heap_root root = {"server", server};
	struct snap_error error;
	if (heap_snapshot(path, "leaky", &root, 1, &error) == SNAP_OK)
		return 0;
	fprintf(stderr, "leaky: %s: %s\n", path, error.message);
	return 2;
}

int main(int argc, char **argv)
{
	SCOPE;
	if (argc != 3) {
		fprintf(stderr, "Usage: leaky BEFORE AFTER\n");
		return 2;
	}
	server = NEW(Server);
	server->cache = NEW(Cache);
	server->cache->buckets = NEW_SIZED(Buckets, sizeof(struct Buckets));
	for (int i = 0; i < 2000; i++)
		serve();
	if (picture(argv[1]) != 0)
		return 2;
	for (int i = 0; i < 50000; i++)
		serve();
	return picture(argv[2]);
}
