/* Small things with files. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "bare.h"

static int complaints = STDERR_FILENO;

void complain_to(int fd) { complaints = fd; }

int complain(const char *what, const char *object)
{
	int err = errno ? errno : EIO;
	dprintf(complaints, "bare: cannot %s %s: %s\n", what, object, strerror(err));
	return -err;
}

int file_read(const char *folder, const char *name, struct program *program)
{
	char path[PATH_BYTES];
	struct stat status;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0) return complain("open", path);
	program->size = (size_t)status.st_size;
	program->data = malloc(program->size + 1);
	if (!program->data || read(fd, program->data, program->size) != status.st_size) return complain("read", path);
	close(fd);
	return 0;
}

int file_write(int at, const char *path, const char *text)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return -errno;
	int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

int tree_remove(const char *path)
{
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT ? 0 : complain("remove", path);
}
