/* Batched symmetric eigendecomposition, one instance per element type and instruction set.
 *
 * Included by eigh.c with these macros set: REAL, INTEGER (of REAL's width), WIDTH (bytes of a
 * vector), NAME(x), INVERSE_SQRT(x), and the constants EPSILON (unit roundoff), SMALLEST (normal
 * number), LARGEST.
 *
 * Lane k of every vector belongs to matrix k, so that each operation works on LANES matrices.
 * GROUPS such groups go through the QL recurrence together: a rotation waits for the one before
 * it, and another group's arithmetic fills the wait.
 *
 * Method: scale to unit norm; Householder tridiagonalisation from the last row upwards; QL with
 * implicit Wilkinson shifts, whose rotations are stored and then applied to blocks of ROWS rows of
 * the eigenvector matrix (Golub and Van Loan, Matrix Computations, 8.3; Wilkinson, 1968; Van Zee,
 * van de Geijn and Quintana-Orti, 2014, on applying stored rotations).
 */

#define LANES ((int)(WIDTH / sizeof(REAL)))
#define vec NAME(vec)
#define ivec NAME(ivec)

typedef REAL vec __attribute__((vector_size(WIDTH)));
typedef INTEGER ivec __attribute__((vector_size(WIDTH)));

/* A sweep rotates columns (i, i + 1) for i = high - 1, ..., low. */
#define sweep_range NAME(sweep_range)
typedef struct {
    int low, high;
} sweep_range;

#define rotation NAME(rotation)
typedef struct {
    vec cosine, sine;
} rotation;

#define workspace NAME(workspace)
typedef struct {
    int n, blocks; /* blocks: of ROWS rows of the eigenvector matrix */
    vec *lower;    /* row i of the lower triangle from i (i + 1) / 2 on, then its reflector */
    vec *weight;   /* n: reciprocal of half the squared norm of each reflector; 0: none */
    vec *product;  /* blocks * ROWS */
    vec *diagonal; /* (n, GROUPS) */
    vec *beside;   /* (n, GROUPS): off-diagonal, the last is 0 */
    vec *vectors;  /* (GROUPS, blocks, n, ROWS): columns of a block of rows are contiguous */
    rotation *rotations; /* (GROUPS, ROTATIONS) */
    sweep_range *ranges; /* ROTATIONS */
    int *rank;           /* (n, LANES) */
    vec scale[GROUPS], broken[GROUPS];
} workspace;

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

/* Read `count` matrices into the lanes of the lower triangle, each scaled by a power of two to
 * norm about 1, so that no square overflows, and none that matters underflows. */
static void NAME(load)(workspace *w, int group, const REAL *input, int count) {
    const int n = w->n, entries = n * (n + 1) / 2;
    REAL *lower = (REAL *)w->lower;
    if (count < LANES) memset(lower, 0, (size_t)entries * WIDTH);
    for (int k = 0; k < count; k++) {
        const REAL *matrix = input + (size_t)k * n * n;
        REAL *lane = lower + k;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++, lane += LANES) *lane = matrix[i * n + j];
    }
    vec largest = {0};
    ivec broken = {0};
    for (int i = 0; i < entries; i++) {
        vec size = NAME(magnitude)(w->lower[i]);
        broken |= ~(size <= NAME(fill)(LARGEST));
        largest = NAME(select)(size > largest, size, largest);
    }
    vec scale = {0}, back = {0};
    for (int k = 0; k < LANES; k++) {
        int exponent = 0;
        if (largest[k] > 0 && !broken[k]) frexp((double)largest[k], &exponent);
        if (exponent < SMALLEST_EXPONENT + 2) exponent = SMALLEST_EXPONENT + 2;
        scale[k] = broken[k] ? 0 : (REAL)ldexp(1.0, 2 - exponent);
        back[k] = (REAL)ldexp(1.0, exponent - 2);
    }
    w->scale[group] = back;
    w->broken[group] = (vec)broken;
    for (int i = 0; i < entries; i++)
        w->lower[i] = NAME(select)(broken, (vec){0}, w->lower[i] * scale);
}

