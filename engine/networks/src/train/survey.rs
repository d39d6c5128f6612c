//! What must be known of all training rows before the first step: that every value is one, what labels and weights add up
//! to, and where the bins of numeric features lie.

use sluice_core::error::Result;
use xxhash_rust::xxh3::Xxh3;

use crate::error::NetworkError;
use crate::kernels::numeric::bins_of;
use crate::model::LabelScale;
use crate::model::NetworkDescription;
use crate::plan::{Plan, Step};
use crate::rows::{BLOCK_ROWS, Block, Rows};
use crate::spec::{ClassWeights, Loss, NetworkSpec};

/// How many rows bins are made of, at most.
const BIN_ROWS: u64 = 65_536;

/// What all rows of a subset tell.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Σ weight.
    weight: f64,
    /// Weighted mean of the labels.
    mean: f64,
    /// Σ weight (label - mean)².
    squares: f64,
    /// Σ weight by class.
    classes: Vec<f64>,
    /// Values of numeric features of some rows, by feature.
    samples: Vec<Vec<f32>>,
    /// Rows beside one of the same group and another label.
    pairs: u64,
    grouped: bool,
    /// XXH3-64 of all rows, where it is asked for.
    pub(crate) hash: u64,
}

/// What a label must be.
fn check_label(loss: Loss, classes: usize, label: f32) -> Option<&'static str> {
    let is_class = label >= 0.0 && label.fract() == 0.0 && f64::from(label) < classes as f64;
    match loss {
        Loss::Logistic | Loss::Softmax => (!is_class).then_some("the number of a class"),
        Loss::Poisson => {
            (!(label.is_finite() && label >= 0.0)).then_some("a finite number of at least 0, as counts are")
        }
        Loss::Squared | Loss::Huber { .. } | Loss::Quantile { .. } | Loss::Pairwise => {
            (!label.is_finite()).then_some("a finite number")
        }
    }
}

/// XXH3-64 of the rows of a block, `seed` the hash of those before.
fn hash_of(block: &Block, seed: u64) -> u64 {
    let mut hash = Xxh3::with_seed(seed);
    let mut bytes = Vec::with_capacity(1 << 16);
    for column in [&block.numeric, &block.labels, &block.weights] {
        hash.update(&(column.len() as u64).to_le_bytes());
        for values in column.chunks(1 << 14) {
            bytes.clear();
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            hash.update(&bytes);
        }
    }
    for ids in block.ids.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        hash.update(&bytes);
    }
    hash.update(&(block.groups.len() as u64).to_le_bytes());
    for group in &block.groups {
        hash.update(&group.to_le_bytes());
    }
    hash.digest()
}

impl Survey {
    /// Reads all rows once.
    ///
    /// # Errors
    /// [`NetworkError`] with the row for a feature, an id, a label or a weight that cannot be; for no weight at all.
    pub(crate) fn of(
        rows: &mut dyn Rows,
        description: &NetworkDescription,
        subset: &'static str,
        hashed: bool,
    ) -> Result<Self> {
        let mut survey = Self {
            classes: vec![0.0; description.label.classes.len()],
            samples: vec![Vec::new(); description.inputs.numeric.len()],
            ..Self::default()
        };
        let stride = usize::try_from(rows.rows().div_ceil(BIN_ROWS)).unwrap_or(usize::MAX).max(1);
        for number in 0..rows.blocks() {
            let block = rows.block(number)?;
            let first = (number * BLOCK_ROWS) as u64;
            let place = format!("{subset} rows from row {first}");
            block
                .inputs()
                .check(&description.inputs)
                .map_err(|error| sluice_core::Error::from(error).in_place(place))?;
            survey.update(&block, first, description)?;
            if hashed {
                survey.hash = hash_of(&block, survey.hash);
            }
            for (feature, sample) in survey.samples.iter_mut().enumerate() {
                let column = block.numeric.iter().skip(feature).step_by(description.inputs.numeric.len());
                sample.extend(column.step_by(stride));
            }
        }
        if survey.weight > 0.0 { Ok(survey) } else { Err(NetworkError::RowsMissing { subset }.into()) }
    }

