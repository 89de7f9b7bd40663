/* Batched symmetric eigendecomposition, one instance per element type and instruction set.
 *
 * Lane k of every vector belongs to matrix k, so that each operation works on LANES matrices.
 * GROUPS such groups go through the QL recurrence together: a rotation waits for the one before
 * it, and another group's arithmetic fills the wait.
 *
 * Method: scale to unit norm; Householder tridiagonalisation from the last row upwards; QL with
 * implicit Wilkinson shifts, whose rotations are stored and then applied to blocks of ROWS rows of
 * the eigenvector matrix (Golub and Van Loan, Matrix Computations, 8.3; Wilkinson, 1968; Van Zee,
 * van de Geijn and Quintana-Orti, 2014, on fused reductions and on applying stored rotations).
 */

#define vec NAME(vec)
#define ivec NAME(ivec)
#define sweep_range NAME(sweep_range)
#define rotation NAME(rotation)
#define workspace NAME(workspace)

#include "eigh_lanes.h"

/* A sweep rotates columns (i, i + 1) for i = high - 1, ..., low. */
typedef struct {
    int low, high;
} sweep_range;

typedef struct {
    vec tangent, sine; /* of half the angle; of the angle */
} rotation;

typedef struct {
    int n, blocks, step; /* blocks of ROWS rows of the eigenvector matrix, `step` vectors each */
    vec *lower;    /* row i of the lower triangle from i (i + 1) / 2 on, then its reflector */
    vec *weight;   /* n: reciprocal of half the squared norm of each reflector; 0: none */
    vec *product;  /* n */
    vec *update;   /* n */
    vec *diagonal; /* (n, GROUPS) */
    vec *beside;   /* (n, GROUPS): off-diagonal, the last is 0 */
    vec *vectors;  /* (GROUPS, blocks, step / ROWS, ROWS): the rows of a column in a block adjoin */
    rotation *rotations; /* (GROUPS, ROTATIONS) */
    sweep_range *ranges; /* ROTATIONS */
    int *position;       /* (n, LANES): where the eigenvalue goes */
    vec scale[GROUPS];
    ivec broken[GROUPS];
} workspace;

#include "eigh_tridiagonal.h"
#include "eigh_ql.h"

/* Read `count` matrices, each scaled by a power of two to norm about 1, so that no square
 * overflows, and none that matters underflows. */
static void NAME(load)(workspace *w, int group, const REAL *input, int count) {
    const int entries = w->n * (w->n + 1) / 2;
    vec largest = {0}, scale = {0}, back = {0};
    ivec broken = {0};
    NAME(gather)(w->lower, input, w->n, count);
    for (int i = 0; i < entries; i++) {
        const vec size = NAME(magnitude)(w->lower[i]);
        broken |= ~(size <= NAME(fill)(LARGEST));
        largest = NAME(select)(size > largest, size, largest);
    }
    for (int k = 0; k < LANES; k++) {
        int exponent = 0;
        if (largest[k] > 0 && !broken[k]) frexp((double)largest[k], &exponent);
        if (exponent < SMALLEST_EXPONENT + 2) exponent = SMALLEST_EXPONENT + 2;
        scale[k] = (REAL)ldexp(1.0, 2 - exponent);
        back[k] = (REAL)ldexp(1.0, exponent - 2);
    }
    for (int i = 0; i < entries; i++) w->lower[i] = (vec)(~broken & (ivec)(w->lower[i] * scale));
    w->scale[group] = back;
    w->broken[group] = broken;
}

/* Write eigenvalues in ascending order and their eigenvectors one after the other. */
static void NAME(store)(workspace *w, int group, REAL *values, REAL *vectors, int count, int done) {
    const int n = w->n;
    int order[n];
    for (int k = 0; k < count; k++) {
        REAL *value = values + (size_t)k * n;
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
        for (int i = 0; i < n; i++) {
            value[i] *= w->scale[group][k];
            w->position[order[i] * LANES + k] = i;
        }
    }
    NAME(scatter)(w->n, w->step, w->position, w->vectors + (size_t)group * w->blocks * w->step,
                  vectors, count);
    for (int k = 0; k < count; k++) {
        if (done && !w->broken[group][k]) continue;
        for (size_t i = 0; i < (size_t)n; i++) values[(size_t)k * n + i] = NAN;
        for (size_t i = 0; i < (size_t)n * n; i++) vectors[(size_t)k * n * n + i] = NAN;
    }
}

/* Lay out the workspace from `memory` on, or only count its bytes if that is NULL. */
static size_t NAME(prepare)(workspace *w, char *memory, int n) {
    const size_t stored = ROTATIONS(n);
    w->n = n;
    w->blocks = (n + ROWS - 1) / ROWS;
    /* Whole panels; and an odd number of columns, for a power of two would put all blocks into the
     * same few sets of the cache. */
    w->step = ((n + PANEL - 1) / PANEL * PANEL + 1) * ROWS;
    vec *next = (vec *)memory;
    w->lower = next, next += (size_t)n * (n + 1) / 2;
    w->weight = next, next += n;
    w->product = next, next += n;
    w->update = next, next += n;
    w->diagonal = next, next += n * GROUPS;
    w->beside = next, next += n * GROUPS;
    w->vectors = next, next += (size_t)GROUPS * w->blocks * w->step;
    w->rotations = (rotation *)next, next += GROUPS * stored * 2;
    w->ranges = (sweep_range *)next;
    w->position = (int *)(w->ranges + stored);
    return (size_t)((char *)(w->position + (size_t)n * LANES) - memory);
}

static int NAME(eigh)(const REAL *input, REAL *values, REAL *vectors, int64_t batch, int n) {
    workspace w;
    char *memory = malloc(NAME(prepare)(&w, NULL, n) + WIDTH);
    if (memory == NULL) return 1;
    NAME(prepare)(&w, (char *)(((uintptr_t)memory + WIDTH - 1) / WIDTH * WIDTH), n);
    for (int64_t start = 0; start < batch; start += GROUPS * LANES) {
        int counts[GROUPS], groups = 0;
        for (int g = 0; g < GROUPS; g++) {
            const int64_t at = start + g * LANES, left = batch - at;
            counts[g] = left <= 0 ? 0 : left < LANES ? (int)left : LANES;
            groups += counts[g] > 0;
            if (counts[g] > 0) {
                NAME(load)(&w, g, input + (size_t)at * n * n, counts[g]);
                NAME(tridiagonalise)(&w, g);
                NAME(accumulate)(&w, g);
            } else {
                for (int i = 0; i < n; i++)
                    w.diagonal[i * GROUPS + g] = w.beside[i * GROUPS + g] = (vec){0};
            }
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

#undef vec
#undef ivec
#undef sweep_range
#undef rotation
#undef workspace
