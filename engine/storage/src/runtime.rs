//! The threads that talk to servers, and how a caller waits for them.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Cancel;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// How often a waiting caller looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Two threads: one may be busy with TLS while the other hands out what arrived.
const THREADS: usize = 2;

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("storage")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    made.as_ref().map_err(|error| {
        let cause = std::io::Error::other(error.clone());
        CommonError::file("start the threads for", "object stores", cause).into()
    })
}

/// Work under way on the runtime; given up when dropped.
#[derive(Debug)]
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// Starts at once.
    pub(crate) fn start(work: impl Future<Output = T> + Send + 'static) -> Result<Self> {
        Ok(Self(runtime()?.spawn(work)))
    }

    /// Waits for it, or until `cancel` is set.
    pub(crate) fn wait(mut self, cancel: &Cancel) -> Result<T> {
        let joined = runtime()?.block_on(async {
            loop {
                match tokio::time::timeout(LOOK_EVERY, &mut self.0).await {
                    Ok(joined) => return Ok(joined),
                    Err(_not_yet) => cancel.check()?,
                }
            }
        });
        match joined {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(CommonError::Internal(format!("a transfer ended early: {error}")).into()),
            Err(interrupted) => Err(interrupted),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `work` and waits for it.
pub(crate) fn run<T: Send + 'static>(
    cancel: &Cancel,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    cancel.check()?;
    Task::start(work)?.wait(cancel)
}
