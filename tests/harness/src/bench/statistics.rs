//! Quantiles, and the two-sample Kolmogorov–Smirnov test.

/// Quantile `q` (0 to 1) of sorted values: the smallest value that at least that share is not above.
/// None if there are no values.
pub fn quantile<T: Copy>(sorted: &[T], q: f64) -> Option<T> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().checked_sub(1)?)).copied()
}

/// What a two-sample Kolmogorov–Smirnov test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest distance between the two empirical distribution functions, 0 to 1.
    pub statistic: f64,
    /// How probable a distance as large is if both samples come from one distribution.
    pub p: f64,
}

/// Compares two sorted samples. Both must have values; of hundreds and more the probability is exact
/// enough for any decision (Kolmogorov's limit with Stephens' correction for finite samples).
pub fn kolmogorov_smirnov(a: &[u64], b: &[u64]) -> Option<KolmogorovSmirnov> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (of_a, of_b) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut statistic) = (0, 0, 0.0_f64);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let next = *x.min(y);
        // All equal values at once: between them there is no place to compare at.
        i += a.iter().skip(i).take_while(|value| **value == next).count();
        j += b.iter().skip(j).take_while(|value| **value == next).count();
        statistic = statistic.max((i as f64 / of_a - j as f64 / of_b).abs());
    }
    let effective = (of_a * of_b / (of_a + of_b)).sqrt();
    let p = kolmogorov_survival((effective + 0.12 + 0.11 / effective) * statistic);
    Some(KolmogorovSmirnov { statistic, p })
}

/// Probability that Kolmogorov's limiting distribution exceeds `x`: 2 Σ (−1)^(k−1) exp(−2 k² x²).
fn kolmogorov_survival(x: f64) -> f64 {
    // Below this it is 1 to more than ten digits, and the series converges too slowly.
    if x < 0.2 {
        return 1.0;
    }
    let mut sum = 0.0;
    let mut sign = 1.0;
    for k in 1..=100 {
        let term = (-2.0 * f64::from(k * k) * x * x).exp();
        sum += sign * term;
        if term < 1e-16 {
            break;
        }
        sign = -sign;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// Bonferroni's correction: the probability that the least of so many independent comparisons is as
/// small as `p` by chance, at most 1.
pub fn corrected(p: f64, comparisons: usize) -> f64 {
    (p * comparisons as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numerical Recipes' linear congruential generator: the same numbers in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % bound
        }

        fn sample(&mut self, size: usize, bound: u64) -> Vec<u64> {
            let mut sample: Vec<u64> = (0..size).map(|_| self.below(bound)).collect();
            sample.sort_unstable();
            sample
        }
    }

    fn is_near(found: f64, expected: f64, by: f64) {
        assert!((found - expected).abs() <= by, "{found} is not {expected}");
    }

    #[test]
    fn the_limiting_distribution_has_its_known_quantiles() {
        // Smirnov's table: critical values of 10 %, 5 %, 1 % and 0.1 %.
        for (x, p) in [(1.223_848, 0.10), (1.358_099, 0.05), (1.627_624, 0.01), (1.949_475, 0.001)]
        {
            is_near(kolmogorov_survival(x), p, 1e-6);
        }
        is_near(kolmogorov_survival(0.5), 0.963_945, 1e-6);
        is_near(kolmogorov_survival(1.0), 0.269_999_67, 1e-8);
        assert_eq!(kolmogorov_survival(0.0), 1.0);
        assert!(kolmogorov_survival(10.0) < 1e-80);
    }

    #[test]
    fn the_distance_is_the_largest_between_the_two_steps() {
        let distance = |a: &[u64], b: &[u64]| kolmogorov_smirnov(a, b).unwrap().statistic;
        assert_eq!(distance(&[1, 2, 3], &[1, 2, 3]), 0.0);
        assert_eq!(distance(&[1, 2, 3], &[4, 5]), 1.0);
        assert_eq!(distance(&[1, 2, 3, 4], &[3, 4, 5, 6]), 0.5);
        // Ties are not compared half-way.
        assert_eq!(distance(&[7, 7, 7, 7], &[7, 7]), 0.0);
        is_near(distance(&[1, 1, 2], &[1, 2, 2]), 1.0 / 3.0, 1e-12);
        assert!(kolmogorov_smirnov(&[], &[1]).is_none());
    }

    #[test]
    fn samples_of_one_distribution_are_rejected_as_often_as_the_level_says() {
        let mut numbers = Numbers(1);
        let runs = 2_000;
        let mut below = [0; 2];
        for _ in 0..runs {
            let (a, b) = (numbers.sample(300, 1 << 30), numbers.sample(200, 1 << 30));
            let p = kolmogorov_smirnov(&a, &b).unwrap().p;
            below[0] += u32::from(p < 0.05);
            below[1] += u32::from(p < 0.5);
        }
        is_near(f64::from(below[0]) / f64::from(runs), 0.05, 0.02);
        is_near(f64::from(below[1]) / f64::from(runs), 0.5, 0.05);
    }

    #[test]
    fn a_shift_that_is_small_against_the_spread_is_found_in_five_thousand_samples() {
        let mut numbers = Numbers(2);
        let a = numbers.sample(5_000, 1_000);
        let b: Vec<u64> =
            numbers.sample(5_000, 1_000).into_iter().map(|value| value + 60).collect();
        let found = kolmogorov_smirnov(&a, &b).unwrap();
        assert!(found.p < 1e-4 && found.statistic > 0.05, "{found:?}");
    }

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(50));
        assert_eq!(quantile(&sorted, 0.99), Some(99));
        assert_eq!(quantile(&sorted, 1.0), Some(100));
        assert_eq!(quantile(&sorted, 0.0), Some(1));
        assert_eq!(quantile::<u64>(&[], 0.5), None);
    }

    #[test]
    fn the_correction_counts_the_comparisons() {
        is_near(corrected(0.01, 4), 0.04, 1e-12);
        assert_eq!(corrected(0.6, 4), 1.0);
    }
}
