//! What an assistant types: lines, and what is meant by one that answers a question.
//!
//! Law 6: what was typed before the question was shown answers nothing, and what is not a clear yes is a no.

use std::io::BufRead;

use tokio::sync::mpsc;

use crate::domain::content::Money;

/// Where lines come from.
pub trait Lines {
    /// The next line; none at the end.
    async fn next(&mut self) -> Option<String>;

    /// Forgets what was typed ahead.
    fn forget(&mut self);
}

/// Lines that are read in a thread of their own, so that one can wait for other things meanwhile.
pub struct Typed(mpsc::Receiver<String>);

impl Typed {
    pub fn read(mut reader: impl BufRead + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel(64);
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                if sender.blocking_send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self(lines)
    }
}

impl Lines for Typed {
    async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }

    fn forget(&mut self) {
        while self.0.try_recv().is_ok() {}
    }
}

/// What is meant by what was typed after a question.
#[derive(Debug, PartialEq)]
pub enum Choice {
    Whole,
    Part(Money),
    Leave,
}

/// Enter is all of it, an amount up to `most` is that; whatever else, a scan too, leaves it.
pub fn choice(line: Option<&str>, most: Option<&Money>) -> Choice {
    let part = |text: &str| {
        let most = most?;
        Money::read(most.currency(), text).ok().filter(|part| part.minor_units() <= most.minor_units())
    };
    match line.map(str::trim) {
        Some("") => Choice::Whole,
        Some(text) => part(text).map_or(Choice::Leave, Choice::Part),
        None => Choice::Leave,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn what_was_typed_ahead_answers_no_question() {
        let mut typed = Typed::read(Cursor::new("K7Q2\r\n\n\n"));
        assert_eq!(typed.next().await.as_deref(), Some("K7Q2"));
        // The reader is at its end once both are waiting.
        while typed.0.len() < 2 {
            tokio::task::yield_now().await;
        }
        typed.forget();
        assert_eq!(typed.next().await, None);
    }

    #[test]
    fn only_enter_and_amounts_up_to_the_most_are_a_yes() {
        let most = Money::new("EUR", 500).expect("sound");
        let part = |units| Choice::Part(Money::new("EUR", units).expect("sound"));
        for (line, meant) in [("", Choice::Whole), (" 4,99 ", part(499)), ("5", part(500)), ("5.01", Choice::Leave)] {
            assert_eq!(choice(Some(line), Some(&most)), meant, "{line}");
        }
        assert_eq!((choice(Some("3"), None), choice(None, Some(&most))), (Choice::Leave, Choice::Leave));
    }
}
