//! Panics: a bug here, told as one. A panic inside a reader of hostile files is caught where the file is read and
//! becomes an error there, so the hook itself says nothing; what nobody caught ends here.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

use sluice_core::error::{CommonError, Error};

static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs the program; a panic becomes an internal error with its place.
pub(crate) fn told<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    set_hook(Box::new(|panic| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', ": ");
        CommonError::Internal(last).into()
    })
}
