// What a step of training does on an NVIDIA card, beside products of matrices.
//
// All functions have one form: they are given the memory of the model `m` and that of the rows `w`, both of 32-bit words, and
// places and numbers in `a`; what is done for one `i` of `count` touches nothing that another `i` writes, but for
// additions of whole numbers and maxima, whose order does not matter. So results are the same bits on every run. Formulas
// are those of `kernels`, `train::loss` and `train::update`. No buffer has more than 2^31 numbers, so that divisions are of 32
// bits, a fifth of the cost of 64.
//
// The file is C as well as CUDA: tests compile it for the processor.

typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef __CUDACC__
#define KERNEL extern "C" __global__ void
#define INLINE __device__ __forceinline__
#define FOR_EACH(i, count) \
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += gridDim.x * blockDim.x)
#define ADD_WHOLE(into, value) atomicAdd(into, (u64)(value))
#define GREATEST(into, value) atomicMax(into, value)
#else
#include <math.h>
#define KERNEL void
#define INLINE static inline
#define FOR_EACH(i, count) for (u32 i = 0; i < (count); i++)
#define ADD_WHOLE(into, value) (*(into) += (u64)(value))
#define GREATEST(into, value) (*(into) = *(into) > (value) ? *(into) : (value))
#endif

// As `Arguments` of driver.rs.
struct Arguments {
    u64 at[12];
    u32 n[8];
    float f[8];
};

#define PARAMETERS float *m, const float *w, struct Arguments a, u32 count

// Whole numbers among the words.
INLINE u32 word(const float *words, u64 at) { return ((const u32 *)words)[at]; }

INLINE float before(const float *m, u64 at, u32 add) { return add ? m[at] : 0.0f; }

// Rows lie in slots of `w`, a block of 65,536 in each; their order names block and row. at 8: order, 9: the slot of each block, 10:
// words of a slot.

// Where the `width` words of a row begin, of those that begin at `from` in the first slot.
INLINE u64 place_of(const float *w, const struct Arguments *a, u64 from, u32 width, u32 row) {
    u32 place = word(w, a->at[8] + row);
    return from + word(w, a->at[9] + (place >> 16)) * a->at[10] + (u64)(place & 0xffff) * width;
}

// Features.

// at: output, numbers (w); n: stride, offset, columns.
KERNEL numeric(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[2], column = i % a.n[2];
        m[a.at[0] + row * a.n[0] + a.n[1] + column] = w[place_of(w, &a, a.at[1], a.n[2], row) + column];
    }
}

// at: output, numbers (w), bins; n: stride, offset, columns, bins of all columns.
KERNEL piecewise(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[3], bin = i % a.n[3], column = bin / (a.n[3] / a.n[2]);
        const float *bins = m + a.at[2] + bin;
        float share = (w[place_of(w, &a, a.at[1], a.n[2], row) + column] - bins[0]) * bins[a.n[3]];
        share = share < bins[2 * a.n[3]] ? bins[2 * a.n[3]] : share;
        share = share > bins[3 * a.n[3]] ? bins[3 * a.n[3]] : share;
        m[a.at[0] + row * a.n[0] + a.n[1] + bin] = share;
    }
}

#define TAU 6.2831855f

// at: output, numbers (w), frequencies; n: stride, offset, columns, frequencies of all columns.
KERNEL periodic(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[3], wave = i % a.n[3], each = a.n[3] / a.n[2], column = wave / each;
        float angle = TAU * m[a.at[2] + wave] * w[place_of(w, &a, a.at[1], a.n[2], row) + column];
        float *output = m + a.at[0] + row * a.n[0] + a.n[1] + column * 2 * each + wave % each;
        output[0] = sinf(angle);
        output[each] = cosf(angle);
    }
}

