//! Two distributions of numbers side by side, and the distances between their cumulative shares F and G.
//!
//! | distance | definition | agrees with |
//! |---|---|---|
//! | Kolmogorov-Smirnov | max over x of \|F(x) − G(x)\| | SciPy's `ks_2samp` |
//! | Wasserstein | ∫ \|F − G\| dx | SciPy's `wasserstein_distance` |
//! | the same without the ends | ∫ \|c(F) − c(G)\| dx, c cuts shares to t … 1 − t | the mean distance of quantiles t to 1 − t |
//! | energy | sqrt(2 ∫ (F − G)² dx) | SciPy's `energy_distance` |
//! | normalized energy | sqrt(∫ (F − G)² dx / ∫ F (1 − G) + G (1 − F) dx) | 0 to 1, in no unit |
//!
//! From tables of values all are exact. Where shares are known within bounds only, each distance comes with what it is at
//! least and at most, whatever the values between those known.

use super::cumulative::{Cumulative, Knot, Share};

/// A distance, with what it is at least and at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounded {
    /// At least.
    pub low: f64,
    /// As good a guess as there is; exact where all three are the same.
    pub value: f64,
    /// At most.
    pub high: f64,
}

impl Bounded {
    /// Known exactly.
    #[must_use]
    pub fn exactly(value: f64) -> Self {
        Self { low: value, value, high: value }
    }

    /// All three through a function that rises.
    #[must_use]
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Self {
        let Self { low, value, high } = self;
        Self { low: rising(low), value: rising(value), high: rising(high) }
    }

    /// Bounds around the guess, also where rounding has moved it.
    fn around(low: f64, value: f64, high: f64) -> Self {
        Self { low: low.min(value), value, high: high.max(value) }
    }
}

/// The shares of both sides below a value and up to it.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: f64,
    below: [Share; 2],
    up_to: [Share; 2],
}

/// Two distributions of numbers, side by side.
#[derive(Clone, Debug)]
pub struct Aligned {
    places: Vec<Place>,
}

/// Between two neighbouring places: its part of the range, and the shares of both sides at its ends.
struct Piece {
    width: f64,
    from: [Share; 2],
    to: [Share; 2],
}

impl Aligned {
    /// Lays two sides over one another, at the values of both.
    #[must_use]
    pub fn new(current: &Cumulative, reference: &Cumulative) -> Self {
        let sides = [current.knots.as_slice(), reference.knots.as_slice()];
        let mut places = Vec::with_capacity(sides[0].len() + sides[1].len());
        let mut next = [0, 0];
        loop {
            let at = |side: usize| sides[side].get(next[side]).map(|knot: &Knot| knot.at);
            let at = match (at(0), at(1)) {
                (Some(x), Some(y)) => x.min(y),
                (Some(only), None) | (None, Some(only)) => only,
                (None, None) => break,
            };
            let mut place = Place { at, below: [Share::NONE; 2], up_to: [Share::NONE; 2] };
            for side in 0..2 {
                (place.below[side], place.up_to[side]) = shares(sides[side], &mut next[side], at);
            }
            places.push(place);
        }
        Self { places }
    }

    /// The greatest difference of the cumulative shares, and the value at which it is.
    #[must_use]
    pub fn kolmogorov_smirnov(&self) -> (Bounded, f64) {
        let (mut found, mut at) = (Bounded::default(), self.places.first().map_or(0.0, |place| place.at));
        for place in &self.places {
            for [f, g] in [place.below, place.up_to] {
                let value = (f.value - g.value).abs();
                if value > found.value {
                    (found.value, at) = (value, place.at);
                }
                found.low = found.low.max(gap(f, g));
                found.high = found.high.max(f.high - g.low).max(g.high - f.low);
            }
        }
        for piece in self.places.windows(2) {
            let (from, to) = (piece[0].up_to, piece[1].below);
            found.high = found.high.max(to[0].high - from[1].low).max(to[1].high - from[0].low);
        }
        (Bounded::around(found.low, found.value, found.high.min(1.0)), at)
    }

    /// The area between the cumulative shares cut to `trim` … 1 − `trim`; 0 leaves them whole.
    #[must_use]
    pub fn wasserstein(&self, trim: f64) -> Bounded {
        let clip = |share: f64| share.clamp(trim, 1.0 - trim);
        let (mut low, mut value, mut high) = (0.0, 0.0, 0.0);
        for Piece { width, from, to } in self.pieces() {
            value += width * between(from, to, trim);
            let apart = |f: Share, g: Share| clip(f.low) - clip(g.high);
            low += width * apart(from[0], to[1]).max(apart(from[1], to[0])).max(0.0);
            let most = |f: Share, g: Share| clip(f.high) - clip(g.low);
            high += width * most(to[0], from[1]).max(most(to[1], from[0])).max(0.0);
        }
        Bounded::around(low, value, high).map(|part| self.in_units(part))
    }

    /// ∫ (F − G)², as a part of the range.
    fn squares(&self) -> Bounded {
        let (mut low, mut value, mut high) = (0.0, 0.0, 0.0);
        for Piece { width, from, to } in self.pieces() {
            let (a, b) = (from[0].value - from[1].value, to[0].value - to[1].value);
            value += width * (a * a + a * b + b * b) / 3.0;
            let least = (from[0].low - to[1].high).max(from[1].low - to[0].high).max(0.0);
            let most = (to[0].high - from[1].low).max(to[1].high - from[0].low).max(0.0);
            low += width * least * least;
            high += width * most * most;
        }
        Bounded::around(low, value, high)
    }

