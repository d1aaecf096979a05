//! Waiting for a condition with a deadline.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at. Short, so that waiting adds little to what is waited for.
const POLL: Duration = Duration::from_millis(10);

/// Looks at `condition` until it gives a value; an error names `what` after `deadline`.
pub async fn until_some<T, F>(
    what: impl Display,
    deadline: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let begin = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if begin.elapsed() > deadline {
            bail!("waited {} s in vain: {what}", deadline.as_secs_f32());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Looks at `condition` until it holds; an error names `what` after `deadline`.
pub async fn until<F>(
    what: impl Display,
    deadline: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<()>
where
    F: Future<Output = bool>,
{
    until_some(what, deadline, || {
        let holds = condition();
        async move { holds.await.then_some(()) }
    })
    .await
}
