/* limits: what this machine allows, with no supervisor in the way. Prints "name value" lines.
 *   limits spawn vfork|posix|whole N CHILD FIFO
 *                                       N children: s until all report; s from SIGTERM to all reaped.
 *                                       whole: each in a session of its own, with two pipes and a pidfd,
 *                                       which is what a supervisor needs of the kernel
 *   limits death K CHILD FIFO           SIGKILL to waitid and to pidfd wake-up, and to the replacement's report
 *   limits churn N SECS CHILD FIFO      N children that exit at once, restarted at once: restarts/s
 *   limits pipe read|splice|discard BYTES CHILD FIFO FILE      drain one child's stdout: MB/s
 *   limits rtt unix|tcp REQ RESP SECS   one client, one echo-like server process: us, requests/s
 * When it is ended early its children stay: whoever started it ends them, by the FIFO's name on their command line. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
struct rec { uint32_t pid, kind; uint64_t ns; };
enum how { VFORK, POSIX, WHOLE };
static char *child, *fifo;
static int ff;   /* the FIFO, held open both ways */
static int null; /* /dev/null */

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void die(const char *what) { perror(what); exit(1); }
static int cmp(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void show(const char *name, double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, cmp);
    printf("%s_median_us %.2f\n%s_p99_us %.2f\n", name, v[n / 2], name, v[(int)((n - 1) * 0.99)]);
}
static double cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}
static void setup(char *c, char *f) {
    child = c; fifo = f;
    mkfifo(f, 0600);
    if ((ff = open(f, O_RDWR | O_CLOEXEC)) < 0) die(f);
    if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) die("/dev/null");
    fcntl(ff, F_SETPIPE_SZ, 1 << 20);
}
static struct rec take(void) {
    struct rec r;
    if (read(ff, &r, sizeof r) != sizeof r) die("fifo");
    return r;
}
static pid_t spawn(char *mode, char *arg, enum how how) {
    char *av[] = { child, mode, fifo, arg, 0 };
    pid_t p;
    if (how == POSIX) {
        if (posix_spawn(&p, child, 0, 0, av, environ)) die("posix_spawn");
        return p;
    }
    int out[2], err[2];
    if (how == WHOLE && (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))) die("pipe");
    p = vfork();
    if (p == 0) {
        if (how == WHOLE) { setsid(); dup2(null, 0); dup2(out[1], 1); dup2(err[1], 2); }
        execv(child, av);
        _exit(127);
    }
    if (p < 0) die("vfork");
    if (how == WHOLE) {
        close(out[1]); close(err[1]);
        if (syscall(SYS_pidfd_open, p, 0) < 0) die("pidfd_open");
    }
    return p;
}

static void do_spawn(enum how how, int n) {
    pid_t *p = malloc((size_t)n * sizeof *p);
    uint64_t t0 = now(), last = 0;
    for (int i = 0; i < n; i++) p[i] = spawn("pause", 0, how);
    for (int i = 0; i < n; i++) { struct rec r = take(); if (r.ns > last) last = r.ns; }
    printf("running_s %.6f\n", (double)(last - t0) / 1e9);
    t0 = now();
    for (int i = 0; i < n; i++) kill(p[i], SIGTERM);
    for (int i = 0; i < n; i++) if (waitpid(p[i], 0, 0) < 0) die("waitpid");
    printf("stop_s %.6f\n", (double)(now() - t0) / 1e9);
}

static void do_death(int k) {
    double *w = malloc((size_t)k * sizeof *w), *f = malloc((size_t)k * sizeof *f), *r = malloc((size_t)k * sizeof *r);
    struct timespec gap = { 0, 3000000 };
    for (int i = 0; i < k; i++) {
        siginfo_t si;
        pid_t p = spawn("pause", 0, VFORK);
        take();
        nanosleep(&gap, 0);
        uint64_t t = now();
        kill(p, SIGKILL);
        waitid(P_PID, (id_t)p, &si, WEXITED);
        w[i] = (double)(now() - t) / 1e3;
        p = spawn("pause", 0, VFORK);
        r[i] = (double)(take().ns - t) / 1e3;
        int fd = (int)syscall(SYS_pidfd_open, p, 0);
        struct pollfd pf = { fd, POLLIN, 0 };
        nanosleep(&gap, 0);
        t = now();
        kill(p, SIGKILL);
        poll(&pf, 1, -1);
        f[i] = (double)(now() - t) / 1e3;
        close(fd);
        waitpid(p, 0, 0);
    }
    show("waitid", w, k); show("pidfd", f, k); show("restart", r, k);
}

