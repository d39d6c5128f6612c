//! A card for tests: the kernels compiled for the processor, one `i` after the other. What it cannot show is how a card is
//! driven (`cuda`).

#![allow(unsafe_code, reason = "calls compiled C")]

use std::process::Command;
use std::sync::OnceLock;

use candle_core::{Error, Result};

use super::driver::{Arguments, Blas, Driver, Kernel, Product};
use crate::spec::Precision;

type Function = unsafe extern "C" fn(*mut u32, *const u32, Arguments, u32);

/// The card.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emulated {
    functions: &'static [Function],
}

impl Emulated {
    /// With the kernels of this crate; the linker of Rust programs is a C compiler.
    pub(crate) fn new() -> Self {
        static FUNCTIONS: OnceLock<Vec<Function>> = OnceLock::new();
        Self { functions: FUNCTIONS.get_or_init(compiled) }
    }
}

fn compiled() -> Vec<Function> {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("kernels.so");
    let source = folder.path().join("kernels.c");
    fs_err::write(&source, include_str!("kernels.cu")).unwrap();
    let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    compiler.args(["-std=c11", "-O1", "-fno-strict-aliasing", "-shared", "-fPIC", "-o"]);
    compiler.arg(&library).arg(source).arg("-lm");
    assert!(compiler.status().unwrap().success(), "{compiler:?}");
    // SAFETY: the library has nothing that runs when it is loaded.
    let library = unsafe { libloading::Library::new(&library) }.unwrap();
    // Functions are called for as long as the tests run.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    let function = |(_, name): &(Kernel, &str)| {
        // SAFETY: all functions of `kernels.cu` have this form.
        *unsafe { library.get::<Function>(name.as_bytes()) }.unwrap()
    };
    Kernel::ALL.iter().map(function).collect()
}

/// A number of the matrix at a place of the memory.
pub(crate) fn number(memory: &[u32], at: usize, position: usize, precision: Precision) -> f32 {
    if precision == Precision::F32 {
        return f32::from_bits(memory[at + position]);
    }
    let bits = memory[at + position / 2] >> (16 * (position % 2)) & 0xffff;
    if precision == Precision::Bf16 {
        return f32::from_bits(bits << 16);
    }
    let (exponent, digits) = (bits >> 10 & 31, (bits & 0x3ff) as f32 / 1024.0);
    let size = match exponent {
        0 => digits * 2.0_f32.powi(-14),
        31 if digits > 0.0 => f32::NAN,
        31 => f32::INFINITY,
        _ => (1.0 + digits) * 2.0_f32.powi(exponent as i32 - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

fn range(at: usize, words: usize, all: &[u32]) -> Result<std::ops::Range<usize>> {
    if at + words > all.len() { Err(Error::Msg("outside of memory".into())) } else { Ok(at..at + words) }
}

impl Driver for Emulated {
    type Memory = Vec<u32>;

    fn memory(&self, words: usize) -> Result<Vec<u32>> {
        Ok(vec![0; words])
    }

    fn write(&self, memory: &mut Vec<u32>, at: usize, words: &[u32]) -> Result<()> {
        let range = range(at, words.len(), memory)?;
        memory[range].copy_from_slice(words);
        Ok(())
    }

    fn read(&self, memory: &Vec<u32>, at: usize, words: usize) -> Result<Vec<u32>> {
        Ok(memory[range(at, words, memory)?].to_vec())
    }

    fn run(
        &self,
        kernel: Kernel,
        model: &mut Vec<u32>,
        rows: &Vec<u32>,
        arguments: &Arguments,
        count: usize,
    ) -> Result<()> {
        assert!(arguments.at.iter().enumerate().all(|(at, place)| {
            // The key of a dropout is no place.
            (kernel == Kernel::Dropout && at == 2) || *place <= model.len().max(rows.len()) as u64
        }));
        let function = self.functions[kernel as usize];
        // SAFETY: the places were checked to begin within the memory; kernels touch what their comments say.
        unsafe { function(model.as_mut_ptr(), rows.as_ptr(), *arguments, u32::try_from(count).unwrap()) };
        Ok(())
    }

    fn multiply(&self, model: &mut Vec<u32>, product: &Product) -> Result<()> {
        let Blas { transposed, sizes: [height, width, inner], strides } = product.blas();
        let value = |factor: usize, at: usize, row: usize, column: usize| {
            let (row, column) = if transposed[factor] { (column, row) } else { (row, column) };
            number(model, at, column * strides[factor] + row, product.precision)
        };
        let (first, second) = (product.right.at, product.left.at);
        let mut results = Vec::with_capacity(height * width);
        for column in 0..width {
            for row in 0..height {
                let parts = (0..inner).map(|at| value(0, first, row, at) * value(1, second, at, column));
                results.push(parts.sum::<f32>());
            }
        }
        for (at, result) in results.into_iter().enumerate() {
            let word = &mut model[product.into + at / height * strides[2] + at % height];
            *word = (if product.add { f32::from_bits(*word) } else { 0.0 } + result).to_bits();
        }
        Ok(())
    }
}
