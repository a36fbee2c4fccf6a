/* File operations of a layer on a tree with symlinks that lead out of it: whatever they are, what lies outside stays
 * as it was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../fs_ops.h"
#include "../tree.h"
#include "fuzz.h"
#include "samples.h"
#include "walk.h"

static struct {
	char folder[64], root[80];
	int before; /* the working folder of the fuzzer */
	struct stat outside, file;
} place;

/* Of a file that somebody outside of the tree has. */
static struct stat look_at(const char *name)
{
	struct stat status = {0};
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", place.folder, name);
	FUZZ_CHECK(lstat(path, &status) == 0);
	return status;
}

static bool is_same(const struct stat *one, const struct stat *other)
{
	return one->st_mode == other->st_mode && one->st_uid == other->st_uid && one->st_gid == other->st_gid &&
	       one->st_nlink == other->st_nlink && one->st_size == other->st_size &&
	       memcmp(&one->st_mtim, &other->st_mtim, sizeof(one->st_mtim)) == 0 &&
	       memcmp(&one->st_ctim, &other->st_ctim, sizeof(one->st_ctim)) == 0;
}

static void make(const char *name, const char *link_target)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", place.folder, name);
	int made = link_target ? symlink(link_target, path) : name[strlen(name) - 1] == '/' ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
	if (made < 0 && errno != EEXIST) abort();
}

static void make_tree(void)
{
	make("root/", NULL);
	make("root/a/", NULL);
	make("root/a/b/", NULL);
	make("root/f", NULL);
	make("root/out", "../outside");
	make("root/a/up", "..");
	make("root/file", "../outside/file");
}

static void clean_up(void)
{
	struct failure failure = {0};
	tree_remove(place.folder, &failure);
}

static void set_up(void)
{
	strcpy(place.folder, "/tmp/fuzz-fs-XXXXXX");
	if (!mkdtemp(place.folder)) abort();
	atexit(clean_up);
	snprintf(place.root, sizeof(place.root), "%s/root", place.folder);
	place.before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	make("outside/", NULL);
	make("outside/file", NULL);
	make_tree();
	place.outside = look_at("outside");
	place.file = look_at("outside/file");
}

static void run(const uint8_t *data, size_t size)
{
	static uint32_t runs;
	struct msg_fs_apply request;
	struct fs_position at;
	struct failure failure = {0};
	struct reader walked = {data, data + size, false}, reader = walked;
	if (!*place.folder) set_up();
	walk_msg_fs_apply(&walked);
	if (!msg_fs_apply_decode(&reader, &request)) return;
	int result = fs_apply(place.root, &request.ops, &at, &failure);
	FUZZ_CHECK(fchdir(place.before) == 0);
	FUZZ_CHECK(result <= 0 && (result == 0 || (failure.err > 0 && *failure.detail)));
	struct stat outside = look_at("outside"), file = look_at("outside/file");
	FUZZ_CHECK(is_same(&outside, &place.outside) && is_same(&file, &place.file));
	/* What was made, takes names that others need. */
	if (++runs % 256 == 0) {
		FUZZ_CHECK(tree_remove(place.root, &failure) == 0);
		make_tree();
	}
}

static bool seed(uint32_t index, struct writer *to)
{
	static struct sample_list ops;
	static const char *const PATHS[] = {"f", "a/b/x", "out/x", "a/up/f", "file", "a/up/out/file", "./a/../f", "", "a/"};
	static const uint32_t KINDS[] = {FS_ATTRIBUTES, FS_MKNOD, FS_SETXATTR, FS_LINK};
	if (index >= sizeof(PATHS) / sizeof(*PATHS)) return false;
	sample_begin(&ops);
	for (uint32_t i = 0; i < 4; i++) {
		const char *name = KINDS[i] == FS_SETXATTR ? "user.x" : PATHS[(index + 1) % 7];
		SAMPLE_ADD(&ops, fs_op, {.kind = KINDS[i], .path = PATHS[index], .mode = S_IFIFO | 0640, .uid = i, .mtime_ns = -1, .name = name});
	}
	struct msg_fs_apply request = {.root = "", .ops = sample_end(&ops)};
	msg_fs_apply_encode(to, &request);
	return true;
}

const struct fuzz_target fuzz_target = {"fs_ops", seed, run};
