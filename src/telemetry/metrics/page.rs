//! [`Page`]: families of metrics as text, in Prometheus' format 0.0.4 or as OpenMetrics 1.0.

use std::fmt::{self, Display, Write as _};
use std::time::UNIX_EPOCH;

use super::histogram::{BOUNDS, Exemplar, SIZES, Summary, Sums};
use crate::wire::trace::trace_id_text;

/// How a page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
}

impl Form {
    /// The form that a scraper asks for: OpenMetrics where it is named and not refused.
    pub fn asked(accept: &str) -> Self {
        let wanted = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next() == Some("application/openmetrics-text");
            let refused = parts.any(|parameter| {
                let quality = parameter.strip_prefix("q=");
                quality.and_then(|quality| quality.parse::<f32>().ok()) == Some(0.0)
            });
            named && !refused
        });
        if wanted {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The content type of a page.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The page while it is written.
#[derive(Debug, Default)]
pub struct Page {
    form: Form,
    text: String,
}

impl Page {
    /// An empty page.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            text: String::new(),
        }
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What was written so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        if self.form == Form::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Begins a family; the name of a counter ends in `_total`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // OpenMetrics has that end in the samples alone.
        let name = match (self.form, kind) {
            (Form::OpenMetrics, "counter") => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        self.append(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A sample with labels: `{a="b"}` or nothing.
    pub fn sample(&mut self, name: &str, labels: impl Display, value: impl Display) {
        self.append(format_args!("{name}{labels} {value}\n"));
    }

    /// A family of one sample.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    /// The samples of a histogram of durations; `labels` as they stand between the braces.
    pub fn histogram(&mut self, name: &str, labels: &str, summary: &Summary) {
        self.buckets(name, labels, (&BOUNDS, summary), seconds);
    }

    /// The samples of a histogram of sizes.
    pub fn sizes(&mut self, name: &str, labels: &str, summary: &Sums<{ SIZES.len() }>) {
        self.buckets(name, labels, (&SIZES, summary), |bytes| bytes.to_string());
    }

    fn buckets<const N: usize>(
        &mut self,
        name: &str,
        labels: &str,
        (bounds, summary): (&[(u64, &str); N], &Sums<N>),
        written: fn(u64) -> String,
    ) {
        let mut sum = 0;
        let exemplar = |at: usize| summary.exemplars.get(at).and_then(Option::as_ref);
        for (at, ((_, bound), count)) in bounds.iter().zip(summary.buckets).enumerate() {
            sum += count;
            self.append(format_args!(
                "{name}_bucket{{{labels},le=\"{bound}\"}} {sum}"
            ));
            self.exemplar(exemplar(at), written);
        }
        let count = summary.count;
        self.append(format_args!(
            "{name}_bucket{{{labels},le=\"+Inf\"}} {count}"
        ));
        self.exemplar(exemplar(N), written);
        let total = written(summary.sum);
        self.append(format_args!(
            "{name}_sum{{{labels}}} {total}\n{name}_count{{{labels}}} {count}\n"
        ));
    }

    /// Ends the line of a bucket, with the trace that fell into it last.
    fn exemplar(&mut self, exemplar: Option<&Exemplar>, written: fn(u64) -> String) {
        if self.form == Form::OpenMetrics
            && let Some(exemplar) = exemplar
            && let Ok(at) = exemplar.at.duration_since(UNIX_EPOCH)
        {
            let digits = trace_id_text(exemplar.trace_id);
            let trace = str::from_utf8(&digits).unwrap_or_default();
            let (value, second, milli) =
                (written(exemplar.value), at.as_secs(), at.subsec_millis());
            self.append(format_args!(
                " # {{trace_id=\"{trace}\"}} {value} {second}.{milli:03}"
            ));
        }
        self.text.push('\n');
    }

    /// Appends text that is sound in this form.
    pub(super) fn append(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _written = self.text.write_fmt(text);
    }
}

/// Nanoseconds as seconds, without the noise of a division.
fn seconds(nanos: u64) -> String {
    let (whole, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{part:09}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// A label's value, escaped.
pub(super) struct Value<'a>(pub(super) &'a str);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_the_form_it_asks_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, form) in [
            ("", Form::Text),
            ("*/*", Form::Text),
            ("text/plain;version=0.0.4", Form::Text),
            ("application/openmetrics-text; q=0", Form::Text),
            ("application/openmetrics-text;q=0.0, text/plain", Form::Text),
            ("application/openmetrics-text", Form::OpenMetrics),
            (prometheus, Form::OpenMetrics),
        ] {
            assert_eq!(Form::asked(accept), form, "{accept}");
        }
    }

    #[test]
    fn seconds_are_written_exactly() {
        for (nanos, text) in [(0, "0"), (9_000_000, "0.009"), (1_500_000_000, "1.5")] {
            assert_eq!(seconds(nanos), text);
        }
        assert_eq!(seconds(u64::MAX), "18446744073.709551615");
    }
}
