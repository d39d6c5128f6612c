//! A measured remedy for a slow-down that faer's kernels leave behind.

use faer::Mat;

/// Leaves the upper halves of the vector registers clean. faer's AVX-512 kernels return with them in use,
/// which makes all later SSE code of the thread three to four times as slow (measured on AMD EPYC with faer
/// 0.24: 47.9 against 14.2 ms for a loop of double-double sums after one triangular product); faer's norm is
/// compiled code, which ends in `vzeroupper`. Call it after each use of faer's products and factorisations.
pub fn clean_registers() {
    std::hint::black_box(Mat::<f64>::zeros(64, 1).norm_l2());
}
