/* QL iteration on tridiagonal matrices, part of eigh.h. */

/* A rotation (c, s) of columns (x, y) is done as three shears, with t = s / (1 + c): x -= t y, then
 * y += s x, then x -= t y. That is three operations instead of four; and c >= 0 keeps t within 1. */

/* Rotate columns (i, i + 1) of one block of rows for i = high - 1, ..., low; `carried` is column
 * high before and column low after. */
static inline void NAME(rotate_once)(vec *block, const rotation *turn, int low, int high,
                                     vec *carried) {
    for (int i = high - 1; i >= low; i--, turn++) {
        vec *column = block + i * ROWS;
        for (int r = 0; r < ROWS; r++) {
            const vec x = column[r] - turn->tangent * carried[r];
            const vec y = carried[r] + turn->sine * x;
            column[ROWS + r] = y;
            carried[r] = x - turn->tangent * y;
        }
    }
}

/* Apply two sweeps that start at the same column in one pass: the second follows one column behind
 * the first, and a column is read and written once for both. Needs low <= second_low. */
static inline void NAME(rotate_twice)(vec *block, const rotation *turn, int low, int second_low,
                                      int high) {
    const rotation *second = turn + (high - low);
    vec carried[ROWS], behind[ROWS];
    vec *column = block + (high - 1) * ROWS;
    for (int r = 0; r < ROWS; r++) {
        const vec x = column[r] - turn->tangent * column[ROWS + r];
        behind[r] = column[ROWS + r] + turn->sine * x;
        carried[r] = x - turn->tangent * behind[r];
    }
    turn++;
    const int common = second_low > low ? second_low - 1 : low;
    for (int i = high - 2; i >= common; i--, turn++, second++) {
        const vec t = turn->tangent, s = turn->sine, t2 = second->tangent, s2 = second->sine;
        column = block + i * ROWS;
        for (int r = 0; r < ROWS; r++) {
            const vec x = column[r] - t * carried[r], y = carried[r] + s * x;
            carried[r] = x - t * y;
            const vec z = y - t2 * behind[r], last = behind[r] + s2 * z;
            column[2 * ROWS + r] = last;
            behind[r] = z - t2 * last;
        }
    }
    if (second_low > low) {
        for (int r = 0; r < ROWS; r++) block[second_low * ROWS + r] = behind[r];
        NAME(rotate_once)(block, turn, low, second_low - 1, carried);
        for (int r = 0; r < ROWS; r++) block[low * ROWS + r] = carried[r];
    } else {
        for (int r = 0; r < ROWS; r++) {
            const vec z = carried[r] - second->tangent * behind[r];
            const vec last = behind[r] + second->sine * z;
            block[(low + 1) * ROWS + r] = last;
            block[low * ROWS + r] = z - second->tangent * last;
        }
    }
}

/* Apply the stored sweeps to the eigenvectors, one block of rows after the other. */
static void NAME(rotate)(workspace *w, int group, int sweeps) {
    for (int b = 0; b < w->blocks; b++) {
        vec *block = w->vectors + ((size_t)group * w->blocks + b) * w->step;
        const rotation *turn = w->rotations + (size_t)group * ROTATIONS(w->n);
        for (int k = 0; k < sweeps; k++) {
            const sweep_range now = w->ranges[k], next = w->ranges[k + 1 < sweeps ? k + 1 : k];
            if (k + 1 < sweeps && now.high == next.high && now.low <= next.low) {
                NAME(rotate_twice)(block, turn, now.low, next.low, now.high);
                turn += now.high - now.low + next.high - next.low;
                k++;
                continue;
            }
            vec carried[ROWS];
            for (int r = 0; r < ROWS; r++) carried[r] = block[now.high * ROWS + r];
            NAME(rotate_once)(block, turn, now.low, now.high, carried);
            for (int r = 0; r < ROWS; r++) block[now.low * ROWS + r] = carried[r];
            turn += now.high - now.low;
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
 * it the recurrence meets s = 0 and leaves c = 1.
 * With q = d_{i+1}, a = d_i, b = c e_i and t = s (a - q) + 2 c b, a rotation (c, s) leaves
 * d_{i+1} = q + s t, d_i = a - s t, and c t - b between them. The sign of an off-diagonal entry is
 * free, and chosen so that c >= 0. */
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
            const vec plain = INVERSE_SQRT(NAME(select)(turns, square, one));
            const vec inverse = NAME(select)(x[g] < (vec){0}, -plain, plain);
            c[g] = NAME(select)(turns, x[g] * inverse, one);
            s[g] = (vec)(turns & (ivec)(f * inverse));
            e[g + GROUPS] = (vec)((turns & ~start) & (ivec)(square * inverse));
            const vec t = s[g] * (d[g] - q[g]) + 2 * c[g] * b;
            d[g + GROUPS] = q[g] + s[g] * t;
            q[g] = d[g] - s[g] * t;
            x[g] = c[g] * t - b;
            turn[g * ROTATIONS(w->n)].tangent = s[g] * RECIPROCAL(one + c[g]);
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
