/* Vector types, and the way of matrices into lanes and back; part of eigh.h. */

typedef REAL vec __attribute__((vector_size(WIDTH)));
typedef INTEGER ivec __attribute__((vector_size(WIDTH)));

static inline vec NAME(select)(ivec mask, vec a, vec b) {
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}

static inline vec NAME(magnitude)(vec x) {
    return (vec)((ivec)x & ((ivec){0} + INTEGER_LARGEST));
}

static inline vec NAME(fill)(REAL value) { return (vec){0} + value; }

static inline vec NAME(root)(vec x) {
    for (int k = 0; k < LANES; k++) x[k] = SQUARE_ROOT(x[k]);
    return x;
}

#if LANES == 2
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#elif LANES == 4
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#elif LANES == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#endif

/* Transpose LANES vectors: each stage moves one bit of the row number to the lane number. */
static inline void NAME(transpose)(vec *x) {
#if SHUFFLES
    for (int stage = 1; stage < LANES; stage *= 2) {
        vec y[LANES];
        for (int k = 0; k < LANES / 2; k++) {
            y[2 * k] = INTERLEAVE_LOW(x[k], x[k + LANES / 2]);
            y[2 * k + 1] = INTERLEAVE_HIGH(x[k], x[k + LANES / 2]);
        }
        for (int k = 0; k < LANES; k++) x[k] = y[k];
    }
#else
    for (int i = 0; i < LANES; i++)
        for (int k = 0; k < i; k++) {
            const REAL kept = x[i][k];
            x[i][k] = x[k][i];
            x[k][i] = kept;
        }
#endif
}

#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH

/* Read the lower triangles of `count` matrices into lanes. */
static void NAME(gather)(vec *lower, const REAL *input, int n, int count) {
    const size_t size = (size_t)n * n;
    if (count < LANES || n < LANES) {
        memset(lower, 0, (size_t)n * (n + 1) / 2 * WIDTH);
        for (int k = 0; k < count; k++) {
            REAL *lane = (REAL *)lower + k;
            for (int i = 0; i < n; i++)
                for (int j = 0; j <= i; j++, lane += LANES) *lane = input[k * size + i * n + j];
        }
        return;
    }
    for (int i = 0; i < n; i++) {
        vec *row = lower + i * (i + 1) / 2;
        for (int j = 0; j <= i; j += LANES) {
            /* The last piece overlaps the one before; a row shorter than a piece is read on into
             * the next, which is there since n >= LANES. */
            const int left = i + 1 - j, at = left < LANES && i >= LANES ? i + 1 - LANES : j;
            vec piece[LANES];
            for (int k = 0; k < LANES; k++)
                memcpy(&piece[k], input + k * size + i * n + at, sizeof(vec));
            NAME(transpose)(piece);
            for (int k = 0; k < LANES && at + k <= i; k++) row[at + k] = piece[k];
        }
    }
}

/* Write the columns of the eigenvector matrices, column j of lane k as the row position[j][k]. */
static void NAME(scatter)(int n, int step, const int *positions, const vec *q, REAL *output,
                          int count) {
    const size_t size = (size_t)n * n;
    for (int j = 0; j < n; j++) {
        const vec *column = q + j * ROWS;
        const int *position = positions + j * LANES;
        for (int i = 0; i < n; i += LANES) {
            const int at = i + LANES > n && n >= LANES ? n - LANES : i;
            const int length = n < LANES ? n : LANES;
            vec piece[LANES] = {{0}};
            for (int k = 0; k < length; k++)
                piece[k] = column[((at + k) / ROWS) * step + (at + k) % ROWS];
            if (length == LANES && count == LANES) {
                NAME(transpose)(piece);
                for (int k = 0; k < LANES; k++)
                    memcpy(output + k * size + position[k] * n + at, &piece[k], sizeof(vec));
            } else {
                for (int k = 0; k < count; k++)
                    for (int r = 0; r < length; r++)
                        output[k * size + position[k] * n + at + r] = piece[r][k];
            }
        }
    }
}
