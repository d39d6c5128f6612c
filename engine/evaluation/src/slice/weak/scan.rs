//! One scan of the search: sums of losses of many slices at once, in cells that are numbered beforehand.

use std::ops::Range;
use std::sync::Arc;

use sluice_core::Accumulator;
use sluice_core::accumulator::Input;
use sluice_core::batch::{Batch, Inputs};
use sluice_core::error::{CommonError, Result};
use sluice_core::group::GroupMap;
use sluice_core::seam::{BatchTransform, Predictor};

use super::columns::{Coded, NO_CODE};
use super::figures::{PLAIN_SUMS, Sums, WEIGHTED_SUMS};
use crate::measure::{Missing, Needed, Role, Term, among_all, kept, losses, weights};

const CANDIDATE: Role = Role::Candidate;

/// What no slice of two conditions stands for.
const NO_PARENT: u32 = u32::MAX;

/// Which slices are summed up.
pub(super) enum Level {
    /// Every value of every column.
    Single,
    /// Every two values of some pairs of columns.
    Pairs(Vec<(usize, usize)>),
    /// Every value of the other columns, beside two that are given.
    Triples(Vec<[(usize, u8); 2]>),
}

/// What every scan of a search has in common.
pub(super) struct Search {
    pub(super) model: Arc<dyn Predictor>,
    pub(super) term: Term,
    /// −1 where more is better.
    pub(super) sign: f64,
    pub(super) weight: Option<String>,
    pub(super) missing: Missing,
    pub(super) columns: Vec<Coded>,
    /// By column and code: the code among those that are looked at, or [`NO_CODE`].
    pub(super) codes: Vec<Vec<u8>>,
    /// By column how many codes are looked at.
    pub(super) counts: Vec<usize>,
}

/// The cells of a scan: the first is that of all rows.
pub(super) struct ScanPlan {
    search: Arc<Search>,
    level: Level,
    /// The first cell of each column, pair, or parent with each column.
    first: Vec<usize>,
    cells: usize,
    /// Of triples: pairs of columns, and the parent of every two codes.
    parents: Vec<((usize, usize), Vec<u32>)>,
}

impl ScanPlan {
    pub(super) fn new(search: &Arc<Search>, level: Level) -> Self {
        let search = Arc::clone(search);
        let counts = &search.counts;
        let sizes: Vec<usize> = match &level {
            Level::Single => counts.clone(),
            Level::Pairs(pairs) => pairs.iter().map(|(a, b)| counts[*a] * counts[*b]).collect(),
            Level::Triples(parents) => parents.iter().flat_map(|_| counts.iter().copied()).collect(),
        };
        let mut first = Vec::with_capacity(sizes.len());
        let mut cells = 1;
        for size in sizes {
            first.push(cells);
            cells += size;
        }
        let mut tables: Vec<((usize, usize), Vec<u32>)> = Vec::new();
        if let Level::Triples(parents) = &level {
            for (number, [(a, code), (b, other)]) in parents.iter().enumerate() {
                let place = tables.iter().position(|(pair, _)| *pair == (*a, *b)).unwrap_or_else(|| {
                    tables.push(((*a, *b), vec![NO_PARENT; counts[*a] * counts[*b]]));
                    tables.len() - 1
                });
                let cell = usize::from(*code) * counts[*b] + usize::from(*other);
                tables[place].1[cell] = u32::try_from(number).unwrap_or(NO_PARENT);
            }
        }
        Self { search, level, first, cells, parents: tables }
    }

