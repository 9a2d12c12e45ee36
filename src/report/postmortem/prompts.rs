//! What people are asked in a new document. They replace it with their answers; it is never generated again.

/// What a region asks for.
pub(super) fn prompt(id: &str) -> &'static str {
    match id {
        "status" => STATUS,
        "summary" => SUMMARY,
        "impact" => IMPACT,
        "causes" => CAUSES,
        "recovery" => RECOVERY,
        "lessons" => LESSONS,
        "actions" => ACTIONS,
        "runbook" => RUNBOOK,
        "graphs" => GRAPHS,
        _ => "",
    }
}

const STATUS: &str = "\
- Status: Draft (Draft, In review, Reviewed, Closed)
- Authors:
";

const SUMMARY: &str = "\
_Two or three sentences: what broke, for whom, for how long, and what ended it._
";

const IMPACT: &str = "\
- _Users, requests, percent of the traffic:_
- _Money, promises to customers, data:_
";

const CAUSES: &str = "\
- _What set it off?_
- _Which conditions had to come together? There is rarely one cause; write down each._
- _How was it noticed, and how could it have been noticed sooner?_
";

const RECOVERY: &str = "\
_Which action helped, which did not, and what was tried in between?_
";

const LESSONS: &str = "\
### What went well

-

### What went wrong

-

### Where we got lucky

-
";

const ACTIONS: &str = "\
Types: prevent, detect, mitigate, process.

| id | type | what | owner | priority | due | ticket |
|---|---|---|---|---|---|---|
| A1 | | | | | | |
";

const RUNBOOK: &str = "\
_Which item was wrong, missing, or in the wrong place? What should it say?_
";

const GRAPHS: &str = "\
_Pictures and links: what would somebody want to see who was not there?_
";
