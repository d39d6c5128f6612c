//! An NVIDIA card: kernels as the build made them, products by cuBLAS, all on candle's stream, one after the other.

#![allow(unsafe_code, reason = "calls the card's driver and cuBLAS")]

use std::sync::Arc;

use candle_core::cuda::CudaDevice;
use candle_core::cuda::WrapErr;
use candle_core::cuda::cudarc::cublas::CudaBlas;
use candle_core::cuda::cudarc::cublas::result::{gemm_ex, sgemm};
use candle_core::cuda::cudarc::cublas::sys::{
    cublasComputeType_t, cublasGemmAlgo_t, cublasOperation_t, cudaDataType,
};
use candle_core::cuda::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda::cudarc::nvrtc::Ptx;
use candle_core::{Error, Result};

use super::driver::{Arguments, Blas, Driver, Kernel, Product};
use crate::spec::Precision;

/// Made of `kernels.cu` by the build.
const KERNELS: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// Threads in a block.
const BLOCK: u32 = 256;
/// Blocks of a call, at most: each thread then takes several numbers.
const BLOCKS: u32 = 1 << 16;

// SAFETY: numbers and arrays of them, laid out as C has them.
unsafe impl DeviceRepr for Arguments {}

/// The card.
#[derive(Debug)]
pub(crate) struct Cuda {
    stream: Arc<CudaStream>,
    blas: Arc<CudaBlas>,
    functions: Vec<CudaFunction>,
}

impl Cuda {
    /// The card that candle opened.
    ///
    /// # Errors
    /// What it says of the kernels.
    pub(crate) fn new(card: &CudaDevice) -> Result<Self> {
        let stream = card.cuda_stream();
        let module = stream.context().load_module(Ptx::from_src(KERNELS)).w()?;
        let function = |(_, name): &(Kernel, &str)| module.load_function(name).w();
        let functions = Kernel::ALL.iter().map(function).collect::<Result<_>>()?;
        Ok(Self { stream, blas: card.cublas_handle(), functions })
    }
}

fn outside() -> Error {
    Error::Msg("outside of the card's memory".into())
}

fn count_of(size: usize) -> Result<i32> {
    i32::try_from(size).map_err(Error::wrap)
}

impl Driver for Cuda {
    type Memory = CudaSlice<u32>;

    fn memory(&self, words: usize) -> Result<CudaSlice<u32>> {
        self.stream.alloc_zeros(words).w()
    }

    fn write(&self, memory: &mut CudaSlice<u32>, at: usize, words: &[u32]) -> Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        let mut part = memory.try_slice_mut(at..at + words.len()).ok_or_else(outside)?;
        self.stream.memcpy_htod(words, &mut part).w()
    }

    fn read(&self, memory: &CudaSlice<u32>, at: usize, words: usize) -> Result<Vec<u32>> {
        let part = memory.try_slice(at..at + words).ok_or_else(outside)?;
        self.stream.clone_dtoh(&part).w()
    }

    fn run(
        &self,
        kernel: Kernel,
        model: &mut CudaSlice<u32>,
        rows: &CudaSlice<u32>,
        arguments: &Arguments,
        count: usize,
    ) -> Result<()> {
        let count = u32::try_from(count).map_err(Error::wrap)?;
        let blocks = count.div_ceil(BLOCK).clamp(1, BLOCKS);
        let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (BLOCK, 1, 1), shared_mem_bytes: 0 };
        let mut call = self.stream.launch_builder(&self.functions[kernel as usize]);
        call.arg(model).arg(rows).arg(arguments).arg(&count);
        // SAFETY: all functions of `kernels.cu` take these four; what they touch follows from `Layout`, which tests check on
        // the processor.
        unsafe { call.launch(config) }.w()?;
        Ok(())
    }

    fn multiply(&self, model: &mut CudaSlice<u32>, product: &Product) -> Result<()> {
        let Blas { transposed, sizes, strides } = product.blas();
        let operation = |transposed: bool| {
            if transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
        };
        let [m, n, k] = [count_of(sizes[0])?, count_of(sizes[1])?, count_of(sizes[2])?];
        let [lda, ldb, ldc] = [count_of(strides[0])?, count_of(strides[1])?, count_of(strides[2])?];
        let (one, add) = (1.0_f32, if product.add { 1.0_f32 } else { 0.0 });
        let (pointer, _written) = model.device_ptr_mut(&self.stream);
        let place = |at: usize| (pointer + 4 * at as u64) as *mut f32;
        if product.precision != Precision::F32 {
            let of_16 = if product.precision == Precision::F16 {
                cudaDataType::CUDA_R_16F
            } else {
                cudaDataType::CUDA_R_16BF
            };
            // SAFETY: as below; the factors are of 16 bits, what is added up and comes out of 32.
            return unsafe {
                gemm_ex(
                    *self.blas.handle(),
                    operation(transposed[0]),
                    operation(transposed[1]),
                    m,
                    n,
                    k,
                    (&raw const one).cast(),
                    place(product.right.at).cast(),
                    of_16,
                    lda,
                    place(product.left.at).cast(),
                    of_16,
                    ldb,
                    (&raw const add).cast(),
                    place(product.into).cast(),
                    cudaDataType::CUDA_R_32F,
                    ldc,
                    cublasComputeType_t::CUBLAS_COMPUTE_32F,
                    cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP,
                )
            }
            .w();
        }
        // SAFETY: the matrices lie within the memory, as `Layout` gave them their places; the result is neither of the factors.
        unsafe {
            sgemm(
                *self.blas.handle(),
                operation(transposed[0]),
                operation(transposed[1]),
                m,
                n,
                k,
                &raw const one,
                place(product.right.at),
                lda,
                place(product.left.at),
                ldb,
                &raw const add,
                place(product.into),
                ldc,
            )
        }
        .w()
    }
}
