/*
 * Counts every change that a process and its children make to the files below one folder, for tests of crashes.
 * Loaded with LD_PRELOAD and steered through a small file that is mapped by all (see faults.py). One change happens at
 * a time. Before each one it can copy the whole folder, which is what a kill at that moment leaves; or, from one change
 * on, refuse them as a full or lost disk does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_SIZE 1024
#define MOST_FILES 65536

enum mode { OFF, COPY, REFUSE };
enum kind { CREATE, OPEN, WRITE, TRUNCATE, RENAME, LINK, UNLINK, MKDIR, RMDIR, CHMOD };
static const char *const names[] = {"create", "open",   "write", "truncate", "rename",
                                    "link",   "unlink", "mkdir", "rmdir",    "chmod"};

/* Layout known to faults.py. */
static struct control {
    int mode, count, from, error, lock, unused[3];
    char folder[PATH_SIZE]; /* the watched one */
    char images[PATH_SIZE]; /* gets a copy per change, and the list of changes */
} *control;

static char watched[MOST_FILES]; /* by file descriptor: whether it was opened below the folder */

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FSCHANGES_CONTROL");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        control = map;
    if (fd >= 0)
        syscall(SYS_close, fd);
}

static int is_below(const char *path) {
    size_t length = control ? strlen(control->folder) : 0;
    return length && !strncmp(path, control->folder, length) && (path[length] == '/' || !path[length]);
}

/* The path as a whole one, where it is relative to an open folder. */
static const char *whole(int at, const char *path, char *buffer) {
    char link[64], folder[PATH_SIZE / 2];
    if (!path || path[0] == '/')
        return path ? path : "";
    snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, folder, sizeof folder - 1);
    folder[length < 0 ? 0 : length] = 0;
    snprintf(buffer, PATH_SIZE, "%s/%s", folder, path);
    return buffer;
}

static int is_there(int at, const char *path) {
    struct stat found;
    return fstatat(at, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A file that is as it was in the copy before is shared with it. */
static void copy_file(const char *from, const char *to, const char *before, const struct stat *file) {
    struct stat old;
    if (stat(before, &old) == 0 && old.st_size == file->st_size && old.st_mtim.tv_sec == file->st_mtim.tv_sec &&
        old.st_mtim.tv_nsec == file->st_mtim.tv_nsec && syscall(SYS_linkat, AT_FDCWD, before, AT_FDCWD, to, 0) == 0)
        return;
    int in = syscall(SYS_openat, AT_FDCWD, from, O_RDONLY);
    int out = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    while (syscall(SYS_sendfile, out, in, NULL, 1 << 20) > 0)
        ;
    struct timespec times[2] = {file->st_atim, file->st_mtim};
    futimens(out, times);
    syscall(SYS_close, in);
    syscall(SYS_close, out);
}

static void copy_folder(const char *from, const char *to, const char *before) {
    DIR *folder = opendir(from);
    if (!folder)
        return;
    syscall(SYS_mkdirat, AT_FDCWD, to, 0777);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char one[PATH_SIZE], other[PATH_SIZE], old[PATH_SIZE];
        struct stat found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(one, PATH_SIZE, "%s/%s", from, entry->d_name);
        snprintf(other, PATH_SIZE, "%s/%s", to, entry->d_name);
        snprintf(old, PATH_SIZE, "%s/%s", before, entry->d_name);
        if (lstat(one, &found))
            continue;
        if (S_ISDIR(found.st_mode))
            copy_folder(one, other, old);
        else
            copy_file(one, other, old, &found);
    }
    closedir(folder);
}

static void note(enum kind kind, const char *path) {
    char list[PATH_SIZE + 16], line[PATH_SIZE + 64];
    snprintf(list, sizeof list, "%s/changes", control->images);
    int length = snprintf(line, sizeof line, "%d %s %s\n", control->count, names[kind], path + strlen(control->folder));
    int fd = syscall(SYS_openat, AT_FDCWD, list, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (syscall(SYS_write, fd, line, length) < 0)
        abort();
    syscall(SYS_close, fd);
}

/* Whether the disk refuses such a change: a full one lets go of files, lost permission leaves open files alone. */
static int is_refused(enum kind kind) {
    if (control->mode != REFUSE || control->count < control->from)
        return 0;
    if (control->error == ENOSPC)
        return kind == CREATE || kind == WRITE || kind == RENAME || kind == LINK || kind == MKDIR;
    return control->error == EROFS || (kind != WRITE && kind != TRUNCATE);
}

/* 0: not a change to be counted; 1: counted, to be done and then left; -1: refused. */
static int enter(enum kind kind, const char *path) {
    int before = errno;
    if (!control || control->mode == OFF || !is_below(path))
        return 0;
    while (__sync_lock_test_and_set(&control->lock, 1))
        sched_yield();
    control->count++;
    note(kind, path);
    if (control->mode == COPY) {
        char image[PATH_SIZE + 16], previous[PATH_SIZE + 16];
        snprintf(image, sizeof image, "%s/%d", control->images, control->count);
        snprintf(previous, sizeof previous, "%s/%d", control->images, control->count - 1);
        copy_folder(control->folder, image, previous);
    }
    errno = before;
    if (!is_refused(kind))
        return 1;
    errno = kind == CHMOD && control->error == EACCES ? EPERM : control->error;
    __sync_lock_release(&control->lock);
    return -1;
}

static void leave(int entered) {
    if (entered > 0)
        __sync_lock_release(&control->lock);
}

#define DO(kind, path, result_type, call)                  \
    do {                                                   \
        int entered = enter(kind, path);                   \
        result_type result = entered < 0 ? -1 : (call);    \
        leave(entered);                                    \
        return result;                                     \
    } while (0)

static int opened(int at, const char *path, int flags, mode_t mode) {
    char buffer[PATH_SIZE];
    const char *full = whole(at, path, buffer);
    int writes = (flags & O_ACCMODE) != O_RDONLY && is_below(full);
    int entered = writes ? enter(is_there(at, path) ? OPEN : CREATE, full) : 0;
    int fd = entered < 0 ? -1 : syscall(SYS_openat, at, path, flags, mode);
    leave(entered);
    if (fd >= 0 && fd < MOST_FILES)
        watched[fd] = writes;
    return fd;
}

#define MODE                            \
    va_list rest;                       \
    va_start(rest, flags);              \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest)

int open(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE; return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE; return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd) {
    if (fd >= 0 && fd < MOST_FILES)
        watched[fd] = 0;
    return syscall(SYS_close, fd);
}

/* The path of a watched file, "" of others. */
static const char *path_of(int fd, char *buffer) {
    char link[64];
    if (fd < 0 || fd >= MOST_FILES || !watched[fd])
        return "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_SIZE - 1);
    buffer[length < 0 ? 0 : length] = 0;
    return buffer;
}

#define DO_FD(kind, fd, result_type, call) \
    char buffer[PATH_SIZE];                \
    DO(kind, path_of(fd, buffer), result_type, call)

/* The disk that is just now full still takes half of what is written. */
ssize_t write(int fd, const void *bytes, size_t length) {
    char buffer[PATH_SIZE];
    int entered = enter(WRITE, path_of(fd, buffer));
    if (entered < 0 && errno == ENOSPC && control->count == control->from && length > 1)
        return syscall(SYS_write, fd, bytes, length / 2);
    ssize_t result = entered < 0 ? -1 : syscall(SYS_write, fd, bytes, length);
    leave(entered);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    DO_FD(WRITE, fd, ssize_t, syscall(SYS_writev, fd, parts, n));
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    DO_FD(WRITE, fd, ssize_t, syscall(SYS_pwrite64, fd, bytes, n, at));
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }
ssize_t sendfile64(int to, int from, off64_t *at, size_t n) {
    DO_FD(WRITE, to, ssize_t, syscall(SYS_sendfile, to, from, at, n));
}
ssize_t sendfile(int to, int from, off_t *at, size_t n) { return sendfile64(to, from, at, n); }
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags) {
    DO_FD(WRITE, to, ssize_t, syscall(SYS_copy_file_range, from, from_at, to, to_at, n, flags));
}
int ftruncate(int fd, off_t length) { DO_FD(TRUNCATE, fd, int, syscall(SYS_ftruncate, fd, length)); }
int ftruncate64(int fd, off64_t length) { DO_FD(TRUNCATE, fd, int, syscall(SYS_ftruncate, fd, length)); }
int fchmod(int fd, mode_t mode) { DO_FD(CHMOD, fd, int, syscall(SYS_fchmod, fd, mode)); }

