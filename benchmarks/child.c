/* child MODE FIFO [BYTES]: the supervised program. Static, a few system calls, then costs nothing.
 *   pause FIFO         report in, then pause() until a signal's default action ends it
 *   exit  FIFO         report in, exit 0
 *   log   FIFO BYTES   report in, write BYTES of 100-byte lines to stdout in 8,100-byte writes,
 *                      report again, then pause()
 * A report is one 16-byte record {pid u32, kind u32, CLOCK_MONOTONIC ns u64}: atomic on a FIFO. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void report(int fd, uint32_t kind) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct { uint32_t pid, kind; uint64_t ns; } r =
        { (uint32_t)getpid(), kind, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec };
    if (write(fd, &r, sizeof r) != sizeof r) _exit(111);
}

int main(int argc, char **argv) {
    if (argc < 3) return 100;
    int fd = open(argv[2], O_WRONLY | O_CLOEXEC);
    if (fd < 0) return 111;
    report(fd, 0);
    if (argv[1][0] == 'e') _exit(0);
    if (argv[1][0] == 'l') {
        if (argc < 4) return 100;
        static char block[8100];
        for (int i = 0; i < 81; i++) {
            memset(block + i * 100, 'a' + i % 26, 99);
            block[i * 100 + 99] = '\n';
        }
        long long left = atoll(argv[3]);
        while (left > 0) {
            size_t want = left < 8100 ? (size_t)left : 8100, done = 0;
            while (done < want) {
                ssize_t n = write(1, block + done, want - done);
                if (n < 0) _exit(112);
                done += (size_t)n;
            }
            left -= (long long)want;
        }
        report(fd, 1);
    }
    close(fd);
    for (;;) pause();
}
