/* Divided differences of log and exp at all pairs of eigenvalues of a matrix (Loewner matrices).
 *
 * The quotient of differences loses digits where two eigenvalues are close. There,
 *
 *     (log a - log b) / (a - b) = 2 / (a + b) * atanh(z) / z,  z = (a - b) / (a + b),
 *     (exp a - exp b) / (a - b) = exp((a + b) / 2) * sinh(h) / h,  h = (a - b) / 2,
 *
 * by the power series of atanh(z) / z and sinh(h) / h, even functions that are 1 at 0.
 */

#define vec NAME(vec)
#define ivec NAME(ivec)

/* For |z| <= 1/5 the first term left out is below 1e-18. */
static inline vec NAME(atanh_ratio)(vec z) {
    const vec x = z * z;
    vec sum = NAME(fill)((REAL)(1.0 / 23));
    for (int k = 21; k > 0; k -= 2) sum = sum * x + (REAL)(1.0 / k);
    return sum;
}

/* For |h| <= 1/2 the first term left out is below 1e-19. */
static inline vec NAME(sinh_ratio)(vec h) {
    const vec x = h * h, one = NAME(fill)(1);
    vec sum = one;
    for (int k = 14; k > 0; k -= 2) sum = one + sum * x * (REAL)(1.0 / (k * (k + 1)));
    return sum;
}

/* image: log of the values. */
static inline vec NAME(log_pair)(vec a, vec b, vec image_a, vec image_b) {
    const vec gap = a - b, sum = a + b;
    const ivec near = (5 * NAME(magnitude)(gap) < sum) & (b > (vec){0});
    const vec inverse = 1 / NAME(select)(near, sum, gap);
    return inverse *
           NAME(select)(near, 2 * NAME(atanh_ratio)(gap * inverse), image_a - image_b);
}

/* image: exp of half the values, whose product is exp((a + b) / 2). */
static inline vec NAME(exp_pair)(vec a, vec b, vec image_a, vec image_b) {
    const vec gap = a - b;
    const ivec near = NAME(magnitude)(gap) <= NAME(fill)(1);
    const vec quotient = (image_a * image_a - image_b * image_b) /
                         NAME(select)(near, NAME(fill)(1), gap);
    return NAME(select)(near, image_a * image_b * NAME(sinh_ratio)(gap * (REAL)0.5), quotient);
}

#define DIVIDED(function)                                                                        \
    static void NAME(divided_##function)(const REAL *values, const REAL *images, REAL *output,   \
                                         int64_t batch, int n) {                                 \
        for (int64_t at = 0; at < batch; at++, values += n, images += n) {                       \
            for (int j = 0; j < n; j += LANES) {                                                 \
                const int count = n - j < LANES ? n - j : LANES;                                 \
                REAL *column = output + (size_t)at * n * n + j;                                  \
                vec b = NAME(fill)(1), image_b = NAME(fill)(1);                                  \
                memcpy(&b, values + j, count * sizeof(REAL));                                    \
                memcpy(&image_b, images + j, count * sizeof(REAL));                              \
                for (int i = 0; i < n; i++) {                                                    \
                    const vec piece = NAME(function##_pair)(NAME(fill)(values[i]), b,            \
                                                            NAME(fill)(images[i]), image_b);     \
                    memcpy(column + (size_t)i * n, &piece, count * sizeof(REAL));                \
                }                                                                                \
            }                                                                                    \
        }                                                                                        \
    }

DIVIDED(log)
DIVIDED(exp)

#undef DIVIDED
#undef vec
#undef ivec
