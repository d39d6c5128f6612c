// A card that is none: the calls of CUDA's driver that training makes, on the processor. Its memory is that of the process, what
// is asked for is done at once, and kernels are ours, compiled as C. `make.py` adds the other calls, which are refused by name.

#include "../../../engine/networks/src/gpu/kernels.cu"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, NOT_FOUND = 500 };
typedef unsigned long long Pointer;
typedef void Kernel(float *, const float *, struct Arguments, u32);

// As much memory as it pretends to have: 8 GiB.
#define MEMORY (8ULL << 30)

// Something to point at.
static char context, stream, event, module;

int cuInit(unsigned flags) { return OK; }
int cuDriverGetVersion(int *version) { return *version = 13000, OK; }
int cuDeviceGetCount(int *count) { return *count = 1, OK; }
int cuDeviceGet(int *device, int number) { return *device = number, number == 0 ? OK : INVALID_DEVICE; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { return *value = 1, OK; }
int cuDevicePrimaryCtxRetain(void **into, int device) { return *into = &context, OK; }
int cuDevicePrimaryCtxRelease_v2(int device) { return OK; }
int cuCtxGetCurrent(void **into) { return *into = &context, OK; }
int cuCtxSetCurrent(void *which) { return OK; }
int cuCtxSynchronize(void) { return OK; }
int cuStreamCreate(void **into, unsigned flags) { return *into = &stream, OK; }
int cuStreamDestroy_v2(void *which) { return OK; }
int cuStreamSynchronize(void *which) { return OK; }
int cuStreamIsCapturing(void *which, int *is) { return *is = 0, OK; }
int cuStreamWaitEvent(void *which, void *what, unsigned flags) { return OK; }
int cuEventCreate(void **into, unsigned flags) { return *into = &event, OK; }
int cuEventDestroy_v2(void *which) { return OK; }
int cuEventRecord(void *which, void *on) { return OK; }
int cuEventSynchronize(void *which) { return OK; }
int cuEventQuery(void *which) { return OK; }

int cuMemAllocAsync(Pointer *into, size_t bytes, void *on) {
    void *memory = bytes > MEMORY ? NULL : malloc(bytes);
    if (!memory) return OUT_OF_MEMORY;
    // What nobody wrote is NaN.
    memset(memory, 0xff, bytes);
    *into = (Pointer)memory;
    return OK;
}
int cuMemAlloc_v2(Pointer *into, size_t bytes) { return cuMemAllocAsync(into, bytes, NULL); }
int cuMemFreeAsync(Pointer memory, void *on) { return free((void *)memory), OK; }
int cuMemFree_v2(Pointer memory) { return free((void *)memory), OK; }
int cuMemsetD8Async(Pointer memory, unsigned char value, size_t bytes, void *on) {
    return memset((void *)memory, value, bytes), OK;
}
int cuMemcpyHtoDAsync_v2(Pointer into, const void *from, size_t bytes, void *on) {
    return memcpy((void *)into, from, bytes), OK;
}
int cuMemcpyDtoHAsync_v2(void *into, Pointer from, size_t bytes, void *on) {
    return memcpy(into, (void *)from, bytes), OK;
}

int cuModuleLoadData(void **into, const void *image) { return *into = &module, OK; }
int cuModuleUnload(void *which) { return OK; }
int cuModuleGetFunction(void **into, void *of, const char *name) {
    static const struct { const char *name; Kernel *kernel; } kernels[] = { KERNELS };
    for (size_t at = 0; at < sizeof kernels / sizeof *kernels; at++) {
        if (!strcmp(kernels[at].name, name)) return *into = (void *)kernels[at].kernel, OK;
    }
    fprintf(stderr, "the pretended card has no kernel `%s`\n", name);
    return NOT_FOUND;
}
int cuLaunchKernel(void *kernel, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned ty, unsigned tz,
                   unsigned shared, void *on, void **arguments, void **extra) {
    ((Kernel *)kernel)(*(float **)arguments[0], *(const float **)arguments[1], *(struct Arguments *)arguments[2],
                       *(u32 *)arguments[3]);
    return OK;
}

int cuGetErrorName(int error, const char **into) {
    *into = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "of the pretended card";
    return OK;
}
int cuGetErrorString(int error, const char **into) {
    *into = error == OUT_OF_MEMORY ? "out of memory" : "refused";
    return OK;
}
