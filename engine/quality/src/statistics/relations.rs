//! What looks at several columns of a row at once, of the whole and of every slice.

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::Inputs;
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::plan::PlannedColumn;
use sluice_core::statistics::DatasetStatistics;

use super::association::{ColumnAssociation, LabelAssociation};
use super::composed::ComposedFeatures;
use super::crosses::CrossFeatures;
use super::options::StatisticsOptions;

/// What was asked for of columns together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Relations {
    association: Option<LabelAssociation>,
    crosses: Option<CrossFeatures>,
    composed: Option<ComposedFeatures>,
}

/// What is known of columns together.
#[derive(Clone, Debug, Default)]
pub(super) struct RelationStatistics {
    association: Vec<ColumnAssociation>,
    rest: DatasetStatistics,
}

impl Relations {
    /// No rows yet; the options were checked.
    ///
    /// # Errors
    /// A label that can be none, and too many pairs.
    pub(super) fn new(options: &StatisticsOptions, columns: &[PlannedColumn]) -> Result<Self> {
        let described = || columns.iter().filter(|column| options.describes(&column.name));
        let of_label = |label: &String| {
            let is_read = |column: &&PlannedColumn| column.name == *label || options.describes(&column.name);
            let read: Vec<PlannedColumn> = columns.iter().filter(is_read).cloned().collect();
            LabelAssociation::new(label, &read)
        };
        let (crosses, composed) = (&options.crosses, &options.composed);
        Ok(Self {
            association: options.label.as_ref().map(of_label).transpose()?,
            crosses: (!crosses.is_empty()).then(|| CrossFeatures::new(crosses, described())).transpose()?,
            composed: (!composed.is_empty()).then(|| ComposedFeatures::new(composed, columns)),
        })
    }
}

impl Accumulator for Relations {
    type Output = RelationStatistics;

    fn inputs(&self) -> Inputs {
        let Self { association, crosses, composed } = self;
        association.inputs().union(crosses.inputs()).union(composed.inputs())
    }

    fn empty(&self) -> Self {
        let Self { association, crosses, composed } = self;
        Self { association: association.empty(), crosses: crosses.empty(), composed: composed.empty() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Self { association, crosses, composed } = self;
        association.update(input)?;
        crosses.update(input)?;
        composed.update(input)
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        let Self { association, crosses, composed } = self;
        association.merge(later.association, groups)?;
        crosses.merge(later.crosses, groups)?;
        composed.merge(later.composed, groups)
    }

    fn finish(self) -> Self::Output {
        let Self { association, crosses, composed } = self;
        RelationStatistics {
            association: association.finish().unwrap_or_default(),
            rest: DatasetStatistics {
                crosses: crosses.finish().unwrap_or_default(),
                composed: composed.finish().unwrap_or_default(),
                ..DatasetStatistics::default()
            },
        }
    }

    fn size_bytes(&self) -> usize {
        let Self { association, crosses, composed } = self;
        association.size_bytes() + crosses.size_bytes() + composed.size_bytes()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let part = |what: &str, bytes: usize, option: &str| {
            let advice = Some(format!("leave out `{option}`"));
            (bytes > 0).then(|| Heaviest { what: what.into(), bytes, advice })
        };
        let label = part("the association with the label", self.association.size_bytes(), "--label");
        Heaviest::of(label, part("the crosses", self.crosses.size_bytes(), "--cross"))
    }
}

impl RelationStatistics {
    /// Puts the figures where they belong.
    pub(super) fn show(self, statistics: &mut DatasetStatistics) {
        for found in self.association {
            let mut columns = statistics.columns.iter_mut().filter(|column| column.path.is_empty());
            if let Some(column) = columns.find(|column| column.name == found.column) {
                column.association = Some(found.association);
                column.custom.extend(found.lift);
            }
        }
        statistics.crosses = self.rest.crosses;
        statistics.composed = self.rest.composed;
    }
}
