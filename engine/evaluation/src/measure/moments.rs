//! Sums over rows, per slice, from which the means of [`Term`]s follow, and how far they may be off.
//!
//! A metric that is a smooth function of means needs, for its standard error, the mean products of its terms (delta
//! method; A. W. van der Vaart, "Asymptotic Statistics", chapter 3). With a baseline the terms of both models enter,
//! as b (of the baseline) and d = c − b (the change to the candidate): differences of nearly equal numbers would
//! lose the digits that d has.
//!
//! With weights w: means are Σwx/Σw; a row counts in an error as often as w² says: Σw²(x − x̄)(y − ȳ)/(Σw)².
//!
//! Terms are rounded once per row; products are added without any rounding, as the two `f64` of the exact product.
//! All sums are exactly associative ([`ExactSum`]), so they do not depend on how the rows lie in files. A centred
//! sum of squares is Σx² − (Σx)²/n. In `f64` that would lose twice the digits of mean/deviation; here both sums are
//! exact to 106 bits and the subtraction is done in double-double, so a mean 10⁶ times the deviation still leaves 20
//! digits. What comes out below 2⁻⁹⁸ Σx² is rounding, and zero: the values are constant.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sluice_core::double_double::{CENTRED_NOISE, DoubleDouble};
use sluice_core::group::GroupNumbers;
use sluice_summaries::{ExactGroups, ExactRows, ExactSum, Terms};

use super::Pair;
use super::term::{Answers, Term};
use crate::metric::Side;

/// Below this share of n x̄³ a centred sum of cubes, which are rounded once per row, is rounding.
const CUBE_NOISE: f64 = 1e-12;

/// Rows that are added at a time take about so much memory, and are so many: they stay in the cache.
const MOMENT_BYTES: usize = 1 << 17;
const MOMENT_ROWS: Range<usize> = 16..512;

/// Whose number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    Candidate,
    Baseline,
    /// Candidate minus baseline.
    Change,
}

/// A number per row: a term (its place in the plan) of a part.
type Variable = (usize, Part);

/// One sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Slot {
    /// Σw².
    WeightSquare,
    /// Σwx.
    Sum(Variable),
    /// Σw²x.
    SquareSum(Variable),
    /// Σw²xy.
    Product(Variable, Variable),
    /// Σw³xᵏ.
    Third(Variable, u8),
}

/// Which sums are taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MomentPlan {
    terms: Vec<Term>,
    slots: Vec<Slot>,
    is_paired: bool,
    is_weighted: bool,
}

impl MomentPlan {
    pub(crate) fn new(is_paired: bool, is_weighted: bool) -> Self {
        let mut plan = Self { is_paired, is_weighted, ..Self::default() };
        if is_weighted {
            plan.slots.push(Slot::WeightSquare);
        }
        plan
    }

    /// Adds what a function of the means of these terms needs; errors too, if asked for.
    pub(crate) fn add(&mut self, terms: &[Term], with_errors: bool) {
        let places: Vec<usize> = terms.iter().map(|term| self.place(*term)).collect();
        for &place in &places {
            for part in self.parts(place) {
                self.slot(Slot::Sum((place, part)));
            }
        }
        if !with_errors {
            return;
        }
        let variables: Vec<Variable> = places.iter().flat_map(|place| self.variables(*place)).collect();
        for (index, &first) in variables.iter().enumerate() {
            if self.is_weighted {
                self.slot(Slot::SquareSum(first));
            }
            for &second in &variables[index..] {
                self.slot(Self::product(first, second));
            }
        }
        if let [place] = places[..] {
            for power in self.third_powers() {
                self.slot(Slot::Third(self.candidate(place), power));
            }
        }
    }

    /// The candidate's number.
    fn candidate(&self, place: usize) -> Variable {
        let is_shared = self.is_paired && self.terms[place].is_of_label();
        (place, if is_shared { Part::Baseline } else { Part::Candidate })
    }

    /// What skewness needs beside the other sums.
    fn third_powers(&self) -> std::ops::RangeInclusive<u8> {
        if self.is_weighted { 0..=3 } else { 3..=3 }
    }

