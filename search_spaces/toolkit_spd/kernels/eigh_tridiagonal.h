/* Householder tridiagonalisation and the orthogonal matrix it makes; part of eigh.h. */

/* A -= v u^T + u v^T on the leading m x m block, then product = A x, in one pass over A. */
static void NAME(update_multiply)(vec *lower, const vec *v, const vec *u, const vec *x,
                                  vec *product, int m) {
    for (int i = 0; i < m; i += 4) {
        if (i + 4 > m) {
            for (; i < m; i++) {
                vec *a = lower + i * (i + 1) / 2, sum = {0};
                for (int j = 0; j < i; j++) {
                    a[j] = a[j] - v[i] * u[j] - u[i] * v[j];
                    sum += a[j] * x[j];
                    product[j] += a[j] * x[i];
                }
                a[i] -= 2 * v[i] * u[i];
                product[i] = sum + a[i] * x[i];
            }
            return;
        }
        vec *a[4], sum[4];
        for (int r = 0; r < 4; r++) {
            a[r] = lower + (i + r) * (i + r + 1) / 2;
            sum[r] = (vec){0};
        }
        for (int j = 0; j < i; j++) {
            const vec uj = u[j], vj = v[j], xj = x[j];
            vec pj = product[j];
            for (int r = 0; r < 4; r++) {
                const vec entry = a[r][j] - v[i + r] * uj - u[i + r] * vj;
                a[r][j] = entry;
                sum[r] += entry * xj;
                pj += entry * x[i + r];
            }
            product[j] = pj;
        }
        for (int r = 0; r < 4; r++) {
            for (int s = 0; s < r; s++) {
                const vec entry = a[r][i + s] - v[i + r] * u[i + s] - u[i + r] * v[i + s];
                a[r][i + s] = entry;
                sum[r] += entry * x[i + s];
                sum[s] += entry * x[i + r];
            }
            a[r][i + r] -= 2 * v[i + r] * u[i + r];
            sum[r] += a[r][i + r] * x[i + r];
        }
        for (int r = 0; r < 4; r++) product[i + r] = sum[r];
    }
}

/* Reduce to tridiagonal form, from the last row upwards. Row i is reflected onto its entry i - 1
 * by I - weight_i v v^T, and v takes the row's place. The update of A by one reflector waits for
 * the product of A with the next, so that A is read once for both. */
static void NAME(tridiagonalise)(workspace *w, int group) {
    const int n = w->n;
    vec *d = w->diagonal + group, *e = w->beside + group, *u = w->update, *p = w->product;
    const vec *v = u;
    for (int j = 0; j < n; j++) u[j] = (vec){0};
    e[(n - 1) * GROUPS] = (vec){0};
    for (int i = n - 1; i > 0; i--) {
        vec *row = w->lower + i * (i + 1) / 2;
        for (int j = 0; j <= i; j++) row[j] = row[j] - v[i] * u[j] - u[i] * v[j];
        d[i * GROUPS] = row[i];
        vec tails[2] = {{0}, {0}};
        for (int j = 0; j < i - 1; j++) tails[j & 1] += row[j] * row[j];
        const vec last = row[i - 1], tail = tails[0] + tails[1];
        const ivec needed = tail > NAME(fill)(SMALLEST / EPSILON);
        const vec size = NAME(root)(last * last + tail);
        const vec signed_size = NAME(select)(last < (vec){0}, -size, size);
        const vec half = size * (size + NAME(magnitude)(last));
        const vec weight =
            (vec)(needed & (ivec)(1 / NAME(select)(needed, half, NAME(fill)(1))));
        e[(i - 1) * GROUPS] = NAME(select)(needed, -signed_size, last);
        w->weight[i] = weight;
        if (i == 1) break; /* one entry, and so no tail */
        row[i - 1] = last + signed_size;
        NAME(update_multiply)(w->lower, v, u, row, p, i);
        vec overlap = {0};
        for (int j = 0; j < i; j++) overlap += row[j] * p[j];
        overlap *= weight * (REAL)0.5;
        for (int j = 0; j < i; j++) u[j] = weight * (p[j] - overlap * row[j]);
        v = row;
    }
    d[0] = w->lower[0] - 2 * v[0] * u[0];
}

/* vectors = H_{n-1} ... H_2, from the smallest reflector on (H_i acts on rows below i), in panels
 * of PANEL columns. The update by one reflector and the products with the next are one pass. */
static void NAME(accumulate)(workspace *w, int group) {
    const int n = w->n, step = w->step;
    vec *q = w->vectors + (size_t)group * w->blocks * step;
    memset(q, 0, (size_t)w->blocks * step * WIDTH);
    for (int i = 0; i < n; i++) q[(i / ROWS) * step + i * ROWS + i % ROWS] = NAME(fill)(1);
    for (int start = 0; start < n; start += PANEL) {
        vec *panel = q + start * ROWS, scaled[PANEL];
        const vec *previous = w->lower; /* no row of it is used at first */
        int rows = 0;
        for (int i = start > 1 ? start + 1 : 2; i <= n; i++) {
            const vec *v = i < n ? w->lower + i * (i + 1) / 2 : previous;
            vec sum[PANEL] = {{0}};
            for (int k = 0; k < rows; k++) {
                vec *row = panel + (k / ROWS) * step + k % ROWS;
                for (int j = 0; j < PANEL; j++) {
                    const vec x = row[j * ROWS] - previous[k] * scaled[j];
                    row[j * ROWS] = x;
                    sum[j] += x * v[k];
                }
            }
            if (i == n) break;
            for (int k = rows; k < i; k++) {
                const vec *row = panel + (k / ROWS) * step + k % ROWS;
                for (int j = 0; j < PANEL; j++) sum[j] += row[j * ROWS] * v[k];
            }
            for (int j = 0; j < PANEL; j++) scaled[j] = sum[j] * w->weight[i];
            previous = v;
            rows = i;
        }
    }
}