    /// The energy distance, in the square root of the unit of the values.
    #[must_use]
    pub fn energy(&self) -> Bounded {
        let range = self.in_units(1.0);
        self.squares().map(|squares| (2.0 * squares).sqrt() * range.sqrt())
    }

    /// The energy distance as a share of the greatest that it could be, from 0 to 1.
    #[must_use]
    pub fn normalized_energy(&self) -> Bounded {
        let across = self.across(|[f, g]| f * (1.0 - g) + g * (1.0 - f));
        self.squares().map(|squares| if across > 0.0 { (squares / across).sqrt().min(1.0) } else { 0.0 })
    }

    /// What the energy distance, normalized, comes to when both sides are samples of the same numbers.
    #[must_use]
    pub fn energy_noise(&self, sampling: f64) -> f64 {
        let across = self.across(|[f, g]| f * (1.0 - g) + g * (1.0 - f));
        let spread = self.across(|[_, g]| g * (1.0 - g)) * sampling;
        if across > 0.0 { (spread / across).sqrt().min(1.0) } else { 0.0 }
    }

    /// What the Wasserstein distance without the ends comes to when both sides are samples of the same numbers: the mean
    /// of |F − G| at each value is sqrt(2 G (1 − G) s / π), s the sum of the reciprocal sizes.
    #[must_use]
    pub fn wasserstein_noise(&self, trim: f64, sampling: f64) -> f64 {
        let expected = |[_, g]: [f64; 2]| {
            let is_inside = g > trim && g < 1.0 - trim;
            if is_inside { (2.0 / std::f64::consts::PI * g * (1.0 - g) * sampling).sqrt() } else { 0.0 }
        };
        self.in_units(self.across(expected))
    }

    /// The mean of what is asked over the range, by Simpson's rule, which is exact for squares.
    fn across(&self, of: impl Fn([f64; 2]) -> f64) -> f64 {
        let mut sum = 0.0;
        for Piece { width, from, to } in self.pieces() {
            let (from, to) = (from.map(|share| share.value), to.map(|share| share.value));
            let middle = [f64::midpoint(from[0], to[0]), f64::midpoint(from[1], to[1])];
            sum += width * (of(from) + 4.0 * of(middle) + of(to)) / 6.0;
        }
        sum
    }

    /// Half of the range, which does not overflow.
    fn half_range(&self) -> f64 {
        match (self.places.first(), self.places.last()) {
            (Some(first), Some(last)) => last.at / 2.0 - first.at / 2.0,
            _ => 0.0,
        }
    }

    /// A part of the range in the unit of the values.
    fn in_units(&self, part: f64) -> f64 {
        (part * self.half_range() * 2.0).min(f64::MAX)
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let half_range = self.half_range();
        // The narrowest range there is has no half.
        let scale = if half_range > 0.0 { half_range } else { 1.0 };
        self.places.windows(2).map(move |pair| Piece {
            width: (pair[1].at / 2.0 - pair[0].at / 2.0) / scale,
            from: pair[0].up_to,
            to: pair[1].below,
        })
    }
}

/// The shares of one side below a value and up to it; `next` is its first knot not below that value.
fn shares(knots: &[Knot], next: &mut usize, at: f64) -> (Share, Share) {
    let before = next.checked_sub(1).map(|index| knots[index]);
    match (before, knots.get(*next)) {
        (_, Some(knot)) if knot.at <= at => {
            *next += 1;
            (knot.below, knot.up_to)
        }
        (None, _) => (Share::NONE, Share::NONE),
        (Some(_), None) => (Share::ALL, Share::ALL),
        (Some(before), Some(after)) => {
            let part = (at / 2.0 - before.at / 2.0) / (after.at / 2.0 - before.at / 2.0);
            let share = Share::between(before.up_to, after.below, part);
            (share, share)
        }
    }
}

/// By how much two shares differ at least.
fn gap(f: Share, g: Share) -> f64 {
    (f.low - g.high).max(g.low - f.high).max(0.0)
}

/// The mean of |c(F) − c(G)| over a piece on which both rise evenly.
fn between(from: [Share; 2], to: [Share; 2], trim: f64) -> f64 {
    let clip = |share: f64| share.clamp(trim, 1.0 - trim);
    let (from, to) = (from.map(|share| share.value), to.map(|share| share.value));
    let rises = [to[0] - from[0], to[1] - from[1]];
    if rises.iter().all(|rise| !(rise.abs() > 0.0)) {
        return (clip(from[0]) - clip(from[1])).abs();
    }
    // Where a side is cut, the pieces before and after rise differently.
    let mut cuts = vec![0.0, 1.0];
    for side in 0..2 {
        for level in [trim, 1.0 - trim] {
            let part = (level - from[side]) / rises[side];
            cuts.extend((part > 0.0 && part < 1.0).then_some(part));
        }
    }
    cuts.sort_by(f64::total_cmp);
    let difference = |part: f64| {
        let [f, g] = [0, 1].map(|side| clip(from[side] + rises[side] * part));
        f - g
    };
    cuts.windows(2).map(|cut| (cut[1] - cut[0]) * mean_size(difference(cut[0]), difference(cut[1]))).sum()
}

/// The mean of |x| as x goes evenly from one value to another.
fn mean_size(a: f64, b: f64) -> f64 {
    if a * b >= 0.0 { f64::midpoint(a.abs(), b.abs()) } else { (a * a + b * b) / (2.0 * (a.abs() + b.abs())) }
}

#[cfg(test)]
mod tests;