// at: waves, numbers (w), gradient, each row's part of the gradient of the frequencies; n as of `periodic`.
KERNEL periodic_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[3], wave = i % a.n[3], each = a.n[3] / a.n[2], column = wave / each;
        u32 place = row * a.n[0] + a.n[1] + column * 2 * each + wave % each;
        const float *waves = m + a.at[0] + place, *gradient = m + a.at[2] + place;
        float along = gradient[0] * waves[each] - gradient[each] * waves[0];
        m[a.at[3] + i] = TAU * w[place_of(w, &a, a.at[1], a.n[2], row) + column] * along;
    }
}

// The id of a row: at 3: ids (w); n 3: features, 4: feature.
INLINE u64 id_of(const float *w, const struct Arguments *a, u32 row) {
    return word(w, place_of(w, a, a->at[3], a->n[3], row) + a->n[4]);
}

// at: output, table, -, ids (w); n: stride, offset, width, features, feature.
KERNEL embed(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[2], column = i % a.n[2];
        m[a.at[0] + row * a.n[0] + a.n[1] + column] = m[a.at[1] + id_of(w, &a, row) * a.n[2] + column];
    }
}

// The gradient of a table is a sum over rows in whole numbers, 2^-40 of the greatest part each: sums of whole numbers do not
// depend on their order.

INLINE double power_of_two(int exponent) {
    union { u64 bits; double value; } power;
    power.bits = (u64)(exponent + 1023) << 52;
    return power.value;
}

INLINE int exponent_of(u32 bits) { return (int)(bits >> 23 & 255) - 127; }

// at: gradient, greatest; n: stride, offset, width; n 5: rows. `i` takes every `count`-th number.
KERNEL table_greatest(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 values = a.n[5] * a.n[2], greatest = 0;
        for (u32 at = i; at < values; at += count) {
            u32 row = at / a.n[2], column = at % a.n[2];
            // Without their sign, floats are ordered as their bits are, NaN above all.
            u32 bits = word(m, a.at[0] + row * a.n[0] + a.n[1] + column) & 0x7fffffff;
            greatest = bits > greatest ? bits : greatest;
        }
        GREATEST((u32 *)m + a.at[1], greatest);
    }
}

// at: gradient, greatest, sums, ids (w); n: stride, offset, width, features, feature.
KERNEL table_add(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[2], column = i % a.n[2];
        u64 id = id_of(w, &a, row);
        double scale = power_of_two(40 - exponent_of(word(m, a.at[1])));
        float value = m[a.at[0] + row * a.n[0] + a.n[1] + column];
        ADD_WHOLE((u64 *)(m + a.at[2]) + id * a.n[2] + column, (long long)((double)value * scale));
    }
}

// at: gradient of the table, greatest, sums. Leaves the sums at 0.
KERNEL table_take(PARAMETERS) {
    FOR_EACH(i, count) {
        u64 *sums = (u64 *)(m + a.at[2]);
        u32 greatest = word(m, a.at[1]);
        float value = (float)((double)(long long)sums[i] * power_of_two(exponent_of(greatest) - 40));
        // Infinity and NaN have no part of 2^40.
        m[a.at[0] + i] = greatest < 0x7f800000 ? value : m[a.at[1]];
        sums[i] = 0;
    }
}

// at: values, into; n: columns, rows, chunks, whether squares. Every `chunks`-th row from that of `i` on, column by column.
KERNEL sums(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 column = i % a.n[0];
        float sum = 0.0f;
        for (u32 row = i / a.n[0]; row < a.n[1]; row += a.n[2]) {
            float value = m[a.at[0] + row * a.n[0] + column];
            sum += a.n[3] ? value * value : value;
        }
        m[a.at[1] + i] = sum;
    }
}

// at: values; f: factor.
KERNEL scale(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[0] + i] *= a.f[0];
}

// The number of 16 bits that is nearest, ties to even.

