//! The verdict: an outcome with every reason for it, kept whether the model passes or not.

use serde::{Deserialize, Serialize};
use sluice_core::error::Error;

/// What the gate decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every requirement is met.
    Pass,
    /// At least one is not.
    Fail,
    /// The evaluation itself failed; nothing is known.
    Error,
}

/// What the candidate was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// The baseline, on the same rows.
    Compared,
    /// Accepted metrics of an earlier evaluation, as if on other rows.
    AcceptedMetrics,
    /// There is no baseline yet.
    NoBaseline,
    /// There is one, but it cannot predict these rows or predicts something else.
    NotComparable,
}

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleName {
    /// The value has an upper bound.
    AtMost,
    /// The value has a lower bound.
    AtLeast,
    /// The change from the baseline has an upper bound.
    ChangeAtMost,
    /// The change from the baseline has a lower bound.
    ChangeAtLeast,
    /// The change as a share of the baseline has an upper bound.
    RelativeChangeAtMost,
    /// The change as a share of the baseline has a lower bound.
    RelativeChangeAtLeast,
    /// Proof of harm blocks.
    BlockIfWorse,
    /// Only proof of no harm passes.
    ProveNotWorse,
    /// Nothing was required.
    NoRequirement,
    /// Nothing of what was required could be checked.
    NothingChecked,
    /// Whether there is a baseline to compare with.
    Baseline,
    /// Whether the evaluation ran to its end.
    Evaluation,
    /// Slices were too small to be judged.
    SlicesLeftOut,
}

impl RuleName {
    /// The option that sets it; for what no option sets, what it is about.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
            Self::ChangeAtMost => "change_at_most",
            Self::ChangeAtLeast => "change_at_least",
            Self::RelativeChangeAtMost => "relative_change_at_most",
            Self::RelativeChangeAtLeast => "relative_change_at_least",
            Self::BlockIfWorse => "block_if_worse",
            Self::ProveNotWorse => "prove_not_worse",
            Self::NoRequirement => "no_requirement",
            Self::NothingChecked => "nothing_checked",
            Self::SlicesLeftOut => "slices_left_out",
            Self::Baseline => "baseline",
            Self::Evaluation => "evaluation",
        }
    }

    /// Whether it compares with a baseline.
    #[must_use]
    pub fn is_of_change(self) -> bool {
        match self {
            Self::ChangeAtMost
            | Self::ChangeAtLeast
            | Self::RelativeChangeAtMost
            | Self::RelativeChangeAtLeast
            | Self::BlockIfWorse
            | Self::ProveNotWorse => true,
            Self::AtMost
            | Self::AtLeast
            | Self::NoRequirement
            | Self::NothingChecked
            | Self::SlicesLeftOut
            | Self::Baseline
            | Self::Evaluation => false,
        }
    }
}

/// One reason of a verdict. Figures that do not exist or do not apply are `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The metric.
    pub metric: Option<String>,
    /// The slice, such as `sex=f`; `null` for all rows.
    pub slice: Option<String>,
    /// The rule.
    pub rule: RuleName,
    /// Its bound or margin, in the metric's unit; of a relative change a share.
    pub bound: Option<f64>,
    /// The margin in percent of the baseline, where it was given so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_percent: Option<f64>,
    /// The candidate's value.
    pub candidate: Option<f64>,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// Candidate minus baseline.
    pub difference: Option<f64>,
    /// The same as a share of the baseline's magnitude, where a rule bounds that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_difference: Option<f64>,
    /// Its interval at level 1 − alpha.
    pub interval: Option<[f64; 2]>,
    /// The one-sided p-value of the rule's test.
    pub p_value: Option<f64>,
    /// The same after Holm's correction over the slices of this rule.
    pub p_adjusted: Option<f64>,
    /// Rows of the slice.
    pub rows: u64,
    /// Whether it speaks for passing.
    pub passed: bool,
    /// Whether figures were held against the rule. What is not checked passes or fails by the policy that its text
    /// states.
    #[serde(default = "yes")]
    pub checked: bool,
    /// Whether the slice has fewer rows than a t test should be trusted with.
    pub few_rows: bool,
    /// The reason in one sentence.
    pub text: String,
}

/// Verdicts of before there were reasons that check nothing.
fn yes() -> bool {
    true
}

impl Reason {
    /// A reason without a metric.
    pub(crate) fn about(rule: RuleName, rows: u64, passed: bool, text: String) -> Self {
        Self {
            metric: None,
            slice: None,
            rule,
            bound: None,
            bound_percent: None,
            candidate: None,
            baseline: None,
            difference: None,
            relative_difference: None,
            interval: None,
            p_value: None,
            p_adjusted: None,
            rows,
            passed,
            checked: false,
            few_rows: false,
            text,
        }
    }
}

/// The decision about a model and every reason for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Pass, fail or error.
    pub outcome: Outcome,
    /// What it was compared with.
    pub comparison: Comparison,
    /// The digest of the candidate's package.
    pub candidate_digest: String,
    /// The digest of the baseline's package.
    pub baseline_digest: Option<String>,
    /// The level of every test.
    pub alpha: f64,
    /// Rows of the evaluation.
    pub rows: u64,
    /// Why a comparison that was not possible did not block, in the words of whoever forced it.
    pub forced: Option<String>,
    /// All reasons, in the order of the requirements, then of the slices.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// The verdict when the evaluation could not be done; a gate must never be left without one.
    #[must_use]
    pub fn of_error(candidate_digest: &str, alpha: f64, error: &Error) -> Self {
        let mut text = error.to_string();
        for place in error.places() {
            text.push_str(", in ");
            text.push_str(place);
        }
        Self {
            outcome: Outcome::Error,
            comparison: Comparison::NotComparable,
            candidate_digest: candidate_digest.into(),
            baseline_digest: None,
            alpha,
            rows: 0,
            forced: None,
            reasons: vec![Reason::about(RuleName::Evaluation, 0, false, text)],
        }
    }

    /// The reasons that speak against the model.
    pub fn failures(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| !reason.passed)
    }
}