    /// The sums that replicates hold too: of each term its number and, with a baseline, the change to the candidate.
    pub(crate) fn replicated(&self) -> Vec<usize> {
        let variables = (0..self.terms.len()).flat_map(|place| self.variables(place));
        let slot = |variable| self.slots.iter().position(|known| *known == Slot::Sum(variable));
        variables.filter_map(slot).collect()
    }

    /// The places of a term among those, and of its change.
    pub(crate) fn replicated_places(&self, term: Term) -> Option<(usize, Option<usize>)> {
        let place = self.terms.iter().position(|known| *known == term)?;
        let first = (0..place).map(|before| self.variables(before).len()).sum();
        Some((first, (self.variables(place).len() > 1).then_some(first + 1)))
    }

    fn place(&mut self, term: Term) -> usize {
        self.terms.iter().position(|known| *known == term).unwrap_or_else(|| {
            self.terms.push(term);
            self.terms.len() - 1
        })
    }

    /// What is summed up of a term.
    fn parts(&self, place: usize) -> Vec<Part> {
        if !self.is_paired {
            vec![Part::Candidate]
        } else if self.terms[place].is_of_label() {
            vec![Part::Baseline]
        } else {
            vec![Part::Candidate, Part::Baseline, Part::Change]
        }
    }

    /// What a term is made of, where errors are concerned: with a baseline, its number and the change to the candidate.
    fn variables(&self, place: usize) -> Vec<Variable> {
        let parts = self.parts(place).into_iter();
        parts.filter(|part| !self.is_paired || *part != Part::Candidate).map(|part| (place, part)).collect()
    }

    fn slot(&mut self, slot: Slot) {
        if !self.slots.contains(&slot) {
            self.slots.push(slot);
        }
    }

    fn product(first: Variable, second: Variable) -> Slot {
        let key = |(place, part): Variable| (place, part as usize);
        if key(first) <= key(second) { Slot::Product(first, second) } else { Slot::Product(second, first) }
    }

    /// Sums per slice.
    fn len(&self) -> usize {
        self.slots.len()
    }

    /// The numbers of all terms, of the rows of one pair of models.
    fn numbers(&self, pair: &Pair<'_>) -> Vec<TermNumbers> {
        let of_term = |term: &Term| {
            let candidate = pair.answers();
            let own = pair.values(*term, candidate, Side::Candidate);
            let rounded = term.remainders(candidate);
            let Some(predictions) = pair.baseline.as_deref().filter(|_| !term.is_of_label()) else {
                // Of the label there is only one, whosever it is called.
                return match self.is_paired {
                    true => {
                        TermNumbers { values: [Vec::new(), own, Vec::new()], remainders: [None, rounded] }
                    }
                    false => {
                        TermNumbers { values: [own, Vec::new(), Vec::new()], remainders: [rounded, None] }
                    }
                };
            };
            let baseline = Answers { predictions, ..candidate };
            let theirs = pair.values(*term, baseline, Side::Baseline);
            let change = term.changes(candidate, baseline, &own, &theirs);
            TermNumbers { values: [own, theirs, change], remainders: [rounded, term.remainders(baseline)] }
        };
        self.terms.iter().map(of_term).collect()
    }

