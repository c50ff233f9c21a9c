//! A reader's place in the words of opening hours, and what is told of a place where they cannot be read.
//!
//! Law 8: every refusal says what is wrong and from which character on, and what is allowed there.

use crate::domain::{text::quoted, violation::Invalid};

/// What is wrong, and from where on.
#[derive(Debug)]
pub(super) struct Fault {
    at: usize,
    what: String,
    allowed: &'static str,
}

impl Fault {
    /// As it is told to whoever wrote the text.
    pub(super) fn told(&self, text: &str) -> Invalid {
        let character = 1 + text[..self.at].chars().count();
        let rest = &text[self.at..];
        let here = if rest.is_empty() { "its end".to_owned() } else { quoted(rest) };
        let allowed =
            if self.allowed.is_empty() { String::new() } else { format!("; allowed there: {}", self.allowed) };
        let (what, such_as) = (&self.what, "\"Mo-Fr 08:00-20:00; PH off\"");
        let where_and_what = format!("{what} from character {character} on, at {here}{allowed}");
        Invalid::new(format!("must be OpenStreetMap opening_hours such as {such_as}: {where_and_what}"))
    }
}

/// Text that is read from its start to its end.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// In bytes, at the border of a character.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn is_at(&self, word: &str) -> bool {
        self.rest().as_bytes().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Steps over the word if it is next, in whatever case.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let is_next = self.is_at(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Steps over whichever of the words is next, and says which one that was.
    pub(super) fn eat_one<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        words.iter().find(|(word, _)| self.eat(word)).map(|(_, meant)| *meant)
    }

    /// What is read by `read`, or nothing, and then the place stays.
    pub(super) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.at;
        let found = read(self);
        self.at = if found.is_some() { self.at } else { before };
        found
    }

    /// Whether a comma follows, with a blank or without, and after it an item of the same list; then it stands there.
    pub(super) fn eat_comma(&mut self, is_item: impl FnOnce(&Self) -> bool) -> bool {
        let mut next = *self;
        let is_comma = next.eat(",");
        next.eat(" ");
        let found = is_comma && is_item(&next);
        self.at = if found { next.at } else { self.at };
        found
    }

    /// Steps over the `-` of a range, with a blank around it or without.
    pub(super) fn eat_dash(&mut self) -> bool {
        [" - ", "- ", " -", "-"].iter().any(|dash| self.eat(dash))
    }

    /// How many digits follow.
    pub(super) fn digits(&self) -> usize {
        self.rest().bytes().take_while(u8::is_ascii_digit).count()
    }

    /// All digits that follow, if there are so many of them and they are a number of that range.
    pub(super) fn number(&mut self, digits: std::ops::RangeInclusive<usize>, most: u16) -> Option<u16> {
        let count = self.digits();
        let number = self.rest()[..count].parse().ok().filter(|number| *number <= most && digits.contains(&count))?;
        self.at += count;
        Some(number)
    }

    pub(super) fn cannot<T>(&self, allowed: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what: "cannot be read".to_owned(), allowed })
    }

    /// What can be read, but says what there is not.
    pub(super) fn wrong<T>(&self, at: usize, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at, what: what.into(), allowed: "" })
    }
}