static void do_churn(int n, double secs) {
    static char sink[1 << 16];
    fcntl(ff, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < n; i++) spawn("exit", 0, VFORK);
    uint64_t t0 = now(), end = t0 + (uint64_t)(secs * 1e9);
    long done = 0;
    while (now() < end) {
        if (waitpid(-1, 0, 0) < 0) die("waitpid");
        spawn("exit", 0, VFORK);
        if (++done % 1000 == 0) (void)!read(ff, sink, sizeof sink); /* keep the FIFO from filling up */
    }
    printf("restarts_per_s %.1f\n", (double)done / ((double)(now() - t0) / 1e9));
    while (waitpid(-1, 0, 0) > 0) ;
}

static void do_pipe(const char *mode, char *bytes, const char *file) {
    int p[2];
    long long total = atoll(bytes);
    int out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0 || pipe2(p, O_CLOEXEC)) die("pipe");
    char *av[] = { child, "log", fifo, bytes, 0 };
    uint64_t t0 = now();
    pid_t c = vfork();
    if (c == 0) { dup2(p[1], 1); execv(child, av); _exit(127); }
    close(p[1]);
    static char buf[1 << 16];
    static long long got;
    while (got < total) {
        ssize_t n = mode[0] == 's' ? splice(p[0], 0, out, 0, 1 << 20, SPLICE_F_MOVE) : read(p[0], buf, sizeof buf);
        if (n <= 0) die(mode);
        if (mode[0] == 'r' && write(out, buf, (size_t)n) != n) die("write");
        got += n;
    }
    double s = (double)(now() - t0) / 1e9;
    printf("MB_per_s %.1f\ncpu_s_per_GB %.3f\n", (double)got / s / 1e6, cpu() / ((double)got / 1e9));
    kill(c, SIGKILL);
    waitpid(c, 0, 0);
    unlink(file);
}

static void full(int fd, char *b, size_t n, int wr) {
    while (n) {
        ssize_t k = wr ? write(fd, b, n) : read(fd, b, n);
        if (k <= 0) _exit(0);
        b += k; n -= (size_t)k;
    }
}
static void do_rtt(int unixsock, size_t req, size_t resp, double secs) {
    int s[2], one = 1;
    if (unixsock) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) die("socketpair");
    } else {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t al = sizeof a;
        int l = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(l, (struct sockaddr *)&a, al) || listen(l, 1)) die("listen");
        getsockname(l, (struct sockaddr *)&a, &al);
        s[0] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s[0], (struct sockaddr *)&a, al)) die("connect");
        s[1] = accept(l, 0, 0);
        for (int i = 0; i < 2; i++) setsockopt(s[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    size_t big = req > resp ? req : resp;
    char *b = calloc(1, big);
    pid_t srv = fork();
    if (srv == 0) { close(s[0]); for (;;) { full(s[1], b, req, 0); full(s[1], b, resp, 1); } }
    close(s[1]);
    int cap = 4000000, n = 0;
    double *v = malloc((size_t)cap * sizeof *v);
    uint64_t t0 = now(), t = t0;
    while (n < cap && (double)(t - t0) / 1e9 < secs) {
        full(s[0], b, req, 1); full(s[0], b, resp, 0);
        uint64_t u = now();
        v[n++] = (double)(u - t) / 1e3;
        t = u;
    }
    printf("requests_per_s %.0f\n", n / ((double)(t - t0) / 1e9));
    show("rtt", v, n);
    close(s[0]);
    waitpid(srv, 0, 0);
}

int main(int c, char **v) {
    if (c == 6 && !strcmp(v[1], "spawn")) {
        setup(v[4], v[5]);
        do_spawn(v[2][0] == 'v' ? VFORK : v[2][0] == 'p' ? POSIX : WHOLE, atoi(v[3]));
    }
    else if (c == 5 && !strcmp(v[1], "death")) { setup(v[3], v[4]); do_death(atoi(v[2])); }
    else if (c == 6 && !strcmp(v[1], "churn")) { setup(v[4], v[5]); do_churn(atoi(v[2]), atof(v[3])); }
    else if (c == 7 && !strcmp(v[1], "pipe")) { setup(v[4], v[5]); do_pipe(v[2], v[3], v[6]); }
    else if (c == 6 && !strcmp(v[1], "rtt")) do_rtt(v[2][0] == 'u', (size_t)atol(v[3]), (size_t)atol(v[4]), atof(v[5]));
    else { fprintf(stderr, "see the head of limits.c\n"); return 2; }
    return 0;
}