    /// Hands over what goes into the sums, of the rows of one pair of models: of a sum all terms, or all and then what
    /// rounding took of them.
    fn each(&self, pair: &Pair<'_>, mut visit: impl FnMut(usize, Terms<'_>)) {
        let numbers = self.numbers(pair);
        let of = |(place, part): Variable| numbers[place].values[part as usize].as_slice();
        let weight = pair.weight.unwrap_or_default();
        for (index, slot) in self.slots.iter().enumerate() {
            match *slot {
                Slot::WeightSquare => visit(index, Terms::Products(weight, weight)),
                Slot::Sum(variable) => {
                    visit(index, Terms::Values(&pair.weighted(of(variable))));
                    if let Some(remainders) = numbers[variable.0].remainders(variable.1) {
                        visit(index, Terms::Values(&pair.weighted(remainders)));
                    }
                }
                Slot::SquareSum(variable) => {
                    visit(index, Terms::Products(&pair.weighted(of(variable)), weight));
                }
                Slot::Product(first, second) => {
                    let (first, second) = (pair.weighted(of(first)), pair.weighted(of(second)));
                    visit(index, Terms::Products(&first, &second));
                }
                Slot::Third(variable, power) => {
                    visit(index, Terms::Values(&thirds(of(variable), pair.weight, power)));
                }
            }
        }
    }

    /// What replicates add up of all rows of one pair of models, times the weight: a column per replicated sum.
    pub(crate) fn replicated_columns(&self, pair: &Pair<'_>) -> Vec<Vec<f64>> {
        let numbers = self.numbers(pair);
        let column = |slot| match self.slots.get(slot) {
            Some(Slot::Sum((place, part))) => {
                pair.weighted(&numbers[*place].values[*part as usize]).into_owned()
            }
            _ => Vec::new(),
        };
        self.replicated().into_iter().map(column).collect()
    }
}

/// The numbers of a term, by part.
struct TermNumbers {
    values: [Vec<f64>; 3],
    /// What rounding took from those of the models.
    remainders: [Option<Vec<f64>>; 2],
}

impl TermNumbers {
    fn remainders(&self, part: Part) -> Option<&[f64]> {
        self.remainders.get(part as usize)?.as_deref()
    }
}

/// w³xᵏ; of a skewness a few digits are enough.
fn thirds(values: &[f64], weight: Option<&[f64]>, power: u8) -> Vec<f64> {
    let raised = |value: &f64| (0..power).fold(1.0, |product, _| product * value);
    match weight {
        Some(weight) => values.iter().zip(weight).map(|(value, w)| w * w * w * raised(value)).collect(),
        None => values.iter().map(raised).collect(),
    }
}

/// The sums of every slice of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MomentSums {
    slots: usize,
    sums: Vec<ExactSum>,
}

impl MomentSums {
    pub(crate) fn new(plan: &MomentPlan) -> Self {
        Self { slots: plan.len(), sums: Vec::new() }
    }

    pub(crate) fn grow(&mut self, groups: usize) {
        if groups * self.slots > self.sums.len() {
            self.sums.resize(groups * self.slots, ExactSum::default());
        }
    }

    /// Adds the sums of later rows; `numbers` says which group of ours each of theirs is.
    pub(crate) fn merge(&mut self, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(groups);
        for (theirs, sums) in later.sums.chunks(std::cmp::max(self.slots, 1)).enumerate() {
            let mine = numbers[theirs] as usize;
            for (sum, more) in self.sums[mine * self.slots..].iter_mut().zip(sums) {
                sum.merge(*more);
            }
        }
    }

    /// Those of the rows of all groups, as one group.
    pub(crate) fn joined(&self) -> Self {
        let mut sums = vec![ExactSum::default(); self.slots];
        for group in self.sums.chunks(std::cmp::max(self.slots, 1)) {
            for (sum, more) in sums.iter_mut().zip(group) {
                sum.merge(*more);
            }
        }
        Self { slots: self.slots, sums }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: &MomentPlan, groups: usize) -> bool {
        self.slots == plan.len() && groups.checked_mul(self.slots) == Some(self.sums.len())
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<ExactSum>()
    }

    /// The sums of one slice of so many rows and so much weight.
    pub(crate) fn of<'a>(
        &'a self,
        plan: &'a MomentPlan,
        group: usize,
        rows: u64,
        weight: DoubleDouble,
    ) -> Moments<'a> {
        let sums = self.sums.get(group * self.slots..(group + 1) * self.slots).unwrap_or_default();
        Moments { plan, sums, rows, weight }
    }
}

/// Rows on their way to the sums of all groupings.
#[derive(Clone, Debug, Default)]
pub(crate) struct MomentRows {
    rows: ExactRows,
    /// By grouping.
    groups: Vec<ExactGroups>,
}

