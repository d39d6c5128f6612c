//! Metrics that follow from the order in which a model puts the rows.

use serde::{Deserialize, Serialize};

use super::{Definition, Direction, Formula, TaskKind};

/// A function of sorted rows. Rows of an equal score are one step: no threshold tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Statistic {
    /// The area under the ROC curve.
    Auc,
    /// Twice the area less one.
    Gini,
}

const TASKS: &[TaskKind] = &[TaskKind::Binary];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    Definition {
        name: "auc",
        meaning: "area under the ROC curve: how likely a positive row is scored above a negative one, ties half",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| Formula::Ranked(Statistic::Auc),
    },
    Definition {
        name: "gini",
        meaning: "twice the area under the ROC curve less one: 0 by chance, 1 at best",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| Formula::Ranked(Statistic::Gini),
    },
];
