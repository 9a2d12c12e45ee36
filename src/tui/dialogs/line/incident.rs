//! Commands about incidents and their checklists as command lines.

use super::Words;
use crate::model::checklist::ItemAct;
use crate::model::incident::{Audience, IncidentAsk};
use crate::model::{IncidentId, ItemId, Span};

/// What is asked about an incident, as one types it. A snooze until a time is one for as long as that is from now.
pub(super) fn asked(words: &mut Words, incident: &IncidentId, ask: &IncidentAsk, now: jiff::Timestamp) {
    let id = incident.as_str();
    if !matches!(ask, IncidentAsk::Tell { .. }) {
        words.verb("incident");
    }
    match ask {
        IncidentAsk::Declare => {
            words.verb("declare").value(id);
        }
        IncidentAsk::FalseAlarm { reason } => {
            words.verb("false-alarm").value(id).reason(reason);
        }
        IncidentAsk::Merge { into, reason } => {
            words.verb("merge").value(id).option("--into", into.as_str()).reason(reason);
        }
        IncidentAsk::Reopen { reason } => {
            words.verb("reopen").value(id).reason(reason);
        }
        IncidentAsk::Close { reason } => {
            words.verb("close").value(id).reason(reason);
        }
        IncidentAsk::Take { role, who } => {
            words.verb("role").value(role.word()).value(id);
            if let Some(who) = who {
                words.option("--give", who);
            }
        }
        IncidentAsk::Offer { role, to } => {
            words.verb("role").value(role.word()).value(id).option("--offer", to);
        }
        IncidentAsk::AddService { service } => {
            words.verb("add").value(service.as_str()).value(id);
        }
        IncidentAsk::Link { operation } => {
            words.verb("link").value(operation.as_str()).value(id);
        }
        IncidentAsk::Onset { at, reason } => {
            words.verb("onset").value(&at.to_string()).value(id).reason(reason);
        }
        IncidentAsk::Tell { audience, text, channels, next, .. } => {
            words.verb("message").verb("send").value(id).option("--text", text);
            if *audience == Audience::External {
                words.flag("--external");
            }
            for channel in channels {
                words.option("--to", channel.as_str());
            }
            if let Some(next) = next {
                let left = crate::tui::roster::age(now, *next).as_secs().max(1);
                words.option("--next", &Span::secs(left).to_string());
            }
        }
        IncidentAsk::Escalate { level, policy, reason } => {
            words.verb("escalate").value(id);
            if let Some(level) = level {
                words.option("--level", &level.to_string());
            }
            if let Some(policy) = policy {
                words.option("--policy", policy.as_str());
            }
            words.reason(reason);
        }
        IncidentAsk::Snooze { until, reason } => {
            let left = crate::tui::roster::age(now, *until).as_secs().max(1);
            words.verb("snooze").value(&Span::secs(left).to_string()).value(id).reason(reason);
        }
        IncidentAsk::StopEscalation { reason } => {
            words.verb("stop-escalation").value(id).reason(reason);
        }
    }
}

/// What is done to an item of a checklist, as one types it.
pub(super) fn item(words: &mut Words, incident: &IncidentId, item: &ItemId, act: &ItemAct) {
    words.verb("checklist");
    let id = item.as_str();
    match act {
        ItemAct::Done => {
            words.verb("tick").value(id);
        }
        ItemAct::NotApplicable { reason } => {
            words.verb("tick").value(id).flag("--not-applicable");
            if !reason.is_empty() {
                words.option("--note", reason);
            }
        }
        ItemAct::Reopen { reason } => {
            words.verb("reopen").value(id).reason(reason);
        }
        ItemAct::Override { reason } => {
            words.verb("override").value(id).reason(reason);
        }
        ItemAct::Defer { until, reason } => {
            words.verb("defer").value(id).option("--until", until).reason(reason);
        }
        ItemAct::Begin => {
            words.verb("begin").value(id);
        }
        ItemAct::Choose { option, reason } => {
            words.verb("choose").value(id).value(option.as_str()).reason(reason);
        }
        ItemAct::Record { value } => {
            words.verb("record").value(id).value(value);
        }
        ItemAct::Dispatch => {
            words.verb("do").value(id);
        }
        ItemAct::Undo => {
            words.verb("undo").value(id);
        }
        ItemAct::AcknowledgeRegression => {
            words.verb("regression").value(id);
        }
        ItemAct::Note { text } => {
            words.verb("note").value(id).value(text);
        }
        ItemAct::Claim => {
            words.verb("claim").value(id);
        }
        ItemAct::Release => {
            words.verb("release").value(id);
        }
    }
    words.option("--incident", incident.as_str());
}
