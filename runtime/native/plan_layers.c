/* An overlay of layers that lie side by side in one place: idmapped ones, and on kernels before 6.8 all of them, whose
 * full names would not fit the options of one mount.
 *
 * An overlay cannot be idmapped itself, and before Linux 6.15 it takes its layers only from mounts of its maker's
 * namespace. So the creator makes it in a mount namespace that exists for this step alone: copies of the layers' mounts
 * lie in a tmpfs there, the overlay is taken out as a detached mount, and with the namespace everything else is gone.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "plan_internal.h"

/* The page that mount(2) takes. */
#define OPTIONS_MAX 4096

static int append(char options[OPTIONS_MAX], const char *before, const char *text, struct failure *failure)
{
	size_t length = strlen(options);
	int more = snprintf(options + length, OPTIONS_MAX - length, "%s%s", before, text);
	if (more >= 0 && (size_t)more < OPTIONS_MAX - length) return 0;
	return fail(failure, E2BIG, "the overlay has more layers than the options of one mount hold");
}

static int place_layer(struct plan *plan, const char *path, const char *name, const struct op_root_idmap *maps, struct failure *failure)
{
	AUTO_CLOSE int mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount < 0) return fail(failure, errno, "cannot open the layer %s", path);
	int result = maps ? idmap_mount(plan, mount, &maps->uid_map, &maps->gid_map, false, failure) : 0;
	if (result < 0) return result;
	if (mkdir(name, 0700) < 0 || move_mount(mount, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(failure, errno, "cannot place the layer %s", path);
	return 0;
}

static int place_lowers(struct plan *plan, const struct list *lowers, const struct op_root_idmap *maps, char options[OPTIONS_MAX],
			struct failure *failure)
{
	struct reader items = lowers->items;
	int result = append(options, "", "lowerdir=", failure);
	for (uint32_t i = 0; result == 0 && i < lowers->count; i++) {
		const char *lower;
		char name[16];
		snprintf(name, sizeof name, "%u", i);
		if (!get_str(&items, &lower)) return fail(failure, EPROTO, "lower %u cannot be read", i);
		result = place_layer(plan, lower, name, maps, failure);
		if (result == 0) result = append(options, i ? ":" : "", name, failure);
	}
	return result;
}

/* Not idmapped: overlay makes files there as root, whom the map does not know. On disk they have the host's ids, as
 * what is copied up from a lower has. upper and work must lie on one and the same mount: their common folder is copied. */
static int place_upper(struct plan *plan, const struct op_root_overlay *overlay, char options[OPTIONS_MAX], struct failure *failure)
{
	const char *upper = strrchr(overlay->upper, '/'), *work = strrchr(overlay->work, '/');
	size_t length = upper ? (size_t)(upper - overlay->upper) : 0;
	char parent[PATH_MAX];
	if (*overlay->upper == 0) return 0;
	if (!upper || !work || (size_t)(work - overlay->work) != length || strncmp(overlay->upper, overlay->work, length) != 0 ||
	    length >= sizeof parent || strpbrk(upper, ":,\\") || strpbrk(work, ":,\\"))
		return fail(failure, EINVAL, "upper %s and work %s must lie in one folder, with plain names", overlay->upper, overlay->work);
	memcpy(parent, overlay->upper, length);
	parent[length] = 0;
	int result = place_layer(plan, parent, "layer", NULL, failure);
	if (result == 0) result = append(options, ",upperdir=layer", upper, failure);
	return result < 0 ? result : append(options, ",workdir=layer", work, failure);
}

static int take_folder(const char *mounted, const char *sub_path, int *fd, struct failure *failure)
{
	AUTO_CLOSE int all = open(mounted, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int folder = all < 0 ? -errno : open_in_root(all, *sub_path ? sub_path : ".", O_PATH | O_DIRECTORY, 0, 0);
	if (folder < 0) return fail(failure, -folder, "cannot open the folder %s of the overlay", sub_path);
	*fd = open_tree(folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return *fd < 0 ? fail(failure, errno, "cannot take the overlay out of its namespace") : 0;
}

/* In the passing namespace, whose mounts nobody else sees. */
static int make_overlay(struct plan *plan, const struct op_root_overlay *overlay, const struct op_root_idmap *maps, const char *sub_path, int *fd,
			struct failure *failure)
{
	char options[OPTIONS_MAX] = "";
	if (mount("", "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 || mount("tmpfs", overlay->target, "tmpfs", 0, "mode=700") < 0 ||
	    chdir(overlay->target) < 0)
		return fail(failure, errno, "cannot make a place for the layers at %s", overlay->target);
	int result = place_lowers(plan, &overlay->lowers, maps, options, failure);
	if (result == 0) result = place_upper(plan, overlay, options, failure);
	if (result == 0 && *overlay->options) result = append(options, ",", overlay->options, failure);
	if (result < 0) return result;
	if (mkdir("root", 0700) < 0 || mount("overlay", "root", "overlay", 0, options) < 0)
		return fail(failure, errno, "cannot make the overlay%s%s", *overlay->upper ? " that writes to " : "", overlay->upper);
	return take_folder("root", sub_path, fd, failure);
}

int placed_overlay(struct plan *plan, const struct op_root_overlay *overlay, const struct op_root_idmap *maps, const char *sub_path, int *fd,
		   struct failure *failure)
{
	if (unshare(CLONE_NEWNS) < 0) return fail(failure, errno, "cannot make a mount namespace for the layers");
	int result = make_overlay(plan, overlay, maps, sub_path, fd, failure);
	if (setns(plan->mount_namespace, CLONE_NEWNS) == 0) return result;
	/* Nothing that follows may be done in the wrong namespace. */
	close_at(fd);
	return fail(failure, errno, "cannot return to the host's mount namespace");
}
