//! The metrics, as Prometheus reads them.
//!
//! Law: no label can take more than a few dozen values; nothing names a person, a campaign or a place.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use crate::grpc::measure::Observer;

/// Upper ends in seconds: from a ping that changes nothing to a call that runs into its timeout.
const SECONDS: [f64; 14] = [0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A number that some part of the server keeps about itself.
#[derive(Clone)]
pub struct Meter {
    pub name: &'static str,
    /// What it counts, in words.
    pub help: &'static str,
    /// Only rises, until the process ends.
    pub counter: bool,
    pub read: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Meter {
    /// What has happened so often.
    pub fn counter(name: &'static str, help: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { name, help, counter: true, read: Arc::new(read) }
    }

    /// How it is now.
    pub fn gauge(name: &'static str, help: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { name, help, counter: false, read: Arc::new(read) }
    }
}

/// Spans of time that some part of the server keeps count of, by a label.
#[derive(Clone)]
pub struct Timings {
    pub name: &'static str,
    /// What takes so long, in words.
    pub help: &'static str,
    pub label: &'static str,
    pub read: Arc<dyn Fn() -> Vec<Timing> + Send + Sync>,
}

/// How long something took so far.
#[derive(Debug, Clone)]
pub struct Timing {
    /// What its label says.
    pub label: &'static str,
    /// In seconds, all together.
    pub sum: f64,
    /// Upper ends in seconds, rising to infinity, and how many ended there.
    pub counts: Vec<(f64, u64)>,
}

/// Everything measured.
pub struct Metrics {
    registry: Registry,
    calls: Family<Call, Histogram, fn() -> Histogram>,
    streamed: Family<Streamed, Counter>,
    refusals: Family<Refusal, Counter>,
    notes: Family<Noted, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    rpc: Arc<str>,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Streamed {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Noted {
    note: &'static str,
}

impl Metrics {
    pub fn new(meters: Vec<Meter>, timings: Vec<Timings>) -> Self {
        let mut registry = Registry::with_prefix("dintorni");
        let calls = Family::<Call, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let (streamed, refusals, notes) = (Family::default(), Family::default(), Family::<Noted, Counter>::default());
        registry.register("call_seconds", "Calls by service and code: how long until answered", calls.clone());
        registry.register("streamed_pings", "Pings in streams, by code", streamed.clone());
        registry.register("refusals", "Campaigns refused in answers to pings, by reason", refusals.clone());
        registry.register(
            "ping_notes",
            "What answers said of pings as a whole (MOCKED, IMPLAUSIBLE, …)",
            notes.clone(),
        );
        registry.register_collector(Box::new(Meters(meters, timings)));
        Self { registry, calls, streamed, refusals, notes }
    }

    /// All of them, in the text format of OpenMetrics 1.0.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Observer for Metrics {
    fn called(&self, rpc: &Arc<str>, code: &'static str, took: Duration) {
        let call = Call { rpc: rpc.clone(), code };
        self.calls.get_or_create_owned(&call).observe(took.as_secs_f64());
    }

    fn noted(&self, note: &'static str) {
        self.notes.get_or_create_owned(&Noted { note }).inc();
    }

    fn streamed(&self, code: &'static str) {
        self.streamed.get_or_create_owned(&Streamed { code }).inc();
    }

    fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create_owned(&Refusal { reason }).inc();
    }
}

/// Reads the meters when they are asked for.
struct Meters(Vec<Meter>, Vec<Timings>);

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|meter| meter.name)).finish()
    }
}

impl Collector for Meters {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Meter { name, help, counter, read } in &self.0 {
            let kind = if *counter { MetricType::Counter } else { MetricType::Gauge };
            let metric = encoder.encode_descriptor(name, help, None, kind)?;
            match counter {
                true => ConstCounter::new(read()).encode(metric)?,
                false => ConstGauge::new(i64::try_from(read()).unwrap_or(i64::MAX)).encode(metric)?,
            }
        }
        for Timings { name, help, label, read } in &self.1 {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
            for timing in read() {
                let all = timing.counts.iter().map(|(_, count)| count).sum();
                let labels = [(*label, timing.label)];
                family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(timing.sum, all, &timing.counts, None)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_can_be_read() {
        let reading = Timing { label: "read", sum: 0.5, counts: vec![(0.001, 1), (f64::INFINITY, 2)] };
        let read: Arc<dyn Fn() -> Vec<Timing> + Send + Sync> = Arc::new(move || vec![reading.clone()]);
        let stages = Timings { name: "stage_seconds", help: "Stages", label: "stage", read };
        let meters = vec![Meter::counter("pings", "Pings answered", || 7), Meter::gauge("x", "X", || 3)];
        let metrics = Metrics::new(meters, vec![stages]);
        metrics.called(&"dintorni.v1.ProximityService/Ping".into(), "Ok", Duration::from_micros(700));
        metrics.refused("MUTED");
        metrics.noted("IMPLAUSIBLE");
        let text = metrics.text().expect("encodes");
        for line in [
            "dintorni_pings_total 7",
            "dintorni_x 3",
            "dintorni_refusals_total{reason=\"MUTED\"} 1",
            "dintorni_ping_notes_total{note=\"IMPLAUSIBLE\"} 1",
            "dintorni_call_seconds_bucket{le=\"0.0005\",rpc=\"dintorni.v1.ProximityService/Ping\",code=\"Ok\"} 0",
            "dintorni_call_seconds_bucket{le=\"0.001\",rpc=\"dintorni.v1.ProximityService/Ping\",code=\"Ok\"} 1",
            "dintorni_stage_seconds_bucket{le=\"0.001\",stage=\"read\"} 1",
            "dintorni_stage_seconds_bucket{le=\"+Inf\",stage=\"read\"} 3",
            "dintorni_stage_seconds_count{stage=\"read\"} 3",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
