/* A mail filter that knows nothing of snapshots, for snap-record:
 * it forgets parsed headers, and keeps every sender. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAILS 20000u

struct sender {
	struct sender *next;
	char name[40];
};
struct header {
	struct header *next;
	char *value;
};

static struct sender *senders;
static unsigned rejected;

static struct header *parse_header(unsigned mail, const char *name)
{
	struct header *header = calloc(1, sizeof(*header));
	header->value = malloc(64);
	snprintf(header->value, 64, "%s of mail %u", name, mail);
	return header;
}

/* One is added for each mail: nobody looks whether the sender is known. */
static void remember_sender(unsigned mail)
{
	struct sender *sender = malloc(sizeof(*sender));
	snprintf(sender->name, sizeof(sender->name), "sender%u@example.org", mail % 100);
	sender->next = senders;
	senders = sender;
}

static void free_headers(struct header *header)
{
	while (header) {
		struct header *next = header->next;
		free(header->value);
		free(header);
		header = next;
	}
}

static void filter_mail(unsigned mail)
{
	struct header *subject = parse_header(mail, "Subject");
	subject->next = parse_header(mail, "Date");
	remember_sender(mail);
	if (strlen(subject->value) % 10 == 0) {
		rejected++; /* the leak: the headers of a rejected mail */
		return;
	}
	free_headers(subject);
}

int main(void)
{
	for (unsigned mail = 0; mail < MAILS; mail++)
		filter_mail(mail);
	printf("%u mails, %u rejected\n", MAILS, rejected);
	return 0;
}
