//! Statements about several rows at once, so that thousands of rows are a few trips to the database.
//!
//! Law: a statement has one of a few texts, which are made once and hold no value.

use std::fmt::Write;

/// Rows of one statement; what is left over goes by smaller ones. A statement may have 32,766 values on SQLite.
const SIZES: [usize; 3] = [250, 25, 1];

/// One statement in every size.
pub struct Several {
    texts: [String; SIZES.len()],
}

impl Several {
    /// Repeats `row` between `head` and `tail`. The values up to `$shared` are the same in every row; behind them come
    /// each row's own.
    pub fn new(head: &str, shared: usize, row: &str, tail: &str) -> Self {
        let own = row.matches('$').count().saturating_sub(shared);
        let texts = SIZES.map(|size| {
            let rows: Vec<String> = (0..size).map(|i| numbered(row, shared, i * own)).collect();
            format!("{head}{}{tail}", rows.join(", "))
        });
        Self { texts }
    }

    /// The statements for all of the rows, in their order.
    pub fn over<'r, T>(&'static self, rows: &'r [T]) -> impl Iterator<Item = (&'static str, &'r [T])> {
        let mut rest = rows;
        std::iter::from_fn(move || {
            let (size, text) = SIZES.iter().zip(&self.texts).find(|(size, _)| **size <= rest.len())?;
            let (now, later) = rest.split_at(*size);
            rest = later;
            Some((text.as_str(), now))
        })
    }
}

/// The row with its own values so much further on.
fn numbered(row: &str, shared: usize, further: usize) -> String {
    let mut text = String::new();
    let mut parts = row.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for (before, part) in parts.enumerate() {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = before + 1 + if before < shared { 0 } else { further };
        // Writing to a string never fails.
        write!(text, "${number}{rest}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static INSERT: LazyLock<Several> =
        LazyLock::new(|| Several::new("INSERT INTO note (at, label, size) VALUES ", 1, "($1, $2, $3)", ""));

    #[test]
    fn each_row_has_values_of_its_own_beside_the_shared() {
        let texts: Vec<&str> = INSERT.over(&[0; 26]).map(|(sql, _)| sql).collect();
        assert!(texts[0].starts_with("INSERT INTO note (at, label, size) VALUES ($1, $2, $3), ($1, $4, $5), "));
        assert!(texts[0].ends_with(", ($1, $50, $51)"), "{}", texts[0]);
        assert_eq!(texts[1..], ["INSERT INTO note (at, label, size) VALUES ($1, $2, $3)"]);
    }

    #[test]
    fn thousands_of_rows_take_tens_of_statements() {
        for (rows, statements) in [(0, 0), (1, 1), (24, 24), (5_000, 20), (4_999, 52)] {
            let rows: Vec<usize> = (0..rows).collect();
            let taken: Vec<&[usize]> = INSERT.over(&rows).map(|(_, taken)| taken).collect();
            assert_eq!((taken.len(), taken.concat()), (statements, rows));
        }
    }
}
