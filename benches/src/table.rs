//! Numbers as people read them: medians, ratios, Markdown.

use std::time::Duration;

/// The number in the middle; the mean of the two in the middle when there is no such.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// Milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Bytes as mebibytes.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 bytes")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

/// Prints a table: the first column to the left, numbers to the right.
pub(crate) fn print(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    println!("\n### {title}\n");
    println!("| {} |", columns.join(" | "));
    let lines = columns.iter().enumerate();
    let rules: Vec<_> = lines
        .map(|(at, _)| if at == 0 { "---" } else { "---:" })
        .collect();
    println!("|{}|", rules.join("|"));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_stands_in_the_middle() {
        assert!((median([3.0, 1.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 9.0, 2.0]) - 3.0).abs() < 1e-9);
    }
}
