//! What a service counts, read from its `/metrics` page (Prometheus text format).

use std::collections::BTreeMap;

use anyhow::Result;

use crate::http;

/// One series: its labels and its value.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Labels in order of their names.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// All series of one scrape, by metric name.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: BTreeMap<String, Vec<Sample>>,
}

impl Metrics {
    /// Reads the text format; lines that are no samples are skipped.
    pub fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        for (name, sample) in text.lines().filter_map(parse_line) {
            metrics.samples.entry(name).or_default().push(sample);
        }
        metrics
    }

    /// Scrapes `url`.
    pub async fn scrape(url: &str) -> Result<Self> {
        let response = http::get(url).await?;
        Ok(Self::parse(&response.error_for_status()?.text().await?))
    }

    /// Adds the series of another service; those of the same metric stand side by side.
    pub fn merge(&mut self, other: Self) {
        for (name, samples) in other.samples {
            self.samples.entry(name).or_default().extend(samples);
        }
    }

    /// All series of a metric.
    pub fn samples(&self, name: &str) -> &[Sample] {
        self.samples.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Sum over all series of a metric; 0 if there is none.
    pub fn sum(&self, name: &str) -> f64 {
        self.samples(name).iter().map(|sample| sample.value).sum()
    }

    /// Sum over the series of a metric that carry these labels.
    pub fn sum_with(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name)
            .iter()
            .filter(|sample| carries(sample, labels))
            .map(|sample| sample.value)
            .sum()
    }

    /// Names of all metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(String::as_str)
    }

    /// Quantile `q` (0 to 1) of the histogram `name` between `earlier` and this scrape, linear within
    /// a bucket; none if nothing was counted or it is no histogram. In the metric's own unit.
    pub fn quantile_since(
        &self,
        earlier: &Self,
        name: &str,
        labels: &[(&str, &str)],
        q: f64,
    ) -> Option<f64> {
        let buckets = self.buckets(name, labels);
        let before = earlier.buckets(name, labels);
        let counts: Vec<(f64, f64)> = buckets
            .into_iter()
            .map(|(bound, count)| {
                let old = before.iter().find(|(b, _)| b.total_cmp(&bound).is_eq());
                (bound, count - old.map_or(0.0, |(_, count)| *count))
            })
            .collect();
        let total = counts.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let wanted = q * total;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in counts {
            if count >= wanted {
                let inside = (count - below).max(f64::MIN_POSITIVE);
                let upper = if bound.is_finite() { bound } else { lower };
                return Some(lower + (upper - lower) * (wanted - below) / inside);
            }
            (lower, below) = (bound, count);
        }
        None
    }

    /// Cumulative bucket counts by upper bound, summed over all series with these labels.
    fn buckets(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.samples(&format!("{name}_bucket")) {
            let Some(bound) = sample.labels.get("le").and_then(|le| le.parse::<f64>().ok()) else {
                continue;
            };
            if !carries(sample, labels) {
                continue;
            }
            match buckets.iter_mut().find(|(b, _)| b.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        buckets
    }
}

fn carries(sample: &Sample, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
}

fn parse_line(line: &str) -> Option<(String, Sample)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.trim().rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return Some((series.to_owned(), Sample { labels: BTreeMap::new(), value }));
    };
    let labels = parse_labels(rest.strip_suffix('}')?)?;
    Some((name.to_owned(), Sample { labels, value }))
}

fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (key, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        labels.insert(key.to_owned(), value);
        text = rest.get(end + 1..)?.trim_start_matches(',');
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_and_without_labels() {
        let metrics = Metrics::parse(
            "# HELP a b\n# TYPE a counter\na 3\nb{x=\"1\",y=\"q\\\"r, }\"} 2.5\nb{x=\"2\"} 1\n",
        );
        assert_eq!(metrics.sum("a"), 3.0);
        assert_eq!(metrics.sum("b"), 3.5);
        assert_eq!(metrics.sum_with("b", &[("x", "1")]), 2.5);
        assert_eq!(metrics.samples("b")[0].labels["y"], "q\"r, }");
        assert_eq!(metrics.sum("absent"), 0.0);
    }

    #[test]
    fn quantiles_are_interpolated_within_the_bucket_of_the_difference() {
        let page = |one: u32, two: u32, all: u32| {
            Metrics::parse(&format!(
                "d_bucket{{le=\"1\"}} {one}\nd_bucket{{le=\"2\"}} {two}\nd_bucket{{le=\"+Inf\"}} {all}\n"
            ))
        };
        let (earlier, later) = (page(10, 10, 10), page(10, 110, 110));
        let median = later.quantile_since(&earlier, "d", &[], 0.5).unwrap();
        assert!((median - 1.5).abs() < 1e-9, "{median}");
        assert!(earlier.quantile_since(&earlier, "d", &[], 0.5).is_none());
    }
}
