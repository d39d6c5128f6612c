//! Which column a key stands for. Rows mostly have the same keys in the same order, so the key at each position
//! is first compared with the one that was there before.

use std::collections::HashMap;

use super::token::Quoted;

#[derive(Debug, Default)]
pub(super) struct Keys {
    names: Vec<String>,
    index: HashMap<String, usize>,
    /// The column that was last found at each position of a row.
    guesses: Vec<usize>,
    scratch: String,
}

impl Keys {
    pub(super) fn new(names: Vec<String>) -> Self {
        let index = names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Self { names, index, guesses: Vec::new(), scratch: String::new() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The column of the key at this position of its row.
    pub(super) fn find(&mut self, position: usize, key: Quoted<'_>) -> Option<usize> {
        let guess = self.guesses.get(position).copied();
        if !key.escaped
            && let Some(guess) = guess
            && self.names.get(guess).is_some_and(|name| name == key.raw)
        {
            return Some(guess);
        }
        let column = *self.index.get(key.text(&mut self.scratch))?;
        if position >= self.guesses.len() {
            self.guesses.resize(position + 1, column);
        }
        self.guesses[position] = column;
        Some(column)
    }

    /// A further column.
    pub(super) fn add(&mut self, name: String) -> usize {
        let column = self.names.len();
        self.index.insert(name.clone(), column);
        self.names.push(name);
        column
    }
}