INLINE u32 bf16_of(u32 bits) {
    if ((bits & 0x7fffffff) > 0x7f800000) return bits >> 16 | 0x40; // NaN
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

INLINE u32 f16_of(u32 bits) {
    u32 sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return sign | 0x7e00; // NaN
    if (size >= 0x477ff000) return sign | 0x7c00; // from 65,520 on
    if (size >= 0x38800000) return sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
    if (size <= 0x33000000) return sign; // up to 2^-25
    // Multiples of 2^-24.
    u32 shift = 126 - (size >> 23), digits = (size & 0x7fffff) | 0x800000;
    u32 whole = digits >> shift, rest = digits & ((1U << shift) - 1), half = 1U << (shift - 1);
    return sign | (whole + (rest > half || (rest == half && (whole & 1))));
}

// at: values, into (numbers of 16 bits); n: whether f16, else bf16.
KERNEL halve(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 bits = word(m, a.at[0] + i);
        ((unsigned short *)(m + a.at[1]))[i] = (unsigned short)(a.n[0] ? f16_of(bits) : bf16_of(bits));
    }
}

// at: output; f: value.
KERNEL fill(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[0] + i] = a.f[0];
}

// Activations, numbered as in the enum.

#define GELU_SCALE 0.7978846f
#define GELU_CUBE 0.044715f

INLINE float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

INLINE float activated(u32 activation, float z) {
    switch (activation) {
    case 0: return z < 0.0f ? 0.0f : z;
    case 1: return z < 0.0f ? 0.01f * z : z;
    case 2: return z < 0.0f ? expm1f(z) : z;
    case 3: return z * sigmoid(z);
    case 4: return 0.5f * z * (1.0f + tanhf(GELU_SCALE * (z + GELU_CUBE * z * z * z)));
    case 5: return tanhf(z);
    case 6: return sigmoid(z);
    default: return z;
    }
}

INLINE float slope(u32 activation, float known) {
    switch (activation) {
    case 0: return known > 0.0f ? 1.0f : 0.0f;
    case 1: return known > 0.0f ? 1.0f : 0.01f;
    case 2: return known > 0.0f ? 1.0f : known + 1.0f;
    case 3: {
        float s = sigmoid(known);
        return s * (1.0f + known * (1.0f - s));
    }
    case 4: {
        float square = known * known;
        float t = tanhf(GELU_SCALE * (known + GELU_CUBE * known * square));
        return 0.5f * (1.0f + t) + 0.5f * known * (1.0f - t * t) * GELU_SCALE * (1.0f + 3.0f * GELU_CUBE * square);
    }
    case 5: return 1.0f - known * known;
    case 6: return known * (1.0f - known);
    default: return 1.0f;
    }
}

// at: sums, bias; n: width, activation.
KERNEL activate_sums(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[0] + i] = activated(a.n[1], m[a.at[0] + i] + m[a.at[1] + i % a.n[0]]);
}

// at: input, output; n 1: activation.
KERNEL activate(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[1] + i] = activated(a.n[1], m[a.at[0] + i]);
}

// at: what tells the slope, gradient, into; n: add, activation.
KERNEL activate_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        float along = m[a.at[1] + i] * slope(a.n[1], m[a.at[0] + i]);
        m[a.at[2] + i] = before(m, a.at[2] + i, a.n[0]) + along;
    }
}

// Layer norm; `i` is a row.

// at: input, output, gain, shift, statistics; n: width; f: epsilon.
KERNEL layer_norm(PARAMETERS) {
    FOR_EACH(i, count) {
        const float *input = m + a.at[0] + i * a.n[0];
        float *output = m + a.at[1] + i * a.n[0];
        float mean = 0.0f, variance = 0.0f;
        for (u32 at = 0; at < a.n[0]; at++) mean += input[at];
        mean /= (float)a.n[0];
        for (u32 at = 0; at < a.n[0]; at++) variance += (input[at] - mean) * (input[at] - mean);
        float scale = 1.0f / sqrtf(variance / (float)a.n[0] + a.f[0]);
        for (u32 at = 0; at < a.n[0]; at++)
            output[at] = (input[at] - mean) * scale * m[a.at[2] + at] + m[a.at[3] + at];
        m[a.at[4] + 2 * i] = mean;
        m[a.at[4] + 2 * i + 1] = scale;
    }
}