/* product = A v for the leading m x m block of the symmetric matrix. */
static void NAME(multiply)(const vec *lower, const vec *v, vec *product, int m) {
    int i = 0;
    for (; i + 4 <= m; i += 4) {
        const vec *a0 = lower + i * (i + 1) / 2, *a1 = a0 + i + 1, *a2 = a1 + i + 2,
                  *a3 = a2 + i + 3;
        const vec v0 = v[i], v1 = v[i + 1], v2 = v[i + 2], v3 = v[i + 3];
        vec p0 = {0}, p1 = {0}, p2 = {0}, p3 = {0};
        for (int j = 0; j < i; j++) {
            const vec vj = v[j];
            vec pj = product[j];
            p0 += a0[j] * vj, pj += a0[j] * v0;
            p1 += a1[j] * vj, pj += a1[j] * v1;
            p2 += a2[j] * vj, pj += a2[j] * v2;
            p3 += a3[j] * vj, pj += a3[j] * v3;
            product[j] = pj;
        }
        a0 += i, a1 += i, a2 += i, a3 += i;
        product[i] = p0 + a0[0] * v0 + a1[0] * v1 + a2[0] * v2 + a3[0] * v3;
        product[i + 1] = p1 + a1[0] * v0 + a1[1] * v1 + a2[1] * v2 + a3[1] * v3;
        product[i + 2] = p2 + a2[0] * v0 + a2[1] * v1 + a2[2] * v2 + a3[2] * v3;
        product[i + 3] = p3 + a3[0] * v0 + a3[1] * v1 + a3[2] * v2 + a3[3] * v3;
    }
    for (; i < m; i++) {
        const vec *a = lower + i * (i + 1) / 2;
        const vec vi = v[i];
        vec p = a[i] * vi;
        for (int j = 0; j < i; j++) {
            p += a[j] * v[j];
            product[j] += a[j] * vi;
        }
        product[i] = p;
    }
}

/* A -= v u^T + u v^T on the leading m x m block. */
static void NAME(update)(vec *lower, const vec *v, const vec *u, int m) {
    for (int i = 0; i < m; i++) {
        vec *a = lower + i * (i + 1) / 2;
        const vec vi = v[i], ui = u[i];
        for (int j = 0; j <= i; j++) a[j] -= vi * u[j] + ui * v[j];
    }
}

/* Reduce to tridiagonal form. Row i is reflected onto its entry i - 1 by I - weight_i v v^T, and
 * v takes the row's place. */
static void NAME(tridiagonalise)(workspace *w, int group) {
    const int n = w->n;
    vec *d = w->diagonal + group, *e = w->beside + group;
    e[(n - 1) * GROUPS] = (vec){0};
    for (int i = n - 1; i > 0; i--) {
        vec *v = w->lower + i * (i + 1) / 2, *p = w->product;
        const vec last = v[i - 1];
        vec tail = {0};
        d[i * GROUPS] = v[i];
        for (int j = 0; j < i - 1; j++) tail += v[j] * v[j];
        const ivec needed = tail > NAME(fill)(SMALLEST / EPSILON);
        const vec size = NAME(root)(last * last + tail);
        const vec signed_size = NAME(select)(last < (vec){0}, -size, size);
        const vec half = size * (size + NAME(magnitude)(last));
        const vec safe = NAME(select)(needed, half, NAME(fill)(1));
        const vec weight = NAME(select)(needed, 1 / safe, (vec){0});
        e[(i - 1) * GROUPS] = NAME(select)(needed, -signed_size, last);
        w->weight[i] = weight;
        if (i == 1) break; /* one entry: nothing to reflect, tail is 0 */
        v[i - 1] = last + signed_size;
        NAME(multiply)(w->lower, v, p, i);
        vec overlap = {0};
        for (int j = 0; j < i; j++) overlap += v[j] * p[j];
        overlap *= weight * (REAL)0.5;
        for (int j = 0; j < i; j++) p[j] = weight * (p[j] - overlap * v[j]);
        NAME(update)(w->lower, v, p, i);
    }
    d[0] = w->lower[0];
}

