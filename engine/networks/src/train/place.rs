//! Which device a training runs on, and what its errors mean.

#[cfg(feature = "cuda")]
use candle_core::{CudaDevice, Device as Candle};

use crate::error::NetworkError;
use crate::spec::{Device, NetworkSpec, Precision};

/// Where a training runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As in the package: `cpu` or `cuda:N`.
    pub(crate) name: String,
    pub(crate) computing: Computing,
}

/// What computes.
#[derive(Clone, Debug)]
pub(crate) enum Computing {
    /// Our kernels for processors.
    Cpu,
    /// Our kernels for cards, on one that candle opened.
    #[cfg(feature = "cuda")]
    Card(CudaDevice),
    /// The same on the processor.
    #[cfg(test)]
    Emulated,
}

impl Place {
    fn cpu() -> Self {
        Self { name: Device::Cpu.to_string(), computing: Computing::Cpu }
    }

    /// The device that `spec` names; `auto` is the first GPU where there is one.
    ///
    /// # Errors
    /// [`NetworkError::Device`] for a GPU that is not there, or not in this build, and for numbers of 16 bits without one.
    pub(crate) fn of(spec: &NetworkSpec) -> Result<Self, NetworkError> {
        let place = match spec.device {
            Device::Cpu => Self::cpu(),
            Device::Auto => gpu(0).unwrap_or_else(|_| Self::cpu()),
            Device::Cuda(number) => gpu(number)?,
        };
        if matches!(place.computing, Computing::Cpu) && spec.precision != Precision::F32 {
            return Err(NetworkError::Device {
                device: place.name,
                problem: format!("does not compute in `{}`", spec.precision.name()),
                hint: "leave `network.precision` out, or train on a GPU (`device: cuda:0`)".into(),
            });
        }
        Ok(place)
    }
}

#[cfg(not(feature = "cuda"))]
fn gpu(number: u32) -> Result<Place, NetworkError> {
    Err(NetworkError::Device {
        device: Device::Cuda(number).to_string(),
        problem: "is not in this build, which computes on the CPU".into(),
        hint: "build with `--features cuda` (docs/networks.md says what that needs), or set `device: cpu`"
            .into(),
    })
}

#[cfg(feature = "cuda")]
fn gpu(number: u32) -> Result<Place, NetworkError> {
    let refused = |problem: String| NetworkError::Device {
        device: Device::Cuda(number).to_string(),
        problem,
        hint:
            "`nvidia-smi -L` lists the cards of this machine; `device: auto` takes the first or else the CPU"
                .into(),
    };
    match Candle::new_cuda(number as usize) {
        Ok(Candle::Cuda(card)) => {
            Ok(Place { name: Device::Cuda(number).to_string(), computing: Computing::Card(card) })
        }
        Ok(_) => Err(refused("is none of NVIDIA's".into())),
        Err(error) => Err(refused(absent(&error.to_string()))),
    }
}

/// Why there is no card, of what its driver says; candle adds a backtrace.
#[cfg(any(feature = "cuda", test))]
fn absent(words: &str) -> String {
    if words.contains("CUDA_ERROR_NO_DEVICE") {
        return "is not there: this machine has no NVIDIA card, or no driver for it".into();
    }
    format!("is not there: {}", words.lines().next().unwrap_or_default())
}

/// What a device says, with what to do about it.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn failed(what: &'static str) -> impl Fn(candle_core::Error) -> NetworkError {
    move |source| {
        let words = source.to_string().to_lowercase();
        let is_memory =
            ["out of memory", "out_of_memory", "alloc_failed"].iter().any(|said| words.contains(said));
        let hint = is_memory.then(|| {
            "the card's memory is full: lower `network.batch_size` or the widths of layers and embeddings, or end \
             what else uses the card (`nvidia-smi`)"
                .into()
        });
        NetworkError::Tensor { what, source, hint }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Error;

    use super::{Computing, Place, absent, failed};
    use crate::spec::{Device, NetworkSpec};
    use sluice_core::error::Diagnostic;

    #[test]
    fn a_card_that_is_not_there_is_refused_and_auto_takes_the_cpu() {
        let mut spec = NetworkSpec::mlp(&[4]);
        spec.device = Device::Cuda(93);
        let message = Place::of(&spec).unwrap_err().to_string();
        assert!(message.starts_with("device `cuda:93` is not"), "{message}");
        spec.device = Device::Cpu;
        assert!(matches!(Place::of(&spec).unwrap().computing, Computing::Cpu));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn sixteen_bits_want_a_gpu() {
        let mut spec = NetworkSpec::mlp(&[4]);
        spec.precision = crate::spec::Precision::Bf16;
        let message = Place::of(&spec).unwrap_err().to_string();
        assert_eq!(message, "device `cpu` does not compute in `bf16`");
    }

    #[test]
    fn a_machine_without_a_card_is_told_in_words() {
        let words = "DriverError(CUDA_ERROR_NO_DEVICE, \"<Failure when calling cuGetErrorString()>\")";
        assert_eq!(absent(words), "is not there: this machine has no NVIDIA card, or no driver for it");
        let other = "DriverError(CUDA_ERROR_INVALID_DEVICE, \"invalid device ordinal\")\n  0: candle";
        assert!(absent(other).ends_with("invalid device ordinal\")"));
    }

    #[test]
    fn full_memory_says_what_to_lower() {
        let hint = failed("to compute a step")(Error::Msg(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into(),
        ));
        assert!(hint.hint().unwrap().contains("batch_size"));
        assert!(failed("to compute a step")(Error::Msg("shape mismatch".into())).hint().is_none());
    }
}
