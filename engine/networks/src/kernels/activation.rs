//! Activations and their derivatives, element by element.

use super::scalar::{exp, sigmoid, tanh};
use super::vectorised;
use crate::spec::Activation;

/// The slope of the leaky `ReLU` below 0 (PyTorch's default).
const LEAK: f32 = 0.01;
/// √(2 / π), of GELU's tanh formula.
const GELU_SCALE: f32 = 0.797_884_6;
const GELU_CUBE: f32 = 0.044_715;

/// f(z).
#[inline(always)]
pub(crate) fn value(activation: Activation, z: f32) -> f32 {
    match activation {
        // Comparisons are written such that NaN passes.
        Activation::Relu => {
            if z < 0.0 {
                0.0
            } else {
                z
            }
        }
        Activation::LeakyRelu => {
            if z < 0.0 {
                LEAK * z
            } else {
                z
            }
        }
        Activation::Elu => {
            if z < 0.0 {
                exp(z) - 1.0
            } else {
                z
            }
        }
        Activation::Silu => z * sigmoid(z),
        Activation::Gelu => {
            let inner = GELU_SCALE * (z + GELU_CUBE * z * z * z);
            0.5 * z * (1.0 + tanh(inner))
        }
        Activation::Tanh => tanh(z),
        Activation::Sigmoid => sigmoid(z),
    }
}

/// f'(z) from the result y = f(z), or from z itself where the result does not tell it (`SiLU`, GELU).
#[inline(always)]
pub(crate) fn slope(activation: Activation, known: f32) -> f32 {
    match activation {
        Activation::Relu => f32::from(u8::from(known > 0.0)),
        Activation::LeakyRelu => {
            if known > 0.0 {
                1.0
            } else {
                LEAK
            }
        }
        Activation::Elu => {
            if known > 0.0 {
                1.0
            } else {
                known + 1.0
            }
        }
        Activation::Silu => {
            let s = sigmoid(known);
            s * (1.0 + known * (1.0 - s))
        }
        Activation::Gelu => {
            let square = known * known;
            let t = tanh(GELU_SCALE * (known + GELU_CUBE * known * square));
            let inner = GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * square);
            0.5 * (1.0 + t) + 0.5 * known * (1.0 - t * t) * inner
        }
        Activation::Tanh => 1.0 - known * known,
        Activation::Sigmoid => known * (1.0 - known),
    }
}

/// Calls `body` with the activation as a constant, so that each gets a loop of its own.
macro_rules! for_each_activation {
    ($activation:expr, $name:ident => $body:expr) => {
        match $activation {
            Activation::Relu => {
                const $name: Activation = Activation::Relu;
                $body
            }
            Activation::LeakyRelu => {
                const $name: Activation = Activation::LeakyRelu;
                $body
            }
            Activation::Elu => {
                const $name: Activation = Activation::Elu;
                $body
            }
            Activation::Silu => {
                const $name: Activation = Activation::Silu;
                $body
            }
            Activation::Gelu => {
                const $name: Activation = Activation::Gelu;
                $body
            }
            Activation::Tanh => {
                const $name: Activation = Activation::Tanh;
                $body
            }
            Activation::Sigmoid => {
                const $name: Activation = Activation::Sigmoid;
                $body
            }
        }
    };
}
pub(crate) use for_each_activation;

/// output = f(input).
pub(crate) fn apply(activation: Activation, input: &[f32], output: &mut [f32]) {
    for_each_activation!(activation, ACTIVATION => vectorised(|| {
        for (output, input) in output.iter_mut().zip(input) {
            *output = value(ACTIVATION, *input);
        }
    }));
}

/// `input_gradient` = or += f' x `gradient`; `known` as [`slope`] wants it.
pub(crate) fn apply_backward(
    activation: Activation,
    known: &[f32],
    gradient: &[f32],
    input_gradient: &mut [f32],
    add: bool,
) {
    for_each_activation!(activation, ACTIVATION => vectorised(|| {
        let rows = input_gradient.iter_mut().zip(gradient).zip(known);
        if add {
            for ((output, gradient), known) in rows {
                *output += gradient * slope(ACTIVATION, *known);
            }
        } else {
            for ((output, gradient), known) in rows {
                *output = gradient * slope(ACTIVATION, *known);
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::{slope, value};
    use crate::spec::Activation;

    pub(crate) const ALL: [Activation; 7] = [
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Silu,
        Activation::Gelu,
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    #[test]
    fn slopes_are_central_differences() {
        for activation in ALL {
            for step in -40..=40 {
                let z = step as f32 * 0.1 + 0.05; // not at the corner of ReLU
                let width = 1e-2;
                let difference =
                    (value(activation, z + width) - value(activation, z - width)) / (2.0 * width);
                let known = if activation.is_invertible() { value(activation, z) } else { z };
                let error = (slope(activation, known) - difference).abs();
                assert!(error < 2e-4, "{activation:?} at {z}: {error}");
            }
        }
    }

    #[test]
    fn extreme_sums_stay_numbers() {
        for activation in ALL {
            for z in [1e15_f32, -1e15, 0.0, -0.0] {
                let y = value(activation, z);
                assert!(
                    y.is_finite() || (activation == Activation::Gelu && z > 0.0),
                    "{activation:?} of {z}: {y}"
                );
            }
        }
    }
}
