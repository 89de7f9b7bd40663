/* Both element types for one instruction set. Set before: WIDTH, SUFFIXED(name, type), and
 * INVERSE_SQRT_F64(x), RECIPROCAL_F64(x) and the same for F32. */

#define REAL double
#define LANES (WIDTH / 8)
#define INTEGER int64_t
#define INTEGER_LARGEST INT64_MAX
#define EPSILON (DBL_EPSILON / 2)
#define SMALLEST DBL_MIN
#define SMALLEST_EXPONENT DBL_MIN_EXP
#define LARGEST DBL_MAX
#define SQUARE_ROOT sqrt
#define INVERSE_SQRT(x) INVERSE_SQRT_F64(x)
#define RECIPROCAL(x) RECIPROCAL_F64(x)
#define NAME(x) SUFFIXED(x, f64)
#include "eigh.h"
#include "loewner.h"
#undef REAL
#undef LANES
#undef INTEGER
#undef INTEGER_LARGEST
#undef EPSILON
#undef SMALLEST
#undef SMALLEST_EXPONENT
#undef LARGEST
#undef SQUARE_ROOT
#undef INVERSE_SQRT
#undef RECIPROCAL
#undef NAME

#define REAL float
#define LANES (WIDTH / 4)
#define INTEGER int32_t
#define INTEGER_LARGEST INT32_MAX
#define EPSILON (FLT_EPSILON / 2)
#define SMALLEST FLT_MIN
#define SMALLEST_EXPONENT FLT_MIN_EXP
#define LARGEST FLT_MAX
#define SQUARE_ROOT sqrtf
#define INVERSE_SQRT(x) INVERSE_SQRT_F32(x)
#define RECIPROCAL(x) RECIPROCAL_F32(x)
#define NAME(x) SUFFIXED(x, f32)
#include "eigh.h"
#include "loewner.h"
#undef REAL
#undef LANES
#undef INTEGER
#undef INTEGER_LARGEST
#undef EPSILON
#undef SMALLEST
#undef SMALLEST_EXPONENT
#undef LARGEST
#undef SQUARE_ROOT
#undef INVERSE_SQRT
#undef RECIPROCAL
#undef NAME

#undef WIDTH
#undef SUFFIXED
#undef INVERSE_SQRT_F64
#undef INVERSE_SQRT_F32
#undef RECIPROCAL_F64
#undef RECIPROCAL_F32