// at: input, gradient, into, gain, statistics, each row's part of the gradient of the gain; n: width, add.
KERNEL layer_norm_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        const float *input = m + a.at[0] + i * a.n[0], *gradient = m + a.at[1] + i * a.n[0];
        float *into = m + a.at[2] + i * a.n[0], *parts = m + a.at[5] + i * a.n[0];
        const float *gain = m + a.at[3];
        float mean = m[a.at[4] + 2 * i], scale = m[a.at[4] + 2 * i + 1];
        float plain = 0.0f, along = 0.0f;
        for (u32 at = 0; at < a.n[0]; at++) {
            float normed = (input[at] - mean) * scale;
            parts[at] = gradient[at] * normed;
            plain += gradient[at] * gain[at];
            along += parts[at] * gain[at];
        }
        plain /= (float)a.n[0];
        along /= (float)a.n[0];
        for (u32 at = 0; at < a.n[0]; at++) {
            float normed = (input[at] - mean) * scale;
            float own = scale * (gradient[at] * gain[at] - plain - normed * along);
            into[at] = (a.n[1] ? into[at] : 0.0f) + own;
        }
    }
}

// Batch norm, over the rows of each piece; `pieces` holds the first row of each, then the end. `i` is a column of a piece.

// at: input, output, gain, shift, statistics, pieces; n: width; f: epsilon. Statistics of a piece: means, scales, variances.
KERNEL batch_norm(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 piece = i / a.n[0], column = i % a.n[0];
        u32 first = word(m, a.at[5] + piece), end = word(m, a.at[5] + piece + 1);
        float mean = 0.0f, variance = 0.0f, rows = (float)(end - first);
        for (u32 row = first; row < end; row++) mean += m[a.at[0] + row * a.n[0] + column];
        mean /= rows;
        for (u32 row = first; row < end; row++) {
            float off = m[a.at[0] + row * a.n[0] + column] - mean;
            variance += off * off;
        }
        variance /= rows;
        float scale = 1.0f / sqrtf(variance + a.f[0]);
        for (u32 row = first; row < end; row++) {
            float normed = (m[a.at[0] + row * a.n[0] + column] - mean) * scale;
            m[a.at[1] + row * a.n[0] + column] = normed * m[a.at[2] + column] + m[a.at[3] + column];
        }
        float *statistics = m + a.at[4] + piece * 3 * a.n[0] + column;
        statistics[0] = mean;
        statistics[a.n[0]] = scale;
        statistics[2 * a.n[0]] = variance;
    }
}

// at: input, gradient, into, gain, statistics, pieces, parts of the gradients of gain and shift; n: width, add, pieces.
KERNEL batch_norm_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 piece = i / a.n[0], column = i % a.n[0];
        u32 first = word(m, a.at[5] + piece), end = word(m, a.at[5] + piece + 1);
        const float *statistics = m + a.at[4] + piece * 3 * a.n[0] + column;
        float mean = statistics[0], scale = statistics[a.n[0]], rows = (float)(end - first);
        float plain = 0.0f, along = 0.0f;
        for (u32 row = first; row < end; row++) {
            u32 at = row * a.n[0] + column;
            plain += m[a.at[1] + at];
            along += m[a.at[1] + at] * ((m[a.at[0] + at] - mean) * scale);
        }
        m[a.at[6] + i] = along;
        m[a.at[6] + a.n[2] * a.n[0] + i] = plain;
        plain /= rows;
        along /= rows;
        for (u32 row = first; row < end; row++) {
            u32 at = row * a.n[0] + column;
            float normed = (m[a.at[0] + at] - mean) * scale;
            float own = m[a.at[3] + column] * scale * (m[a.at[1] + at] - plain - normed * along);
            m[a.at[2] + at] = before(m, a.at[2] + at, a.n[1]) + own;
        }
    }
}

// By running means. at: input, output, gain, shift, mean, variance; n: width; f: epsilon. `i` is a number.
KERNEL batch_norm_fixed(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 column = i % a.n[0];
        float scale = 1.0f / sqrtf(m[a.at[5] + column] + a.f[0]);
        m[a.at[1] + i] = (m[a.at[0] + i] - m[a.at[4] + column]) * scale * m[a.at[2] + column] + m[a.at[3] + column];
    }
}