impl MomentRows {
    /// Adds the rows of a batch to the sums of groupings, whose numbers go with them.
    pub(crate) fn add(
        &mut self,
        plan: &MomentPlan,
        pair: &Pair<'_>,
        groupings: &mut [(&GroupNumbers, &mut MomentSums)],
    ) {
        if plan.len() == 0 {
            return;
        }
        if self.rows.sums() != plan.len() || self.groups.len() != groupings.len() {
            *self = Self {
                rows: ExactRows::new(plan.len()),
                groups: vec![ExactGroups::default(); groupings.len()],
            };
        }
        let rows = pair.label.len();
        let mut start = 0;
        while start < rows {
            let wanted = MOMENT_BYTES / std::cmp::max(self.rows.row_bytes(), 1);
            let end = std::cmp::min(start + wanted.clamp(MOMENT_ROWS.start, MOMENT_ROWS.end), rows);
            self.rows.begin(end - start);
            plan.each(&pair.part(start..end), |slot, terms| self.rows.add(slot, terms));
            for (held, (numbers, sums)) in self.groups.iter_mut().zip(&mut *groupings) {
                held.add(&self.rows, |row| numbers.of(start + row), &mut sums.sums);
            }
            if self.rows.is_narrow() {
                self.flush(groupings);
                self.rows.widen();
            }
            start = end;
        }
        self.flush(groupings);
    }

    fn flush(&mut self, groupings: &mut [(&GroupNumbers, &mut MomentSums)]) {
        for (held, (_, sums)) in self.groups.iter_mut().zip(groupings) {
            held.flush(&self.rows, &mut sums.sums);
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.groups.iter().map(ExactGroups::size_bytes).sum::<usize>()
    }
}

/// The sums of one slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments<'a> {
    plan: &'a MomentPlan,
    sums: &'a [ExactSum],
    rows: u64,
    weight: DoubleDouble,
}