/* vectors = H_{n-1} ... H_2, from the smallest reflector on: H_i acts on entries below i. */
static void NAME(accumulate)(workspace *w, int group) {
    const int n = w->n, step = n * ROWS;
    vec *q = w->vectors + (size_t)group * w->blocks * step;
    memset(q, 0, (size_t)w->blocks * step * WIDTH);
    for (int i = 0; i < n; i++) q[(i / ROWS) * step + i * ROWS + i % ROWS] = NAME(fill)(1);
    for (int i = 2; i < n; i++) {
        const vec *row = w->lower + i * (i + 1) / 2;
        const vec weight = w->weight[i];
        const int blocks = (i + ROWS - 1) / ROWS;
        vec *v = w->product;
        memcpy(v, row, (size_t)i * WIDTH);
        for (int k = i; k < blocks * ROWS; k++) v[k] = (vec){0};
        for (int j = 0; j < i; j++) {
            vec sum[ROWS] = {{0}}, total = {0};
            vec *column = q + j * ROWS;
            for (int b = 0; b < blocks; b++)
                for (int r = 0; r < ROWS; r++) sum[r] += column[b * step + r] * v[b * ROWS + r];
            for (int r = 0; r < ROWS; r++) total += sum[r];
            total *= weight;
            for (int b = 0; b < blocks; b++)
                for (int r = 0; r < ROWS; r++) column[b * step + r] -= total * v[b * ROWS + r];
        }
    }
}

/* Apply the stored sweeps to the eigenvectors, one block of rows after the other. */
static void NAME(rotate)(workspace *w, int group, int sweeps) {
    const int n = w->n;
    for (int b = 0; b < w->blocks; b++) {
        vec *block = w->vectors + ((size_t)group * w->blocks + b) * n * ROWS;
        const rotation *turn = w->rotations + (size_t)group * ROTATIONS(n);
        for (int k = 0; k < sweeps; k++) {
            const sweep_range range = w->ranges[k];
            vec carried[ROWS];
            vec *column = block + (range.high - 1) * ROWS;
            for (int r = 0; r < ROWS; r++) carried[r] = column[ROWS + r];
            for (int i = range.high; i > range.low; i--, turn++, column -= ROWS) {
                const vec c = turn->cosine, s = turn->sine;
                for (int r = 0; r < ROWS; r++) {
                    const vec x = column[r];
                    column[ROWS + r] = c * carried[r] + s * x;
                    carried[r] = c * x - s * carried[r];
                }
            }
            for (int r = 0; r < ROWS; r++) column[ROWS + r] = carried[r];
        }
    }
}

/* Set negligible off-diagonal entries to 0 and find, lane by lane, the topmost block that is
 * left: from `first` to `last`. */
static void NAME(deflate)(workspace *w, int from, REAL floor, ivec *first, ivec *last) {
    const int n = w->n;
    ivec split[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        split[g] = ~(ivec){0};
        first[g] = (ivec){0} + n;
        last[g] = (ivec){0};
    }
    for (int i = n - 2; i >= from; i--) {
        const vec *d = w->diagonal + i * GROUPS;
        vec *e = w->beside + i * GROUPS;
        for (int g = 0; g < GROUPS; g++) {
            const vec size = NAME(magnitude)(d[g]) + NAME(magnitude)(d[g + GROUPS]);
            const ivec live = NAME(magnitude)(e[g]) > size * (REAL)EPSILON + floor;
            const ivec ends = live & split[g];
            e[g] = (vec)((ivec)e[g] & live);
            last[g] = (ends & ((ivec){0} + (i + 1))) | (~ends & last[g]);
            first[g] = (live & ((ivec){0} + i)) | (~live & first[g]);
            split[g] = ~live;
        }
    }
}

/* Wilkinson's shift: the eigenvalue of the block's leading 2 x 2 matrix nearer its first entry. */
static vec NAME(shift)(const workspace *w, int group, ivec first) {
    vec near = {0}, next = {0}, beside = {0};
    for (int k = 0; k < LANES; k++) {
        const int at = (int)first[k];
        if (at >= w->n) continue;
        near[k] = w->diagonal[at * GROUPS + group][k];
        next[k] = w->diagonal[(at + 1) * GROUPS + group][k];
        beside[k] = w->beside[at * GROUPS + group][k];
    }
    const vec half = (next - near) * (REAL)0.5;
    const vec root = NAME(root)(half * half + beside * beside);
    const vec sum = half + NAME(select)(half < (vec){0}, -root, root);
    const ivec zero = sum == (vec){0};
    return near - NAME(select)(zero, (vec){0}, beside * beside / NAME(select)(zero, NAME(fill)(1), sum));
}