// Running means follow. at: statistics, pieces, mean, variance; n: width, pieces, rows; f: momentum. `i` is a column. Variances are
// as of a sample.
KERNEL batch_norm_follow(PARAMETERS) {
    FOR_EACH(i, count) {
        float mean = 0.0f, variance = 0.0f;
        for (u32 piece = 0; piece < a.n[1]; piece++) {
            float rows = (float)(word(m, a.at[1] + piece + 1) - word(m, a.at[1] + piece));
            const float *statistics = m + a.at[0] + piece * 3 * a.n[0] + i;
            mean += rows * statistics[0];
            variance += (rows > 1.0f ? rows * rows / (rows - 1.0f) : 1.0f) * statistics[2 * a.n[0]];
        }
        m[a.at[2] + i] += a.f[0] * (mean / (float)a.n[2] - m[a.at[2] + i]);
        m[a.at[3] + i] += a.f[0] * (variance / (float)a.n[2] - m[a.at[3] + i]);
    }
}

// What has no weights.

// A vector of a row: that of the numeric features (at 0) first, where `n[0]` is its width and not 0, then those of the others (at
// 1); n 1: dimension, 3: vectors.
INLINE const float *vector_of(const float *m, const struct Arguments *a, u32 row, u32 number) {
    u32 first = a->n[0] ? 1 : 0;
    if (number < first) return m + a->at[0] + row * a->n[1];
    return m + a->at[1] + (row * (a->n[3] - first) + number - first) * a->n[1];
}

// at: vector, others, output; n: width of the vector, dimension, width, vectors.
KERNEL interact(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[2], column = i % a.n[2];
        if (column < a.n[0]) {
            m[a.at[2] + i] = m[a.at[0] + row * a.n[0] + column];
            continue;
        }
        u32 left = column - a.n[0], right = 1;
        while (left >= right) left -= right++;
        const float *one = vector_of(m, &a, row, left), *other = vector_of(m, &a, row, right);
        float product = 0.0f;
        for (u32 at = 0; at < a.n[1]; at++) product += one[at] * other[at];
        m[a.at[2] + i] = product;
    }
}

// The gradient of vectors from n 4 on, n 5 of them. at: vector, others, gradient, into; n as of `interact`, n 6: add.
KERNEL interact_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / (a.n[5] * a.n[1]), at = i % a.n[1];
        u32 own = a.n[4] + i % (a.n[5] * a.n[1]) / a.n[1];
        const float *gradient = m + a.at[2] + row * a.n[2];
        float sum = own == 0 && a.n[0] ? gradient[at] : 0.0f;
        for (u32 other = 0; other < a.n[3]; other++) {
            if (other == own) continue;
            u32 left = own < other ? own : other, right = own < other ? other : own;
            sum += gradient[a.n[0] + right * (right - 1) / 2 + left] * vector_of(m, &a, row, other)[at];
        }
        m[a.at[3] + i] = before(m, a.at[3] + i, a.n[6]) + sum;
    }
}

INLINE u64 mixed(u64 value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
    return value ^ value >> 31;
}

// at: input, output, key, first row; n: width, threshold, add; f: scale.
KERNEL dropout(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[0], column = i % a.n[0];
        u32 key = (u32)(mixed(a.at[2] ^ (a.at[3] + row + 1) * 0x9e3779b97f4a7c15ULL) >> 32);
        u32 value = key ^ column * 0x9e3779b9U;
        value = (value ^ value >> 16) * 0x7feb352dU;
        value = (value ^ value >> 15) * 0x846ca68bU;
        value ^= value >> 16;
        float kept = value >= a.n[1] ? a.f[0] : 0.0f;
        m[a.at[1] + i] = before(m, a.at[1] + i, a.n[2]) + m[a.at[0] + i] * kept;
    }
}

// at: left, right, output.
KERNEL add(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[2] + i] = m[a.at[0] + i] + m[a.at[1] + i];
}

