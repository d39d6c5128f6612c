// The calls of cuBLAS that training makes, on the processor; matrices are column after column.

#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID_VALUE = 7, F32 = 0, BF16 = 14, COMPUTE_F32 = 68 };

static char handle;

int cublasCreate_v2(void **into) { return *into = &handle, OK; }
int cublasDestroy_v2(void *which) { return OK; }
int cublasSetStream_v2(void *which, void *on) { return OK; }

int cublasSgemm_v2(void *which, int left_transposed, int right_transposed, int rows, int columns, int inner,
                   const float *factor, const float *left, int left_stride, const float *right, int right_stride,
                   const float *keep, float *into, int stride) {
    float *gathered = malloc(sizeof *gathered * ((size_t)rows * inner + rows));
    float *column = gathered + (size_t)rows * inner;
    for (int at = 0; at < inner; at++)
        for (int row = 0; row < rows; row++)
            gathered[(size_t)at * rows + row] =
                left_transposed ? left[(size_t)row * left_stride + at] : left[(size_t)at * left_stride + row];
    for (int number = 0; number < columns; number++) {
        memset(column, 0, sizeof *column * rows);
        for (int at = 0; at < inner; at++) {
            float value = right_transposed ? right[(size_t)at * right_stride + number]
                                           : right[(size_t)number * right_stride + at];
            for (int row = 0; row < rows; row++) column[row] += gathered[(size_t)at * rows + row] * value;
        }
        float *result = into + (size_t)number * stride;
        // As the BLAS has it, nothing of what was there is read where nothing of it is kept.
        for (int row = 0; row < rows; row++)
            result[row] = *factor * column[row] + (*keep != 0.0f ? *keep * result[row] : 0.0f);
    }
    free(gathered);
    return OK;
}

static float *widened(const unsigned short *values, int type, size_t count) {
    float *wide = malloc(sizeof *wide * count);
    for (size_t at = 0; at < count; at++) {
        _Float16 half;
        unsigned bits = (unsigned)values[at] << 16;
        memcpy(&half, &values[at], sizeof half);
        if (type == BF16) memcpy(&wide[at], &bits, sizeof bits);
        else wide[at] = (float)half;
    }
    return wide;
}

int cublasGemmEx(void *which, int left_transposed, int right_transposed, int rows, int columns, int inner,
                 const float *factor, const void *left, int left_type, int left_stride, const void *right,
                 int right_type, int right_stride, const float *keep, void *into, int type, int stride, int compute,
                 int algorithm) {
    if (type != F32 || compute != COMPUTE_F32) return INVALID_VALUE;
    float *wide_left = widened(left, left_type, (size_t)left_stride * (left_transposed ? rows : inner));
    float *wide_right = widened(right, right_type, (size_t)right_stride * (right_transposed ? inner : columns));
    int error = cublasSgemm_v2(which, left_transposed, right_transposed, rows, columns, inner, factor, wide_left,
                               left_stride, wide_right, right_stride, keep, into, stride);
    free(wide_left);
    free(wide_right);
    return error;
}