/* One implicit QL sweep over rows low..high of all groups. A lane joins at its own `last`; above
 * it the recurrence meets s = 0 and leaves c = 1 or -1, a change of signs.
 * With q = d_{i+1}, a = d_i, b = c e_i and t = s (a - q) + 2 c b, a rotation (c, s) leaves
 * d_{i+1} = q + s t, d_i = a - s t, and c t - b between them. */
static void NAME(sweep)(workspace *w, int low, int high, const ivec *last, const vec *shift,
                        rotation *turn) {
    vec c[GROUPS], s[GROUPS], x[GROUPS], q[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        c[g] = NAME(fill)(1);
        s[g] = (vec){0};
        x[g] = w->beside[high * GROUPS + g];
        q[g] = w->diagonal[high * GROUPS + g];
    }
    for (int i = high - 1; i >= low; i--, turn++) {
        vec *d = w->diagonal + i * GROUPS, *e = w->beside + i * GROUPS;
        for (int g = 0; g < GROUPS; g++) {
            const vec one = NAME(fill)(1);
            const ivec start = last[g] == (i + 1);
            const vec f = e[g] * NAME(select)(start, c[g], s[g]);
            const vec b = e[g] * c[g];
            x[g] = NAME(select)(start, q[g] - shift[g], x[g]);
            const vec square = x[g] * x[g] + f * f;
            const ivec turns = square > NAME(fill)(SMALLEST / EPSILON);
            const vec inverse = INVERSE_SQRT(NAME(select)(turns, square, one));
            c[g] = NAME(select)(turns, x[g] * inverse, one);
            s[g] = (vec)(turns & (ivec)(f * inverse));
            e[g + GROUPS] = (vec)((turns & ~start) & (ivec)(square * inverse));
            const vec t = s[g] * (d[g] - q[g]) + 2 * c[g] * b;
            d[g + GROUPS] = q[g] + s[g] * t;
            q[g] = d[g] - s[g] * t;
            x[g] = c[g] * t - b;
            turn[g * ROTATIONS(w->n)].cosine = c[g];
            turn[g * ROTATIONS(w->n)].sine = s[g];
        }
    }
    for (int g = 0; g < GROUPS; g++) {
        w->diagonal[low * GROUPS + g] = q[g];
        w->beside[low * GROUPS + g] = x[g];
    }
}

/* QL iteration until every lane is diagonal. Of 1.7 sweeps per eigenvalue, the usual number, it is
 * far when it starts to accept off-diagonal entries of the size of the backward error, and when
 * it gives up. Returns 0 if it did. */
static int NAME(iterate)(workspace *w, int groups) {
    const int n = w->n;
    int sweeps = 0, stored = 0, from = 0;
    for (int round = 0; round < 60 * n + 60; round++) {
        ivec first[GROUPS], last[GROUPS];
        vec shift[GROUPS];
        int low = n, high = 0;
        const REAL floor = round < 6 * n + 6 ? SQUARE_ROOT(SMALLEST / EPSILON) : EPSILON;
        NAME(deflate)(w, from, floor, first, last);
        for (int g = 0; g < GROUPS; g++)
            for (int k = 0; k < LANES; k++) {
                low = first[g][k] < low ? (int)first[g][k] : low;
                high = last[g][k] > high ? (int)last[g][k] : high;
            }
        if (low >= n || stored + high - low > ROTATIONS(n)) {
            for (int g = 0; g < groups; g++) NAME(rotate)(w, g, sweeps);
            sweeps = stored = 0;
        }
        if (low >= n) return 1;
        for (int g = 0; g < GROUPS; g++) shift[g] = NAME(shift)(w, g, first[g]);
        NAME(sweep)(w, low, high, last, shift, w->rotations + stored);
        w->ranges[sweeps++] = (sweep_range){low, high};
        stored += high - low;
        from = low;
    }
    for (int g = 0; g < groups; g++) NAME(rotate)(w, g, sweeps);
    return 0;
}