// at: input, into; n: add.
KERNEL pass_on(PARAMETERS) {
    FOR_EACH(i, count) m[a.at[1] + i] = before(m, a.at[1] + i, a.n[0]) + m[a.at[0] + i];
}

// at: input, output; n: width of the input, of the output.
KERNEL sum_parts(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[1], column = i % a.n[1];
        float sum = 0.0f;
        for (u32 at = column; at < a.n[0]; at += a.n[1]) sum += m[a.at[0] + row * a.n[0] + at];
        m[a.at[1] + i] = sum;
    }
}

// at: gradient, into; n: width of the input, of the output, add.
KERNEL sum_parts_backward(PARAMETERS) {
    FOR_EACH(i, count) {
        u32 row = i / a.n[0], column = i % a.n[0] % a.n[1];
        m[a.at[1] + i] = before(m, a.at[1] + i, a.n[2]) + m[a.at[0] + row * a.n[1] + column];
    }
}

// Losses; `i` is a row. at: scores, gradient, losses, labels (w), weights (w); f: the loss's option, a factor on the
// gradient.

// n: the loss, numbered as in `Network::loss`.
KERNEL loss(PARAMETERS) {
    FOR_EACH(i, count) {
        float z = m[a.at[0] + i], y = w[place_of(w, &a, a.at[3], 1, i)];
        float weight = w[place_of(w, &a, a.at[4], 1, i)];
        float option = a.f[0], value, along;
        if (a.n[0] == 0) {
            value = (z - y) * (z - y);
            along = 2.0f * (z - y);
        } else if (a.n[0] == 1) {
            float r = z - y;
            along = r > option ? option : r;
            along = along < -option ? -option : along;
            value = 0.5f * along * along + along * (r - along);
        } else if (a.n[0] == 2) {
            float under = y - z;
            value = under > 0.0f ? option * under : (option - 1.0f) * under;
            along = under > 0.0f ? -option : 1.0f - option;
        } else if (a.n[0] == 3) {
            float rate = expf(z > 88.0f ? 88.0f : z);
            value = rate - y * z;
            along = rate - y;
        } else {
            float e = expf(-fabsf(z));
            value = (z > 0.0f ? z : 0.0f) + log1pf(e) - z * y;
            along = (z > 0.0f ? 1.0f : e) / (1.0f + e) - y;
        }
        m[a.at[2] + i] = weight * value;
        m[a.at[1] + i] = weight * along * a.f[1];
    }
}

// n: classes.
KERNEL softmax_loss(PARAMETERS) {
    FOR_EACH(i, count) {
        const float *z = m + a.at[0] + i * a.n[0];
        float *gradient = m + a.at[1] + i * a.n[0];
        u32 class_of = (u32)w[place_of(w, &a, a.at[3], 1, i)];
        float weight = w[place_of(w, &a, a.at[4], 1, i)], greatest = z[0], total = 0.0f;
        for (u32 at = 1; at < a.n[0]; at++) greatest = z[at] > greatest ? z[at] : greatest;
        for (u32 at = 0; at < a.n[0]; at++) total += expf(z[at] - greatest);
        for (u32 at = 0; at < a.n[0]; at++) {
            float share = expf(z[at] - greatest) / total;
            gradient[at] = weight * (share - (at == class_of ? 1.0f : 0.0f)) * a.f[1];
        }
        m[a.at[2] + i] = weight * (logf(total) + greatest - z[class_of]);
    }
}

// ln(1 + exp(x)).
INLINE float softplus(float x) { return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x))); }

// at 6: groups (w), of 64 bits; n 1: whether there are any.
INLINE int same_group(const float *w, const struct Arguments *a, u32 left, u32 right) {
    u64 one = place_of(w, a, a->at[6], 2, left), other = place_of(w, a, a->at[6], 2, right);
    return !a->n[1] || (word(w, one) == word(w, other) && word(w, one + 1) == word(w, other + 1));
}