impl Moments<'_> {
    fn sum(&self, slot: Slot) -> DoubleDouble {
        let place = self.plan.slots.iter().position(|known| *known == slot);
        let sum = place.and_then(|place| self.sums.get(place));
        sum.map_or(DoubleDouble::from(f64::NAN), ExactSum::to_double_double)
    }

    fn variable_mean(&self, variable: Variable) -> DoubleDouble {
        self.sum(Slot::Sum(variable)) / self.weight
    }

    fn place(&self, term: Term) -> usize {
        self.plan.terms.iter().position(|known| *known == term).unwrap_or(usize::MAX)
    }

    /// The weighted mean of a term.
    pub(crate) fn mean(&self, term: Term, side: Side) -> DoubleDouble {
        let part = match side {
            _ if self.plan.is_paired && term.is_of_label() => Part::Baseline,
            Side::Candidate => Part::Candidate,
            Side::Baseline => Part::Baseline,
        };
        self.variable_mean((self.place(term), part))
    }

    /// The means of some terms.
    pub(crate) fn means(&self, terms: &[Term], side: Side) -> Vec<DoubleDouble> {
        terms.iter().map(|term| self.mean(*term, side)).collect()
    }

    /// The means of the changes of some terms; 0 of what is of the label.
    pub(crate) fn changes(&self, terms: &[Term]) -> Vec<DoubleDouble> {
        let change = |term: &Term| match term.is_of_label() {
            true => DoubleDouble::ZERO,
            false => self.variable_mean((self.place(*term), Part::Change)),
        };
        terms.iter().map(change).collect()
    }

    /// Rows, as many as would tell as much were their weights equal: (Σw)²/Σw².
    pub(crate) fn effective_rows(&self) -> f64 {
        match self.plan.is_weighted {
            true => (self.weight * self.weight / self.sum(Slot::WeightSquare)).to_f64(),
            false => self.rows as f64,
        }
    }

    /// The variance of the mean of Σ gradient · term, of one side.
    pub(crate) fn variance(&self, terms: &[Term], gradient: &[DoubleDouble], side: Side) -> DoubleDouble {
        let none = vec![DoubleDouble::ZERO; gradient.len()];
        if !self.plan.is_paired {
            return self.quadratic(terms, |_| Part::Candidate, gradient, &none);
        }
        match side {
            // c = b + d.
            Side::Candidate => self.quadratic(terms, |_| Part::Baseline, gradient, gradient),
            Side::Baseline => self.quadratic(terms, |_| Part::Baseline, gradient, &none),
        }
    }

    /// The skewness of the mean of a term of the candidate: Σw³(x − x̄)³ by the 3/2 power of Σw²(x − x̄)². None where
    /// rounding leaves nothing of it, or where it is not among the sums.
    pub(crate) fn skewness(&self, term: Term) -> Option<f64> {
        let variable = self.plan.candidate(self.plan.terms.iter().position(|known| *known == term)?);
        let (mean, weight) = (self.mean(term, Side::Candidate), self.weight);
        let squares = self.variance(&[term], &[DoubleDouble::ONE], Side::Candidate) * weight * weight;
        let third = |power: u8| self.sum(Slot::Third(variable, power));
        let level = mean * mean * mean * if self.plan.is_weighted { third(0) } else { weight };
        let cubes = if self.plan.is_weighted {
            third(3) - mean * third(2) * 3.0 + mean * mean * third(1) * 3.0 - level
        } else {
            third(3) - mean * squares * 3.0 - level
        };
        let (cubes, spread) = (cubes.to_f64(), squares.to_f64().powf(1.5));
        let is_noise = !(cubes.abs() > CUBE_NOISE * level.to_f64().abs());
        let skewness = if is_noise { 0.0 } else { cubes / spread };
        (spread > 0.0 && skewness.is_finite()).then_some(skewness)
    }

    /// The variance of the mean of Σ (own gradient · candidate's term − their gradient · baseline's term).
    pub(crate) fn change_variance(
        &self,
        terms: &[Term],
        own: &[DoubleDouble],
        theirs: &[DoubleDouble],
    ) -> DoubleDouble {
        let level: Vec<DoubleDouble> = own.iter().zip(theirs).map(|(own, theirs)| *own - *theirs).collect();
        self.quadratic(terms, |_| Part::Baseline, &level, own)
    }

    /// The variance of the mean of Σ level · term + change · (change of the term).
    fn quadratic(
        &self,
        terms: &[Term],
        part: impl Fn(Term) -> Part,
        level: &[DoubleDouble],
        change: &[DoubleDouble],
    ) -> DoubleDouble {
        let mut factors: Vec<(Variable, DoubleDouble)> = Vec::new();
        for (index, term) in terms.iter().enumerate() {
            let place = self.place(*term);
            factors.push(((place, part(*term)), level[index]));
            if self.plan.is_paired && !term.is_of_label() {
                factors.push(((place, Part::Change), change[index]));
            }
        }
        let mut total = DoubleDouble::ZERO;
        for (index, &(first, factor)) in factors.iter().enumerate() {
            for (offset, &(second, other)) in factors[index..].iter().enumerate() {
                let times = if offset == 0 { 1.0 } else { 2.0 };
                let product = factor * other;
                if product.high != 0.0 {
                    total = total + product * self.centred(first, second) * times;
                }
            }
        }
        total / (self.weight * self.weight)
    }

    /// Σw²(x − x̄)(y − ȳ); exactly zero for constant x = y.
    fn centred(&self, first: Variable, second: Variable) -> DoubleDouble {
        let product = self.sum(MomentPlan::product(first, second));
        let (x, y) = (self.variable_mean(first), self.variable_mean(second));
        let centred = if self.plan.is_weighted {
            let squares = |variable| self.sum(Slot::SquareSum(variable));
            product - x * squares(second) - y * squares(first) + x * y * self.sum(Slot::WeightSquare)
        } else {
            product - self.sum(Slot::Sum(first)) * y
        };
        let is_noise = first == second && centred.high.abs() <= CENTRED_NOISE * product.high;
        if is_noise { DoubleDouble::ZERO } else { centred }
    }
}
