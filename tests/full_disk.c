/* A disk that is full from a given moment on: loaded into the program (LD_PRELOAD) by tests/full_disk.rs.
   The calls that need space on a regular file or in a folder are counted; from number FULL_FROM on each answers
   ENOSPC. Removing and reading go on as ever, as on a real disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls;

static int full(void) {
    const char *from = getenv("FULL_FROM");
    if (from == NULL || atomic_fetch_add(&calls, 1) + 1 < atol(from)) {
        return 0;
    }
    errno = ENOSPC;
    return 1;
}

static int is_file(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
    return is_file(fd) && full() ? -1 : REAL(write)(fd, bytes, count);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    return full() ? -1 : REAL(copy_file_range)(in, from, out, to, count, flags);
}

int fsync(int fd) {
    return is_file(fd) && full() ? -1 : REAL(fsync)(fd);
}

int mkdir(const char *path, mode_t mode) {
    struct stat found;
    return stat(path, &found) != 0 && full() ? -1 : REAL(mkdir)(path, mode);
}

int rename(const char *from, const char *to) {
    return full() ? -1 : REAL(rename)(from, to);
}

int symlink(const char *target, const char *path) {
    return full() ? -1 : REAL(symlink)(target, path);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & O_CREAT ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return flags & O_CREAT && full() ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return flags & O_CREAT && full() ? -1 : REAL(open64)(path, flags, mode);
}
