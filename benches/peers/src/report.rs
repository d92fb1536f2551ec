//! Tables in Markdown.

use std::fmt::Write;

/// A table with a line above it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What the figures are.
    pub caption: String,
    /// The first is that of the row titles.
    pub columns: Vec<String>,
    /// Each as long as the columns.
    pub rows: Vec<Vec<String>>,
    /// What a reader has to know, below.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(caption: &str, columns: impl IntoIterator<Item = String>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.into_iter().collect(),
            ..Self::default()
        }
    }

    /// As Markdown, with an empty line at the end.
    pub fn render(&self) -> String {
        let mut out = format!("{}\n\n", self.caption);
        let mut line = |cells: &[String]| {
            writeln!(out, "| {} |", cells.join(" | ")).expect("a String takes everything");
        };
        line(&self.columns);
        line(&vec!["---".to_owned(); self.columns.len()]);
        for row in &self.rows {
            line(row);
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            writeln!(out, "{note}").expect("a String takes everything");
        }
        out + "\n"
    }
}

/// The middle of some figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => (sorted[length / 2 - 1] + sorted[length / 2]) / 2.0,
    }
}

/// A figure with as many digits as it deserves.
pub fn figure(value: f64) -> String {
    if value >= 1_000.0 {
        let digits = format!("{value:.0}");
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A figure and how many times that of Sidegate it is.
pub fn beside(value: f64, sidegate: f64) -> String {
    if value.to_bits() == sidegate.to_bits() || !sidegate.is_normal() {
        return figure(value);
    }
    let ratio = value / sidegate;
    let ratio = if ratio >= 10.0 {
        format!("{ratio:.0}")
    } else if ratio >= 2.0 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.2}")
    };
    format!("{} ({ratio} x)", figure(value))
}
