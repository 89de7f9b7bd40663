/* Batched eigendecomposition of small symmetric matrices, for several instruction sets.
 *
 * No Python in here: the library is loaded by ctypes. The processor's instruction set is asked for
 * when running, so that one build serves all processors of an architecture.
 */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS 2
#define ROWS 4
#define PANEL 4
#define ROTATIONS(n) (8 * (n) + 64)

#if defined(__x86_64__) && defined(__GNUC__)
#define X86 1
#include <immintrin.h>
#else
#define X86 0
#endif

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES 1
#endif
#endif
#ifndef SHUFFLES
#define SHUFFLES 0
#endif

#define DIVIDED_ROOT(x) (1 / NAME(root)(x))

#define WIDTH 16
#define SUFFIXED(name, type) name##_##type##_baseline
#define INVERSE_SQRT_F64(x) DIVIDED_ROOT(x)
#define INVERSE_SQRT_F32(x) DIVIDED_ROOT(x)
#define RECIPROCAL_F64(x) (1 / (x))
#define RECIPROCAL_F32(x) (1 / (x))
#include "eigh_instances.h"

#if X86

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define WIDTH 32
#define SUFFIXED(name, type) name##_##type##_avx2
#define INVERSE_SQRT_F64(x) DIVIDED_ROOT(x)
#define INVERSE_SQRT_F32(x) DIVIDED_ROOT(x)
#define RECIPROCAL_F64(x) (1 / (x))
#define RECIPROCAL_F32(x) (1 / (x))
#include "eigh_instances.h"

#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx2,fma")
#endif

/* From an estimate y of 14 bits, with h = 1 - x y^2: 1/sqrt(x) = y (1 + h / 2 + 3 h^2 / 8 + ...),
 * which triples the number of correct bits; without the last term it doubles them. */
static inline __m512d inverse_sqrt_f64(__m512d x) {
    __m512d y = _mm512_rsqrt14_pd(x);
    __m512d h = 1 - (x * y) * y;
    y += y * h * (0.5 + 0.375 * h);
    h = 1 - (x * y) * y;
    return y + y * (0.5 * h);
}

static inline __m512 inverse_sqrt_f32(__m512 x) {
    const __m512 y = _mm512_rsqrt14_ps(x);
    const __m512 h = 1 - (x * y) * y;
    return y + y * h * (0.5f + 0.375f * h);
}

/* Each step doubles the number of correct bits. */
static inline __m512d reciprocal_f64(__m512d x) {
    __m512d y = _mm512_rcp14_pd(x);
    y += y * (1 - x * y);
    return y + y * (1 - x * y);
}

static inline __m512 reciprocal_f32(__m512 x) {
    const __m512 y = _mm512_rcp14_ps(x);
    return y + y * (1 - x * y);
}

#define WIDTH 64
#define SUFFIXED(name, type) name##_##type##_avx512
#define INVERSE_SQRT_F64(x) (vec) inverse_sqrt_f64((__m512d)(x))
#define INVERSE_SQRT_F32(x) (vec) inverse_sqrt_f32((__m512)(x))
#define RECIPROCAL_F64(x) (vec) reciprocal_f64((__m512d)(x))
#define RECIPROCAL_F32(x) (vec) reciprocal_f32((__m512)(x))
#include "eigh_instances.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif

enum { BASELINE, AVX2, AVX512 };

#define EXPORT __attribute__((visibility("default")))

/* The widest instruction set this processor has. */
EXPORT int eigh_instructions(void) {
#if X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
    return BASELINE;
}

#if X86
#define DISPATCH(function, type, ...)                                                         \
    (instructions == AVX512 ? function##_##type##_avx512(__VA_ARGS__)                         \
     : instructions == AVX2 ? function##_##type##_avx2(__VA_ARGS__)                           \
                            : function##_##type##_baseline(__VA_ARGS__))
#else
#define DISPATCH(function, type, ...) \
    ((void)instructions, function##_##type##_baseline(__VA_ARGS__))
#endif

/* eigh: decompose `batch` contiguous symmetric n x n matrices, of which the lower triangles are
 * read. `values`: (batch, n), ascending; `vectors`: (batch, n, n), an eigenvector in each row.
 * Matrices with an entry that is not finite get NaN. Returns 0, or 1 if memory ran out.
 *
 * divided_log, divided_exp: `values` and `images`, log(values) or exp(values / 2): (batch, n);
 * `output`: (batch, n, n). */
#define EXPORTS(type, real)                                                                   \
    EXPORT int eigh_##type(int instructions, const real *matrices, real *values,              \
                           real *vectors, int64_t batch, int n) {                             \
        return DISPATCH(eigh, type, matrices, values, vectors, batch, n);                     \
    }                                                                                         \
    EXPORT void divided_log_##type(int instructions, const real *values, const real *images,  \
                                   real *output, int64_t batch, int n) {                      \
        DISPATCH(divided_log, type, values, images, output, batch, n);                        \
    }                                                                                         \
    EXPORT void divided_exp_##type(int instructions, const real *values, const real *images,  \
                                   real *output, int64_t batch, int n) {                      \
        DISPATCH(divided_exp, type, values, images, output, batch, n);                        \
    }

EXPORTS(f64, double)
EXPORTS(f32, float)
