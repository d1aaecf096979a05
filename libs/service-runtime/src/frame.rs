//! The frame around every subcommand: what starts first, what ends last.
//!
//! Start: telemetry, ops server, the services' `load`, gRPC, background work. While a service waits
//! for its database, `/livez` and `/readyz` answer already.
//! End, on SIGTERM or SIGINT: readiness off, shutdown token, background work ends while gRPC still
//! answers (one service's farewell may be another's call), then gRPC, ops, telemetry. A second
//! signal ends the process at once.
//!
//! **Invariant:** the end takes no longer than `drain_seconds` and the flush of telemetry.

use std::{future::Future, process::ExitCode, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    signal::unix::SignalKind,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, OpsServer, Platform, PlatformConfig,
    grpc::{GrpcServer, Services},
    telemetry,
};

/// What is kept of the drain time for the calls that are under way when all work has ended.
const GRPC_DRAIN: Duration = Duration::from_secs(1);
/// As a shell reports a process that ended by SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// What a process consists of, once loaded.
#[derive(Default)]
pub struct Assembly {
    /// The gRPC services it answers; none, and no port is opened.
    pub services: Services,
    work: Vec<(&'static str, BoxFuture<'static, anyhow::Result<()>>)>,
}

impl Assembly {
    /// Adds background work: it ends when the platform's shutdown token is cancelled, and by itself
    /// only with an error.
    pub fn work<E: Into<anyhow::Error>>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.work.push((name, Box::pin(async { work.await.map_err(Into::into) })));
    }
}

/// Runs a process called `name` from start to end, and logs whatever goes wrong.
///
/// `load` makes the services; it must give up when `platform.shutdown` is cancelled. It must not
/// wait for a peer's gRPC answer, as in one process with the peer that peer is not served yet.
///
/// Must run inside a multi-threaded Tokio runtime, after the process's rustls provider is installed.
pub async fn run<F>(
    name: &'static str,
    config: PlatformConfig,
    load: impl FnOnce(Platform) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<Assembly>>,
{
    let guard = match telemetry::init(name, &config.log) {
        Ok(guard) => guard,
        Err(error) => return fail_without_logs(&error),
    };
    let platform = Platform::new(config);
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "can't listen for signals");
            return ExitCode::FAILURE;
        }
    };
    let signals = tokio::spawn(signals.obey(platform.clone()));
    let outcome = serve(name, &platform, load).await;
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "{name} failed");
    }
    guard.shutdown().await;
    signals.abort();
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "there are no logs yet to say it in")]
fn fail_without_logs(error: &Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// The part of [`run`] between telemetry and the exit code; ends when `platform.shutdown` is
/// cancelled.
async fn serve<F>(
    name: &'static str,
    platform: &Platform,
    load: impl FnOnce(Platform) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Assembly>>,
{
    let started = platform.readiness.dependency("start");
    started.not_ready("loading");
    let stop_ops = CancellationToken::new();
    let _stop_ops_at_last = stop_ops.clone().drop_guard();
    if let Some(address) = platform.config.ops.listen {
        let ops = OpsServer::bind(address, platform.readiness.clone()).await?;
        tracing::info!(address = %ops.address(), "ops server listens");
        tokio::spawn(ops.serve(stop_ops));
    }
    let Some(assembly) = load_or_shutdown(platform, load).await? else { return Ok(()) };

    let mut work = JoinSet::new();
    for (name, future) in assembly.work {
        work.spawn(async move { (name, future.await) });
    }
    let stop_grpc = CancellationToken::new();
    let mut grpc = JoinSet::new();
    if !assembly.services.is_empty() {
        let server = GrpcServer::bind(platform.config.grpc.listen).await?;
        tracing::info!(address = %server.address(), "gRPC server listens");
        let (platform, stop) = (platform.clone(), stop_grpc.clone());
        grpc.spawn(async move { server.serve(assembly.services, &platform, stop).await });
    }
    started.ready();
    tracing::info!("{name} has started");

    let failure = tokio::select! {
        // Work that ends because of the shutdown is no failure.
        biased;
        () = platform.shutdown.cancelled() => None,
        Some(ended) = work.join_next() => Some(too_early(ended)),
        Some(ended) = grpc.join_next() => Some(grpc_ended(ended)),
    };
    platform.end();
    let drained = drain(platform, work, grpc, &stop_grpc).await;
    match failure {
        Some(failure) => Err(failure),
        None => drained,
    }
}

/// Loads; none if the shutdown came before.
async fn load_or_shutdown<F>(
    platform: &Platform,
    load: impl FnOnce(Platform) -> F,
) -> anyhow::Result<Option<Assembly>>
where
    F: Future<Output = anyhow::Result<Assembly>>,
{
    let cut_short = async {
        platform.shutdown.cancelled().await;
        tokio::time::sleep(platform.drain_time()).await;
    };
    let loaded = tokio::select! {
        loaded = load(platform.clone()) => loaded,
        () = cut_short => anyhow::bail!("loading did not end in time"),
    };
    match loaded {
        // What was interrupted may say so as an error.
        _ if platform.shutdown.is_cancelled() => Ok(None),
        loaded => loaded.map(Some),
    }
}

type WorkEnd = Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>;

fn too_early(ended: WorkEnd) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow::anyhow!("{name} ended without being asked to"),
        Ok((name, Err(error))) => error.context(name),
        Err(error) => anyhow::Error::new(error),
    }
}