    /// The conditions of each cell but the first, in order.
    pub(super) fn conditions(&self) -> Vec<Vec<(usize, u8)>> {
        let counts = &self.search.counts;
        let codes = |column: usize| {
            let count = u8::try_from(counts[column]).unwrap_or(NO_CODE);
            (0..count).map(move |code| (column, code))
        };
        match &self.level {
            Level::Single => (0..counts.len()).flat_map(codes).map(|one| vec![one]).collect(),
            Level::Pairs(pairs) => {
                let both = |&(a, b): &(usize, usize)| {
                    codes(a).flat_map(move |first| codes(b).map(move |second| vec![first, second]))
                };
                pairs.iter().flat_map(both).collect()
            }
            Level::Triples(parents) => {
                let with = |&[first, second]: &[(usize, u8); 2]| {
                    (0..counts.len()).flat_map(codes).map(move |third| {
                        let mut all = vec![first, second, third];
                        all.sort_unstable();
                        all
                    })
                };
                parents.iter().flat_map(with).collect()
            }
        }
    }
}

/// Sums of losses by cell.
#[derive(Clone)]
pub(super) struct LossSums {
    plan: Arc<ScanPlan>,
    rows: Vec<u64>,
    /// So many per cell as [`LossSums::width`] says.
    sums: Vec<f64>,
}

impl LossSums {
    pub(super) fn new(plan: &Arc<ScanPlan>) -> Self {
        let plan = Arc::clone(plan);
        let width = Self::width(&plan);
        Self { rows: vec![0; plan.cells], sums: vec![0.0; plan.cells * width], plan }
    }

    fn width(plan: &ScanPlan) -> usize {
        if plan.search.weight.is_some() { WEIGHTED_SUMS } else { PLAIN_SUMS }
    }

    /// The rows that take part.
    fn add_kept(&mut self, batch: &Batch) -> Result<()> {
        let search = &self.plan.search;
        if search.missing == Missing::Exclude {
            let labels = search.model.label_columns();
            let needed = Needed {
                labels: &labels,
                weight: search.weight.as_deref(),
                outputs: search.model.task().outputs(),
                models: &[CANDIDATE],
            };
            if let Some((keep, _)) = kept(needed, batch)? {
                let rest = batch.filtered(&keep)?;
                return self.add(&rest).map_err(|error| among_all(error, &keep));
            }
        }
        self.add(batch)
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let search = &plan.search;
        let mut loss = losses(batch, search.model.as_ref(), &CANDIDATE, search.term)?;
        loss.iter_mut().for_each(|loss| *loss *= search.sign);
        let weight = search.weight.as_ref().map(|column| weights(batch, column)).transpose()?;
        let columns = search.columns.iter().zip(&search.codes).map(|(column, codes)| {
            let recode = |code: u8| codes.get(usize::from(code)).copied().unwrap_or(NO_CODE);
            Ok(column.codes(batch)?.into_iter().map(recode).collect())
        });
        let columns = columns.collect::<Result<Vec<Vec<u8>>>>()?;
        match &weight {
            None => {
                let addends: Vec<[f64; PLAIN_SUMS]> = loss.iter().map(|loss| [*loss, loss * loss]).collect();
                self.add_rows(&plan, &columns, &addends);
            }
            Some(weight) => {
                let addend = |(loss, weight): (&f64, &f64)| {
                    let (weighted, square) = (weight * loss, weight * weight);
                    [*weight, weighted, square, square * loss, weighted * weighted]
                };
                let addends: Vec<[f64; WEIGHTED_SUMS]> =
                    loss.iter().zip(weight.values()).map(addend).collect();
                self.add_rows(&plan, &columns, &addends);
            }
        }
        Ok(())
    }

    fn add_rows<const N: usize>(&mut self, plan: &ScanPlan, columns: &[Vec<u8>], addends: &[[f64; N]]) {
        for addend in addends {
            self.add_row(0, addend);
        }
        let counts = &plan.search.counts;
        match &plan.level {
            Level::Single => {
                for (codes, first) in columns.iter().zip(&plan.first) {
                    for (code, addend) in codes.iter().zip(addends).filter(|(code, _)| **code != NO_CODE) {
                        self.add_row(first + usize::from(*code), addend);
                    }
                }
            }
            Level::Pairs(pairs) => {
                for (&(a, b), first) in pairs.iter().zip(&plan.first) {
                    for ((code, other), addend) in columns[a].iter().zip(&columns[b]).zip(addends) {
                        if *code != NO_CODE && *other != NO_CODE {
                            self.add_row(
                                first + usize::from(*code) * counts[b] + usize::from(*other),
                                addend,
                            );
                        }
                    }
                }
            }
            Level::Triples(_) => {
                for ((a, b), table) in &plan.parents {
                    self.add_triples(plan, columns, addends, (*a, *b), table);
                }
            }
        }
    }

