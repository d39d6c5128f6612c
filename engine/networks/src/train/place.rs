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

    /// The device that `spec` names; `auto` is the first GPU where there is one, which must work then.
    ///
    /// # Errors
    /// [`NetworkError::Device`] for a GPU that is not there, or not in this build, and for numbers of 16 bits without one.
    pub(crate) fn of(spec: &NetworkSpec) -> Result<Self, NetworkError> {
        let place = match spec.device {
            Device::Cpu => Self::cpu(),
            Device::Auto => match gpu(0) {
                Ok(place) => place,
                Err(Refusal { is_absent: true, .. }) => Self::cpu(),
                Err(refusal) => return Err(refusal.of(0)),
            },
            Device::Cuda(number) => gpu(number).map_err(|refusal| refusal.of(number))?,
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

/// Why a GPU is not taken.
struct Refusal {
    problem: String,
    hint: &'static str,
    /// Whether there is none.
    is_absent: bool,
}

impl Refusal {
    fn of(self, number: u32) -> NetworkError {
        NetworkError::Device {
            device: Device::Cuda(number).to_string(),
            problem: self.problem,
            hint: self.hint.into(),
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn gpu(_number: u32) -> Result<Place, Refusal> {
    let problem = "is not in this build, which computes on the CPU".into();
    let hint = "build with `--features cuda` (docs/networks.md says what that needs), or set `device: cpu`";
    Err(Refusal { problem, hint, is_absent: true })
}

#[cfg(feature = "cuda")]
fn gpu(number: u32) -> Result<Place, Refusal> {
    let name = Device::Cuda(number).to_string();
    let (problem, is_absent) = match Candle::new_cuda(number as usize) {
        Ok(Candle::Cuda(card)) => return Ok(Place { name, computing: Computing::Card(card) }),
        Ok(_) => ("is none of NVIDIA's".into(), true),
        Err(error) => absent(&error.to_string()),
    };
    let hint = "`nvidia-smi -L` lists the cards of this machine; `device: cpu` does without";
    Err(Refusal { problem, hint, is_absent })
}

/// Why a card is not taken, of what its driver says, and whether that is because there is none. candle adds a backtrace.
#[cfg(any(feature = "cuda", test))]
fn absent(words: &str) -> (String, bool) {
    if words.contains("CUDA_ERROR_NO_DEVICE") {
        return ("is not there: this machine has no NVIDIA card, or no driver for it".into(), true);
    }
    if words.contains("CUDA_ERROR_INVALID_DEVICE") {
        return ("is not there: this machine has no card of that number".into(), true);
    }
    if words.contains("CUDA_ERROR_SHARED_OBJECT_INIT_FAILED") {
        let problem = "is there, but cuBLAS is not: put the folder of `libcublas.so.13` (of CUDA 13, or of the wheel \
                       nvidia-cublas) on LD_LIBRARY_PATH";
        return (problem.into(), false);
    }
    (format!("cannot be opened: {}", words.lines().next().unwrap_or_default()), false)
}

/// What a device says, with what to do about it.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn failed(what: &'static str) -> impl Fn(candle_core::Error) -> NetworkError {
    move |source| {
        let words = source.to_string().to_lowercase();
        let says = |any: &[&str]| any.iter().any(|said| words.contains(said));
        let hint = if says(&["out of memory", "out_of_memory", "alloc_failed"]) {
            Some(
                "the card's memory is full: lower `network.batch_size` or the widths of layers and embeddings, or end \
                 what else uses the card (`nvidia-smi`)",
            )
        } else if says(&["unsupported_ptx", "invalid_ptx", "no_binary_for_gpu"]) {
            Some(
                "the card's driver is older than CUDA 13 (`nvidia-smi` says for which it is), or the card than Turing",
            )
        } else {
            None
        };
        let hint = hint.map(Into::into);
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
        assert!(message.starts_with("device `cuda:93` "), "{message}");
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
        let told = "is not there: this machine has no NVIDIA card, or no driver for it";
        assert_eq!(absent(words), (told.into(), true));
        // A card that does not work is no reason to take the processor without a word.
        let (bare, is_absent) = absent("DriverError(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, \"…\")");
        assert!(bare.contains("LD_LIBRARY_PATH") && !is_absent);
        let (other, is_absent) = absent("DriverError(CUDA_ERROR_NOT_PERMITTED, \"…\")\n  0: candle");
        assert!(other.ends_with("(CUDA_ERROR_NOT_PERMITTED, \"…\")") && !is_absent);
        let (fewer, is_absent) = absent("DriverError(CUDA_ERROR_INVALID_DEVICE, \"invalid device ordinal\")");
        assert!(fewer.contains("of that number") && is_absent);
    }

    #[test]
    fn full_memory_and_an_old_driver_say_what_to_do() {
        let hint = failed("to compute a step")(Error::Msg(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into(),
        ));
        assert!(hint.hint().unwrap().contains("batch_size"));
        let old = failed("to load its kernels")(Error::Msg(
            "DriverError(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, \"…\")".into(),
        ));
        assert!(old.hint().unwrap().contains("older than CUDA 13"));
        assert!(failed("to compute a step")(Error::Msg("shape mismatch".into())).hint().is_none());
    }
}
