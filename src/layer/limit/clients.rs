//! [`Clients`]: what each client has used, in a bounded space.
//!
//! There is room for so many clients. When all of it is taken by clients that are not at rest, those
//! who come then count as one: whoever makes up addresses wears out what is left to others like him,
//! and not the memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::bucket;
use crate::schema::quota::Bounds;

const SHARDS: usize = 16;

/// Clients of a shard: some 200 KiB in all.
const MOST: usize = 512;

/// How long a full shard is not looked through again, in nanoseconds.
const REST: u64 = 100_000_000;

/// The one who stands for all for whom there was no room.
const OTHERS: u64 = 0;

/// What clients have used.
#[derive(Debug)]
pub(super) struct Clients {
    bounds: Bounds,
    shards: [Mutex<Shard>; SHARDS],
    /// Nobody can choose whose number he has.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    clients: FxHashMap<u64, Client>,
    /// When it was looked through.
    swept: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Client {
    due: u64,
    running: u32,
}

/// Why a client has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// He asks too often.
    Rate(Duration),
    /// He asks too much at one time.
    Running,
}

impl Clients {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    /// Counts a call of a client at `now`; the number that gives it back.
    pub(super) fn enter(&self, client: &[u8], now: u64) -> Result<u64, Full> {
        let number = self.hasher.hash_one(client).max(1);
        let mut shard = self.shard(number);
        let number = shard.room(number, now);
        let client = shard.clients.entry(number).or_default();
        if self
            .bounds
            .concurrency
            .is_some_and(|most| client.running >= most)
        {
            return Err(Full::Running);
        }
        if let Some(rate) = self.bounds.rate {
            client.due = bucket::next(rate, client.due, now).map_err(Full::Rate)?;
        }
        client.running += 1;
        Ok(number)
    }

    /// A call is over.
    pub(super) fn leave(&self, number: u64, of: &[u8]) {
        let shard = if number == OTHERS {
            self.hasher.hash_one(of).max(1)
        } else {
            number
        };
        let mut shard = self.shard(shard);
        if let Some(client) = shard.clients.get_mut(&number) {
            client.running = client.running.saturating_sub(1);
        }
    }

    #[allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the index is below the number of shards"
    )]
    fn shard(&self, number: u64) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[(number >> 32) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// The number under which a client counts.
    fn room(&mut self, number: u64, now: u64) -> u64 {
        if self.clients.len() < MOST || self.clients.contains_key(&number) {
            return number;
        }
        if now.saturating_sub(self.swept) > REST {
            self.swept = now;
            // Who is at rest is as good as new.
            self.clients
                .retain(|_, client| client.running > 0 || client.due > now);
        }
        if self.clients.len() < MOST {
            number
        } else {
            OTHERS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::quota::Rate;

    fn clients(rate: Option<(u64, u32)>, concurrency: Option<u32>) -> Clients {
        Clients::new(Bounds {
            rate: rate.map(|(ms, burst)| Rate {
                interval: Duration::from_millis(ms),
                burst,
            }),
            concurrency,
        })
    }

    #[test]
    fn one_client_takes_nothing_from_another() {
        let clients = clients(Some((1000, 2)), Some(2));
        let first = clients.enter(b"a", 1).unwrap();
        clients.enter(b"a", 1).unwrap();
        assert_eq!(clients.enter(b"a", 1), Err(Full::Running));
        clients.leave(first, b"a");
        assert!(matches!(clients.enter(b"a", 1), Err(Full::Rate(_))));
        assert!(clients.enter(b"b", 1).is_ok());
    }

    #[test]
    fn made_up_clients_take_bounded_room_and_rest_makes_room() {
        let clients = clients(Some((1000, 1)), None);
        let count = || {
            clients
                .shards
                .iter()
                .map(|shard| shard.lock().unwrap().clients.len())
                .sum::<usize>()
        };
        let mut admitted = 0;
        for name in 0..100_000_u32 {
            admitted += usize::from(clients.enter(&name.to_le_bytes(), 1).is_ok());
        }
        assert!(count() <= SHARDS * (MOST + 1), "{}", count());
        assert!(admitted <= SHARDS * (MOST + 1), "{admitted}");
        // They run: nobody is forgotten who does.
        let full = clients.enter(b"late", u64::MAX / 2);
        assert!(full.is_ok());
    }
}
