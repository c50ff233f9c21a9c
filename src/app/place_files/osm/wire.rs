//! The wire format of protocol buffers, as far as map extracts need it.
//!
//! Law: whatever the bytes are, they are read or refused; nothing is read past their end.

/// The bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Number(u64),
    /// Text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Of a width that extracts use for nothing we read.
    Other,
}

/// The fields of a message, each by its number, in the order they were written in.
#[derive(Debug, Clone)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), Broken> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => skipped(&mut self.0, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Broken)?;
                Value::Bytes(split(&mut self.0, length)?)
            }
            5 => skipped(&mut self.0, 4)?,
            _ => return Err(Broken),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Broken>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Numbers written one after the other.
pub fn packed(mut bytes: &[u8]) -> Result<Vec<u64>, Broken> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes)?);
    }
    Ok(numbers)
}

/// Numbers of which each is written as its difference from the one before.
pub fn deltas(bytes: &[u8]) -> Result<Vec<i64>, Broken> {
    let mut sum = 0_i64;
    let steps = packed(bytes)?.into_iter().map(signed);
    Ok(steps
        .map(|step| *{
            sum = sum.wrapping_add(step);
            &sum
        })
        .collect())
}

/// A number that was written with its sign in the lowest bit.
pub fn signed(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Broken)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Broken)
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Broken> {
    let (value, rest) = bytes.split_at_checked(length).ok_or(Broken)?;
    *bytes = rest;
    Ok(value)
}

fn skipped<'a>(bytes: &mut &[u8], length: usize) -> Result<Value<'a>, Broken> {
    split(bytes, length).map(|_| Value::Other)
}
