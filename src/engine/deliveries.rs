//! How messages end: taken, given up, left out, or handed to a fallback. What is told, and to whom, is in `messages`.

use crate::model::NotificationId;
use crate::model::event::Event;
use crate::model::notification::{MessageKind, Notification};

use super::core::Work;
use super::input::{DeliveryEnd, Effect};

/// A message has ended.
pub(super) fn finished(work: &mut Work<'_>, id: NotificationId, attempt: u32, end: DeliveryEnd) {
    if !work.state.outbox.contains_key(&id) {
        return;
    }
    work.emit(match end {
        DeliveryEnd::Accepted { detail } => Event::NotificationSent { notification: id, attempt, detail },
        DeliveryEnd::Failed(reason) => Event::NotificationFailed { notification: id, reason },
        DeliveryEnd::Suppressed(reason) => Event::NotificationSuppressed { notification: id, reason },
    });
}

/// A page was not taken in time: its channel's fallback gets it too, under the same key and with the same moment, so that it
/// is not worth delivering for longer than the first. Both may arrive; that is right for pages.
pub(super) fn fell_over(work: &mut Work<'_>, id: &NotificationId, reason: &str) {
    let Some(page) = work.state.outbox.get(id).filter(|page| page.kind == MessageKind::Page) else { return };
    let channels = &work.config().channels;
    let fallback = channels.get(&page.channel).and_then(|spec| spec.fallback());
    let Some(fallback) = fallback.filter(|name| channels.contains_key(*name)).cloned() else { return };
    let copy_id = NotificationId::from(format!("{id}~{fallback}"));
    if work.state.outbox.contains_key(&copy_id) {
        return;
    }
    let mut copy = Notification {
        // Recognised as the same page wherever it arrives twice.
        key: Some(page.key().to_owned()),
        fallback_of: Some(page.id.clone()),
        id: copy_id,
        channel: fallback,
        ..page.clone()
    };
    copy.facts.insert("instead_of".to_owned(), format!("{}: {reason}", page.channel));
    // Whom to write to was said for the first channel; the fallback knows its own.
    copy.to.clear();
    work.emit(Event::NotificationQueued { notification: copy.clone() });
    work.effects.push(Effect::Notify(copy));
}

/// Whoever leads now delivers what is in the outbox, in the order in which it was put there.
pub(super) fn begin_again(work: &mut Work<'_>) {
    let waiting: Vec<_> = work.state.outbox_in_order().cloned().collect();
    work.effects.extend(waiting.into_iter().map(Effect::Notify));
}
