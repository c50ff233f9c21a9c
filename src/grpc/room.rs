//! Where bytes wait for somebody outside: of messages that have not all arrived, and of answers that nobody has taken yet.
//!
//! Law: what waits is bounded for the whole process, and where it is too much, whoever has waited longest goes. He is the
//! slowest or means harm; whoever comes now is never refused for him.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What waits in a [`Room`].
pub(super) trait Guest: Send {
    /// Its room was needed.
    fn sent_away(self);
}

/// Room for so many bytes.
pub(super) struct Room<G> {
    most: usize,
    guests: Arc<Mutex<Guests<G>>>,
}

/// Those who wait, in the order in which they came.
struct Guests<G> {
    bytes: usize,
    came: u64,
    waiting: BTreeMap<u64, (usize, G)>,
}

/// A place in a [`Room`] until it is dropped.
pub(super) struct Seat<G: Guest> {
    number: u64,
    room: Room<G>,
}

impl<G> Clone for Room<G> {
    fn clone(&self) -> Self {
        Self { most: self.most, guests: self.guests.clone() }
    }
}

impl<G: Guest> Room<G> {
    pub fn of(most: usize) -> Self {
        Self { most, guests: Arc::new(Mutex::new(Guests { bytes: 0, came: 0, waiting: BTreeMap::new() })) }
    }

    /// Lets in what needs so many bytes.
    pub fn enter(&self, bytes: usize, guest: G) -> Seat<G> {
        let number = {
            let mut guests = self.guests();
            guests.came += 1;
            let number = guests.came;
            guests.waiting.insert(number, (0, guest));
            number
        };
        self.resize(number, bytes);
        Seat { number, room: self.clone() }
    }

    fn resize(&self, number: u64, bytes: usize) {
        let mut sent_away = Vec::new();
        {
            let mut guests = self.guests();
            let Some((before, _)) = guests.waiting.get_mut(&number) else { return };
            let before = std::mem::replace(before, bytes);
            guests.bytes = guests.bytes - before + bytes;
            while guests.bytes > self.most {
                let Some((_, (bytes, guest))) = guests.waiting.pop_first() else { break };
                guests.bytes -= bytes;
                sent_away.push(guest);
            }
        }
        // Not while the others are kept waiting.
        sent_away.into_iter().for_each(G::sent_away);
    }

    fn remove(&self, number: u64) -> Option<G> {
        let mut guests = self.guests();
        let (bytes, guest) = guests.waiting.remove(&number)?;
        guests.bytes -= bytes;
        Some(guest)
    }

    /// Nobody panics while it is held.
    fn guests(&self) -> MutexGuard<'_, Guests<G>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G: Guest> Seat<G> {
    /// Needs so many bytes from now on.
    pub fn resize(&self, bytes: usize) {
        self.room.resize(self.number, bytes);
    }

    /// Takes what waits out of the room; none if it was sent away.
    pub fn leave(self) -> Option<G> {
        self.room.remove(self.number)
    }

    /// Looks at what waits; none if it was sent away.
    pub fn with<T>(&self, look: impl FnOnce(&mut G) -> T) -> Option<T> {
        let mut guests = self.room.guests();
        guests.waiting.get_mut(&self.number).map(|(_, guest)| look(guest))
    }
}

impl<G: Guest> Drop for Seat<G> {
    fn drop(&mut self) {
        drop(self.room.remove(self.number));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Named(&'static str, Sender<&'static str>);

    impl Guest for Named {
        fn sent_away(self) {
            self.1.send(self.0).expect("heard");
        }
    }

    #[test]
    fn who_has_waited_longest_goes_first() {
        let (tell, told) = channel();
        let room = Room::of(10);
        let enter = |name, bytes| room.enter(bytes, Named(name, tell.clone()));
        let (first, second, third) = (enter("first", 4), enter("second", 3), enter("third", 3));
        assert_eq!(told.try_iter().count(), 0, "there is room for all");
        drop(second);
        let fourth = enter("fourth", 3);
        third.resize(7);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["first"]);
        assert!(first.with(|_| ()).is_none() && fourth.with(|_| ()).is_some());
        let fifth = enter("fifth", 11);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["third", "fourth", "fifth"], "larger than the room");
        drop((first, third, fourth, fifth));
        assert_eq!(room.guests().bytes, 0);
    }
}