// Of pairs of rows of a piece, in one group; at 5: pieces; n 0: how many.
KERNEL pairwise_loss(PARAMETERS) {
    FOR_EACH(i, count) {
        const u32 *pieces = (const u32 *)m + a.at[5];
        u32 low = 0, high = a.n[0];
        while (high - low > 1) {
            u32 middle = (low + high) / 2;
            if (pieces[middle] <= i) low = middle;
            else high = middle;
        }
        u32 first = pieces[low], end = pieces[low + 1];
        float of_rows = 0.0f, of_pairs = 0.0f, value = 0.0f, along = 0.0f;
        for (u32 j = first; j < end; j++) {
            if (!same_group(w, &a, i, j)) continue;
            float label = w[place_of(w, &a, a.at[3], 1, j)], weight = w[place_of(w, &a, a.at[4], 1, j)];
            of_rows += weight;
            for (u32 k = first; k < end; k++) {
                if (label > w[place_of(w, &a, a.at[3], 1, k)] && same_group(w, &a, i, k))
                    of_pairs += weight * w[place_of(w, &a, a.at[4], 1, k)];
            }
        }
        float label = w[place_of(w, &a, a.at[3], 1, i)], weight = w[place_of(w, &a, a.at[4], 1, i)];
        for (u32 j = first; j < end; j++) {
            float other = w[place_of(w, &a, a.at[3], 1, j)], apart = m[a.at[0] + i] - m[a.at[0] + j];
            float share = weight * w[place_of(w, &a, a.at[4], 1, j)];
            if (!(share > 0.0f) || !same_group(w, &a, i, j)) continue;
            share *= of_rows / of_pairs;
            if (label > other) {
                value += share * softplus(-apart);
                along -= share * sigmoid(-apart);
            } else if (label < other) {
                along += share * sigmoid(apart);
            }
        }
        m[a.at[2] + i] = value;
        m[a.at[1] + i] = along * a.f[1];
    }
}

// Optimizers. at: weights, first slot, second slot, gradient, square of the gradient's length.

// The factor that shortens a gradient to `limit`; 0 is no limit.
INLINE float shortened(const float *m, u64 square, float limit) {
    float factor = limit / (sqrtf(m[square]) + 1e-6f);
    return limit > 0.0f && factor < 1.0f ? factor : 1.0f;
}

// f: what is kept of a weight, 1 - beta1, beta2, 1 - beta2, length, root, epsilon, limit.
KERNEL adamw(PARAMETERS) {
    FOR_EACH(i, count) {
        float g = m[a.at[3] + i] * shortened(m, a.at[4], a.f[7]);
        float mean = m[a.at[1] + i] + a.f[1] * (g - m[a.at[1] + i]);
        float square = a.f[2] * m[a.at[2] + i] + a.f[3] * (g * g);
        m[a.at[1] + i] = mean;
        m[a.at[2] + i] = square;
        m[a.at[0] + i] = m[a.at[0] + i] * a.f[0] - a.f[4] * (mean / (sqrtf(square) / a.f[5] + a.f[6]));
    }
}

// f: decay, rate, momentum; f 7: limit; n: Nesterov's.
KERNEL sgd(PARAMETERS) {
    FOR_EACH(i, count) {
        float g = m[a.at[3] + i] * shortened(m, a.at[4], a.f[7]) + a.f[0] * m[a.at[0] + i];
        float mean = a.f[2] * m[a.at[1] + i] + g;
        m[a.at[1] + i] = mean;
        m[a.at[0] + i] -= a.f[1] * (a.n[0] ? g + a.f[2] * mean : mean);
    }
}

// f: decay, rate, epsilon; f 7: limit.
KERNEL adagrad(PARAMETERS) {
    FOR_EACH(i, count) {
        float g = m[a.at[3] + i] * shortened(m, a.at[4], a.f[7]) + a.f[0] * m[a.at[0] + i];
        float square = m[a.at[1] + i] + g * g;
        m[a.at[1] + i] = square;
        m[a.at[0] + i] -= a.f[1] * (g / (sqrtf(square) + a.f[2]));
    }
}
