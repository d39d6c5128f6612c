"""Makes a CUDA_HOME for `cargo build --features cuda` out of NVIDIA's pip wheels, on any machine, with or without a card.

    python3 -m venv FOLDER/venv
    FOLDER/venv/bin/pip install -r benches/networks/requirements-cuda.txt
    cuda_home.py FOLDER/venv FOLDER/cuda-home

candle links libcuda, libcublas and their kin at build time, and a program linked so does not start where they are missing.
So this also makes static libraries of the same names whose functions are jumps through tables, which are filled from the
real libraries when the first device is opened: the program starts everywhere, and says that there is no card where none is.
Needs gcc and ar.
"""

import pathlib
import re
import subprocess
import sys

LIBRARIES = {"driver": ("cuda", "libcuda.so.1"), "cublas": ("cublas", "libcublas.so.13"),
             "cublaslt": ("cublasLt", "libcublasLt.so.13"), "curand": ("curand", "libcurand.so.10"),
             "nvrtc": ("nvrtc", "libnvrtc.so.13")}
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE

LOAD = """
void *shim_{name}_load(void) {{
    static void *handle;
    if (handle) return handle;
    handle = dlopen("{file}", RTLD_NOW | RTLD_GLOBAL);
    if (!handle) return 0;
    for (size_t at = 0; at < {count}; at++) {{
        void *found = dlsym(handle, names[at]);
        if (found) shim_{name}_table[at] = found;
    }}
    return handle;
}}
"""

# All libraries are loaded when the driver is initialised, which is before anything else is called. 303 is
# CUDA_ERROR_SHARED_OBJECT_INIT_FAILED.
INIT = """
extern void *shim_cublas_load(void) __attribute__((weak));
extern void *shim_cublasLt_load(void) __attribute__((weak));
extern void *shim_curand_load(void) __attribute__((weak));
extern void *shim_nvrtc_load(void) __attribute__((weak));
int cuInit(unsigned flags) {
    void *handle = shim_cuda_load();
    if (!handle) return 100;
    int error = ((int (*)(unsigned))dlsym(handle, "cuInit"))(flags);
    if (error) return error;
    if (shim_cublasLt_load && !shim_cublasLt_load()) return 303;
    if (shim_cublas_load && !shim_cublas_load()) return 303;
    if (shim_curand_load) shim_curand_load();
    if (shim_nvrtc_load) shim_nvrtc_load();
    return 0;
}
"""


def bindings():
    """The sources of cudarc, which name the functions that are called."""
    registry = pathlib.Path.home() / ".cargo/registry/src"
    found = sorted(registry.glob("*/cudarc-*"))
    if not found:
        sys.exit("no sources of cudarc: run `cargo fetch` first")
    return found[-1]


def functions_of(cudarc, part):
    """The names of a library's functions."""
    text = (cudarc / f"src/{part}/sys/mod.rs").read_text()
    return sorted(set(re.findall(r"fn\s+((?:cu|nvrtc)[A-Za-z0-9_]+)\s*[(<]", text)) - {"culib", "culib_path"})


def shim(cudarc, folder, part, name, file):
    functions = [function for function in functions_of(cudarc, part) if function != "cuInit"]
    count = len(functions)
    lines = ["#include <dlfcn.h>", "#include <stddef.h>",
             f"static int missing(void) {{ return {NO_DEVICE if name == 'cuda' else 1}; }}",
             f'__attribute__((visibility("hidden"))) void *shim_{name}_table[{count}];',
             "static const char *const names[] = {" + ", ".join(f'"{function}"' for function in functions) + "};",
             "__attribute__((constructor)) static void reset(void) {"
             f" for (size_t at = 0; at < {count}; at++) shim_{name}_table[at] = (void *)missing; }}",
             LOAD.format(name=name, file=file, count=count)]
    if name == "cuda":
        lines.append(INIT)
    for at, function in enumerate(functions):
        lines.append(f'__asm__(".text\\n.globl {function}\\n.type {function},@function\\n'
                     f'{function}:\\n jmp *shim_{name}_table+{8 * at}(%rip)\\n");')
    source, built = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text("\n".join(lines))
    subprocess.check_call(["gcc", "-c", "-O1", "-fPIC", "-o", built, source])
    subprocess.check_call(["ar", "rcs", folder / f"lib{name}.a", built])


def link(at, to):
    if at.is_symlink() or at.exists():
        at.unlink()
    at.symlink_to(to)


def main(venv, home):
    wheels = next(pathlib.Path(venv).resolve().glob("lib/python3*/site-packages/nvidia/cu13"), None)
    if wheels is None:
        sys.exit(f"no nvidia/cu13 in {venv}: install benches/networks/requirements-cuda.txt there")
    home = pathlib.Path(home).resolve()
    library = home / "lib"
    library.mkdir(parents=True, exist_ok=True)
    for part in ("bin", "include", "nvvm"):
        link(home / part, wheels / part)
    for file in (wheels / "lib").iterdir():
        link(library / file.name, file)
    # The wheel has no libcudart.so; the static one needs no library at run time.
    link(library / "libcudart.a", wheels / "lib/libcudart_static.a")
    link(home / "lib64", library)
    for part, (name, file) in LIBRARIES.items():
        shim(bindings(), library, part, name, file)
    print(home)


if __name__ == "__main__":
    main(*sys.argv[1:])