fn grpc_ended(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("the gRPC server ended without being asked to"),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}

/// Waits for the end of the work, then of the calls, no longer than the drain time in all.
async fn drain(
    platform: &Platform,
    mut work: JoinSet<(&'static str, anyhow::Result<()>)>,
    mut grpc: JoinSet<Result<(), Error>>,
    stop_grpc: &CancellationToken,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + platform.drain_time();
    let mut failure = None;
    let work_time = platform.drain_time().saturating_sub(GRPC_DRAIN);
    let ended = timeout(work_time, async {
        while let Some(ended) = work.join_next().await {
            match ended {
                Ok((name, Ok(()))) => tracing::info!("{name} has ended"),
                other => failure = Some(too_early(other)),
            }
        }
    });
    let mut in_time = ended.await.is_ok();
    work.abort_all();

    stop_grpc.cancel();
    let answered = async { while grpc.join_next().await.is_some() {} };
    in_time &= timeout_at(deadline, answered).await.is_ok();
    match failure {
        Some(failure) => Err(failure),
        None if in_time => Ok(()),
        None => Err(anyhow::anyhow!("not all work ended within {:?}", platform.drain_time())),
    }
}

/// The signals that end a process.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: tokio::signal::unix::signal(SignalKind::terminate())?,
            interrupt: tokio::signal::unix::signal(SignalKind::interrupt())?,
        })
    }

    async fn obey(mut self, platform: Platform) {
        let signal = self.next().await;
        tracing::info!("{signal}: ending in order; once more to end at once");
        platform.end();
        let signal = self.next().await;
        tracing::warn!("{signal} again: ending at once");
        std::process::exit(EXIT_INTERRUPTED);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{GrpcConfig, OpsConfig};

    fn platform(drain_seconds: u64) -> Platform {
        Platform::new(PlatformConfig {
            ops: OpsConfig { listen: None },
            grpc: GrpcConfig { listen: ([127, 0, 0, 1], 0).into() },
            drain_seconds,
            ..PlatformConfig::default()
        })
    }

    #[tokio::test]
    async fn work_sees_the_shutdown_and_the_frame_waits_for_it() {
        let platform = platform(8);
        let steps = Arc::new(Mutex::new(Vec::new()));
        let serving = serve("test", &platform, async |platform| {
            let steps = Arc::clone(&steps);
            let mut assembly = Assembly::default();
            assembly.work("work", async move {
                steps.lock().unwrap().push(platform.readiness.is_ready());
                platform.shutdown.cancelled().await;
                steps.lock().unwrap().push(platform.readiness.is_ready());
                anyhow::Ok(())
            });
            Ok(assembly)
        });
        let stop = async {
            let mut ready = platform.readiness.subscribe();
            ready.wait_for(|ready| *ready).await.unwrap();
            platform.end();
        };
        let (outcome, ()) = tokio::join!(serving, stop);
        outcome.unwrap();
        assert_eq!(steps.lock().unwrap().last(), Some(&false), "not ready while draining");
        assert_eq!(steps.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn work_that_fails_ends_the_process_with_its_error() {
        let platform = platform(8);
        let outcome = serve("test", &platform, async |_| {
            let mut assembly = Assembly::default();
            assembly.work("broken", async { Err(anyhow::anyhow!("no such device")) });
            Ok(assembly)
        });
        let error = format!("{:#}", outcome.await.unwrap_err());
        assert_eq!(error, "broken: no such device");
        assert!(platform.shutdown.is_cancelled() && !platform.readiness.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_is_cut_short_after_the_drain_time() {
        let platform = platform(3);
        let start = Instant::now();
        let serving = serve("test", &platform, async |_| {
            let mut assembly = Assembly::default();
            assembly.work("stuck", std::future::pending::<anyhow::Result<()>>());
            Ok(assembly)
        });
        let stop = async {
            platform.readiness.subscribe().wait_for(|ready| *ready).await.unwrap();
            platform.shutdown.cancel();
        };
        let (outcome, ()) = tokio::join!(serving, stop);
        outcome.unwrap_err();
        assert!(start.elapsed() <= Duration::from_secs(3), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_shutdown_interrupts_loading_without_failing() {
        let platform = platform(8);
        let loading = serve("test", &platform, async |platform| {
            let waiting = platform.readiness.dependency("database");
            waiting.not_ready("connection refused");
            platform.shutdown.cancelled().await;
            anyhow::bail!("interrupted")
        });
        let stop = async {
            tokio::task::yield_now().await;
            platform.shutdown.cancel();
        };
        let (outcome, ()) = tokio::join!(loading, stop);
        outcome.unwrap();
    }
}
