//! Following a journal: every entry once, in order, whoever appends it.
//!
//! Other processes give no signal when they append, so the file is asked. Entries have places without gaps and become
//! visible in their order, so "after the last one seen" neither leaves one out nor gives one twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::time::sleep;

use super::{Entry, Journal, JournalError, Position};

/// Time between two looks at a journal that had nothing new.
const EVERY: Duration = Duration::from_millis(50);

/// Most entries that are held at a time.
const BATCH: usize = 256;

/// Follows a journal from a place on. Nothing runs between the calls.
pub struct Tail {
    journal: Arc<dyn Journal>,
    after: Position,
    waiting: VecDeque<Entry>,
    failed: bool,
}

/// Follows a journal: the first entry given is the first after this place.
pub fn tail(journal: Arc<dyn Journal>, after: Position) -> Tail {
    Tail { journal, after, waiting: VecDeque::new(), failed: false }
}

impl Tail {
    /// The next entry, waited for as long as it takes. A call that is dropped loses nothing, and after an error the
    /// next call goes on at the same place, after a pause.
    pub async fn next(&mut self) -> Result<Entry, JournalError> {
        if self.failed {
            sleep(EVERY).await;
        }
        loop {
            if let Some(entry) = self.next_now().await? {
                return Ok(entry);
            }
            sleep(EVERY).await;
        }
    }

    /// The next entry if there is one already.
    pub async fn next_now(&mut self) -> Result<Option<Entry>, JournalError> {
        if self.waiting.is_empty() {
            self.failed = true;
            self.waiting = self.journal.read(self.after, BATCH).await?.into();
            self.failed = false;
        }
        let next = self.waiting.pop_front();
        if let Some(entry) = &next {
            self.after = entry.seq;
        }
        Ok(next)
    }

    /// The place of the last entry that was given.
    pub const fn position(&self) -> Position {
        self.after
    }

    /// The entries as a stream that never ends by itself.
    pub fn into_stream(self) -> impl Stream<Item = Result<Entry, JournalError>> + Send {
        futures::stream::unfold(self, async |mut tail| Some((tail.next().await, tail)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, event, fill, led, meddle};
    use super::*;
    use futures::StreamExt;

    /// A follower gets every entry once and in order, across batches, and then what is appended later.
    #[tokio::test]
    async fn every_entry_comes_once() {
        let (_dir, _path, journal, token) = led().await;
        fill(&journal, token, BATCH as u64 * 2 + 10, 300).await;
        let journal: Arc<dyn Journal> = Arc::new(journal);
        let mut tail = tail(Arc::clone(&journal), 5);
        for expected in 6..=BATCH as u64 * 2 + 10 {
            assert_eq!(tail.next().await.unwrap().seq, expected);
        }
        assert_eq!(tail.next_now().await.unwrap(), None);
        let position = tail.position();
        let mut stream = Box::pin(tail.into_stream());
        let (entry, given) = tokio::join!(stream.next(), async {
            journal.append(token, at(1), &[event(1)], &[]).await.unwrap()
        });
        assert_eq!(entry.unwrap().unwrap(), given[0]);
        assert_eq!(given[0].seq, position + 1);
    }

    /// Giving up waiting (in a `select!`) loses no entry.
    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let (_dir, _path, journal, token) = led().await;
        let journal: Arc<dyn Journal> = Arc::new(journal);
        let mut tail = tail(Arc::clone(&journal), 0);
        for polls in 0..20 {
            {
                let mut wait = Box::pin(tail.next());
                for _ in 0..polls {
                    assert!(futures::poll!(&mut wait).is_pending());
                    tokio::task::yield_now().await;
                }
            }
            let given = journal.append(token, at(1), &[event(polls)], &[]).await.unwrap();
            assert_eq!(tail.next().await.unwrap(), given[0]);
        }
    }

    /// An entry that cannot be read is reported where it stands; nothing after it is given as if it were not there.
    #[tokio::test]
    async fn an_unreadable_entry_is_reported() {
        let (_dir, path, journal, token) = led().await;
        fill(&journal, token, 5, 5).await;
        meddle(&path, "UPDATE entries SET version = 99 WHERE seq = 3").await;
        let mut tail = tail(Arc::new(journal), 0);
        assert_eq!(tail.next().await.unwrap().seq, 1);
        assert_eq!(tail.next().await.unwrap().seq, 2);
        for _ in 0..2 {
            let error = tail.next().await.unwrap_err();
            assert!(matches!(error, JournalError::Entry { seq: 3, .. }), "{error}");
        }
        assert_eq!(tail.position(), 2);
    }
}
