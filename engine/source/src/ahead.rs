//! What a scan will want next of files that are elsewhere, asked for before it does.
//!
//! A scan goes through numbered items in order: splits, or parts of a file that are looked through. Whoever begins one
//! takes what was asked for on its behalf, and asks for that of the items after it as far as the room goes. So the
//! threads find bytes at hand when they come to an item, as long as the network is as fast as they are. What is asked
//! for too early or too often costs a request, and never changes a result.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_core::memory::MemoryLimit;

use crate::remote_file::{Fetch, RemoteFile};

/// Bytes asked for before anybody wants them, at most.
const AHEAD_BYTES: u64 = 1 << 26;

/// The share of a limit of memory that they may take.
const SHARE_OF_LIMIT: u64 = 8;

/// An item that alone is longer than the room is asked for ahead all the same up to this, when nothing else is.
const LONGEST_ITEM: u64 = 1 << 28;

/// More than this is not held at once of one unit; it is read through a window.
const HELD_BYTES: u64 = if cfg!(test) { 1 << 15 } else { 1 << 28 };

/// Scans of one source at a time that are known apart, at most.
const SCANS: usize = 4;

/// Items after which no more is asked for, so that going through many that are small costs little.
const ITEMS_AHEAD: u64 = 64;

/// Some ranges of a file that are read together.
#[derive(Clone, Debug)]
pub(crate) struct Unit<'a> {
    pub(crate) remote: &'a Arc<RemoteFile>,
    /// The number of the file, and of the unit in it.
    pub(crate) place: (usize, u64),
    /// In the order in which they are wanted.
    pub(crate) ranges: Vec<Range<u64>>,
    /// How many items want it.
    pub(crate) uses: usize,
}

impl Unit<'_> {
    fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum()
    }

    /// Begins to read it.
    pub(crate) fn begin(&self) -> Arc<Fetch> {
        Arc::new(if self.bytes() > HELD_BYTES {
            Fetch::windowed(self.remote, &self.ranges)
        } else {
            Fetch::begin(self.remote, &self.ranges)
        })
    }
}

/// What a scan wants of each item.
type Wants = Vec<usize>;

/// What was asked for on behalf of scans.
#[derive(Debug)]
pub(crate) struct Ahead {
    room: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scans: Vec<Scan>,
    /// Bytes of all units that nobody took yet.
    waiting: u64,
}

/// One pass, known by what it wants.
#[derive(Debug)]
struct Scan {
    wants: Wants,
    /// The item that it began with, and the first that nothing was asked for yet.
    first: u64,
    next: u64,
    units: BTreeMap<(usize, u64), Begun>,
}

#[derive(Debug)]
struct Begun {
    fetch: Arc<Fetch>,
    uses_left: usize,
    /// Its bytes, until somebody took it.
    waiting: u64,
}

impl Ahead {
    pub(crate) fn new(memory: Option<MemoryLimit>) -> Self {
        let share = memory.map_or(u64::MAX, |limit| limit.in_bytes() / SHARE_OF_LIMIT);
        Self { room: std::cmp::min(AHEAD_BYTES, share), state: Mutex::default() }
    }

    /// The units of an item, asked for at the latest now; and those of the items after it that find room.
    /// `units_of` answers the units of an item, and nothing behind the last one.
    pub(crate) fn take<'a>(
        &self,
        wants: &[usize],
        item: u64,
        units_of: impl Fn(u64) -> Option<Vec<Unit<'a>>>,
    ) -> Vec<((usize, u64), Arc<Fetch>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.scan_of(wants, item);
        let taken = units_of(item).unwrap_or_default();
        let taken = taken.iter().map(|unit| (unit.place, state.take(number, unit))).collect();
        let end = item.saturating_add(ITEMS_AHEAD);
        while state.scans[number].next < end {
            let Some(units) = units_of(state.scans[number].next) else { break };
            let missing = || units.iter().filter(|unit| !state.scans[number].units.contains_key(&unit.place));
            let bytes: u64 = missing().map(Unit::bytes).sum();
            let fits = state.waiting + bytes <= self.room || state.waiting == 0 && bytes <= LONGEST_ITEM;
            if !fits {
                break;
            }
            let missing: Vec<Unit<'_>> = missing().cloned().collect();
            for unit in missing {
                state.ask(number, &unit);
            }
            state.scans[number].next += 1;
        }
        taken
    }
}

impl State {
    /// The scan that now begins an item; one that goes back to its beginning is a new one.
    fn scan_of(&mut self, wants: &[usize], item: u64) -> usize {
        let found = self.scans.iter().position(|scan| scan.wants == wants);
        if let Some(number) = found {
            let scan = &mut self.scans[number];
            let is_late = item < scan.first && scan.first - item < ITEMS_AHEAD;
            if is_late {
                // The threads that begin first need not come in order.
                scan.first = item;
            } else if item <= scan.first || item > scan.next {
                scan.first = item;
                scan.next = item;
                self.forget_all();
            }
            let scan = &mut self.scans[number];
            scan.next = std::cmp::max(scan.next, item + 1);
            return number;
        }
        self.forget_all();
        if self.scans.len() == SCANS {
            self.scans.remove(0);
        }
        let scan = Scan { wants: wants.to_vec(), first: item, next: item + 1, units: BTreeMap::new() };
        self.scans.push(scan);
        self.scans.len() - 1
    }

    /// What earlier scans left would take the room.
    fn forget_all(&mut self) {
        self.scans.iter_mut().for_each(|scan| scan.units.clear());
        self.waiting = 0;
    }

    fn ask(&mut self, number: usize, unit: &Unit<'_>) {
        let waiting = unit.bytes();
        self.waiting += waiting;
        let begun = Begun { fetch: unit.begin(), uses_left: unit.uses, waiting };
        self.scans[number].units.insert(unit.place, begun);
    }

    /// Takes a unit; it is let go of with the last item that wants it.
    fn take(&mut self, number: usize, unit: &Unit<'_>) -> Arc<Fetch> {
        let units = &mut self.scans[number].units;
        let Some(begun) = units.get_mut(&unit.place) else {
            let fetch = unit.begin();
            if unit.uses > 1 {
                let begun = Begun { fetch: Arc::clone(&fetch), uses_left: unit.uses - 1, waiting: 0 };
                units.insert(unit.place, begun);
            }
            return fetch;
        };
        self.waiting -= std::mem::take(&mut begun.waiting);
        begun.uses_left = begun.uses_left.saturating_sub(1);
        let fetch = Arc::clone(&begun.fetch);
        if begun.uses_left == 0 {
            units.remove(&unit.place);
        }
        fetch
    }
}