    fn update(
        &mut self,
        block: &Block,
        first: u64,
        description: &NetworkDescription,
    ) -> Result<(), NetworkError> {
        for (what, found, expected) in [
            ("labels", block.labels.len(), block.rows),
            ("weights", block.weights.len(), if block.weights.is_empty() { 0 } else { block.rows }),
            ("groups", block.groups.len(), if block.groups.is_empty() { 0 } else { block.rows }),
        ] {
            if found != expected {
                return Err(NetworkError::LengthMismatch { what, found, expected });
            }
        }
        self.grouped |= !block.groups.is_empty();
        let neighbours = block.groups.windows(2).zip(block.labels.windows(2));
        self.pairs += neighbours
            .filter(|(groups, labels)| groups[0] == groups[1] && labels[0].total_cmp(&labels[1]).is_ne())
            .count() as u64;
        let classes = description.label.classes.len();
        for (row, label) in block.labels.iter().enumerate() {
            if let Some(expected) = check_label(description.loss, classes, *label) {
                let label = description.label.name.clone();
                let (row, value) = (first + row as u64, block.labels[row]);
                return Err(NetworkError::LabelOutOfRange { label, row, value, expected });
            }
            let weight = block.weight(row);
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(NetworkError::WeightOutOfRange { row: first + row as u64, value: weight });
            }
            if weight > 0.0 {
                self.add(f64::from(*label), f64::from(weight));
            }
        }
        Ok(())
    }

    /// West's update of weighted moments (1979).
    fn add(&mut self, label: f64, weight: f64) {
        self.weight += weight;
        let delta = label - self.mean;
        self.mean += delta * weight / self.weight;
        self.squares += weight * delta * (label - self.mean);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a class")]
        if let Some(class) = self.classes.get_mut(label as usize) {
            *class += weight;
        }
    }

    /// # Errors
    /// [`NetworkError::LabelConstant`] where all labels are alike.
    pub(crate) fn check_varies(
        &self,
        description: &NetworkDescription,
        rows: u64,
    ) -> Result<(), NetworkError> {
        let label = description.label.name.clone();
        if description.loss.is_of_classes() {
            let mut present = self.classes.iter().zip(&description.label.classes);
            let present: Vec<_> = present.by_ref().filter(|(weight, _)| **weight > 0.0).collect();
            return match present[..] {
                [(_, class)] => Err(NetworkError::LabelConstant { label, value: format!("`{class}`"), rows }),
                _ => Ok(()),
            };
        }
        if self.grouped && self.pairs == 0 {
            return Err(NetworkError::NoPairs { label });
        }
        if self.squares > 0.0 {
            return Ok(());
        }
        Err(NetworkError::LabelConstant { label, value: self.mean.to_string(), rows })
    }

    /// What labels are brought to mean 0 and deviation 1 by, where the spec wants it.
    #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
    pub(crate) fn scale(&self, spec: &NetworkSpec, loss: Loss) -> Option<LabelScale> {
        let has_unit = matches!(loss, Loss::Squared | Loss::Huber { .. } | Loss::Quantile { .. });
        let (mean, deviation) = (self.mean as f32, (self.squares / self.weight).sqrt() as f32);
        (spec.standardize_label && has_unit && deviation.is_normal() && mean.is_finite())
            .then_some(LabelScale { mean, deviation })
    }

    /// The factor on the weights of each class; empty for 1 everywhere.
    #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
    pub(crate) fn class_factors(&self, spec: &NetworkSpec, description: &NetworkDescription) -> Vec<f32> {
        let classes = &description.label.classes;
        match &spec.class_weights {
            ClassWeights::None => Vec::new(),
            ClassWeights::Balanced => {
                let share = self.weight / classes.len() as f64;
                let factor = |weight: &f64| if *weight > 0.0 { (share / weight) as f32 } else { 1.0 };
                self.classes.iter().map(factor).collect()
            }
            ClassWeights::Each(weights) => {
                classes.iter().map(|class| weights.get(class).map_or(1.0, |weight| *weight as f32)).collect()
            }
        }
    }

    /// Puts the bins of numeric features into the weights.
    pub(crate) fn fill_bins(&mut self, plan: &Plan, weights: &mut [f32]) {
        for step in &plan.steps {
            if let Step::Piecewise { bins, .. } = step {
                let tensor = &plan.tensors[*bins];
                self.samples.iter_mut().for_each(|sample| sample.sort_unstable_by(f32::total_cmp));
                weights[tensor.range()].copy_from_slice(&bins_of(&self.samples, tensor.shape[2]));
            }
        }
    }
}
