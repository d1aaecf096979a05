//! A cache that knows when not to be believed.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::future::Cache;
use tributary_message_bus::subjects::MeetingScope;

use super::{
    FactError,
    freshness::{Freshness, Moment},
};
use crate::metrics::CacheMetrics;

/// While nobody tells what changes, what is older than this is asked for again.
const UNLINKED_LIFE: Duration = Duration::from_secs(1);

/// Keeps facts about meetings for a bounded time. Clones share everything.
#[derive(Clone)]
pub struct Shelf<K, V> {
    cache: Cache<K, Kept<V>>,
    freshness: Arc<Freshness>,
    metrics: CacheMetrics,
}

#[derive(Clone)]
struct Kept<V> {
    value: V,
    asked: Moment,
    at: Instant,
}

impl<K, V> Shelf<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Named `name` in metrics; what is kept is worth at most `weight_max` by `weigh`, and kept for
    /// no longer than `life`.
    pub fn new(
        name: &'static str,
        life: Duration,
        weight_max: u64,
        freshness: Arc<Freshness>,
        weigh: fn(&V) -> u32,
    ) -> Self {
        let cache = Cache::builder()
            .max_capacity(weight_max)
            .weigher(move |_: &K, kept: &Kept<V>| weigh(&kept.value))
            .time_to_live(life)
            .build();
        Self { cache, freshness, metrics: CacheMetrics::new(name) }
    }

    /// What is kept under `key` about the meeting `scope`, or what `ask` finds. However many want
    /// the same at once, it is asked for once. Failures are not kept. While NATS is away, what is
    /// old is asked for again, and used only if nobody answers.
    pub async fn get<F>(
        &self,
        key: &K,
        scope: &MeetingScope,
        ask: impl Fn() -> F,
    ) -> Result<V, FactError>
    where
        F: Future<Output = Result<V, FactError>>,
    {
        match self.cache.get(key).await {
            Some(kept) if self.freshness.holds(scope, kept.asked) => {
                if self.freshness.is_linked() || kept.at.elapsed() <= UNLINKED_LIFE {
                    self.metrics.hit();
                    return Ok(kept.value);
                }
                return self.renew(key, scope, kept, ask()).await;
            }
            Some(_) => self.cache.invalidate(key).await,
            None => {}
        }
        self.metrics.miss();
        let kept = self.cache.try_get_with_by_ref(key, self.keep(ask())).await;
        let kept = kept.map_err(|error: Arc<FactError>| FactError::clone(&error))?;
        if self.freshness.holds(scope, kept.asked) {
            return Ok(kept.value);
        }
        // It was asked for by somebody else before a change, or changed while it was asked for.
        self.cache.invalidate(key).await;
        ask().await
    }

    /// What `asking` finds in place of `old`, or `old` if nobody answers and nothing has changed.
    async fn renew<F>(
        &self,
        key: &K,
        scope: &MeetingScope,
        old: Kept<V>,
        asking: F,
    ) -> Result<V, FactError>
    where
        F: Future<Output = Result<V, FactError>>,
    {
        self.metrics.miss();
        match self.keep(asking).await {
            Ok(kept) => {
                self.cache.insert(key.clone(), kept.clone()).await;
                Ok(kept.value)
            }
            Err(_) if self.freshness.holds(scope, old.asked) => Ok(old.value),
            Err(error) => Err(error),
        }
    }

    async fn keep<F>(&self, asking: F) -> Result<Kept<V>, FactError>
    where
        F: Future<Output = Result<V, FactError>>,
    {
        let (asked, at) = (self.freshness.now(), Instant::now());
        Ok(Kept { value: asking.await?, asked, at })
    }
}