/* Write eigenvalues in ascending order and their eigenvectors one after the other. */
static void NAME(store)(workspace *w, int group, REAL *values, REAL *vectors, int count, int done) {
    const int n = w->n, step = n * ROWS;
    const vec *q = w->vectors + (size_t)group * w->blocks * step;
    for (int k = 0; k < count; k++) {
        REAL *value = values + (size_t)k * n, *matrix = vectors + (size_t)k * n * n;
        int *order = w->rank;
        const int broken = ((ivec)w->broken[group])[k] != 0 || !done;
        for (int i = 0; i < n; i++) {
            const REAL x = w->diagonal[i * GROUPS + group][k];
            int at = i;
            for (; at > 0 && value[at - 1] > x; at--) {
                value[at] = value[at - 1];
                order[at] = order[at - 1];
            }
            value[at] = x;
            order[at] = i;
        }
        for (int j = 0; j < n; j++) {
            const REAL *column = (const REAL *)(q + order[j] * ROWS) + k;
            for (int i = 0; i < n; i++)
                matrix[j * n + i] = column[((i / ROWS) * step + i % ROWS) * LANES];
            value[j] = value[j] * w->scale[group][k];
        }
        if (!broken) continue;
        for (int i = 0; i < n; i++) value[i] = NAN;
        for (int i = 0; i < n * n; i++) matrix[i] = NAN;
    }
}

static int NAME(eigh)(const REAL *input, REAL *values, REAL *vectors, int64_t batch, int n) {
    const size_t blocks = (n + ROWS - 1) / ROWS, stored = ROTATIONS(n);
    const size_t entries[] = {
        (size_t)n * (n + 1) / 2, n, blocks * ROWS, (size_t)n * GROUPS, (size_t)n * GROUPS,
        GROUPS * blocks * n * ROWS, GROUPS * stored * 2,
    };
    size_t total = 0;
    for (int i = 0; i < 7; i++) total += entries[i];
    const size_t bytes = total * WIDTH + stored * sizeof(sweep_range) + n * sizeof(int);
    char *memory = malloc(bytes + WIDTH + sizeof(workspace));
    if (memory == NULL) return 1;
    workspace w = {.n = n, .blocks = (int)blocks};
    vec *next = (vec *)(((uintptr_t)memory + WIDTH - 1) / WIDTH * WIDTH);
    w.lower = next, next += entries[0];
    w.weight = next, next += entries[1];
    w.product = next, next += entries[2];
    w.diagonal = next, next += entries[3];
    w.beside = next, next += entries[4];
    w.vectors = next, next += entries[5];
    w.rotations = (rotation *)next, next += entries[6];
    w.ranges = (sweep_range *)next;
    w.rank = (int *)(w.ranges + stored);
    for (int64_t start = 0; start < batch; start += GROUPS * LANES) {
        int counts[GROUPS], groups = 0;
        for (int g = 0; g < GROUPS; g++) {
            const int64_t left = batch - start - g * LANES;
            counts[g] = left <= 0 ? 0 : left < LANES ? (int)left : LANES;
            groups += counts[g] > 0;
            if (counts[g] == 0) {
                for (int i = 0; i < n; i++)
                    w.diagonal[i * GROUPS + g] = w.beside[i * GROUPS + g] = (vec){0};
                continue;
            }
            NAME(load)(&w, g, input + (size_t)(start + g * LANES) * n * n, counts[g]);
            NAME(tridiagonalise)(&w, g);
            NAME(accumulate)(&w, g);
        }
        const int done = NAME(iterate)(&w, groups);
        for (int g = 0; g < groups; g++) {
            const size_t at = start + g * LANES;
            NAME(store)(&w, g, values + at * n, vectors + at * n * n, counts[g], done);
        }
    }
    free(memory);
    return 0;
}

#undef LANES
#undef vec
#undef ivec
#undef sweep_range
#undef rotation
#undef workspace