    /// Adds the rows of all slices that have conditions on two columns.
    fn add_triples<const N: usize>(
        &mut self,
        plan: &ScanPlan,
        columns: &[Vec<u8>],
        addends: &[[f64; N]],
        (a, b): (usize, usize),
        table: &[u32],
    ) {
        let count = plan.search.counts[b];
        for (row, addend) in addends.iter().enumerate() {
            let (code, other) = (columns[a][row], columns[b][row]);
            if code == NO_CODE || other == NO_CODE {
                continue;
            }
            let parent = table[usize::from(code) * count + usize::from(other)];
            if parent == NO_PARENT {
                continue;
            }
            let first = &plan.first[parent as usize * columns.len()..];
            for (column, codes) in columns.iter().enumerate() {
                let code = codes[row];
                if code != NO_CODE && column != a && column != b {
                    self.add_row(first[column] + usize::from(code), addend);
                }
            }
        }
    }

    #[inline]
    fn add_row<const N: usize>(&mut self, cell: usize, addend: &[f64; N]) {
        self.rows[cell] += 1;
        for (sum, addend) in self.sums[cell * N..].iter_mut().zip(addend) {
            *sum += addend;
        }
    }

    /// All rows, and then each cell.
    pub(super) fn all(&self) -> impl Iterator<Item = Sums> {
        let sums = self.sums.chunks(Self::width(&self.plan));
        self.rows.iter().zip(sums).map(|(rows, sums)| Sums::new(*rows, sums))
    }

    pub(super) fn plan(&self) -> &ScanPlan {
        &self.plan
    }
}

/// Cuts pairs into as many as one scan may hold the cells of.
pub(super) fn chunks(search: &Search, pairs: &[(usize, usize)], most: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut cells) = (0, 0);
    for (place, (a, b)) in pairs.iter().enumerate() {
        let own = search.counts[*a] * search.counts[*b];
        if cells + own > most && place > start {
            ranges.push(start..place);
            (start, cells) = (place, 0);
        }
        cells += own;
    }
    if start < pairs.len() {
        ranges.push(start..pairs.len());
    }
    ranges
}

impl Accumulator for LossSums {
    type Output = Self;

    fn inputs(&self) -> Inputs {
        let search = &self.plan.search;
        let model: Arc<dyn BatchTransform> = Arc::clone(&search.model) as Arc<dyn BatchTransform>;
        let mut inputs = Inputs::default().with_transform(CANDIDATE.transform(), &model);
        for label in search.model.label_columns() {
            inputs = inputs.with_column(label);
        }
        if let Some(weight) = &search.weight {
            inputs = inputs.with_column(weight);
        }
        for column in &search.columns {
            inputs = inputs.with_derived(column.column_of_codes(), &column.derive);
        }
        inputs
    }

    fn empty(&self) -> Self {
        Self::new(&self.plan)
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add_kept(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        if self.sums.len() != later.sums.len() {
            return Err(CommonError::Internal("sums of another scan".into()).into());
        }
        for (mine, theirs) in self.rows.iter_mut().zip(later.rows) {
            *mine += theirs;
        }
        for (mine, theirs) in self.sums.iter_mut().zip(later.sums) {
            *mine += theirs;
        }
        Ok(())
    }

    fn finish(self) -> Self {
        self
    }

    fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u64>() + self.sums.capacity() * size_of::<f64>()
    }
}
