//! The frames of gRPC in the bytes of a request.
//!
//! Law 8: bytes that are no frames, or end in the midst of one, are the caller's fault and refused as such; tonic calls
//! them INTERNAL, which means a fault of the server.

use tonic::Status;

use crate::{
    domain::violation::Violations,
    grpc::status::{Problem, invalid},
};

/// Bytes before each message: whether it is compressed, and how long it is.
const HEAD_BYTES: usize = 5;

/// Where one message ends and the next begins.
pub(super) struct Frames {
    /// Bytes of a message.
    most: usize,
    pub received: usize,
    /// How many messages there are, with the last one if it is not all there.
    pub begun: usize,
    head: [u8; HEAD_BYTES],
    /// Bytes of the head that are there.
    headed: usize,
    /// Bytes of the message that are not.
    missing: usize,
    /// Of the message, once its head is there.
    length: usize,
}

impl Frames {
    /// Of messages of at most so many bytes.
    pub fn of(most: usize) -> Self {
        Self { most, received: 0, begun: 0, head: [0; HEAD_BYTES], headed: 0, missing: 0, length: 0 }
    }

    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        self.received = self.received.saturating_add(bytes.len());
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.missing);
            self.missing -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else { break };
            (self.head[self.headed], bytes) = (byte, rest);
            self.begun += usize::from(self.headed == 0);
            self.headed += 1;
            if self.headed == HEAD_BYTES {
                let [flag, length @ ..] = self.head;
                match flag {
                    0 => {}
                    1 => return Err(refusal("the message says it is compressed, and the request not how")),
                    _ => return Err(refusal(&format!("a message begins with {flag}, where 0 is due"))),
                }
                (self.headed, self.missing) = (0, u32::from_be_bytes(length) as usize);
                self.length = self.missing;
                if self.missing > self.most {
                    let (length, most) = (self.missing, self.most);
                    let said = format!("the message has {length} bytes; at most {most} are taken");
                    return Err(Problem::TooLarge.says(said));
                }
            }
        }
        Ok(())
    }

    /// Bytes of a message that is not all there, as it was announced: whoever reads makes room for all of it.
    pub fn announced(&self) -> Option<usize> {
        let is_within = self.missing > 0 || self.headed > 0;
        is_within.then_some(self.length)
    }

    pub fn end(&self) -> Result<(), Status> {
        match (self.headed, self.missing) {
            (0, 0) => Ok(()),
            (0, missing) => Err(refusal(&format!("the request ends {missing} bytes before its message does"))),
            _ => Err(refusal("the request ends before its message begins")),
        }
    }
}

pub(super) fn refusal(why: &str) -> Status {
    invalid(&Violations::one("", why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    proptest! {
        #[test]
        fn only_what_ends_between_two_messages_is_whole(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
            piece in 1..50usize, cut in 0..250usize,
        ) {
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for message in &messages {
                bytes.extend(frame(message));
                ends.push(bytes.len());
            }
            bytes.truncate(cut);
            let mut frames = Frames::of(usize::MAX);
            for piece in bytes.chunks(piece) {
                frames.take(piece).expect("no flags");
            }
            prop_assert_eq!(frames.end().is_ok(), ends.contains(&bytes.len()));
        }
    }

    #[test]
    fn flags_that_say_what_the_headers_do_not_are_refused() {
        for flag in [1, 2, 255] {
            let refused = Frames::of(usize::MAX).take(&[flag, 0, 0, 0, 0]).expect_err("refused");
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        }
    }
}
