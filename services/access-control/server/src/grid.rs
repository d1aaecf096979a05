//! When refusals are answered: at times that do not tell what was done before.

use std::time::Duration;

use tokio::time::Instant;

/// Multiples of a step after a question came.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    step: Duration,
}

impl Grid {
    /// With a step above zero.
    pub const fn new(step: Duration) -> Self {
        Self { step }
    }

    /// Waits for the next point of the grid that begins at `came`; never less than one step.
    pub async fn wait(&self, came: Instant) {
        tokio::time::sleep_until(came + self.release(came.elapsed())).await;
    }

    fn release(&self, elapsed: Duration) -> Duration {
        let step = self.step.as_nanos().max(1);
        let steps = elapsed.as_nanos().div_ceil(step).max(1);
        Duration::from_nanos(u64::try_from(steps * step).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_released_at_the_next_point_of_the_grid() {
        let grid = Grid::new(Duration::from_millis(50));
        let release = |micros| grid.release(Duration::from_micros(micros)).as_millis();
        for (micros, millis) in
            [(0, 50), (1, 50), (49_999, 50), (50_000, 50), (50_001, 100), (120_000, 150)]
        {
            assert_eq!(release(micros), millis, "{micros} µs");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_took_longer_than_a_step_waits_for_the_next_one() {
        let grid = Grid::new(Duration::from_millis(50));
        let came = Instant::now();
        tokio::time::advance(Duration::from_millis(70)).await;
        grid.wait(came).await;
        assert_eq!(came.elapsed(), Duration::from_millis(100));
    }
}