/* What changes nothing, as the file is not there, or is there already, is not counted. */
#define DO_PATH(kind, at, path, applies, call) \
    char buffer[PATH_SIZE];                    \
    DO(kind, (applies) ? whole(at, path, buffer) : "", int, call)

int truncate64(const char *path, off64_t length) {
    DO_PATH(TRUNCATE, AT_FDCWD, path, 1, syscall(SYS_truncate, path, length));
}
int truncate(const char *path, off_t length) { return truncate64(path, length); }

int renameat2(int at, const char *path, int to_at, const char *to, unsigned flags) {
    DO_PATH(RENAME, to_at, to, is_there(at, path), syscall(SYS_renameat2, at, path, to_at, to, flags));
}
int renameat(int at, const char *path, int to_at, const char *to) { return renameat2(at, path, to_at, to, 0); }
int rename(const char *path, const char *to) { return renameat2(AT_FDCWD, path, AT_FDCWD, to, 0); }

int linkat(int at, const char *path, int to_at, const char *to, int flags) {
    DO_PATH(LINK, to_at, to, is_there(at, path), syscall(SYS_linkat, at, path, to_at, to, flags));
}
int link(const char *path, const char *to) { return linkat(AT_FDCWD, path, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *path, int flags) {
    enum kind kind = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
    DO_PATH(kind, at, path, is_there(at, path), syscall(SYS_unlinkat, at, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat found;
    return unlinkat(AT_FDCWD, path, lstat(path, &found) == 0 && S_ISDIR(found.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int at, const char *path, mode_t mode) {
    DO_PATH(MKDIR, at, path, !is_there(at, path), syscall(SYS_mkdirat, at, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int fchmodat(int at, const char *path, mode_t mode, int flags) {
    (void)flags;
    DO_PATH(CHMOD, at, path, is_there(at, path), syscall(SYS_fchmodat, at, path, mode));
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }

/* A disk that is lost from the first change on shows it to those who ask before. */
int access(const char *path, int asked) {
    int lost = control && control->mode == REFUSE && control->from <= 1 && control->error != ENOSPC;
    if (lost && asked & W_OK && is_below(path)) {
        errno = control->error;
        return -1;
    }
    return syscall(SYS_faccessat, AT_FDCWD, path, asked);
}
